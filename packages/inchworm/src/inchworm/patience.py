"""Try again while others hold the database, for work that belongs to no held migration yet; say so while it lasts.

Refuses to wait for ever: after the patience the caller is told. `turns` waits for work inside a migration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from inchworm.clock import Clock, StopLike
from inchworm.errors import Busy, ConnectionLost, LockNeverFree
from inchworm.pace import LOCKED

T = TypeVar("T")

AGAIN_S = 0.01
SAID_EVERY_S = 1.0  # the first time after one second: who is kept waiting for longer wonders why
RECONNECTING = "the connection to the server was lost"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Told once a second of a wait: why, for how long already and at most, in seconds; `times`: from 1."""

    why: str
    waited_s: float
    patience_s: float
    times: int

    def __str__(self) -> str:
        return f"{self.why}; waited {self.waited_s:.0f} s, gives up after {self.patience_s:.0f} s"

    @property
    def worth_a_line(self) -> bool:
        """The 1st, 2nd, 4th, 8th … time: a log must not grow by a line a second."""
        return self.times & (self.times - 1) == 0


OnWait = Callable[[Waiting], None]


def unheard(waiting: Waiting) -> None:
    """For waits that nobody wants to hear of."""


def met_by(problem: Exception) -> str:
    """The reason to wait that a Busy stands for, as it is booked and shown."""
    return RECONNECTING if isinstance(problem, ConnectionLost) else LOCKED


class Wait:
    """One wait for others, from its making on. Books nothing."""

    def __init__(self, clock: Clock, patience_s: float, on_wait: OnWait) -> None:
        self._clock, self._patience_s, self._on_wait = clock, patience_s, on_wait
        self._since, self._times = clock.monotonic(), 0

    def is_over(self) -> bool:
        """Whether patience has ended."""
        return self._clock.monotonic() - self._since > self._patience_s

    def goes_on(self, why: str) -> None:
        """Tell of it when a second has passed since it began or was told of."""
        waited_s = self._clock.monotonic() - self._since
        if waited_s >= (self._times + 1) * SAID_EVERY_S:
            self._times += 1
            self._on_wait(Waiting(why, waited_s, self._patience_s, self._times))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a runner asks for a database that others use, in seconds, and who hears that it waits."""

    clock: Clock
    stop: StopLike
    limit_s: float
    on_wait: OnWait = unheard

    def write(self, work: Callable[[], None]) -> None:
        """Another connection may be writing, or creating the same ledger. Not done at all once the token is set.

        Raises LockNeverFree after the patience: whoever called `run` must not be kept waiting for ever.
        """
        wait = Wait(self.clock, self.limit_s, self.on_wait)
        while not self.stop.is_set():
            try:
                return work()
            except Busy as problem:
                if wait.is_over():
                    raise LockNeverFree(f"the write lock was not free for {self.limit_s:.0f} s") from problem
                wait.goes_on(met_by(problem))
                self.clock.sleep(AGAIN_S, self.stop)
        return None

    def read(self, work: Callable[[], T]) -> T:
        """Done at least once. Raises Busy when readers are kept out past the patience or a set token."""
        wait = Wait(self.clock, self.limit_s, self.on_wait)
        while True:
            try:
                return work()
            except Busy as problem:
                if self.stop.is_set() or wait.is_over():
                    raise
                wait.goes_on(met_by(problem))
                self.clock.sleep(AGAIN_S, self.stop)
