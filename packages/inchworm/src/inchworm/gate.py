"""Live writers first: a turnstile for writers that cooperate with a migration, in one process or several.

Owns only the order in which they reach the database's own lock; nothing stays locked when a process dies.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from inchworm.clock import StopLike

PATIENCE_S = 1.0  # a migration steps back for live writers at most this long per turn, so that it ends at all
LOOK_S = 0.001  # between two looks at another process's announcement; writers themselves are woken by the kernel


@dataclass(frozen=True, slots=True)
class Passage:
    """What a gate knows when a migration's turn begins.

    marks: changes whenever a live writer passes, so equal marks at two turns say that none wrote between them.
    alone: no live writer is inside, so that a lock which is taken all the same is a stranger's.
    """

    marks: int = 0
    alone: bool = True


class Gate(Protocol):
    """What the runner asks of a gate."""

    def migration(self, stop: StopLike) -> AbstractContextManager[Passage]:
        """Around one write turn of a migration: waits until no live writer writes or waits."""
        ...


class OpenGate:
    """No cooperation: strangers are served by short turns and gaps."""

    @contextmanager
    def migration(self, stop: StopLike) -> Iterator[Passage]:
        del stop
        yield Passage()


class WriteGate:
    """Hand-over between live writers and migrations.

    A live writer wraps each of its write transactions in `with gate.live():`; the runner gets `gate=`. Within one
    process a condition variable does it. With `path` (any file name beside the database) other processes take part:
    a live writer announces itself with a shared lock on `<path>-next` and then passes `<path>-turn`; a migration steps
    back while anybody is announced. Both are flock(2) locks, which the kernel releases when a process dies.
    Live writers do not exclude each other here; the database does that. What they commit outside `live()` counts as
    a stranger's.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._condition = threading.Condition()
        self._live = self._inside = self._marks = 0
        self._turning = False
        self._files = _Files(os.fspath(path)) if path is not None else None

    @contextmanager
    def live(self) -> Iterator[None]:
        """Around one write transaction of the application."""
        with self._condition:
            self._live += 1
            self._condition.wait_for(lambda: not self._turning)
            self._inside += 1
            self._marks += 1
        try:
            if self._files is None:
                yield
            else:
                with self._files.live():
                    yield
        finally:
            with self._condition:
                self._live -= 1
                self._inside -= 1
                self._marks += 1
                self._condition.notify_all()

    @contextmanager
    def migration(self, stop: StopLike) -> Iterator[Passage]:
        """Around one write turn of a migration."""
        with self._condition:
            self._condition.wait_for(lambda: self._live == 0 or stop.is_set(), PATIENCE_S)
            self._condition.wait_for(lambda: not self._turning)
            self._turning = True
            here = Passage(self._marks, self._inside == 0)
        try:
            if self._files is None:
                yield here
            else:
                with self._files.migration(stop) as passage:
                    yield passage
        finally:
            with self._condition:
                self._turning = False
                self._condition.notify_all()


class _Files:
    """The same between processes. Each use opens its own descriptors: flock belongs to an open file, not a process.

    The first bytes of `<path>-turn` are the marks: a number that each live writer raises when it enters and when it
    leaves, under its shared lock. Two that raise it at once may count as one; it never returns to what a migration
    saw under its exclusive lock. One that dies between leaves it raised, at worst without a commit.
    """

    MARK_BYTES = 8

    def __init__(self, path: str) -> None:
        self._next, self._turn = path + "-next", path + "-turn"
        self._fcntl: Any = import_module("fcntl")  # absent on Windows: ImportError says that there is no such gate

    @contextmanager
    def live(self) -> Iterator[None]:
        shared = self._fcntl.LOCK_SH
        with self._opened(self._next, shared), self._opened(self._turn, shared) as turn:
            self._mark(turn)
            try:
                yield
            finally:
                self._mark(turn)

    @contextmanager
    def migration(self, stop: StopLike) -> Iterator[Passage]:
        with self._opened(self._turn) as turn:
            alone = self._alone(turn, stop)
            yield Passage(self._marks(turn), alone)

    def _alone(self, turn: int, stop: StopLike) -> bool:
        """Wait until nobody is announced, then, out of patience, for any moment without a live writer inside.

        False after twice the patience: the turn goes ahead, and the database's own lock decides.
        """
        patience = int(PATIENCE_S / LOOK_S)
        for look in range(2 * patience):
            if (look >= patience or not self._announced()) and self._taken(turn):
                return True
            if stop.wait(LOOK_S):
                break
        return self._taken(turn)

    def _announced(self) -> bool:
        with self._opened(self._next) as following:
            return not self._taken(following)

    def _taken(self, descriptor: int) -> bool:
        try:
            self._fcntl.flock(descriptor, self._fcntl.LOCK_EX | self._fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _marks(self, turn: int) -> int:
        return int.from_bytes(os.pread(turn, self.MARK_BYTES, 0), "little")

    def _mark(self, turn: int) -> None:
        following = (self._marks(turn) + 1) % (1 << 8 * self.MARK_BYTES)
        with suppress(OSError):  # a full disk: the write is then taken for a stranger's, which only costs a gap
            os.pwrite(turn, following.to_bytes(self.MARK_BYTES, "little"), 0)

    @contextmanager
    def _opened(self, path: str, how: int | None = None) -> Iterator[int]:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if how is not None:
                self._fcntl.flock(descriptor, how)
            yield descriptor
        finally:
            os.close(descriptor)
