"""Read what live sources committed after an observation id, with the transmissions it belongs to."""

from dataclasses import dataclass

import apsw

from hopscope.store import packets, stats
from hopscope.store.connection import sql
from hopscope.store.packets import ObservationRow, PacketRow


@dataclass(frozen=True, slots=True)
class News:
    """Receptions after an id up to `last`, oldest first. `complete` False: there were more than asked for."""

    receptions: tuple[tuple[ObservationRow, PacketRow], ...]
    last: int
    complete: bool


def newest_id(db: apsw.Connection) -> int:
    """The highest observation id; 0: none."""
    return int(db.execute(sql("live")["newest_id"]).get)


def database_id(db: apsw.Connection) -> str:
    """What tells this database from another one at the same place."""
    found = stats.meta(db, "database_id")
    if found is None:
        raise ValueError("the database has no database_id")
    return found


def after(db: apsw.Connection, position: int, *, last: int | None = None, limit: int) -> News:
    """Receptions after `position` (up to `last`, None: all). More than `limit`: none of them, and not complete."""
    end = newest_id(db) if last is None else last
    bounds = {"after": position, "last": end, "limit": limit + 1}
    found = [ObservationRow(*row) for row in db.execute(sql("live")["after"], bounds)]
    if len(found) > limit:
        return News((), end, complete=False)
    ids = sorted({row.transmission_id for row in found})
    transmissions = {row.id: row for row in packets.by_ids(db, ids)}
    pairs = tuple((row, transmissions[row.transmission_id]) for row in found)
    return News(pairs, end, complete=True)
