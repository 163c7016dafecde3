"""Read how long the writer waited for its turns and held the database, as it last wrote it."""

from dataclasses import dataclass

import apsw

from hopscope.store.connection import sql


@dataclass(frozen=True, slots=True)
class WriterStats:
    """One kind of work; milliseconds over its newest 1,000 turns. `at`: when it was written."""

    component: str
    at: int
    turns: int
    rows: int
    failures: int
    wait_p50: float
    wait_p95: float
    wait_max: float
    hold_p50: float
    hold_p95: float
    hold_max: float


def all_components(db: apsw.Connection) -> tuple[WriterStats, ...]:
    """Every kind of work, by name."""
    return tuple(WriterStats(*row) for row in db.execute(sql("writer_stats")["all"]))
