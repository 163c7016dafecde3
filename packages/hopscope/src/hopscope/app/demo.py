"""The demo: the simulated mesh as two sources of records, and a database of its own that starts empty each time."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from hopscope import log
from hopscope.config.settings import Channel, Settings
from hopscope.generate import Pace, Simulation
from hopscope.generate.traffic import HASHTAG_CHANNELS, REGION
from hopscope.ingest.sources import Connection, Deliver
from hopscope.model import Message, SourceState
from hopscope.store.lock import WriterLock
from meshwire import hashtag_key

DATABASE = "data/demo/hopscope.db"
SOURCES = ("demo-east", "demo-west")
SEED = 20
RATE = 3.0  # records per second
BACKLOG = 1500  # records that exist at the start, so that no page is empty
BACKLOG_MS = 90 * 60 * 1000  # over how long they are spread


def demo_settings(settings: Settings) -> Settings:
    """The settings for a demo: the listener and the operator's key as configured, the rest its own."""
    return replace(
        settings,
        database=DATABASE,
        sources=(),
        channels=tuple(Channel(name, hashtag_key(name)) for name in HASHTAG_CHANNELS),
        regions=(REGION,),
        region_labels=(("INN", "Innsbruck"), ("MUC", "München")),
        retention_days=0,
        title="hopscope demo",
    )


def start_afresh(database: str) -> None:
    """Remove the last demo's database. Raises WriterAlive while another demo writes it.

    The lock file stays: removing it would let two writers lock two different files.
    """
    path = Path(database)
    with WriterLock.acquire(database):
        for name in (path.name, path.name + "-wal", path.name + "-shm"):
            path.with_name(name).unlink(missing_ok=True)


def sources(start_ms: int) -> tuple["DemoSource", ...]:
    """Both sources of a demo that starts now (`start_ms`, UTC)."""
    pace = Pace(start_ms, RATE, backlog=BACKLOG, backlog_ms=BACKLOG_MS)
    return tuple(DemoSource(name, number, pace) for number, name in enumerate(SOURCES))


class DemoSource:
    """One of the simulation's brokers, in-process. Each source runs the whole simulation and keeps its part."""

    kind = "demo"

    def __init__(
        self,
        name: str,
        broker: int,
        pace: Pace,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        limit: int | None = None,
    ) -> None:
        """`limit`: end after so many records of the simulation (of both sources)."""
        self.name, self.address = name, f"simulation://{name}"
        self._broker, self._pace, self._now_ms, self._limit = broker, pace, now_ms, limit
        self._stopped = threading.Event()
        self._connection = Connection(name, self.address)
        self._thread: threading.Thread | None = None

    def start(self, deliver: Deliver) -> None:
        """Begin to deliver: what is past at once, the rest when its time comes."""
        self._thread = threading.Thread(target=self._run, args=(deliver,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliver no more."""
        self._stopped.set()
        self.join()

    def join(self) -> None:
        """Wait until all that `limit` allows is delivered."""
        if self._thread is not None:
            self._thread.join()

    def state(self) -> SourceState:
        """As the System page shows it."""
        return self._connection.state()

    def _run(self, deliver: Deliver) -> None:
        self._connection.opened(self._now_ms())
        simulation = Simulation(SEED, self._pace, brokers=len(SOURCES))
        for number, record in zip(count() if self._limit is None else range(self._limit), simulation, strict=False):
            if self._stopped.wait(max(0, record.at_ms - self._now_ms()) / 1000):
                break
            if record.broker == self._broker:
                deliver(Message(self.name, record.topic, record.payload, record.at_ms))
            if number == BACKLOG:
                log.debug("demo.live", source=self.name)
        self._connection.closed(self._now_ms(), None)
