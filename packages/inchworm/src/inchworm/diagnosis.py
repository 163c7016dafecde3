"""What the diagnoses of a file and of a server share: rules of facts, who is named, sizes and times in words. Pure.

Holds no rule of its own and knows no database.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from inchworm.findings import Finding

Facts = TypeVar("Facts")
Rule = Callable[[Facts], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Process:
    """A process that uses the database: of the machine, or of the server with its application's name and its role."""

    pid: int
    name: str = ""
    user: str = ""

    def __str__(self) -> str:
        number = f"pid {self.pid}, user {self.user}" if self.user else f"pid {self.pid}"
        return f"{self.name} ({number})" if self.name else number


def judged(facts: Facts, rules: Sequence[Rule[Facts]]) -> tuple[Finding, ...]:
    """Every finding of every rule, in the order of the rules."""
    return tuple(finding for rule in rules for finding in rule(facts))


def megabytes(size: float) -> str:
    """`size` in bytes, said in millions of them."""
    return f"{size / 1e6:,.1f} MB"


def ago(seconds: float) -> str:
    """Seconds, and from two minutes on minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
