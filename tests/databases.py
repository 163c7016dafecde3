"""SQLite files for the tests of inchworm, opened through the same library that the engine uses.

Two SQLite libraries in one process do not see each other's locks, so a test must not bring a second one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inchworm.sqlite.driver import open_path


@contextmanager
def writing(path: str | Path, *, journal_mode: str = "wal") -> Iterator[Any]:
    """Another connection's transaction over the block, committed at its end; the file is made when it is missing."""
    Path(path).touch()
    driver = open_path(path, read_only=False)
    try:
        driver.run(f"pragma journal_mode = {journal_mode}")
        driver.run("begin immediate")
        yield driver.connection
        if driver.in_transaction():
            driver.run("commit")
    finally:
        driver.close()
