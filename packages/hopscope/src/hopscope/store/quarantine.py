"""Read the records that could not be used, and how often each reason occurred."""

from dataclasses import dataclass

import apsw

from hopscope.store.connection import sql


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How often a source's records were refused for a reason, ever, and when last (ms)."""

    source: str
    reason: str
    count: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record as received (cut at 4096 bytes), with the reason and one sentence."""

    at: int
    source: str
    reason: str
    detail: str
    topic: str
    record: bytes


def counts(db: apsw.Connection) -> tuple[RejectCount, ...]:
    """Every reason of every source, newest first."""
    return tuple(RejectCount(*row) for row in db.execute(sql("quarantine")["counts"]))


def newest(db: apsw.Connection, *, reason: str | None, limit: int) -> tuple[Rejected, ...]:
    """At most `limit` records kept, newest first."""
    name = "newest" if reason is None else "of_reason"
    bounds: dict[str, str | int | None] = {"limit": limit}
    if reason is not None:
        bounds["reason"] = reason
    return tuple(Rejected(*row) for row in db.execute(sql("quarantine")[name], bounds))
