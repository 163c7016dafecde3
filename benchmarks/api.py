"""Measure the API on the history of a large installation: answer times with 16 clients, cold start, memory.

The database is filled through the writer, as ingest would, and kept in benchmarks/.cache. The server runs in a process
of its own; clients are threads of this one, each with one connection, and share the machine's cores with it.
"""

import argparse
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import apsw
from history import CACHE, PUBLIC_KEY, SCALES, history
from rig.figures import rank

from hopscope.model import Heard, Reception
from hopscope.store import schema
from hopscope.store.connection import open_writer
from hopscope.store.facts import facts_of
from hopscope.store.writing import Writer
from meshwire import Advert, KeyRing, decode, encode, hashtag_key

EDITION = 1  # raise it when the stored rows change
BATCH = 2_000
CLIENTS = 16
LISTS_MS, ANALYTICS_MS, LIVE_MS, COLD_S, MEMORY_MB = 25.0, 100.0, 500.0, 1.0, 150.0  # what we hold ourselves to

SERVER = """
import sys
from hopscope.app.reader import run
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
run(Settings(database=sys.argv[1], port=int(sys.argv[2])), stop=StopToken())
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is asked, and its limit for p99. `{…}` is filled with a different value each time."""

    name: str
    path: str
    limit_ms: float


ENDPOINTS = (
    Endpoint("nothing (control)", "/livez", LISTS_MS),  # what the machine and the client need by themselves
    Endpoint("packets", "/api/packets?limit=50&offset={offset}", LISTS_MS),
    Endpoint("packets, grouped", "/api/packets?limit=50&groupByHash=true&offset={offset}", LISTS_MS),
    Endpoint("packets of a type", "/api/packets?limit=50&type={type}&offset={offset}", LISTS_MS),
    Endpoint("packets of an observer", "/api/packets?limit=50&observer={observer}", LISTS_MS),
    Endpoint("packets of a region", "/api/packets?limit=50&region={region}&groupByHash=true", LISTS_MS),
    Endpoint("a packet", "/api/packets/{hash}", LISTS_MS),
    Endpoint("nodes", "/api/nodes?limit=50&offset={node_offset}", LISTS_MS),
    Endpoint("a node", "/api/nodes/{node}", LISTS_MS),
    Endpoint("observers", "/api/observers", LISTS_MS),
    Endpoint("channels", "/api/channels", LISTS_MS),
    Endpoint("messages", "/api/channels/Public/messages?limit=50&offset={offset}", LISTS_MS),
    Endpoint("stats", "/api/stats", LISTS_MS),
    Endpoint("healthz", "/api/healthz", LISTS_MS),
    Endpoint("hash sizes", "/api/analytics/hash-sizes", ANALYTICS_MS),
)


def database(scale: str) -> Path:
    """A hopscope database with this history, made now if this machine has not made it yet (full scale: minutes)."""
    target = CACHE / f"api-{EDITION}-{scale}.db"
    if target.exists():
        return target
    source = history(scale)
    draft = target.with_suffix(f".{os.getpid()}.draft")
    db = open_writer(str(draft))
    db.pragma("synchronous", "off")
    schema.prepare(db)
    writer = Writer(db)
    writer.register_source("history", kind="mqtt", address=None)
    records = receptions(source)
    while batch := list(islice(records, BATCH)):
        writer.record(batch)
    db.close()
    draft.rename(target)
    return target


