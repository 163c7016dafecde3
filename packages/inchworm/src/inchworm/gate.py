"""Live writers first: a turnstile for writers that cooperate with a migration, in one process or several.

Owns only the order in which they reach the database's own lock; nothing stays locked when a process dies.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

from inchworm.clock import StopLike

PATIENCE_S = 1.0  # a migration steps back for live writers at most this long per turn, so that it ends at all
LOOK_S = 0.001  # between two looks at another process's announcement; writers themselves are woken by the kernel


class Gate(Protocol):
    """What the runner asks of a gate."""

    def migration(self, stop: StopLike) -> Any:
        """A context manager around one write turn of a migration: waits until no live writer writes or waits."""
        ...


class OpenGate:
    """No cooperation: strangers are served by short turns and gaps."""

    @contextmanager
    def migration(self, stop: StopLike) -> Iterator[None]:
        del stop
        yield


class WriteGate:
    """Hand-over between live writers and migrations.

    A live writer wraps each of its write transactions in `with gate.live():`; the runner gets `gate=`. Within one
    process a condition variable does it. With `path` (any file name beside the database) other processes take part:
    a live writer announces itself with a shared lock on `<path>-next` and then passes `<path>-turn`; a migration steps
    back while anybody is announced. Both are flock(2) locks, which the kernel releases when a process dies.
    Live writers do not exclude each other here; the database does that.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._condition = threading.Condition()
        self._live = 0
        self._turning = False
        self._files = _Files(os.fspath(path)) if path is not None else None

    @contextmanager
    def live(self) -> Iterator[None]:
        """Around one write transaction of the application."""
        with self._condition:
            self._live += 1
            self._condition.wait_for(lambda: not self._turning)
        try:
            if self._files is None:
                yield
            else:
                with self._files.live():
                    yield
        finally:
            with self._condition:
                self._live -= 1
                self._condition.notify_all()

    @contextmanager
    def migration(self, stop: StopLike) -> Iterator[None]:
        """Around one write turn of a migration."""
        with self._condition:
            self._condition.wait_for(lambda: self._live == 0 or stop.is_set(), PATIENCE_S)
            self._condition.wait_for(lambda: not self._turning)
            self._turning = True
        try:
            if self._files is None:
                yield
            else:
                with self._files.migration(stop):
                    yield
        finally:
            with self._condition:
                self._turning = False
                self._condition.notify_all()


class _Files:
    """The same between processes. Each use opens its own descriptors: flock belongs to an open file, not a process."""

    def __init__(self, path: str) -> None:
        self._next, self._turn = path + "-next", path + "-turn"
        self._fcntl: Any = import_module("fcntl")  # absent on Windows: ImportError says that there is no such gate

    @contextmanager
    def live(self) -> Iterator[None]:
        with self._locked(self._next, self._fcntl.LOCK_SH), self._locked(self._turn, self._fcntl.LOCK_SH):
            yield

    @contextmanager
    def migration(self, stop: StopLike) -> Iterator[None]:
        looks = int(PATIENCE_S / LOOK_S)
        while looks > 0 and not stop.is_set() and self._announced():
            looks -= 1
            stop.wait(LOOK_S)
        with self._locked(self._turn, self._fcntl.LOCK_EX):
            yield

    def _announced(self) -> bool:
        try:
            with self._locked(self._next, self._fcntl.LOCK_EX | self._fcntl.LOCK_NB):
                return False
        except BlockingIOError:
            return True

    @contextmanager
    def _locked(self, path: str, how: int) -> Iterator[None]:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)
