"""What to do when a child process of `serve` ended. Pure: facts in, decision out."""

from dataclasses import dataclass

from hopscope.app.exit_codes import REFUSED

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
HEALTHY_S = 60.0  # a child that ran so long begins with the first delay again


@dataclass(frozen=True, slots=True)
class Ended:
    """A child ended on its own. `code` as subprocess tells it: negative for a signal."""

    code: int
    ran_s: float
    failures: int  # ends in a row before this one, none of them after HEALTHY_S


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after a while; `failures` is the count to remember."""

    after_s: float
    failures: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop everything and end with this exit code."""

    code: int


def decide(ended: Ended) -> Restart | GiveUp:
    """Give up when the child says so, else restart, with a delay that doubles while it keeps failing."""
    if ended.code == REFUSED:
        return GiveUp(ended.code)
    failures = 0 if ended.ran_s >= HEALTHY_S else ended.failures
    return Restart(min(FIRST_DELAY_S * 2**failures, LONGEST_DELAY_S), failures + 1)


def told(code: int) -> str:
    """How a process ended, for a log line."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
