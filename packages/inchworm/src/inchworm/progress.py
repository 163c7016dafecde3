"""Counters that must add up, rate and remaining time that never pretend, and where the seconds went.

Pure values: the caller passes every time in. An unknown is None, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inchworm.states import Status


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of the keyed table. examined = changed + unchanged + skipped + quarantined, or the run is not done."""

    examined: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    quarantined: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.examined + other.examined,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.skipped + other.skipped,
            self.quarantined + other.quarantined,
        )

    @property
    def balanced(self) -> bool:
        parts = (self.changed, self.unchanged, self.skipped, self.quarantined)
        return self.examined == sum(parts) and min(parts) >= 0


@dataclass(frozen=True, slots=True)
class Total:
    """Rows between the bounds; `rows` None: counting would cost more than it tells."""

    rows: int | None
    estimated: bool = False


NOTHING = Counts()
UNCOUNTED = Total(None)


@dataclass(frozen=True, slots=True)
class Progress:
    """One progress event. `rate` in rows/s over active time; None where nothing has been measured yet."""

    name: str
    status: Status
    counts: Counts
    total: Total
    rate: float | None
    eta_s: float | None
    active_s: float
    throttled: Mapping[str, float]
    reason: str | None
    slices: int

    def __str__(self) -> str:
        done, rows = self.counts.examined, self.total.rows
        if not rows:
            return f"{self.name}: {done} rows"
        if done > rows:
            return f"{self.name}: {done} rows (expected {rows})"
        about = "about " if self.total.estimated else ""
        return f"{self.name}: {done} of {about}{rows} rows ({100 * done // rows} %)"


def rate(rows: int, active_s: float) -> float | None:
    """Rows per second of active time in the current attempt; None before the first row or second."""
    return rows / active_s if rows > 0 and active_s > 0 else None


def eta_s(total: Total, examined: int, rows_per_s: float | None) -> float | None:
    """Seconds of active time left; None without a total or a rate, or when the total was already passed."""
    if total.rows is None or not rows_per_s or examined > total.rows:
        return None
    return (total.rows - examined) / rows_per_s


@dataclass(slots=True)
class Timesheet:
    """Books every second to exactly one account: active work, or the reason for not working."""

    now_s: float
    active_s: float = 0.0
    throttled: dict[str, float] = field(default_factory=dict)
    reason: str | None = None

    def switch(self, reason: str | None, now_s: float) -> None:
        """Close the running account at `now_s` and open another; None is active work."""
        self.settle(now_s)
        self.reason = reason

    def settle(self, now_s: float) -> None:
        """Book the time since the last call."""
        passed = max(0.0, now_s - self.now_s)
        if self.reason is None:
            self.active_s += passed
        else:
            self.add(self.reason, passed)
        self.now_s = max(now_s, self.now_s)

    def add(self, reason: str, seconds: float) -> None:
        """Book seconds that passed while nobody ran."""
        if seconds > 0:
            self.throttled[reason] = self.throttled.get(reason, 0.0) + seconds
