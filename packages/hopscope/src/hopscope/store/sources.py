"""Read where records come from, and how each connection is doing."""

from dataclasses import dataclass

import apsw

from hopscope.store.connection import sql


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A broker, an import or the demo; times in ms, None: never."""

    id: int
    name: str
    kind: str
    address: str | None
    connected: int
    connected_at: int | None
    disconnected_at: int | None
    last_record_at: int | None
    connects: int
    disconnects: int
    records: int
    last_error: str | None


def all_sources(db: apsw.Connection) -> tuple[SourceRow, ...]:
    """Every source, in the order they were first seen."""
    return tuple(SourceRow(*row) for row in db.execute(sql("sources")["all"]))
