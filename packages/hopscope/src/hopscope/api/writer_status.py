"""The one truth about the writer process: what /api/healthz, /metrics, /api/mqtt/status and the pages say of it.

Looks at the writer's lock at most once a second. Never waits for the writer, writes nothing, needs no database.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hopscope.api.memo import Memo
from hopscope.store import lock
from hopscope.store.lock import Held

EVERY_S = 1.0
COLLECTING, IMPORTING, STOPPED, UNKNOWN = "collecting", "importing", "stopped", "unknown"


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """What the writer does. `stopped_at`: since when nothing is collected, ms; None: it is, or nobody saw it end.

    error: why the state is unknown.
    """

    state: str = UNKNOWN
    stopped_at: int | None = None
    error: str | None = None

    @property
    def collects(self) -> bool | None:
        """Whether new packets can arrive; None: not known."""
        return None if self.state == UNKNOWN else self.state == COLLECTING


@dataclass(slots=True)
class WriterWatch:
    """Keeps what was seen last, so that the end of a writer that died has a time."""

    database: str
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    look: Callable[[str], Held] = lock.look
    _memo: Memo[WriterStatus] = field(init=False)
    _last: WriterStatus = field(init=False, default_factory=WriterStatus)

    def __post_init__(self) -> None:
        self._memo = Memo(self._look, every_s=EVERY_S)

    def current(self) -> WriterStatus:
        """Not older than a second. Never raises."""
        return self._memo.get()

    def _look(self) -> WriterStatus:
        try:
            self._last = judge(self.look(self.database), self._last, self.now_ms())
        except OSError as error:
            self._last = WriterStatus(
                UNKNOWN, self._last.stopped_at, f"the writer's lock cannot be read: {error.strerror}"
            )
        return self._last


def judge(held: Held, before: WriterStatus, now_ms: int) -> WriterStatus:
    """The status by the lock and by what was seen before. A writer that is busy holds its lock like an idle one."""
    if held.work == lock.INGEST:
        return WriterStatus(COLLECTING)
    seen = now_ms if before.state == COLLECTING else before.stopped_at
    return WriterStatus(IMPORTING if held.work else STOPPED, held.stopped_at or seen)
