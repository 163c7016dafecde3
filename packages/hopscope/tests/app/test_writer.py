"""The writer process: it starts whatever the brokers do, drains when it stops, and survives being killed."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from brokers import Mosquitto, free_port
from meshes import Mesh
from paho.mqtt.enums import CallbackAPIVersion
from truth_check import differences

from hopscope.app import writer
from hopscope.app.exit_codes import FAILED, REFUSED
from hopscope.app.stop import StopToken
from hopscope.config.settings import MqttSource, Settings
from hopscope.generate.pace import Pace
from hopscope.generate.publish import Broker
from hopscope.generate.stream import Simulation
from hopscope.generate.truth import Truth
from hopscope.ingest.sources import Deliver
from hopscope.model import Message
from hopscope.store import connection
from hopscope.store.connection import DatabaseMissing, open_reader
from hopscope.store.lock import WriterLock, writer_alive
from hopscope.store.writing import Writer

PROCESS = """
import signal, sys
from hopscope import log
from hopscope.app.stop import StopToken
from hopscope.app.writer import run
from hopscope.config.settings import MqttSource, Settings
log.setup("info")
stop = StopToken()
signal.signal(signal.SIGTERM, lambda *_: stop.set("SIGTERM"))
database, *urls = sys.argv[1:]
sources = tuple(MqttSource(f"broker {n}", url) for n, url in enumerate(urls))
sys.exit(run(Settings(database, sources=sources), stop=stop))
"""
PATIENCE_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(database: Path, query: str) -> int:
    """One number from the database; 0 while there is none."""
    try:
        db = open_reader(str(database))
    except DatabaseMissing:
        return 0
    try:
        if not db.execute("select count(*) from sqlite_schema where name = 'meta'").get:
            return 0
        return int(db.execute(query).get or 0)
    finally:
        db.close()


class Scripted:
    """A source that delivers what it is given, in its own thread."""

    name, kind = "script", "demo"

    def __init__(self, *messages: Message) -> None:
        self._messages = messages
        self.done = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self, deliver: Deliver) -> None:
        def work() -> None:
            for message in self._messages:
                deliver(message)
            self.done.set()

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def stop(self) -> None:
        if self.thread is not None:
            self.thread.join()


def generated(count: int) -> tuple[list[Message], Truth, list[str]]:
    truth, acknowledged = Truth(), []
    messages = []
    for record in itertools.islice(Simulation(3, Pace(1_790_000_000_000, 1000.0), brokers=1), count):
        truth.add(record.fate)
        ack = lambda number=record.index: acknowledged.append(number)  # noqa: E731
        messages.append(Message("script", record.topic, record.payload, record.at_ms, ack))
    return messages, truth, acknowledged


def test_everything_delivered_is_stored_and_acknowledged_before_it_ends(tmp_path: Path) -> None:
    database = tmp_path / "mesh.db"
    messages, truth, acknowledged = generated(1500)
    source, stop = Scripted(*messages), StopToken()
    thread = threading.Thread(target=lambda: (source.done.wait(PATIENCE_S), stop.set("test")))
    thread.start()
    assert writer.run(Settings(str(database)), stop=stop, extra_sources=[source]) == 0
    thread.join()
    assert acknowledged == list(range(1500))
    assert differences(str(database), truth.to_json()) == []
    assert ask(database, "select turns from writer_stats where component = 'ingest'") > 0
    assert not writer_alive(str(database))


def test_an_unreachable_broker_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    database = tmp_path / "mesh.db"
    messages, truth, _ = generated(50)
    source, stop = Scripted(*messages), StopToken()
    settings = Settings(str(database), sources=(MqttSource("dead", f"mqtt://127.0.0.1:{free_port()}"),))
    thread = threading.Thread(target=writer.run, args=(settings,), kwargs={"stop": stop, "extra_sources": [source]})
    thread.start()
    until(lambda: ask(database, "select count(*) from observations") == truth.totals()["receptions"])
    until(lambda: ask(database, "select count(*) from sources where name = 'dead' and last_error is not null") == 1)
    stop.set("test")
    thread.join()


@pytest.mark.parametrize("url", ["postgresql://u:secret@h/db", "postgres://h/db"])
def test_postgresql_is_refused_with_a_clear_message(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert writer.run(Settings(url), stop=StopToken()) == REFUSED
    assert "PostgreSQL is not supported as a store yet" in caplog.text
    assert "secret" not in caplog.text


def test_a_second_writer_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = str(tmp_path / "mesh.db")
    with WriterLock.acquire(database):
        assert writer.run(Settings(database), stop=StopToken()) == REFUSED
    assert "another hopscope writes" in caplog.text


def cut(database: Path) -> None:
    """A file of which the end is missing."""
    with database.open("r+b") as file:
        file.truncate(5000)


def overwritten(database: Path) -> None:
    """A file whose header alone is right."""
    content = database.read_bytes()
    database.write_bytes(content[:100] + b"\xaa" * (len(content) - 100))


@pytest.mark.parametrize("damage", [cut, overwritten])
def test_a_damaged_database_is_refused_with_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    database = tmp_path / "mesh.db"
    Mesh(database).close()
    damage(database)
    assert writer.run(Settings(str(database)), stop=StopToken()) == REFUSED
    assert "is damaged" in caplog.text
    assert "put a backup in its place" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_database_that_somebody_else_holds_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 10)
    mesh = Mesh(tmp_path / "mesh.db")
    mesh.db.execute("begin immediate")
    assert writer.run(Settings(str(mesh.path)), stop=StopToken()) == FAILED
    assert "another program holds the database" in caplog.text
    mesh.db.execute("rollback")
    mesh.close()


def test_a_lock_that_cannot_be_made_is_refused_with_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mesh.db.lock").mkdir()
    assert writer.run(Settings(str(tmp_path / "mesh.db")), stop=StopToken()) == REFUSED
    assert "let the user that runs hopscope write this file" in caplog.text


def test_a_pipeline_that_fails_ends_the_writer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stranger = Scripted(Message("nobody", "meshcore/packets", b"{}", 0))
    assert writer.run(Settings(str(tmp_path / "mesh.db")), stop=StopToken(), extra_sources=[stranger]) == FAILED
    assert "UnknownSource" in caplog.text


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[Mosquitto]]:
    both = [Mosquitto(tmp_path / name) for name in ("one", "two")]
    for broker in both:
        broker.directory.mkdir()
        broker.start()
    yield both
    for broker in both:
        broker.kill()


Starter = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_writer() -> Iterator[Starter]:
    """Starts writer processes; whatever a failing test leaves running is ended with it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(database: Path, urls: list[str]) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", PROCESS, str(database), *urls]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.mosquitto
