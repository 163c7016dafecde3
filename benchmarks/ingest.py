"""Records per second that ingest makes durable, beside what the same disk does for a bare insert loop.

    python benchmarks/ingest.py [--records N] [--directory DIR] [--json FILE]

Everything runs once in one process, one after the other: the figures are ratios within a run, not promises.
"""

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from brokers import Mosquitto
from services import find

from hopscope.config.settings import MqttSource as Broker
from hopscope.generate import Pace, Record, Simulation
from hopscope.generate.publish import Broker as Publisher
from hopscope.ingest.decoding import Decoder
from hopscope.ingest.mqtt import MqttSource
from hopscope.ingest.pipeline import BATCH_ROWS, Pipeline
from hopscope.model import Message
from hopscope.store import connection, schema
from hopscope.store.writing import Writer
from meshwire import KeyRing

TARGET = 3_000  # records/s, durable
SINGLE_COMMITS = 500  # enough to see what a commit costs


@dataclass(frozen=True, slots=True)
class Result:
    """One way to store."""

    name: str
    records: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.records / self.seconds


def main() -> None:
    """Run every way and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--directory", type=Path, help="where the databases are made (default: a temporary directory)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        results = measure(Path(directory), options.records)
    for result in results:
        print(f"{result.rate:10,.0f} records/s  {result.name}")
    if options.json:
        options.json.write_text(json.dumps([asdict(result) | {"rate": result.rate} for result in results], indent=2))
    slow = [result.name for result in results if result.name.startswith("hopscope") and result.rate < TARGET]
    sys.exit(f"below {TARGET} records/s: {', '.join(slow)}" if slow else 0)


def measure(directory: Path, count: int) -> list[Result]:
    """Every way, on the same generated records."""
    records = list(itertools.islice(Simulation(1, Pace(1_790_000_000_000, 1000.0), brokers=1), count))
    results = [
        bare_inserts(directory / "single.db", records[:SINGLE_COMMITS], rows=1),
        bare_inserts(directory / "bare.db", records, rows=BATCH_ROWS),
        through_pipeline(directory / "pipeline.db", records),
    ]
    if find("mosquitto"):
        (directory / "broker").mkdir()
        results.append(through_broker(directory / "broker", records))
    else:
        print("mosquitto is missing: not measured through a broker", file=sys.stderr)
    return results


def bare_inserts(path: Path, records: list[Record], *, rows: int) -> Result:
    """The ceiling: one table, no index, nothing decoded."""
    db = connection.open_writer(str(path))
    db.execute("create table record (id integer primary key, at integer, topic text, payload blob) strict")
    values = [(record.at_ms, record.topic, record.payload) for record in records]
    began = time.perf_counter()
    for at in range(0, len(values), rows):
        with connection.transaction(db):
            db.executemany("insert into record (at, topic, payload) values (?, ?, ?)", values[at : at + rows])
    took = time.perf_counter() - began
    db.close()
    return Result(f"bare inserts, {rows} a commit", len(records), took)


def through_pipeline(path: Path, records: list[Record]) -> Result:
    """Envelope, decoding, deduplication, rollups, commit and acknowledgement."""
    acknowledged = Counter(len(records))
    messages = [Message("home", r.topic, r.payload, r.at_ms, acknowledged.one_more) for r in records]
    with Running(path) as pipeline:
        began = time.perf_counter()
        for message in messages:
            pipeline.deliver(message)
        acknowledged.reached.wait()
        took = time.perf_counter() - began
    return Result("hopscope: delivered to acknowledged", len(records), took)


def through_broker(directory: Path, records: list[Record]) -> Result:
    """The same out of a mosquitto that has them queued at QoS 1."""
    with Mosquitto(directory) as broker, Running(directory / "mesh.db") as pipeline:
        absent = MqttSource(Broker("home", broker.url), client_id="benchmark")
        absent.start(pipeline.deliver)
        while not absent.state().connected:
            time.sleep(0.01)
        time.sleep(0.2)  # for the subscription; a second client cannot see it
        absent.stop()
        absent.close()
        with Publisher(broker.url) as publisher:
            for record in records:
                publisher.publish(record)
            publisher.drain()
        received = Counter(len(records))

        def deliver(message: Message) -> None:
            pipeline.deliver(replace(message, ack=received.after(message.ack)))

        source = MqttSource(Broker("home", broker.url), client_id="benchmark")
        began = time.perf_counter()
        source.start(deliver)
        received.reached.wait()
        took = time.perf_counter() - began
        source.stop()
        source.close()
    return Result("hopscope: from a broker's queue to acknowledged", len(records), took)


class Counter:
    """Counts acknowledgements; `reached` is set by the last one."""

    def __init__(self, wanted: int) -> None:
        self.left, self.reached = wanted, threading.Event()

    def one_more(self) -> None:
        self.left -= 1
        if not self.left:
            self.reached.set()

    def after(self, ack: Callable[[], None] | None) -> Callable[[], None]:
        def both() -> None:
            if ack is not None:
                ack()
            self.one_more()

        return both


class Running:
    """A pipeline over a fresh database, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._db = connection.open_writer(str(path))
        schema.prepare(self._db)
        writer = Writer(self._db)
        writer.register_source("home", kind="mqtt", address=None)
        self.pipeline = Pipeline(Decoder({}, KeyRing.of(channels=["Public"])), writer)
        self._thread = threading.Thread(target=self.pipeline.run)

    def __enter__(self) -> Pipeline:
        self._thread.start()
        return self.pipeline

    def __exit__(self, *_: object) -> None:
        self.pipeline.stop()
        self._thread.join()
        self._db.close()


if __name__ == "__main__":
    main()
