"""What a backend gives the conformance suite: fresh databases, and a way to look at and write them from outside."""

import itertools
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from inchworm import sqlite
from inchworm.clock import Clock
from inchworm.ports import Database, SqlValue
from inchworm.sqlite.driver import open_path


class Harness(Protocol):
    """One backend under test. Statements are portable SQL; every call uses a connection of its own and commits."""

    def fresh(self) -> str:
        """A new empty database, named as `open` and the front door name it."""
        ...

    def open(self, target: str, clock: Clock | None = None) -> Database:
        """The backend itself."""
        ...

    def execute(self, target: str, *statements: str) -> None:
        """Another connection writes; raises when the database is locked."""
        ...

    def rows(self, target: str, statement: str) -> Sequence[tuple[SqlValue, ...]]:
        """Another connection reads."""
        ...


class LibraryHarness:
    """What files and memory have in common: each call opens `target` with `library`, see sqlite.connect."""

    library: str | None

    def open(self, target: str, clock: Clock | None = None) -> Database:
        """The backend itself."""
        return sqlite.connect(target, library=self.library, clock=clock)

    def execute(self, target: str, *statements: str) -> None:
        """Another connection writes; raises when the database is locked."""
        with closing(open_path(target, read_only=False, library=self.library)) as driver:
            for statement in statements:
                driver.run(statement)

    def rows(self, target: str, statement: str) -> Sequence[tuple[SqlValue, ...]]:
        """Another connection reads."""
        with closing(open_path(target, read_only=False, library=self.library)) as driver:
            return driver.run(statement).rows


class SqliteHarness(LibraryHarness):
    """Files in a folder, through one of the two SQLite libraries (never both on one file in one process)."""

    def __init__(self, folder: Path, library: str) -> None:
        self._folder, self.library = folder, library
        self._numbers = itertools.count()

    def fresh(self) -> str:
        """A new empty file with a write-ahead log."""
        path = self._folder / f"{next(self._numbers)}.db"
        path.touch()
        self.execute(str(path), "pragma journal_mode = wal")
        return str(path)
