"""Notice that slices suddenly cost many times more: an index that `compute` needs was dropped while it ran.

Judges the database's own instructions, which do not depend on load or cache, and for a slice that was stopped, which
says nothing of its cost, the database's own plans. Pure: decides, does nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from inchworm.cost import MOST_STEPS_PER_ROW

WARM_SLICES = 8  # before that nothing is usual yet
JUMP = 10.0  # times the usual cost per row; a skewed number of children stays below on real data, a scan does not
FEWEST_STEPS = 1_000_000  # about 30 ms: below this a jump harms nobody
FEWEST_ROWS = 16  # a slice that cannot be made much smaller proves nothing
CONFIRMATIONS = 2
SCAN = 0.6  # a quarter of the rows for more than this share of the cost: it is not paid per row
WEIGHT = 0.2  # of the newest slice in the usual cost


class Verdict(Enum):
    """What to do next: go on, take a quarter of the rows to see whether the cost follows, or stop and say so."""

    USUAL = "usual"
    SMALLER = "smaller"
    JUMPED = "jumped"


@dataclass(frozen=True, slots=True)
class Usual:
    """Cost per row as it was, and the slice under suspicion."""

    slices: int = 0
    steps_per_row: float = 0.0
    suspect_rows: int = 0
    suspect_steps: int = 0
    confirmed: int = 0


def judge(usual: Usual, rows: int, steps: int) -> tuple[Usual, Verdict]:
    """Compare a slice with what slices cost before.

    Rows that really have more children cost less in a smaller slice; a scan costs the same however small the slice is.
    """
    if usual.suspect_rows:
        return _confirm(usual, rows, steps)
    enough = usual.slices >= WARM_SLICES and rows >= FEWEST_ROWS and steps >= FEWEST_STEPS
    if enough and steps > JUMP * usual.steps_per_row * rows:
        return replace(usual, suspect_rows=rows, suspect_steps=steps, confirmed=0), Verdict.SMALLER
    per_row = steps / rows
    known = usual.steps_per_row
    smoothed = per_row if usual.slices == 0 else known + WEIGHT * (per_row - known)
    return Usual(usual.slices + 1, smoothed), Verdict.USUAL


def _confirm(usual: Usual, rows: int, steps: int) -> tuple[Usual, Verdict]:
    follows = rows > usual.suspect_rows // 2 or steps < SCAN * usual.suspect_steps
    if follows and steps > MOST_STEPS_PER_ROW * rows:
        return usual, Verdict.JUMPED  # a scan per row: no data that was usual before costs that much
    if follows:
        return Usual(usual.slices + 1, steps / rows), Verdict.USUAL  # dearer rows, not a dearer plan
    if usual.confirmed + 1 >= CONFIRMATIONS:
        return usual, Verdict.JUMPED
    seen = replace(usual, suspect_rows=rows, suspect_steps=steps, confirmed=usual.confirmed + 1)
    return seen, Verdict.SMALLER


def sentence(usual: Usual, rows: int, steps: int, change: str | None = None) -> str:
    """Why a migration was paused, for its operator; `change` of its plan, if there is one."""
    was = usual.steps_per_row * rows
    return (
        f"cost jump: a slice of {rows:,} rows takes {steps:,} steps instead of about {was:,.0f}, "
        f"which its size does not explain; {f'{change}; ' if change else ''}{_CURE}"
    )


Plan = tuple[str, ...]  # its lines, as the database words them

# a table or an index read from end to end: https://www.sqlite.org/eqp.html; PostgreSQL's EXPLAIN
_SCAN = re.compile(r"^\W*(SCAN (?!CONSTANT|\()|(Parallel )?Seq Scan on )")
_CURE = "an index that it needs is probably gone: create it again, then resume"


def stopped(before: Plan, now: Plan, tries: Sequence[int], limit_s: float) -> str | None:
    """Why to pause after slices of so many rows were stopped at the limit of a read one after the other; or None.

    before: the plan of a slice that went well in this attempt, () when none has. A plan that is another one now is
    answer enough. Without one to compare with, CONFIRMATIONS smaller slices must be stopped too, and the plan must
    scan: then it is not one fat row, which smaller slices isolate.
    """
    after = f"after {limit_s:.0f} s of reading"
    if change := changed(before, now):
        return f"lost plan: a slice of {tries[-1]:,} rows was stopped {after}; {change}; {_CURE}"
    scans = [line for line in now if _SCAN.match(line)]
    if before or len(tries) <= CONFIRMATIONS or not scans:
        return None
    sizes = ", ".join(f"{rows:,}" for rows in tries)
    return f"slices of {sizes} rows were stopped {after} each; their plan is {_shown(scans)}; {_CURE}"


def changed(before: Plan, now: Plan) -> str | None:
    """The difference between two plans in words; None when there is none, or when one of them is not known."""
    if not before or not now or before == now:
        return None
    return f"its plan was {_only(before, now)} and is {_only(now, before)}"


def _only(these: Plan, those: Plan) -> str:
    """The lines by which a plan differs; all of it when only their order does."""
    return _shown([line for line in these if line not in those] or these)


def _shown(lines: Sequence[str]) -> str:
    return ", ".join(f"'{line.strip()}'" for line in lines)
