"""Time and stopping: the only module of the engine that reads a clock or sleeps.

Durations come from the monotonic clock; wall time is only written down, never subtracted for a decision about pace.
"""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class StopLike(Protocol):
    """What the runner needs of a stop token; `threading.Event` has it."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Stop:
    """A stop token that remembers its cause; every wait of the runner ends at once when it is set."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._cause = ""

    def set(self, cause: str = "stop requested") -> None:
        """Ask the runner to finish its current turn and return; the first cause is kept."""
        if not self._event.is_set():
            self._cause = cause
        self._event.set()

    @property
    def cause(self) -> str:
        """Why the token was set, as it is recorded: `interrupted: <cause>`."""
        return self._cause

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._event.wait(timeout)


def cause_of(stop: StopLike) -> str:
    """The cause a token carries, or a plain sentence for one that carries none."""
    cause = getattr(stop, "cause", "")
    return cause if isinstance(cause, str) and cause else "stop requested"


class Never:
    """A stop token that is never set, for waits that must not be cut short."""

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        time.sleep(timeout or 0.0)
        return False


class Clock(Protocol):
    """Seconds. `monotonic` for durations, `wall` (Unix, UTC) for what is written down, `sleep` that ends with stop."""

    def monotonic(self) -> float: ...
    def wall(self) -> float: ...
    def sleep(self, seconds: float, stop: StopLike) -> None: ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float, stop: StopLike) -> None:
        if seconds > 0:
            stop.wait(seconds)


def rfc3339(wall_s: float) -> str:
    """Unix seconds as the ledger writes them: `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """A ledger time, ours (RFC 3339) or SQLite's `datetime('now')`, both UTC; ValueError when it is neither."""
    value = datetime.fromisoformat(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
