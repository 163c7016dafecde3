"""What a run tells its caller: one outcome per migration, warnings, and what kept it from running. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inchworm.progress import NOTHING, UNCOUNTED, Counts, Total
from inchworm.states import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one migration stands when the run ends; seconds. `reason`: why it did not end, `error`: why it failed.

    forecast: JSON that plan recorded (see `inchworm.forecast.read_forecast`), None when nobody planned.
    """

    name: str
    status: Status
    counts: Counts = NOTHING
    total: Total = UNCOUNTED
    slices: int = 0
    active_s: float = 0.0
    throttled: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None
    error: str | None = None
    forecast: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes in order of execution. `parked`: names in the ledger that this code does not know."""

    outcomes: tuple[Outcome, ...]
    parked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    longest_hold_s: float = 0.0
    turns: int = 0
    budget_is_best_effort: bool = False

    @property
    def ok(self) -> bool:
        """Whether every migration of this run is done."""
        return all(o.status is Status.DONE for o in self.outcomes)

    def __getitem__(self, name: str) -> Outcome:
        for outcome in self.outcomes:
            if outcome.name == name:
                return outcome
        raise KeyError(name)
