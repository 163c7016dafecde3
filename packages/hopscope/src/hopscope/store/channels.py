"""Read channels. Their messages are transmissions: see packets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from hopscope.store.connection import sql


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A channel as stored. `last_seen` 0: no message stored any more."""

    id: int
    name: str
    hash: int
    encrypted: int
    message_count: int
    last_message_id: int | None
    last_seen: int


def all_channels(db: apsw.Connection) -> tuple[ChannelRow, ...]:
    """Every channel, newest message first."""
    return tuple(ChannelRow(*row) for row in db.execute(sql("channels")["all"]))


def heard_in(db: apsw.Connection, observers: Sequence[int]) -> frozenset[int]:
    """Ids of the channels with a message that one of these observers heard."""
    rows = db.execute(sql("channels")["heard_in"], {"observers": json.dumps(list(observers))})
    return frozenset(row[0] for row in rows)
