"""Try again while others hold the database, for work that belongs to no held migration yet. Books no waiting.

Refuses to wait for ever: after the patience the caller is told. `turns` waits for work inside a migration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from inchworm.clock import Clock, StopLike
from inchworm.errors import Busy, LockNeverFree

T = TypeVar("T")

AGAIN_S = 0.01


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a runner asks for a database that others use; seconds."""

    clock: Clock
    stop: StopLike
    limit_s: float

    def write(self, work: Callable[[], None]) -> None:
        """Another connection may be writing, or creating the same ledger. Not done at all once the token is set.

        Raises LockNeverFree after the patience: whoever called `run` must not be kept waiting for ever.
        """
        until = self.clock.monotonic() + self.limit_s
        while not self.stop.is_set():
            try:
                return work()
            except Busy as problem:
                if self.clock.monotonic() > until:
                    raise LockNeverFree(f"the write lock was not free for {self.limit_s:.0f} s") from problem
                self.clock.sleep(AGAIN_S, self.stop)
        return None

    def read(self, work: Callable[[], T]) -> T:
        """Done at least once. Raises Busy when readers are kept out past the patience or a set token."""
        until = self.clock.monotonic() + self.limit_s
        while True:
            try:
                return work()
            except Busy:
                if self.stop.is_set() or self.clock.monotonic() > until:
                    raise
                self.clock.sleep(AGAIN_S, self.stop)
