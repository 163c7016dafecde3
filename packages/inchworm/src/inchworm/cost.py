"""Judge what a slice costs: whether it is paid per row, per slice, or grows with the table. Pure arithmetic.

Cost is counted in what the database itself counts, which does not depend on hardware, load or cache.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Slices begin with 250 rows and read for at most a quarter of a second, so 1 ms per row is where they stop to work;
# measured 20-50 million VM instructions a second, which makes that about 50,000.
MOST_STEPS_PER_ROW = 50_000
MOST_STEPS_PER_SLICE = 50_000
SMALL_ROWS = 32
LARGE_ROWS = 256
FEWEST_ROWS = 64  # below this the difference between two slices says nothing


@dataclass(frozen=True, slots=True)
class Meter:
    """What a database counts, in words, and how much of it one row, or a slice before its first row, may cost."""

    unit: str
    most_per_row: int
    most_per_slice: int


VM_STEPS = Meter("steps", MOST_STEPS_PER_ROW, MOST_STEPS_PER_SLICE)
# PostgreSQL returns some 10-20 million rows of a scan a second (measured), which makes 1 ms per row about 15,000. A
# scan of 50,000 rows is 3-5 ms per slice; below that its planner often prefers one to an index that is there.
ROWS_AND_PAGES = Meter("rows and pages", 15_000, 50_000)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured piece of work over `rows` keys. `ended` False: it was stopped, the figures are lower bounds.

    steps: in units of `meter`. log_bytes: written to the database's log; None where it cannot be measured.
    """

    rows: int
    steps: int
    seconds: float
    ended: bool = True
    meter: Meter = VM_STEPS
    log_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """The same work over few and over many rows from the same key, at one place of the key space."""

    place: str
    small: Sample
    large: Sample

    @property
    def measurable(self) -> bool:
        """Whether the two differ enough to tell fixed cost from cost per row."""
        return self.large.rows - self.small.rows >= FEWEST_ROWS // 2

    @property
    def per_row(self) -> float:
        """Steps that one more row costs; the mean of what was finished when that cannot be told apart."""
        if self.measurable and self.small.ended and self.large.ended:
            return max(0.0, (self.large.steps - self.small.steps) / (self.large.rows - self.small.rows))
        whole = self.large if self.large.ended else self.small
        return whole.steps / max(1, whole.rows)

    @property
    def fixed(self) -> float:
        """Steps that a slice costs before its first row."""
        if not (self.measurable and self.small.ended and self.large.ended):
            return 0.0
        return max(0.0, self.small.steps - self.per_row * self.small.rows)

    @property
    def fault(self) -> str | None:
        """What is wrong here, or None."""
        if not self.small.ended:
            return "endless"
        if self.fixed >= self.small.meter.most_per_slice:
            return "fixed"
        return "dear" if self.per_row >= self.small.meter.most_per_row else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a piece of work is refused; `per_slice` when its cost follows the table and not the slice."""

    per_slice: bool
    why: str


def _until_stopped(sample: Sample) -> str:
    return f"{sample.steps:,} {sample.meter.unit}" if sample.steps else f"{sample.seconds:.2g} s"


_SAY: dict[str, Callable[[Pair], str]] = {
    "endless": lambda p: f"not ended after {_until_stopped(p.small)} for a slice of {p.small.rows}",
    "fixed": lambda p: f"{p.fixed:,.0f} {p.small.meter.unit} before the first row",
    "dear": lambda p: f"{p.per_row:,.0f} {p.small.meter.unit} for each row",
}
_MEANING = {True: "its cost per slice grows with the table", False: "its cost is out of proportion to its rows"}


def judge(pairs: Sequence[Pair]) -> Verdict | None:
    """Refuse what costs too much at most places; one place alone may be one unlucky row, which the engine isolates."""
    wrong = [(p, fault) for p in pairs if (fault := p.fault) is not None]
    if not wrong or len(wrong) < len(pairs) // 2 + 1:
        return None
    per_slice = any(fault == "fixed" for _, fault in wrong)
    where = ", ".join(f"{_SAY[fault](p)} at the {p.place}" for p, fault in wrong)
    return Verdict(per_slice, f"{_MEANING[per_slice]} ({where})")
