"""What `plan` and `doctor` say: a severity, one sentence that states a fact, and what to do about it. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """error: data are at risk or it cannot work; warning: somebody will wait or it will be slow; note: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact. `about` names a migration, a table or a process; `todo` is empty when nothing needs to be done."""

    severity: Severity
    about: str
    sentence: str
    todo: str = ""


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors, then warnings, then notes, otherwise in the order given."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda f: order.index(f.severity)))
