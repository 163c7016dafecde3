"""Open SQLite through APSW, as the one writer or as a reader, and load named SQL. Knows no table.

One process opens a database file through one SQLite library only (POSIX locks vanish otherwise), so nothing else in
hopscope imports sqlite3.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

import apsw

BUSY_TIMEOUT_MS = 5000
CACHE_KIB = 16 * 1024  # per connection; a reader process has a handful and stays under its 150 MB


class DatabaseMissing(Exception):
    """There is no database at the configured place yet; the writer creates it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no database {path} yet: a writer (hopscope serve, ingest or import) makes it")


def open_writer(path: str) -> apsw.Connection:
    """The connection that writes: WAL, synchronous FULL (acknowledged means on disk), foreign keys on.

    Creates the file and its directory when missing.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    db = apsw.Connection(path)
    db.set_busy_timeout(BUSY_TIMEOUT_MS)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.pragma("foreign_keys", "on")
    db.pragma("cache_size", -CACHE_KIB)
    return db


def open_reader(path: str) -> apsw.Connection:
    """A read-only connection. Raises DatabaseMissing when there is no file."""
    if not Path(path).exists():
        raise DatabaseMissing(path)
    db = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(BUSY_TIMEOUT_MS)
    db.pragma("query_only", "on")
    db.pragma("cache_size", -CACHE_KIB)
    return db


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """All or nothing. IMMEDIATE, because a deferred transaction that upgrades fails without waiting."""
    db.execute("begin immediate")
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.in_transaction:  # an interrupt, a full disk or an I/O error may have rolled back already
            db.execute("rollback")
        raise


@contextmanager
def snapshot(db: apsw.Connection) -> Iterator[None]:
    """Several reads of one moment. In WAL mode this blocks nobody."""
    db.execute("begin")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("rollback")


@cache
def sql(file: str) -> dict[str, str]:
    """The statements of `store/sql/FILE.sql`, by the name in their `-- name: NAME` line. A name may appear once."""
    return parse_statements((resources.files(__package__) / "sql" / f"{file}.sql").read_text(encoding="utf-8"))


def parse_statements(text: str) -> dict[str, str]:
    """Split `-- name: NAME` blocks; comments stay with their statement. Raises ValueError on a second use of a name."""
    statements: dict[str, str] = {}
    for name, body in re.findall(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", text, re.MULTILINE | re.DOTALL):
        if name in statements:
            raise ValueError(f"statement {name!r} is defined twice")
        statements[name] = body.strip()
    return statements
