"""The thread between the database and the hub: looks for commits, makes events of them, hands them to the loop."""

import asyncio
import threading
from collections.abc import Callable

from hopscope import log
from hopscope.live.hub import Event, Hub
from hopscope.live.tail import Step, Tail
from hopscope.store.live import News
from hopscope.store.pool import CannotRead

POLL_S = 0.05  # with the 0.1 s between two frames of a client, a commit is seen after 0.15 s at most
STOP_S = 2.0

Compose = Callable[[News], list[Event]]


class Feed:
    """Runs between `start` and `stop`."""

    def __init__(self, path: str, hub: Hub, compose: Compose) -> None:
        self._tail = Tail(path)
        self._hub = hub
        self._compose = compose
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look once, so that the hub knows where the feed begins, and go on in a thread. Events go to this loop."""
        self._look(loop)
        self._thread = threading.Thread(target=self._run, args=(loop,), name="live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Does nothing when it was never started."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while not self._stopping.wait(POLL_S):
                self._look(loop)
        finally:
            self._tail.close()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            step = self._tail.poll()
            if step is not None:
                self._hand_over(step, loop)
            self._trouble = None
        except CannotRead as error:
            if str(error) != self._trouble:  # said once, not twenty times a second
                self._trouble = str(error)
                log.info("live.waiting", reason=self._trouble)
        except Exception:  # noqa: BLE001 - a defect met by one commit must not end the feed for good
            log.exception("live.defect")

    def _hand_over(self, step: Step, loop: asyncio.AbstractEventLoop) -> None:
        if step.news is None:
            loop.call_soon_threadsafe(self._hub.restart, step.position)
        elif not step.news.receptions or len(self._hub):
            loop.call_soon_threadsafe(self._hub.publish, self._compose(step.news), step.position)
        else:  # nobody listened, so nothing was decoded; whoever joined meanwhile loads its list anew
            loop.call_soon_threadsafe(self._hub.restart, step.position)
