"""The token that asks a process's parts to stop, with the reason. Knows no signal and no thread; those set it."""

import threading


class StopToken:
    """Set once, by anyone, for good. Every wait on it ends at once when it is set.

    Has what inchworm's runner wants from a stop token as well: `is_set`, `wait`, `reason`.
    """

    __slots__ = ("_event", "_reason")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: str | None = None

    def set(self, reason: str) -> None:
        """Ask to stop. The first reason (as "SIGTERM", "parent is gone") stays; later calls change nothing.

        Safe from a signal handler: the reason is written before the event, and without a lock of its own.
        """
        if self._reason is None:
            self._reason = reason
        self._event.set()

    def is_set(self) -> bool:
        """True once somebody asked to stop."""
        return self._event.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds (None: for ever); True when the token is set."""
        return self._event.wait(timeout)

    @property
    def reason(self) -> str | None:
        """Why, or None while nobody asked."""
        return self._reason
