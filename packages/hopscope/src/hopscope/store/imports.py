"""Imports: the operator's request, the plan taken at the start, how far it is, the report. Reads no source.

Writing functions take a writing connection and are one short turn each, which raises StoreUnavailable while somebody
else keeps the database locked; the others work on a reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import apsw

from hopscope.store.connection import sql, transaction
from hopscope.store.errors import translated

_COLUMNS = ("id", "path", "requested_at", "requested_by", "state", "started_at", "ended_at", "error", "source_id")


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What is to become of one table. `left_out`: why it does not come along; None: it does."""

    name: str
    left_out: str | None = None
    key_after: int = 0
    key_last: int = 0
    witness: bytes | None = None
    total: int = 0
    walked_by: str | None = None
    reading: str | None = None


@dataclass(frozen=True, slots=True)
class TableCount:
    """How far one table is."""

    name: str
    left_out: str | None
    key_after: int
    key_last: int
    total: int
    imported: int
    merged: int
    quarantined: int
    walked_by: str | None
    reading: str | None

    @property
    def read(self) -> int:
        """Rows that are accounted for."""
        return self.imported + self.merged + self.quarantined


@dataclass(frozen=True, slots=True)
class Import:
    """One import; times ms UTC, as in schema.sql."""

    id: int
    path: str
    requested_at: int
    requested_by: str
    state: str
    started_at: int | None
    ended_at: int | None
    error: str | None
    source_id: int | None
    tables: tuple[TableCount, ...]
    reasons: tuple[tuple[str, int], ...]


def request(db: apsw.Connection, path: str, *, by: str, now: int) -> int:
    """Ask for an import; returns its number."""
    with translated(), transaction(db):
        db.execute(sql("imports")["request"], {"path": path, "by": by, "now": now})
        return db.last_insert_rowid()


def begin(db: apsw.Connection, number: int, source_name: str, plans: Sequence[TablePlan], *, now: int) -> int:
    """Fix the plan of a requested import; returns the id of its source."""
    statements = sql("imports")
    with translated(), transaction(db):
        db.execute(statements["make_source"], {"name": source_name})
        source_id = db.last_insert_rowid()
        db.execute(statements["begin"], {"id": number, "now": now, "source_id": source_id})
        values = [{**asdict(plan), "id": number} for plan in plans]
        db.executemany(statements["add_table"], values)
    return source_id


def end(db: apsw.Connection, number: int, state: str, *, error: str | None = None, now: int) -> None:
    """The import came to its end: done, failed or refused."""
    with translated(), transaction(db):
        db.execute(sql("imports")["end"], {"id": number, "state": state, "error": error, "now": now})


def resume(db: apsw.Connection, number: int) -> None:
    """A failed import goes on."""
    with translated(), transaction(db):
        db.execute(sql("imports")["continue"], {"id": number})


def opened(db: apsw.Connection) -> list[int]:
    """Imports that are requested or under way, oldest first."""
    return [int(row[0]) for row in db.execute(sql("imports")["open"])]


def open_of(db: apsw.Connection, path: str) -> int | None:
    """The import of this file that is asked for or under way."""
    found = db.execute(sql("imports")["open_of"], {"path": path}).get
    return None if found is None else int(found)


def failed_of(db: apsw.Connection, path: str) -> int | None:
    """The failed import of this file that running it again continues."""
    found = db.execute(sql("imports")["unfinished_of"], {"path": path}).get
    return None if found is None else int(found)


def failed(db: apsw.Connection) -> list[int]:
    """Begun imports that failed, oldest first. They stand in the way of others: their values are not all derived."""
    return [int(row[0]) for row in db.execute(sql("imports")["failed"])]


def load(db: apsw.Connection, number: int) -> Import | None:
    """One import with its tables, or None."""
    statements = sql("imports")
    row = db.execute(statements["one"], {"id": number}).fetchone()
    if row is None:
        return None
    tables = tuple(TableCount(*found) for found in db.execute(statements["tables"], {"id": number}))
    reasons = tuple((str(r), int(n)) for r, n in db.execute(statements["reasons"], {"source_id": row[8]}))
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    return Import(**values, tables=tables, reasons=reasons)


def every(db: apsw.Connection) -> list[Import]:
    """All imports, oldest first."""
    numbers = [int(row[0]) for row in db.execute(sql("imports")["ids"])]
    return [found for number in numbers if (found := load(db, number)) is not None]


def paths(db: apsw.Connection) -> tuple[str, ...]:
    """The files that imports were asked for with."""
    return tuple(str(row[0]) for row in db.execute(sql("imports")["paths"]))


def witnesses(db: apsw.Connection) -> list[Mapping[str, tuple[int, bytes]]]:
    """Per finished import, newest first: table -> its last key and the digest of the row there."""
    by_import: dict[int, dict[str, tuple[int, bytes]]] = {}
    for number, name, key, digest in db.execute(sql("imports")["witnesses"]):
        by_import.setdefault(int(number), {})[str(name)] = (int(key), bytes(digest))
    return list(by_import.values())
