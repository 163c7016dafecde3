"""How long the writer waited for the database and held it. Percentiles over the newest turns; owns no clock."""

from collections import deque
from dataclasses import dataclass, field

from hopscope.model import TurnStats
from hopscope.percentile import percentile

KEPT_TURNS = 1_000  # percentiles over about three minutes of busy ingest


@dataclass(slots=True)
class Turns:
    """One component's turns since the writer started. Used by one thread."""

    component: str
    turns: int = 0
    rows: int = 0
    failures: int = 0
    waits: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))
    holds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))

    def add(self, *, wait_ms: float, hold_ms: float, rows: int) -> None:
        """A turn that committed."""
        self.turns += 1
        self.rows += rows
        self.waits.append(wait_ms)
        self.holds.append(hold_ms)

    def failed(self) -> None:
        """A turn that was rolled back, or never got its lock."""
        self.turns += 1
        self.failures += 1

    def stats(self) -> TurnStats:
        """The figures as they are shown."""
        waits, holds = sorted(self.waits), sorted(self.holds)
        return TurnStats(
            component=self.component,
            turns=self.turns,
            rows=self.rows,
            failures=self.failures,
            wait_p50=_ranked(waits, 0.5),
            wait_p95=_ranked(waits, 0.95),
            wait_max=_ranked(waits, 1),
            hold_p50=_ranked(holds, 0.5),
            hold_p95=_ranked(holds, 0.95),
            hold_max=_ranked(holds, 1),
        )


def _ranked(ascending: list[float], share: float) -> float:
    return round(percentile(ascending, share), 3)
