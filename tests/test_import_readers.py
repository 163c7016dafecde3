"""While history comes in, readers answer, live packets are stored, and no total is ever wrong."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from import_rig import KEYS, OBSERVERS, PACKETS, history
from litestar import Litestar
from litestar.testing import TestClient

import meshwire
from hopscope.app.reader import create_app
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
from hopscope.migrations.service import Service, Work
from hopscope.model import Heard, Reception
from hopscope.store import connection, imports, schema
from hopscope.store.facts import facts_of
from hopscope.store.writing import Writer
from inchworm import WriteGate
from meshwire import encode

ENDPOINTS = (
    "/api/stats",
    "/api/packets?limit=50",
    "/api/packets?limit=50&groupByHash=true",
    "/api/nodes?limit=50",
    "/api/observers",
    "/api/channels",
    "/api/analytics/hash-sizes",
    "/api/perf",
    "/api/healthz",
    "/readyz",
)


class Live:
    """Ingest beside the import: one batch after the other, through the gate, until told to stop."""

    def __init__(self, database: str, gate: WriteGate) -> None:
        self._db = connection.open_writer(database)
        self._writer = Writer(self._db, turn=gate.live)
        self._writer.register_source("home", kind="mqtt", address=None)
        self.stored = 0

    def batch(self) -> None:
        at = time.time_ns() // 1_000_000
        frame = encode.frame(1, 3, encode.ack((1 << 31 | self.stored).to_bytes(4, "big")))
        facts = facts_of(meshwire.decode(frame))
        self._writer.record(
            [Heard(Reception("home", OBSERVERS[0], None, None, at, at, False, frame, None, None, None), facts)]
        )
        self.stored += 1

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(0.01):
            self.batch()

    def close(self) -> None:
        self._db.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "hopscope.db")
    db = connection.open_writer(path)
    schema.prepare(db)
    history(tmp_path / "meshcore.db")
    imports.request(db, str(tmp_path / "meshcore.db"), by="cli", now=1)
    yield path
    db.close()


def ask(path: str, text: str) -> Any:
    db = connection.open_reader(path)
    try:
        return db.execute(text).get
    finally:
        db.close()


def hashes(client: TestClient[Litestar], path: str) -> list[str]:
    return [packet["hash"] for packet in client.get(path).json()["packets"]]


def test_readers_and_ingest_go_on_during_a_whole_import(database: str) -> None:
    gate, stop = WriteGate(), threading.Event()
    live = Live(database, gate)
    for _ in range(30):
        live.batch()
    service = Service(Work(database, KEYS, stall_budget_ms=50, gate=gate))
    worker = threading.Thread(target=service.work, args=(StopToken(),))
    feeder = threading.Thread(target=live.run, args=(stop,))
    answered: Counter[str] = Counter()
    with TestClient(create_app(Settings(database=database))) as client:
        first = hashes(client, "/api/packets?limit=50")
        assert len(first) == 30
        worker.start()
        feeder.start()
        try:
            least = 30
            while worker.is_alive():
                for path in ENDPOINTS:
                    answer = client.get(path)
                    assert answer.status_code == 200, (path, answer.text)
                    answered[path] += 1
                total = client.get("/api/packets?limit=1").json()["total"]
                assert total >= least, "a packet that was counted is no longer counted"
                least = total
                gone = [one for one in first[:5] if client.get(f"/api/packets/{one}").status_code != 200]
                assert gone == []
        finally:
            worker.join()
            stop.set()
            feeder.join()
            service.close()
    assert ask(database, "select state from imports") == "done"
    assert min(answered.values()) >= 10, "readers hardly came to speak"
    assert live.stored > 40, "ingest hardly came to speak"
    assert ask(database, "select value from counters where name = 'transmissions'") == PACKETS + live.stored
    assert ask(database, "select count(*) from transmissions") == PACKETS + live.stored
    assert ask(database, "select count(*) from transmissions where last_seen = 0 and observation_count > 0") == 0
    counted = (
        "select count(*) from transmissions t "
        "where t.observation_count <> (select count(*) from observations o where o.transmission_id = t.id)"
    )
    assert ask(database, counted) == 0
    assert ask(database, "select sum(observations) from traffic_hourly") == ask(
        database, "select value from counters where name = 'observations'"
    )
    live.close()


def test_a_packet_whose_last_seen_is_not_computed_is_listed_by_its_first_seen(database: str, tmp_path: Path) -> None:
    db = connection.open_writer(database)
    now = int(time.time() * 1000)
    live = Live(database, WriteGate())
    live.batch()
    frame = encode.frame(1, 3, encode.ack(b"old!"))
    db.execute(
        "insert into transmissions (hash, first_seen, type, route, frame, payload_at) values (?, ?, 3, 1, ?, 2)",
        (meshwire.decode(frame).hash, now - 86_400_000, frame),
    )
    db.close()
    live.close()
    with TestClient(create_app(Settings(database=database))) as client:
        for path in ("/api/packets?limit=10", "/api/packets?limit=10&groupByHash=true"):
            listed = client.get(path).json()["packets"]
            assert [packet["hash"] for packet in listed][-1] == meshwire.decode(frame).hash.hex(), path
            assert len(listed) == 2
        grouped = client.get("/api/packets?limit=10&groupByHash=true").json()["packets"][-1]
        assert grouped["latest"] == grouped["first_seen"]
        assert client.get(f"/api/packets/{meshwire.decode(frame).hash.hex()}").status_code == 200