def receptions(source: Path) -> Iterator[Heard]:
    """Every reception of a CoreScope history as ingest would have decoded it, in the order of time."""
    keys = KeyRing.of(channels={"Public": PUBLIC_KEY} | {name: hashtag_key(name) for name in ("#test", "#wetter")})
    db = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    rows = db.execute(
        """select o.timestamp * 1000, b.id, b.name, b.iata, o.snr, o.rssi, o.raw_hex
           from observations o join observers b on b.rowid = o.observer_idx order by o.timestamp, o.id"""
    )
    for number, (at, observer, name, iata, snr, rssi, raw) in enumerate(rows):
        frame = bytes.fromhex(raw)
        packet = decode(frame, keys=keys, verify=False)
        reception = Reception(
            source="history",
            observer=observer,
            observer_name=name,
            iata=iata,
            heard_at=at,
            published_at=at + number % 1000,
            clock_naive=False,
            frame=frame,
            snr=snr,
            rssi=None if rssi is None else int(rssi),
            score=None,
        )
        yield Heard(reception, facts_of(packet, verified=isinstance(packet.payload, Advert)))
    db.close()


class Values:
    """Random values of the database for the paths of requests."""

    def __init__(self, path: Path) -> None:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self.hashes = [row[0] for row in db.execute("select lower(hex(hash)) from transmissions where id % 7 = 0")]
        self.nodes = [row[0] for row in db.execute("select lower(hex(pubkey)) from nodes")]
        self.observers = [row[0] for row in db.execute("select ident from observers")]
        self.regions = [row[0] for row in db.execute("select distinct iata from observers where iata is not null")]
        db.close()

    def fill(self, path: str, rng: random.Random) -> str:
        """The path with a value for each of its names."""
        return path.format(
            offset=rng.randrange(1_000),  # twenty pages: what people look at
            node_offset=rng.randrange(300),
            type=rng.choice((2, 3, 4, 5, 9)),
            hash=rng.choice(self.hashes),
            node=rng.choice(self.nodes),
            observer=rng.choice(self.observers),
            region=rng.choice(self.regions),
        )


class Connection:
    """One client: a connection that stays open, and requests without pipelining."""

    def __init__(self, port: int, *, gzip: bool = False) -> None:
        self._accepted = "Accept-Encoding: gzip\r\n" if gzip else ""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{self._accepted}\r\n".encode())
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        return status, self._file.read(length)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def measure(
    port: int, endpoint: Endpoint, values: Values, *, clients: int, seconds: float, think_s: float, gzip: bool
) -> list[float]:
    """Milliseconds of every answer, while `clients` ask for `seconds`, each pausing up to twice `think_s` between."""
    took: list[list[float]] = [[] for _ in range(clients)]
    failed: list[str] = []
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        rng, connection = random.Random(f"{endpoint.name} {number}"), Connection(port, gzip=gzip)
        time.sleep(rng.uniform(0, 2 * think_s))  # clients do not all begin at the same moment
        while time.monotonic() < end:
            path = values.fill(endpoint.path, rng)
            began = time.perf_counter()
            status, body = connection.get(path)
            took[number].append((time.perf_counter() - began) * 1000)
            if status != 200:
                failed.append(f"{status} {path} {body[:100]!r}")
                break
            if think_s:
                time.sleep(rng.uniform(0, 2 * think_s))
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"an answer was not 200: {failed[0]}")
    return sorted(ms for one in took for ms in one)


def begin(path: Path, *, packets: int = 50) -> tuple[subprocess.Popen[bytes], int, float]:
    """Start a server; its process, port, and seconds until the first correct list."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(path), str(port)])
    while True:
        try:
            connection = Connection(port)
            status, body = connection.get("/api/packets?limit=50")
            connection.close()
        except OSError:
            time.sleep(0.005)
            continue
        if status == 200 and len(json.loads(body)["packets"]) == packets:
            return process, port, time.perf_counter() - began


def live_latency(seconds: float) -> list[float]:
    """Milliseconds from the end of a commit until an SSE client has the reception, with 20 commits a second."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "live.db"
        db = open_writer(str(path))
        schema.prepare(db)
        writer = Writer(db)
        writer.register_source("live", kind="mqtt", address=None)
        process, port, _ = begin(path, packets=0)
        committed: dict[str, float] = {}
        arrived: dict[str, float] = {}
        stream = socket.create_connection(("127.0.0.1", port), timeout=30)
        stream.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        listener = threading.Thread(target=listen, args=(stream, arrived))
        listener.start()
        try:
            for number in range(int(seconds * 20)):
                heard = acknowledgement(number)
                writer.record([heard])
                committed[heard.packet.hash.hex()] = time.perf_counter()
                time.sleep(0.05)
            time.sleep(1)
        finally:
            stream.shutdown(socket.SHUT_RDWR)
            listener.join()
            stream.close()
            process.terminate()
            process.wait()
            db.close()
    missing = committed.keys() - arrived.keys()
    if missing:
        raise SystemExit(f"{len(missing)} of {len(committed)} receptions never arrived")
    return sorted((arrived[key] - at) * 1000 for key, at in committed.items())


