"""The demo's sources store what the simulation's truth says; its database starts afresh and is never a stranger's."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from truth_check import differences

from hopscope.app import demo, writer
from hopscope.app.stop import StopToken
from hopscope.config.settings import MqttSource, Settings
from hopscope.generate import Pace, Simulation, Truth
from hopscope.model import Message
from hopscope.store.lock import WriterAlive, WriterLock

START = 1_790_000_000_000
COUNT = 900
PACE = Pace(START, demo.RATE, backlog=COUNT, backlog_ms=3_600_000)


def truth() -> Truth:
    found = Truth()
    for record in itertools.islice(Simulation(demo.SEED, PACE, brokers=2), COUNT):
        found.add(record.fate)
    return found


class Delivered:
    """A source that sets its event when it has delivered all."""

    def __init__(self, source: demo.DemoSource) -> None:
        self.source, self.done = source, threading.Event()
        self.name, self.kind = source.name, source.kind

    def start(self, deliver: Callable[[Message], None]) -> None:
        def run() -> None:
            self.source.start(deliver)
            self.source.join()
            self.done.set()

        threading.Thread(target=run, daemon=True).start()

    def stop(self) -> None:
        self.source.stop()


def test_both_sources_together_store_exactly_the_truth(tmp_path: Path) -> None:
    database = str(tmp_path / "demo.db")
    sources = [
        Delivered(demo.DemoSource(name, number, PACE, now_ms=lambda: START, limit=COUNT))
        for number, name in enumerate(demo.SOURCES)
    ]
    stop, codes = StopToken(), list[int]()
    settings = demo.demo_settings(Settings())
    settings = Settings(database=database, channels=settings.channels, regions=settings.regions)
    thread = threading.Thread(
        target=lambda: codes.append(writer.run(settings, stop=stop, extra_sources=sources)), daemon=True
    )
    thread.start()
    assert all(source.done.wait(60) for source in sources)
    stop.set("test")
    thread.join(60)
    assert codes == [0]
    assert differences(database, truth().to_json()) == []


def test_a_source_stops_while_it_waits_for_the_next_record() -> None:
    received: list[Message] = []
    source = demo.DemoSource("demo-east", 0, Pace(START, 0.01), now_ms=lambda: START - 1000)
    source.start(received.append)
    assert source.state().name == "demo-east"
    source.stop()
    source.stop()
    assert received == []
    assert not source.state().connected


def test_a_source_that_never_started_can_be_stopped() -> None:
    demo.DemoSource("demo-east", 0, PACE).stop()


def test_the_backlog_lies_in_the_past_and_each_record_belongs_to_one_source() -> None:
    east, west = list[Message](), list[Message]()
    for number, received in enumerate((east, west)):
        source = demo.DemoSource("x", number, PACE, now_ms=lambda: START, limit=COUNT)
        source.start(received.append)
        source.join()
    assert len(east) + len(west) == COUNT
    assert min(len(east), len(west)) > COUNT / 5
    assert max(message.received_at_ms for message in (*east, *west)) <= START


def test_a_demo_has_no_brokers_and_its_own_database() -> None:
    configured = Settings(port=9000, database="mine.db", sources=(MqttSource("x", "mqtt://x:1883"),))
    settings = demo.demo_settings(configured)
    assert (settings.port, settings.sources, settings.database) == (9000, (), demo.DATABASE)
    assert [channel.name for channel in settings.channels] == ["#test", "#bot"]


def test_a_demo_starts_with_an_empty_database(tmp_path: Path) -> None:
    database = tmp_path / "data" / "demo.db"
    database.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / "data" / f"demo.db{suffix}").write_bytes(b"old")
    (tmp_path / "data" / "other.db").write_bytes(b"kept")
    demo.start_afresh(str(database))
    assert {path.name for path in database.parent.iterdir()} == {"other.db", "demo.db.lock"}
    demo.start_afresh(str(database))


def test_a_demo_never_removes_a_database_that_is_being_written(tmp_path: Path) -> None:
    database = tmp_path / "demo.db"
    database.write_bytes(b"in use")
    with WriterLock.acquire(str(database)), pytest.raises(WriterAlive):
        demo.start_afresh(str(database))
    assert database.read_bytes() == b"in use"
