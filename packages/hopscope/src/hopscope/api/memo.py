"""A value computed at most once in a while, by one thread while the others wait for it. Knows no database."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """`compute` at most once in `every_s`. A failure is not kept: it is raised, and the next caller tries again."""

    def __init__(
        self, compute: Callable[[], T], *, every_s: float, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._compute = compute
        self._every_s = every_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._kept: tuple[float, T] | None = None

    def get(self) -> T:
        """The value, not older than `every_s` when it was asked for."""
        kept = self._kept
        if kept is not None and self._now_s() - kept[0] < self._every_s:
            return kept[1]
        with self._lock:
            kept = self._kept
            if kept is not None and self._now_s() - kept[0] < self._every_s:
                return kept[1]
            began = self._now_s()
            value = self._compute()
            self._kept = (began, value)
            return value

    def forget(self) -> None:
        """Compute again at the next call."""
        self._kept = None