def test_nothing_is_lost_or_doubled_when_the_writer_is_killed_three_times(
    tmp_path: Path, brokers: list[Mosquitto], start_writer: Starter
) -> None:
    count = 2_000
    database = tmp_path / "mesh.db"
    urls = [broker.url for broker in brokers]
    process = start_writer(database, urls)
    until(lambda: ask(database, "select count(*) from sources where connected") == 2)
    truth = Truth()
    feed = itertools.islice(Simulation(9, Pace(1_790_000_000_000, 1000.0)), count)

    def publish() -> None:
        with Broker(urls[0]) as one, Broker(urls[1]) as two:
            for record in feed:
                (one, two)[record.broker].publish(record)
                truth.add(record.fate)
            one.drain()
            two.drain()

    publisher = threading.Thread(target=publish)
    publisher.start()
    for kill_at in (200, 500, 900):
        until(lambda at=kill_at: ask(database, "select value from counters where name = 'observations'") >= at)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = start_writer(database, urls)
    publisher.join()
    wanted = truth.totals()["receptions"], truth.totals()["refused"]
    until(
        lambda: (
            (
                ask(database, "select value from counters where name = 'observations'"),
                ask(database, "select sum(count) from reject_counts"),
            )
            >= wanted
        )
    )
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    assert differences(str(database), truth.to_json()) == []


PACKETS, STATUS = "meshcore/+/+/packets", "meshcore/+/+/status"


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """A writer in a thread, connected."""
    stop = StopToken()
    thread = threading.Thread(target=writer.run, args=(settings,), kwargs={"stop": stop})
    thread.start()
    try:
        until(lambda: ask(Path(settings.database), "select count(*) from sources where connected") == 1)
        yield
    finally:
        stop.set("test")
        thread.join()


def say(broker: Mosquitto, *kinds: str) -> None:
    """Publish a record that cannot be used on the topic of each kind, in this order."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for kind in kinds:
        client.publish(f"meshcore/SEA/{'A3' * 32}/{kind}", b"{", qos=1).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


@pytest.mark.mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_topic_that_left_the_configuration_is_given_back_to_the_broker(tmp_path: Path, protocol: str) -> None:
    database = tmp_path / "mesh.db"
    received = "select sum(records) from sources"
    with Mosquitto(tmp_path) as broker:

        def settings(*topics: str) -> Settings:
            return Settings(str(database), sources=(MqttSource("one", broker.url, topics=topics, protocol=protocol),))

        def held() -> list[str]:
            with closing(open_reader(str(database))) as db:
                return list(json.loads(db.execute("select value from meta where key like 'subscribed:%'").get))

        with running(settings(PACKETS, STATUS)):
            say(broker, "status", "packets")
            until(lambda: ask(database, received) == 2)
        with running(settings(PACKETS)):
            until(lambda: held() == [PACKETS])
            say(broker, "status", "packets")
            until(lambda: ask(database, received) >= 3)
            say(broker, "packets")
            until(lambda: ask(database, received) >= 4)
        assert ask(database, received) == 4, "what was published on the topic that left did not come"


def test_what_may_be_subscribed_is_remembered_until_the_broker_took_it_back(tmp_path: Path) -> None:
    mesh = Mesh(tmp_path / "mesh.db")
    store = Writer(mesh.db)
    assert store.wanting("a@x", ["1", "2"]) == ()
    assert store.wanting("a@x", ["2", "3"]) == ("1",)
    assert store.wanting("a@x", ["3"]) == ("1", "2"), "the broker has not answered yet"
    assert store.wanting("a@y", ["3"]) == (), "another broker knows nothing of it"
    store.settled("a@x", ["3"])
    assert store.wanting("a@x", ["3"]) == ()
    mesh.close()
