"""How long the answers of each endpoint took, over a bounded window. Pure bookkeeping; the edge measures."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hopscope.percentile import percentile

WINDOW = 1000  # newest answers per endpoint that the percentiles are computed from
SLOW_MS = 100.0
SLOW_KEPT = 20


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """One endpoint: totals since the start, percentiles over the window; milliseconds."""

    count: int
    average: float
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, slots=True)
class SlowAnswer:
    """An answer that took longer than SLOW_MS."""

    path: str
    ms: float
    at: int
    status: int


@dataclass(frozen=True, slots=True)
class TimingsSnapshot:
    """Everything measured since `began` (ms)."""

    began: int
    requests: int
    average: float
    endpoints: dict[str, EndpointStats]
    slow: tuple[SlowAnswer, ...]
    slow_count: int


class _Endpoint:
    __slots__ = ("count", "longest", "total", "window")

    def __init__(self) -> None:
        self.count, self.total, self.longest = 0, 0.0, 0.0
        self.window: deque[float] = deque(maxlen=WINDOW)

    def stats(self) -> EndpointStats:
        window = sorted(self.window)
        p50, p95, p99 = (percentile(window, share) for share in (0.5, 0.95, 0.99))
        return EndpointStats(self.count, self.total / self.count, p50, p95, p99, self.longest)


class Timings:
    """What the edge reports and /api/perf shows. Endpoints are route templates, so their number is bounded."""

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far."""
        with self._lock:
            self._began = self._now_ms()
            self._endpoints: dict[str, _Endpoint] = {}
            self._slow: deque[SlowAnswer] = deque(maxlen=SLOW_KEPT)
            self._slow_count = 0

    def record(self, endpoint: str, ms: float, status: int) -> None:
        """One answer."""
        with self._lock:
            found = self._endpoints.setdefault(endpoint, _Endpoint())
            found.count += 1
            found.total += ms
            found.longest = max(found.longest, ms)
            found.window.append(ms)
            if ms > SLOW_MS:
                self._slow_count += 1
                self._slow.append(SlowAnswer(endpoint, ms, self._now_ms(), status))

    def snapshot(self) -> TimingsSnapshot:
        """What was measured so far."""
        with self._lock:
            endpoints = {path: found.stats() for path, found in self._endpoints.items()}
            requests = sum(e.count for e in self._endpoints.values())
            total = sum(e.total for e in self._endpoints.values())
            average = total / requests if requests else 0.0
            slow = tuple(reversed(self._slow))
            return TimingsSnapshot(self._began, requests, average, endpoints, slow, self._slow_count)
