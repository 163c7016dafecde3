"""What the exit codes of `inchworm` mean, and which error gives which. Pure data; imports neither click nor rich."""

from enum import IntEnum

from inchworm.errors import (
    DatabaseFault,
    DefinitionError,
    InchwormError,
    LedgerTooNew,
    LedgerUnreadable,
    PlanRefused,
    RequestRefused,
    UnsafeConnection,
    UnsafeVersion,
    VerificationFailed,
)
from inchworm.report import Report
from inchworm.states import Status

SIGNALLED = 128  # plus the signal's number, as shells do; what was committed stays


class Exit(IntEnum):
    """0 all is well; 1 something is wrong with the data or a migration; the rest says why nothing was judged."""

    OK = 0
    FAILED = 1  # a migration failed, verify found rows, doctor found an error
    USAGE = 2  # wrong arguments, or a definition that is refused
    REFUSED = 3  # plan refuses, the verb does not fit, or strict_version met the WAL-reset bug
    UNFINISHED = 4  # paused, cancelled, or waits for another migration
    DATABASE = 5  # cannot be opened or read, or stayed locked


HELP = "\n".join(
    (
        "Exit codes:",
        "0    done, or nothing to report",
        "1    a migration failed, or verify or doctor found an error",
        "2    wrong arguments, or a definition that is refused",
        "3    refused: by plan, by a migration's state, or by --strict-version",
        "4    not finished: paused, cancelled, or waiting for another",
        "5    the database cannot be opened, read or written, or stayed locked",
        "128+n  stopped by signal n; what was committed stays",
    )
)

_BY_ERROR: tuple[tuple[tuple[type[InchwormError], ...], Exit], ...] = (
    ((DefinitionError,), Exit.USAGE),
    ((PlanRefused, RequestRefused, UnsafeVersion), Exit.REFUSED),
    ((VerificationFailed,), Exit.FAILED),
    ((DatabaseFault, LedgerTooNew, LedgerUnreadable, UnsafeConnection), Exit.DATABASE),
)


def exit_for(problem: InchwormError) -> Exit:
    """The code for an error that ended a command."""
    return next((code for kinds, code in _BY_ERROR if isinstance(problem, kinds)), Exit.FAILED)


def exit_of(report: Report, *, signal: int | None) -> int:
    """The code for a run that returned; a failure outweighs the signal that ended it."""
    statuses = {outcome.status for outcome in report.outcomes}
    if Status.FAILED in statuses:
        return Exit.FAILED
    if report.ok:
        return Exit.OK
    return Exit.UNFINISHED if signal is None else SIGNALLED + signal
