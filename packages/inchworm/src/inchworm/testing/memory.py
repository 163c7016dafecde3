"""Databases that live in memory, for fast tests of a user's own migrations: SQLite's memdb VFS, ledger and all.

One process only, and a rollback journal: a reader that stays open keeps writers waiting. Files behave better.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

from inchworm.sqlite.driver import Driver, open_path
from inchworm.testing.harness import LibraryHarness

_numbers = itertools.count(1)


class MemoryHarness(LibraryHarness):
    """A `Harness` over memory. Each database lives until `close`; `target` names work wherever a path does."""

    def __init__(self, library: str | None = None) -> None:
        self.library = library
        self._keepers: list[Driver] = []

    def fresh(self) -> str:
        """A new empty database; its name is good in this process until `close`."""
        # the leading slash makes SQLite share it between the connections of this process (3.36 and later)
        target = f"file:/inchworm-{os.getpid()}-{next(_numbers)}?vfs=memdb"
        self._keepers.append(open_path(target, read_only=False, library=self.library))
        self._keepers[-1].run("pragma user_version = 0")
        return target

    def close(self) -> None:
        """Forget every database."""
        while self._keepers:
            self._keepers.pop().close()


@contextmanager
def memory_database(*statements: str, library: str | None = None) -> Iterator[str]:
    """A database in memory with these statements run; yields the name to give to `inchworm.run`.

    with memory_database("create table t (id integer primary key, n int)") as target:
        inchworm.run(target, [migration])
    """
    harness = MemoryHarness(library)
    try:
        target = harness.fresh()
        harness.execute(target, *statements)
        yield target
    finally:
        harness.close()
