"""From delivered messages to stored batches: a bounded queue, decode, one commit per batch, then acknowledge.

Never acknowledges before the commit and never drops what it took in; while the queue is full, sources wait.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from hopscope import log
from hopscope.ingest import envelope
from hopscope.model import Message, Reason, Record
from hopscope.store.errors import RecordRefused, StoreUnavailable
from hopscope.store.writing import Recorded

QUEUE_SIZE = 5_000  # messages; more than a second of the fastest ingest, at most 50 MB
BATCH_ROWS = 500
BATCH_S = 0.2  # how long the first message of a batch waits for company
LULL_S = 0.03  # with no message for so long the batch is closed: a broker may wait for acknowledgements to go on
IDLE_S = 0.5  # how often a waiting pipeline looks up
FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 10.0
LAST_TRIES_S = 5.0  # how long a stopping pipeline tries to store the rest; the broker still has what is not stored


class Decode(Protocol):
    """Makes a record of a message, whatever is in it."""

    def record_of(self, message: Message) -> Record: ...


class Store(Protocol):
    """Where batches go."""

    def record(self, batch: Sequence[Record]) -> Recorded:
        """All or nothing, on disk when it returns. Raises StoreUnavailable or RecordRefused."""


class Pipeline:
    """Takes messages from any thread by `deliver`; stores them in the thread that calls `run`."""

    def __init__(
        self,
        decoder: Decode,
        store: Store,
        *,
        tick: Callable[[], None] = lambda: None,
        queue_size: int = QUEUE_SIZE,
        batch_rows: int = BATCH_ROWS,
        batch_s: float = BATCH_S,
    ) -> None:
        """`tick` is called in the storing thread after each batch, and every IDLE_S while nothing comes."""
        self._decoder, self._store, self._tick = decoder, store, tick
        self._queue: queue.Queue[Message] = queue.Queue(maxsize=queue_size)
        self._batch_rows, self._batch_s = batch_rows, batch_s
        self._stopping, self._ended = threading.Event(), threading.Event()
        self._give_up_at: float | None = None

    def deliver(self, message: Message) -> None:
        """Take a message in; waits while the queue is full. After the end it is left to its broker, unacknowledged."""
        if len(message.payload) > envelope.MAX_JSON_BYTES:  # it will be refused; a queue of such would fill the memory
            message = replace(message, payload=message.payload[: envelope.MAX_JSON_BYTES + 1])
        while not self._ended.is_set():
            try:
                self._queue.put(message, timeout=IDLE_S)
            except queue.Full:
                continue
            return

    def stop(self) -> None:
        """Store what was delivered, then let `run` return. Stop the sources first. Safe to call twice."""
        self._stopping.set()

    def run(self) -> None:
        """Store batches until `stop`, and what is queued then. Raises what is neither passing nor a record's fault."""
        try:
            while not (self._stopping.is_set() and self._queue.empty()):
                batch = self._collect()
                if batch and not self._store_all(batch):
                    log.error("ingest.gave_up", unstored=len(batch) + self._queue.qsize())
                    return
                self._tick()
        finally:
            self._ended.set()

    def _collect(self) -> list[tuple[Message, Record]]:
        """The next batch, decoded; empty when nothing came for IDLE_S."""
        batch: list[tuple[Message, Record]] = []
        deadline = lull = time.monotonic() + IDLE_S
        while len(batch) < self._batch_rows:
            left = 0.0 if self._stopping.is_set() else min(deadline, lull) - time.monotonic()
            try:
                message = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if not batch:
                deadline = time.monotonic() + self._batch_s
            batch.append((message, self._decoder.record_of(message)))
            lull = time.monotonic() + LULL_S
        return batch

    def _store_all(self, batch: Sequence[tuple[Message, Record]]) -> bool:
        """Store and acknowledge, splitting around a record that the database refuses. False: gave up while stopping."""
        try:
            if not self._store_patiently([record for _, record in batch]):
                return False
        except RecordRefused as exc:
            if len(batch) > 1:
                middle = len(batch) // 2
                return self._store_all(batch[:middle]) and self._store_all(batch[middle:])
            return self._store_refusal(*batch[0], str(exc))
        for message, _ in batch:
            if message.ack is not None:
                message.ack()
        return True

    def _store_refusal(self, message: Message, record: Record, problem: str) -> bool:
        """A poison record goes to the quarantine; one that is refused even there is left out, loudly."""
        log.error("ingest.record_refused", source=message.source, topic=message.topic, error=problem)
        try:
            if not self._store_patiently([envelope.rejected(message, Reason.UNSTORABLE, problem)]):
                return False
        except RecordRefused as exc:
            log.error("ingest.quarantine_refused", source=message.source, kind=type(record).__name__, error=str(exc))
        if message.ack is not None:
            message.ack()
        return True

    def _store_patiently(self, records: Sequence[Record]) -> bool:
        """Try until the database takes it. False: stopping, and the last tries were in vain."""
        wait_s = FIRST_RETRY_S
        while True:
            try:
                self._store.record(records)
            except StoreUnavailable as exc:
                if self._should_give_up():
                    return False
                log.warning("store.unavailable", error=str(exc), retry_s=wait_s, waiting=self._queue.qsize())
                if self._stopping.wait(wait_s):  # set: the wait ends at once, so wait for the database instead
                    time.sleep(FIRST_RETRY_S)
                wait_s = min(wait_s * 2, LONGEST_RETRY_S)
            else:
                return True

    def _should_give_up(self) -> bool:
        if not self._stopping.is_set():
            return False
        now = time.monotonic()
        if self._give_up_at is None:
            self._give_up_at = now + LAST_TRIES_S
        return now > self._give_up_at
