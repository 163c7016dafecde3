"""A whole hopscope in this process for browser tests: real writer, real reader, a source that says what a test says.

Nothing is faked but the air. Both run in threads and are stopped in order.
"""

import itertools
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import apsw

from hopscope.app import reader, writer
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
from hopscope.ingest.sources import Deliver
from hopscope.model import Message
from meshwire import PUBLIC_KEY, PayloadType, Role, Route, encode

NORTH, SOUTH = "A1" * 32, "B2" * 32  # observers
READY_S = 20.0
LEDGER = (
    "create table if not exists _async_migrations (name text primary key, status text not null, started_at text,"
    " ended_at text, error text, rows_processed integer, rows_total integer, last_update_at text, reason text,"
    " acknowledged_at text, quarantined integer, active_seconds real)"
)


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Air:
    """A source whose records a test speaks. Each record gets a publisher's clock of its own."""

    name, kind = "air", "demo"

    def __init__(self) -> None:
        self._deliver: Deliver | None = None
        self._ticks = itertools.count()

    def start(self, deliver: Deliver) -> None:
        self._deliver = deliver

    def stop(self) -> None:
        self._deliver = None

    def record(self, topic: str, record: dict[str, Any]) -> None:
        """Deliver one record as if it came from a broker."""
        assert self._deliver is not None
        now_ms = time.time_ns() // 1_000_000
        self._deliver(Message(self.name, topic, json.dumps(record).encode(), now_ms))

    def heard(
        self, frame: bytes, *, by: str = NORTH, origin: str = "North tower", iata: str = "INN", snr: float = 7.25
    ) -> None:
        """An observer reports a frame."""
        at = time.gmtime(time.time() - 60 + next(self._ticks) / 1000)
        self.record(
            f"meshcore/{iata}/{by}/packets",
            {
                "origin": origin,
                "origin_id": by,
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", at) + f".{next(self._ticks):06d}Z",
                "type": "PACKET",
                "direction": "rx",
                "raw": frame.hex().upper(),
                "SNR": str(snr),
                "RSSI": "-80",
            },
        )

    def status(self, *, by: str = NORTH, origin: str = "North tower", iata: str = "INN", **said: Any) -> None:
        """An observer reports on itself."""
        stats = {"battery_mv": 3900, "uptime_secs": 4000, "noise_floor": -113}
        known = {"status": "online", "origin": origin, "origin_id": by, "model": "Heltec V3", "stats": stats}
        self.record(f"meshcore/{iata}/{by}/status", known | said)


def seed(number: int) -> bytes:
    """The signing key of a node."""
    return number.to_bytes(32, "big")


def pubkey(number: int) -> str:
    """The public key of a node, hex."""
    return encode.key_pair(seed(number)).public.hex()


def advert(
    number: int,
    name: str,
    *,
    role: Role = Role.REPEATER,
    at: tuple[float, float] | None = (47.26, 11.39),
    path: Sequence[bytes] = (),
) -> bytes:
    """A node's advert as a frame; its clock is now."""
    lat, lon = at or (None, None)
    payload = encode.advert(seed(number), int(time.time()), role, name=name, lat=lat, lon=lon)
    return encode.frame(Route.FLOOD, PayloadType.ADVERT, payload, path=path)


def message(text: str, *, sender: str = "Ann", path: Sequence[bytes] = (), clock: int = 0) -> bytes:
    """A message on the Public channel as a frame."""
    payload = encode.group_text(PUBLIC_KEY, clock or int(time.time()), sender, text)
    return encode.frame(Route.FLOOD, PayloadType.GRP_TXT, payload, path=path)


def ack(number: int, *, path: Sequence[bytes] = ()) -> bytes:
    """An acknowledgement as a frame, the shortest packet there is."""
    return encode.frame(Route.FLOOD, PayloadType.ACK, encode.ack(number.to_bytes(4, "little")), path=path)


class Installation:
    """One database with its writer and its reader."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        port = free_port()
        base = Settings(database=str(directory / "mesh.db"), port=port, region_labels=(("INN", "Innsbruck"),))
        self.settings = replace(base, **settings)
        self.url = f"http://127.0.0.1:{port}"
        self.air = Air()
        self._writer: tuple[threading.Thread, StopToken] | None = None
        self._reader: tuple[threading.Thread, StopToken] | None = None

    def __enter__(self) -> Self:
        self.start_writer()
        self.start_reader()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_reader()
        self.stop_writer()

    def start_writer(self) -> None:
        """Run the writer with the air as its only source."""
        stop = StopToken()
        thread = threading.Thread(
            target=writer.run, args=(self.settings,), kwargs={"stop": stop, "extra_sources": (self.air,)}, name="writer"
        )
        thread.start()
        self._writer = thread, stop
        self._until(lambda: self.air._deliver is not None, "the writer did not start")

    def stop_writer(self) -> None:
        self._writer = self._end(self._writer)

    def start_reader(self) -> None:
        """Serve the API and the web app; returns when it answers."""
        stop = StopToken()
        thread = threading.Thread(target=reader.run, args=(self.settings,), kwargs={"stop": stop}, name="reader")
        thread.start()
        self._reader = thread, stop
        self._until(self._answers, "the reader did not answer")

    def stop_reader(self) -> None:
        self._reader = self._end(self._reader)

    def get(self, path: str) -> Any:
        """The JSON answer of the API."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def stored(self, packets: int) -> None:
        """Wait until that many packets are stored and shown by the API."""
        self._until(lambda: self.get("/api/packets?limit=1")["total"] >= packets, f"{packets} packets were not stored")

    def ledger(self, **row: Any) -> None:
        """Write a migration's row as the engine would."""
        db = apsw.Connection(self.settings.database)
        try:
            db.set_busy_timeout(5000)
            db.execute(LEDGER)
            names = ", ".join(row)
            places = ", ".join(f":{name}" for name in row)
            db.execute(f"insert or replace into _async_migrations ({names}) values ({places})", row)
        finally:
            db.close()

    def _answers(self) -> bool:
        try:
            self.get("/api/config/client")
        except urllib.error.URLError:
            return False
        return True

    @staticmethod
    def _until(holds: Any, otherwise: str) -> None:
        deadline = time.monotonic() + READY_S
        waiting = threading.Event()
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(otherwise)
            waiting.wait(0.03)

    @staticmethod
    def _end(running: tuple[threading.Thread, StopToken] | None) -> None:
        if running is not None:
            thread, stop = running
            stop.set("the test is over")
            thread.join(20)
            assert not thread.is_alive(), thread.name
