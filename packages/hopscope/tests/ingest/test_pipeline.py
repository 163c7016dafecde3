"""Batches are stored, then acknowledged; trouble with the database or with one record loses and stops nothing."""

import threading
from collections.abc import Callable, Sequence

import pytest

from hopscope.ingest import pipeline as subject
from hopscope.ingest.envelope import MAX_JSON_BYTES
from hopscope.ingest.pipeline import Pipeline
from hopscope.model import Ignored, Message, Reason, Record, Rejected
from hopscope.store.errors import RecordRefused, StoreUnavailable
from hopscope.store.writing import Recorded


class Decoder:
    """A record that remembers its message."""

    def record_of(self, message: Message) -> Record:
        return Ignored(message.payload.decode(), message.received_at_ms, Reason.UNUSED_TOPIC)


class Store:
    """Keeps what it is given, unless a test's rule raises."""

    def __init__(self, rule: Callable[[Sequence[Record]], None] = lambda _: None) -> None:
        self.batches: list[list[Record]] = []
        self._rule = rule

    def record(self, batch: Sequence[Record]) -> Recorded:
        self._rule(batch)
        self.batches.append(list(batch))
        return Recorded()

    @property
    def names(self) -> list[str]:
        return [record.source for batch in self.batches for record in batch if isinstance(record, Ignored)]


def message(name: str, events: list[str] | None = None) -> Message:
    ack = None if events is None else lambda: events.append("ack " + name)
    return Message("home", "t", name.encode(), 0, ack)


def drained(pipeline: Pipeline, *messages: Message) -> None:
    """Everything delivered, then stopped and run to the end, in this thread."""
    for each in messages:
        pipeline.deliver(each)
    pipeline.stop()
    pipeline.run()


def test_a_message_is_acknowledged_after_its_batch_is_stored() -> None:
    events: list[str] = []
    store = Store(lambda batch: events.append(f"store {len(batch)}"))
    drained(Pipeline(Decoder(), store), *(message(name, events) for name in "abc"), message("d"))
    assert events == ["store 4", "ack a", "ack b", "ack c"]


@pytest.mark.parametrize("rows", [1, 2, 500])
def test_batches_are_bounded_and_keep_the_order(rows: int) -> None:
    store = Store()
    names = [str(n) for n in range(7)]
    drained(Pipeline(Decoder(), store, batch_rows=rows), *map(message, names))
    assert store.names == names
    assert max(map(len, store.batches)) == min(rows, 7)


def test_a_busy_database_is_tried_again_and_nothing_is_acknowledged_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "FIRST_RETRY_S", 0.001)
    events: list[str] = []

    def full_twice(_: Sequence[Record]) -> None:
        events.append("try")
        if len(events) < 3:
            raise StoreUnavailable("FullError: database or disk is full")

    store = Store(full_twice)
    drained(Pipeline(Decoder(), store), message("a", events))
    assert events == ["try", "try", "try", "ack a"]
    assert store.names == ["a"]


def test_a_database_that_stays_full_ends_a_stopping_pipeline_without_acknowledging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subject, "FIRST_RETRY_S", 0.001)
    monkeypatch.setattr(subject, "LAST_TRIES_S", 0.01)
    events: list[str] = []

    def full(_: Sequence[Record]) -> None:
        raise StoreUnavailable("FullError")

    drained(Pipeline(Decoder(), Store(full)), message("a", events))
    assert events == []


def poison(*, quarantine_too: bool = False) -> Callable[[Sequence[Record]], None]:
    def rule(batch: Sequence[Record]) -> None:
        for record in batch:
            if record.source == "bad" or (quarantine_too and isinstance(record, Rejected)):
                raise RecordRefused("OverflowError: too big")

    return rule


@pytest.mark.parametrize("place", [0, 3, 6])
def test_a_poison_record_is_isolated_and_quarantined(place: int) -> None:
    events: list[str] = []
    names = [str(n) for n in range(6)]
    names.insert(place, "bad")
    store = Store(poison())
    drained(Pipeline(Decoder(), store), *(message(name, events) for name in names))
    assert store.names == [name for name in names if name != "bad"]
    [quarantined] = [record for batch in store.batches for record in batch if isinstance(record, Rejected)]
    assert (quarantined.reason, quarantined.record) == (Reason.UNSTORABLE, b"bad")
    assert events == ["ack " + name for name in names]


def test_a_record_that_not_even_the_quarantine_takes_stops_nothing() -> None:
    events: list[str] = []
    store = Store(poison(quarantine_too=True))
    drained(Pipeline(Decoder(), store), *(message(name, events) for name in ("a", "bad", "b")))
    assert store.names == ["a", "b"]
    assert events == ["ack a", "ack bad", "ack b"]


def test_a_defect_of_the_store_is_raised_and_ends_delivery() -> None:
    def broken(_: Sequence[Record]) -> None:
        raise RuntimeError("no such table")

    pipeline = Pipeline(Decoder(), Store(broken), queue_size=1)
    pipeline.deliver(message("a"))
    with pytest.raises(RuntimeError):
        pipeline.run()
    pipeline.deliver(message("b"))  # returns at once: nobody takes it any more


def test_a_full_queue_makes_the_source_wait() -> None:
    storing, go_on = threading.Event(), threading.Event()

    def slow(_: Sequence[Record]) -> None:
        storing.set()
        assert go_on.wait(10)

    store = Store(slow)
    pipeline = Pipeline(Decoder(), store, queue_size=2, batch_rows=1)
    storer = threading.Thread(target=pipeline.run)
    storer.start()
    delivered: list[int] = []

    def deliver() -> None:
        for n in range(5):
            pipeline.deliver(message(str(n)))
            delivered.append(n)

    source = threading.Thread(target=deliver)
    source.start()
    assert storing.wait(10)
    source.join(0.2)
    assert len(delivered) <= 3  # one is being stored, two wait
    go_on.set()
    source.join(10)
    pipeline.stop()
    storer.join(10)
    assert store.names == list("01234")


def test_a_message_alone_does_not_wait_for_company_longer_than_a_lull() -> None:
    stored = threading.Event()
    store = Store(lambda _: stored.set())
    pipeline = Pipeline(Decoder(), store, batch_s=60.0)
    storer = threading.Thread(target=pipeline.run)
    storer.start()
    pipeline.deliver(message("a"))
    assert stored.wait(10)
    pipeline.stop()
    storer.join(10)


def test_a_huge_message_is_cut_before_it_fills_the_queue() -> None:
    seen: list[int] = []

    class Measure(Decoder):
        def record_of(self, message: Message) -> Record:
            seen.append(len(message.payload))
            return Ignored("x", 0, Reason.UNUSED_TOPIC)

    drained(Pipeline(Measure(), Store()), message("x" * 1_000_000))
    assert seen == [MAX_JSON_BYTES + 1]


def test_the_tick_runs_in_the_storing_thread_after_each_batch() -> None:
    ticks: list[int] = []
    store = Store()
    drained(
        Pipeline(Decoder(), store, batch_rows=2, tick=lambda: ticks.append(len(store.batches))), *map(message, "abc")
    )
    assert ticks == [1, 2]
