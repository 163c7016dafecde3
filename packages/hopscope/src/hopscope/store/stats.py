"""Read totals from counters and rollups, never by counting a big table."""

from dataclasses import dataclass
from typing import Any

import apsw

from hopscope.store.connection import sql

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows of the big tables, from their counters."""

    transmissions: int
    observations: int


@dataclass(frozen=True, slots=True)
class RoleCount:
    """Nodes of one role: all, and those heard since the time asked for."""

    role: int
    total: int
    recent: int


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size of the database file, bytes."""

    size: int
    free: int


def totals(db: apsw.Connection) -> Totals:
    """Both counters."""
    found: list[Any] = db.execute(sql("stats")["counters"]).fetchall()
    values = dict(found)
    return Totals(int(values["transmissions"]), int(values["observations"]))


def meta(db: apsw.Connection, key: str) -> str | None:
    """A fact about the database, as `database_id`."""
    value: str | None = db.execute(sql("stats")["meta"], (key,)).get
    return value


def node_roles(db: apsw.Connection, *, since: int) -> tuple[RoleCount, ...]:
    """How many nodes of each role."""
    return tuple(RoleCount(*row) for row in db.execute(sql("stats")["node_roles"], {"since": since}))


def observer_total(db: apsw.Connection) -> int:
    """How many observers there are."""
    found: Any = db.execute(sql("stats")["observer_total"]).get
    return int(found)


def receptions_last_hour(db: apsw.Connection, *, now: int) -> dict[int, int]:
    """Receptions of the last hour by observer id; observers without any are left out."""
    bounds = {"first": now - HOUR_MS, "last": now + HOUR_MS}
    found: list[Any] = db.execute(sql("stats")["receptions_between"], bounds).fetchall()
    return {observer: receptions for observer, receptions in found if receptions}


def receptions_last_day(db: apsw.Connection, *, now: int) -> int:
    """Receptions of the last 24 hours: whole hours from the rollup, the begun one counted."""
    begun = now - 24 * HOUR_MS
    first_whole = begun - begun % HOUR_MS + HOUR_MS
    statements = sql("stats")
    whole = int(db.execute(statements["receptions_in_hours"], {"first": first_whole}).get)
    found: list[Any] = db.execute(statements["receptions_between"], {"first": begun, "last": first_whole}).fetchall()
    return int(whole + sum(receptions for _, receptions in found))


def file_facts(db: apsw.Connection) -> FileFacts:
    """Size of the file and of its free pages."""
    facts: Any = db.execute(sql("stats")["page_facts"]).fetchone()
    pages, page_size, free = facts
    return FileFacts(pages * page_size, free * page_size)
