"""What a source of records is, and how its state is told. Knows no broker; `ingest.mqtt` is one kind of source."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from hopscope import log
from hopscope.model import Message, SourceState

Deliver = Callable[[Message], None]

SAVE_EVERY_MS = 2_000  # readers see a source's state at most this late


class Source(Protocol):
    """Something that brings records. Runs in threads of its own."""

    @property
    def name(self) -> str:
        """As configured; records carry it."""

    @property
    def kind(self) -> str:
        """mqtt, import or demo."""

    def start(self, deliver: Deliver) -> None:
        """Begin to deliver. Returns at once, however unreachable the other side is.

        `deliver` may block while the queue is full, and may be called from any thread.
        """

    def stop(self) -> None:
        """Deliver no more: when this returns, `deliver` is not called again. Safe without `start`, and twice."""


@runtime_checkable
class AcknowledgingSource(Protocol):
    """A source that stays connected after `stop`, so that what was stored can still be acknowledged."""

    def close(self) -> None:
        """Send what acknowledgements are left and end. Called after `stop`; safe twice."""


@runtime_checkable
class ConnectedSource(Protocol):
    """A source with a connection that readers are shown."""

    @property
    def address(self) -> str:
        """scheme://host:port, without credentials."""

    def state(self) -> SourceState:
        """How it does now."""


@runtime_checkable
class SubscribingSource(Protocol):
    """A source whose other side remembers for us what we subscribed, also while we are away."""

    unwanted: tuple[str, ...]  # topics that it may remember from before; set before `start`, empty once given back

    @property
    def session(self) -> str:
        """What is remembered for us is found by this name."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What is wanted."""


class Connection:
    """The state of a source's connection, told by its thread and read by the writer's. Logs each change once."""

    def __init__(self, name: str, address: str) -> None:
        self._lock = threading.Lock()
        self._address = address
        self._state = SourceState(
            name=name,
            connected=False,
            connected_at=None,
            disconnected_at=None,
            connects=0,
            disconnects=0,
            last_error=None,
        )

    def state(self) -> SourceState:
        """The state now."""
        with self._lock:
            return self._state

    def opened(self, at_ms: int) -> None:
        """The other side accepted us."""
        with self._lock:
            state = self._state
            self._state = replace(
                state, connected=True, connected_at=at_ms, connects=state.connects + 1, last_error=None
            )
        log.info("source.connected", source=state.name, address=self._address)

    def closed(self, at_ms: int, error: str | None) -> None:
        """The connection ended; `error` None: on our own wish."""
        with self._lock:
            state = self._state
            if not state.connected:
                return
            self._state = replace(
                state, connected=False, disconnected_at=at_ms, disconnects=state.disconnects + 1, last_error=error
            )
        log.info("source.disconnected", source=state.name, address=self._address, error=error)

    def failed(self, error: str) -> None:
        """Something is wrong, connected or not. The same trouble again is not logged again."""
        with self._lock:
            state = self._state
            self._state = replace(state, last_error=error)
        if state.last_error != error:
            log.warning("source.trouble", source=state.name, address=self._address, error=error)


class StateBoard:
    """Decides when the sources' states are stored: when one changed, and at most every SAVE_EVERY_MS."""

    def __init__(self, sources: Iterable[ConnectedSource]) -> None:
        self._sources = tuple(sources)
        self._saved: tuple[SourceState, ...] = ()
        self._saved_at_ms: int | None = None

    def due(self, now_ms: int) -> bool:
        """True when it is time to look again, also after the clock was set back."""
        return self._saved_at_ms is None or not 0 <= now_ms - self._saved_at_ms < SAVE_EVERY_MS

    def states(self) -> Sequence[SourceState]:
        """The states as they are now."""
        return tuple(source.state() for source in self._sources)

    def changed(self, states: Sequence[SourceState]) -> bool:
        """True when these states differ from those last stored."""
        return tuple(states) != self._saved

    def saved(self, states: Sequence[SourceState], now_ms: int) -> None:
        """These states are stored."""
        self._saved, self._saved_at_ms = tuple(states), now_ms
