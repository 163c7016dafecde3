"""Drop what nobody heard for longer than the operator keeps it, a few transmissions per turn.

Rollups, nodes and observers stay. A turn is a few milliseconds, so that ingest never waits for a clean-up.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import apsw

from hopscope.store.connection import sql, transaction
from hopscope.store.errors import translated

DAY_MS = 86_400_000
TRANSMISSIONS_A_TURN = 20  # with some twenty receptions each: about 400 rows, 2-5 ms of lock
LOOK_MS = 60_000  # between two looks while nothing is old enough


@dataclass(frozen=True, slots=True)
class Dropped:
    """What one turn removed."""

    transmissions: int = 0
    observations: int = 0


class Retention:
    """Used by the storing thread, on the writer's connection."""

    def __init__(
        self,
        db: apsw.Connection,
        *,
        days: int,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """days: a transmission not heard for so long is dropped; 0 keeps everything for ever. `turn`: as for Writer."""
        self._db, self._days, self._turn_of_ours, self._sql = db, days, turn, sql("retention")
        self._next_look_at = 0

    def turn_when_due(self, now_ms: int) -> Dropped:
        """One turn, or nothing when nothing is old enough. Raises StoreUnavailable."""
        if not self._days or now_ms < self._next_look_at:
            return Dropped()
        with self._turn_of_ours(), translated(), transaction(self._db):
            dropped = self._turn(now_ms - self._days * DAY_MS)
        if dropped.transmissions < TRANSMISSIONS_A_TURN:
            self._next_look_at = now_ms + LOOK_MS
        return dropped

    def _turn(self, before: int) -> Dropped:
        expired = self._db.execute(self._sql["expired"], {"before": before, "limit": TRANSMISSIONS_A_TURN}).fetchall()
        observations = 0
        for transmission, channel in expired:
            self._db.execute(self._sql["delete_observations"], (transmission,))
            observations += self._db.changes()
            self._db.execute(self._sql["delete_transmission"], (transmission,))
            if channel is not None:
                self._db.execute(self._sql["one_message_less"], {"transmission": transmission, "channel": channel})
        for name, count in (("transmissions", len(expired)), ("observations", observations)):
            if count:
                self._db.execute(self._sql["count_down"], {"name": name, "by": count})
        return Dropped(len(expired), observations)
