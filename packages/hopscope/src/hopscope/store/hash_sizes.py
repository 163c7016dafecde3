"""Read the rollups of path hash sizes and hops."""

from dataclasses import dataclass
from typing import Any

import apsw

from hopscope.store import nodes
from hopscope.store.connection import sql


@dataclass(frozen=True, slots=True)
class HopCount:
    """How often a hop stood in a path."""

    size: int
    hop: bytes
    observations: int


def hourly(db: apsw.Connection, *, since: int) -> dict[int, dict[int, int]]:
    """Receptions by hour (start, ms) and hash size, ascending."""
    hours: dict[int, dict[int, int]] = {}
    for hour, size, observations in db.execute(sql("hash_sizes")["hourly"], {"since": since}):
        hours.setdefault(hour, {})[size] = observations
    return hours


def sums(db: apsw.Connection) -> dict[int, int]:
    """Receptions by hash size, ever."""
    found: list[Any] = db.execute(sql("hash_sizes")["sums"]).fetchall()
    return dict(found)


def top_hops(db: apsw.Connection, *, limit: int) -> tuple[HopCount, ...]:
    """The hops that stood in most paths."""
    return tuple(HopCount(*row) for row in db.execute(sql("hash_sizes")["top_hops"], {"limit": limit}))


def multi_byte_nodes(db: apsw.Connection, *, limit: int) -> tuple[nodes.NodeRow, ...]:
    """Nodes that advertised with hashes of more than one byte, newest heard first."""
    ids = [row[0] for row in db.execute(sql("hash_sizes")["multi_byte_nodes"], {"limit": limit})]
    return tuple(nodes.by_ids(db, ids).values())