def acknowledgement(number: int) -> Heard:
    """Some reception."""
    frame = encode.frame(1, 3, encode.ack(number.to_bytes(4, "little")))
    now = time.time_ns() // 1_000_000
    reception = Reception("live", "A1" * 32, None, "SEA", now, now, False, frame, 7.0, -80, None)
    return Heard(reception, facts_of(decode(frame), verified=False))


def listen(stream: socket.socket, arrived: dict[str, float]) -> None:
    """Note when each packet hash arrives, until the connection ends."""
    text = b""
    while chunk := stream.recv(65536):
        now = time.perf_counter()
        text += chunk
        *lines, text = text.split(b"\n")
        for found in re.findall(rb'"hash":"([0-9a-f]{16})"', b"".join(lines)):
            arrived.setdefault(found.decode(), now)


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def used_s(pid: int) -> float:
    """Processor time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def asked(endpoint: Endpoint, pid: int, port: int, values: Values, options: argparse.Namespace) -> str:
    """An endpoint's answer times as a line, with how many there were and what each cost the server."""
    pace = {"clients": options.clients, "seconds": options.seconds, "think_s": options.think}
    before_s = used_s(pid)
    ms = measure(port, endpoint, values, **pace, gzip=options.gzip)
    cpu_ms = (used_s(pid) - before_s) * 1000 / len(ms)
    cost = f"({len(ms) / options.seconds:.0f}/s, {cpu_ms:.2f} ms of processor each)"
    return f"{judged(endpoint.name, ms, endpoint.limit_ms)}  {cost}"


def judged(name: str, ascending_ms: Sequence[float], limit_ms: float) -> str:
    """A line of figures, and whether p99 is below its limit."""
    p50, p99 = rank(ascending_ms, 0.5), rank(ascending_ms, 0.99)
    verdict = "ok" if p99 < limit_ms else "MISSED"
    return f"{name:24} p50 {p50:7.2f}  p99 {p99:7.2f} ms  limit {limit_ms:5.0f} ms  {verdict}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--seconds", type=float, default=4.0, help="per endpoint")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--think", type=float, default=0.25, help="mean pause of a client between two requests, s")
    parser.add_argument("--gzip", action="store_true", help="ask for compressed answers, as browsers do")
    parser.add_argument("--only", help="endpoints whose name contains this")
    options = parser.parse_args()
    path = database(options.scale)
    values = Values(path)
    process, port, cold_s = begin(path)
    try:
        verdict = "ok" if cold_s < COLD_S else "MISSED"
        print(f"{'cold start':24} {cold_s:8.2f} s          limit {COLD_S:5.1f} s  {verdict}")
        for endpoint in ENDPOINTS:
            if not options.only or options.only in endpoint.name:
                print(asked(endpoint, process.pid, port, values, options), flush=True)
        memory = resident_mb(process.pid)
        verdict = "ok" if memory < MEMORY_MB else "MISSED"
        print(f"{'resident memory':24} {memory:8.0f} MB         limit {MEMORY_MB:5.0f} MB {verdict}")
    finally:
        process.terminate()
        process.wait()
    print(judged("commit to browser", live_latency(options.seconds), LIVE_MS))


if __name__ == "__main__":
    main()
