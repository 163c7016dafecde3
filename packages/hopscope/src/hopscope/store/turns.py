"""How long the writer waited for the database and held it. Percentiles over the newest turns; owns no clock."""

from collections import deque
from dataclasses import dataclass, field

from hopscope.model import TurnStats

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
            wait_p50=percentile(waits, 50),
            wait_p95=percentile(waits, 95),
            wait_max=percentile(waits, 100),
            hold_p50=percentile(holds, 50),
            hold_p95=percentile(holds, 95),
            hold_max=percentile(holds, 100),
        )


def percentile(ordered: list[float], percent: int) -> float:
    """The smallest value that `percent` per cent of the values do not exceed; 0 when there are none."""
    if not ordered:
        return 0.0
    return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)], 3)
