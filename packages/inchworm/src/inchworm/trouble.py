"""What a fault means for a slice: wait and try again, take fewer rows, put the row aside, or give up. Decides only."""

from dataclasses import dataclass
from enum import Enum

from inchworm import pace
from inchworm.errors import (
    Busy,
    DatabaseBroken,
    DatabaseFault,
    DeadlineExceeded,
    DiskFull,
    LockNeverFree,
    RowRefused,
    StatementRefused,
    Stopped,
)

DISK_FULL = "disk full"


class Do(Enum):
    """The next step after a fault."""

    WAIT = "wait"
    HALVE = "halve"
    PUT_ASIDE = "put aside"


@dataclass(frozen=True, slots=True)
class Remedy:
    """`seconds` and `reason` of a wait."""

    do: Do
    seconds: float = 0.0
    reason: str = ""


def remedy(fault: DatabaseFault, *, rows: int, failures: int) -> Remedy:
    """What to do after `failures` earlier waits for the same slice of `rows` rows.

    Raises the fault when nothing helps. A full disk is waited for without end: it is the operator's to give up.
    """
    if isinstance(fault, Stopped | StatementRefused | LockNeverFree):
        raise fault
    if isinstance(fault, DiskFull):
        return Remedy(Do.WAIT, pace.retry_delay(failures + 1), DISK_FULL)
    if isinstance(fault, Busy):
        if failures >= pace.RETRIES:
            raise fault
        return Remedy(Do.WAIT, pace.retry_delay(failures + 1), pace.BUSY)
    if isinstance(fault, DeadlineExceeded | RowRefused):
        if rows > 1:
            return Remedy(Do.HALVE)
        if isinstance(fault, DeadlineExceeded) and failures < pace.ROW_ATTEMPTS:
            return Remedy(Do.WAIT, pace.lock_delay(failures + 1), pace.BUDGET)
        return Remedy(Do.PUT_ASIDE)
    if failures >= pace.RETRIES:
        raise DatabaseBroken(f"{fault} ({failures + 1} attempts)")
    return Remedy(Do.WAIT, pace.retry_delay(failures + 1), "retry after an error")
