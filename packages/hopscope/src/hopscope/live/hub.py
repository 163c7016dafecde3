"""Hands events to clients, each with a bounded queue of its own. One event loop uses it, so it has no lock.

A client that does not keep up never holds up another: its queue is dropped, or its oldest events are (see Policy).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from hopscope.live.tail import Position


class Policy(Enum):
    """What a full queue means."""

    RESYNC = "resync"  # all of it is dropped, and the client is told once to load its list anew
    NEWEST = "newest"  # the oldest events are dropped without a word (a CoreScope client knows no such word)


@dataclass(frozen=True, slots=True)
class Event:
    """One reception as clients get it, with what filters ask about."""

    id: int  # of the observation
    body: bytes  # JSON
    type: int
    route: int
    hash: bytes
    observer: str | None
    iata: str | None
    channel_id: int | None
    node_id: int | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a client got from its queue. `resync`: load the list anew, events before these are lost."""

    events: tuple[Event, ...]
    position: Position | None
    resync: bool = False
    closed: bool = False


class Subscriber:
    """One client's queue."""

    def __init__(self, matches: Callable[[Event], bool], *, depth: int, policy: Policy) -> None:
        self.matches = matches
        self._depth = depth
        self._policy = policy
        self._events: deque[Event] = deque(maxlen=depth if policy is Policy.NEWEST else None)
        self._position: Position | None = None
        self._resync = False
        self._closed = False
        self._wake = asyncio.Event()

    def offer(self, events: Sequence[Event], position: Position) -> None:
        """Queue what the client asked for."""
        wanted = [event for event in events if self.matches(event)]
        self._position = position
        if self._policy is Policy.RESYNC and len(self._events) + len(wanted) > self._depth:
            self.reset(position)
            return
        self._events.extend(wanted)
        if wanted:
            self._wake.set()

    def reset(self, position: Position) -> None:
        """Drop everything; the client is told once."""
        self._events.clear()
        self._position, self._resync = position, True
        self._wake.set()

    def close(self) -> None:
        """End the client's stream."""
        self._closed = True
        self._wake.set()

    async def take(self, most: int) -> Taken:
        """Wait for something and take at most `most` events of it, oldest first."""
        await self._wake.wait()
        resync, self._resync = self._resync, False
        events = tuple(self._events.popleft() for _ in range(min(most, len(self._events))))
        if not self._events and not self._closed:
            self._wake.clear()
        position = self._position
        if self._events and position is not None:  # more is waiting: a client that resumes must get it
            position = Position(position.database, events[-1].id if events else self._events[0].id - 1)
        return Taken(events, position, resync, self._closed)


class Hub:
    """The subscribers, and where the feed stands."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self.position: Position | None = None

    def __len__(self) -> int:
        return len(self._subscribers)

    def join(self, subscriber: Subscriber) -> None:
        """From now on it gets every event after `position`."""
        self._subscribers.add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """It gets no more. Idempotent."""
        self._subscribers.discard(subscriber)

    def publish(self, events: Sequence[Event], position: Position) -> None:
        """Hand the events of a step to everyone."""
        self.position = position
        for subscriber in self._subscribers:
            subscriber.offer(events, position)

    def restart(self, position: Position) -> None:
        """The feed begins anew at this position: everyone is told once to load its list."""
        self.position = position
        for subscriber in self._subscribers:
            subscriber.reset(position)

    def close(self) -> None:
        """End every stream."""
        for subscriber in self._subscribers:
            subscriber.close()
