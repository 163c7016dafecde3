"""Time that passes only when somebody sleeps or a test says so."""

from collections.abc import Callable

from inchworm.clock import StopLike


class FakeClock:
    """A Clock. `on_sleep` is called after each sleep, for a test that plays an operator or another writer."""

    def __init__(self, wall_s: float = 1_800_000_000.0, on_sleep: Callable[[], None] | None = None) -> None:
        self._passed_s, self._wall_s = 0.0, wall_s
        self.on_sleep = on_sleep
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self._passed_s

    def wall(self) -> float:
        return self._wall_s + self._passed_s

    def sleep(self, seconds: float, stop: StopLike) -> None:
        if stop.is_set() or seconds <= 0:
            return
        self.slept.append(seconds)
        self.advance(seconds)
        if self.on_sleep is not None:
            self.on_sleep()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP would; durations do not notice."""
        self._wall_s += seconds
