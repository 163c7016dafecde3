"""An upgrade under load: live traffic and API clients before, during the import of a history, during backfills, after.

    python benchmarks/upgrade.py [--scale tiny|small|full] [--json FILE]

Writer, API and broker are real processes of this machine. Clients are threads here and share its cores, so the figures
are ratios within a run: what a page takes during migrations is compared with what the same page takes when they have
ended, because before them it is empty. The bare loop that the import is compared with runs under the same load, on the
same disk.
"""

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import paho.mqtt.client as mqtt
from brokers import Mosquitto
from history import CACHE, SCALES, history
from rig.figures import rank
from rig.machine import Others, machine, today, versions

from hopscope.store import connection, ledger
from meshwire import decode, encode

CLIENTS, THINK_S, RECORDS_PER_S = 8, 0.1, 50
IDLE_S = {"tiny": 4.0, "small": 10.0, "full": 30.0}
LOOK_S = 0.1
LAST_PACKETS_S = 5.0
LISTS_MS, VISIBLE_MS, RATIO, MEMORY_MB, IMPORT_RATIO = 50.0, 500.0, 2.0, 250.0, 0.5  # what we hold ourselves to
HOPSCOPE = (sys.executable, "-P", "-m", "hopscope")
ENDPOINTS = {
    "stats": "/api/stats",
    "packets": "/api/packets?limit=50",
    "packets, grouped": "/api/packets?limit=50&groupByHash=true",
    "nodes": "/api/nodes?limit=50",
    "observers": "/api/observers",
    "channels": "/api/channels",
    "hash sizes": "/api/analytics/hash-sizes",
    "perf": "/api/perf",
    "healthz": "/api/healthz",
}
LISTS = frozenset({"packets", "packets, grouped", "nodes", "observers", "channels"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer, or one live packet that was seen."""

    what: str
    at: float
    ms: float


@dataclass(slots=True)
class Seen:
    """What the threads of the benchmark saw; lists are appended to by one thread each and read at the end."""

    answers: list[list[Sample]] = field(default_factory=list)
    visible: list[Sample] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stalls: list[Sample] = field(default_factory=list)
    wal_peak: int = 0
    rss_peak: dict[str, float] = field(default_factory=dict)


class Traffic:
    """Publishes RECORDS_PER_S records in an open loop and notes when each packet came out of the live stream."""

    def __init__(self, broker: Mosquitto, port: int, seen: Seen, stop: threading.Event) -> None:
        self._broker, self._port, self._seen, self._stop = broker, port, seen, stop
        self._sent: dict[str, float] = {}
        self._listening = threading.Event()
        self.count = 0

    def publish(self) -> None:
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self._broker.port)
        client.loop_start()
        self._listening.wait()
        began = time.monotonic()
        while not self._stop.wait(max(0.0, began + self.count / RECORDS_PER_S - time.monotonic())):
            frame = encode.frame(1, 3, encode.ack(self.count.to_bytes(4, "big")))
            record = {"raw": frame.hex(), "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"}
            self._sent[decode(frame).hash.hex()] = time.monotonic()
            client.publish(f"meshcore/INN/{'A1' * 32}/packets", json.dumps(record), qos=1)
            self.count += 1
        client.loop_stop()
        client.disconnect()

    def watch(self) -> None:
        """As a browser does: the event stream, from its beginning."""
        stream = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        stream.request("GET", "/api/live")
        answer = stream.getresponse()
        self._listening.set()
        while not self._stop.is_set() or (self._sent and time.monotonic() < self._patience_until()):
            line = answer.readline()
            if line.startswith(b"data:"):
                now = time.monotonic()
                for packet in json.loads(line[5:]).get("packets", []):
                    sent = self._sent.pop(packet["hash"].lower(), None)
                    if sent is not None:
                        self._seen.visible.append(Sample("live", now, (now - sent) * 1000))
        stream.close()

    def _patience_until(self) -> float:
        """The last packets are waited for as long as one may take."""
        return max(list(self._sent.values()), default=0.0) + LAST_PACKETS_S  # `publish` may add one meanwhile

    @property
    def lost(self) -> int:
        """Packets that were published and not seen."""
        return len(self._sent)


def ask_api(port: int, number: int, seen: Seen, stop: threading.Event) -> None:
    """One client: every endpoint in turn, with a pause between."""
    samples: list[Sample] = []
    seen.answers.append(samples)
    dice = random.Random(number)
    connected = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    turn = number
    while not stop.wait(dice.uniform(0, 2 * THINK_S)):
        name, path = list(ENDPOINTS.items())[turn % len(ENDPOINTS)]
        turn += 1
        began = time.monotonic()
        try:
            connected.request("GET", path)
            answer = connected.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            seen.errors.append(f"{path}: {problem!r}")
            connected.close()
            continue
        samples.append(Sample(name, began, (time.monotonic() - began) * 1000))
        if answer.status != 200:
            seen.errors.append(f"{path}: {answer.status} {body[:200]!r}")
    connected.close()


def look(database: Path, pids: dict[str, int], seen: Seen, stop: threading.Event) -> None:
    """Sizes and the writer's own figures, a few times a second.

    Those cover its newest 1,000 turns, some minutes: a stall shows in what follows it, too.
    """
    wal = database.with_name(database.name + "-wal")
    while not stop.wait(LOOK_S):
        seen.wal_peak = max(seen.wal_peak, wal.stat().st_size if wal.exists() else 0)
        for name, pid in [*pids.items(), *(("migrations", child) for child in children(pids["ingest"]))]:
            seen.rss_peak[name] = max(seen.rss_peak.get(name, 0.0), resident_mb(pid))
        waited = one(database, "select wait_max + hold_max from writer_stats where component = 'ingest'")
        if waited is not None:
            seen.stalls.append(Sample("ingest", time.monotonic(), waited))


def children(pid: int) -> list[int]:
    """The processes that a process has started. A thread of it may end while its own are listed."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, path.read_text().split())
    return found


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM, MB; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def one(database: Path, text: str) -> Any:
    """One value, read-only; None while there is none."""
    db = connection.open_reader(str(database))
    try:
        return db.execute(text).get
    finally:
        db.close()


def statuses(database: Path) -> dict[str, str]:
    """The ledger's migrations."""
    db = connection.open_reader(str(database))
    try:
        return {row["name"]: row["status"] for row in ledger.rows(db)}
    finally:
        db.close()


class Installation:
    """Broker, writer and API over a database in a directory of its own."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.database = directory / "hopscope.db"
        (directory / "broker").mkdir()
        self.broker = stack.enter_context(Mosquitto(directory / "broker"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._environment = {
            **os.environ,
            "HOPSCOPE_DATABASE": str(self.database),
            "HOPSCOPE_MQTT_URL": self.broker.url,
            "HOPSCOPE_LISTEN": f"127.0.0.1:{self.port}",
            "HOPSCOPE_LOG_LEVEL": "warning",
        }
        self._directory = directory
        self.pids = {name: stack.enter_context(self.process(name)).pid for name in ("ingest", "api")}
        self._wait_until_ready()

    @contextmanager
    def process(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        started = subprocess.Popen([*HOPSCOPE, *arguments], env=self._environment, cwd=self._directory)
        try:
            yield started
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait()

    def ask_for_import(self, source: Path) -> None:
        subprocess.run(
            [*HOPSCOPE, "import", "--no-wait", str(source)], env=self._environment, cwd=self._directory, check=True
        )

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                asked.request("GET", "/readyz")
                if asked.getresponse().status == 200 and one(self.database, "select max(connected) from sources"):
                    return
            except (OSError, connection.DatabaseMissing):
                pass
            time.sleep(0.1)
        raise SystemExit("the installation did not become ready")


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run, by the monotonic clock."""

    name: str
    first: float
    last: float

    def of(self, samples: Sequence[Sample]) -> list[float]:
        return sorted(sample.ms for sample in samples if self.first <= sample.at < self.last)


def run(scale: str, directory: Path) -> dict[str, Any]:
    """The whole of it."""
    source, seen, stop = history(scale), Seen(), threading.Event()
    with ExitStack() as stack:
        place = Installation(directory, stack)
        traffic = Traffic(place.broker, place.port, seen, stop)
        work: list[Callable[[], None]] = [traffic.watch, traffic.publish]
        work += [lambda n=n: ask_api(place.port, n, seen, stop) for n in range(CLIENTS)]  # type: ignore[misc]
        work.append(lambda: look(place.database, place.pids, seen, stop))
        threads = [threading.Thread(target=_noting, args=(one_of, seen)) for one_of in work]
        for thread in threads:
            thread.start()
        others = Others()
        try:
            time.sleep(2.0)  # the first requests open connections
            before = _phase("before", lambda: time.sleep(IDLE_S[scale]))
            bare = _bare(source, directory, IDLE_S[scale])
            imported = _phase("import", lambda: _import(place, source))
            filled = _phase("backfills", lambda: _wait(place, lambda names: set(names.values()) <= {"done"}))
            after = _phase("after", lambda: time.sleep(IDLE_S[scale]))
            time.sleep(1.0)  # for the last live packets
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        return _figures(scale, place, seen, [before, imported, filled, after], bare) | {
            "live_records": traffic.count,
            "live_lost": traffic.lost,
            "other_programs_cpus": round(others.cpus(), 2),
        }


def _noting(work: Callable[[], None], seen: Seen) -> None:
    """Work of a thread, which must not end unnoticed: figures would be missing and look good."""
    try:
        work()
    except Exception as problem:  # noqa: BLE001 - whatever it is, the run is not a good one
        seen.errors.append(f"a thread of the benchmark ended: {problem!r}")


def _phase(name: str, work: Callable[[], object]) -> Phase:
    began = time.monotonic()
    work()
    return Phase(name, began, time.monotonic())


def _import(place: Installation, source: Path) -> None:
    place.ask_for_import(source)
    _wait(place, lambda names: all(status == "done" for name, status in names.items() if name.startswith("import_")))


def _wait(place: Installation, ended: Callable[[dict[str, str]], bool]) -> None:
    while True:
        names = statuses(place.database)
        if failed := [name for name, status in names.items() if status in ("failed", "cancelled")]:
            raise SystemExit(f"failed: {failed}")
        if names and ended(names):
            return
        time.sleep(LOOK_S)


def _bare(source: Path, directory: Path, seconds: float) -> float:
    loop = Path(__file__).resolve().parent / "rig" / "bare.py"
    command = [sys.executable, "-P", str(loop), str(source), str(directory / "bare.db"), str(seconds)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def _booked(database: Path, *, imported: bool) -> dict[str, float]:
    """Where the seconds of the migrations went, by the ledger: at work, or waiting for a reason."""
    spent: Counter[str] = Counter()
    db = connection.open_reader(str(database))
    try:
        for name, active, waits in db.execute("select name, active_s, throttled from _async_migrations"):
            if name.startswith("import_") == imported:
                spent.update({"at work": active} | json.loads(waits))
    finally:
        db.close()
    return {reason: round(seconds, 1) for reason, seconds in spent.most_common() if seconds >= 0.05}


def _figures(scale: str, place: Installation, seen: Seen, phases: list[Phase], bare: float) -> dict[str, Any]:
    answers = [sample for one_client in seen.answers for sample in one_client]
    endpoints = {
        name: {phase.name: _spread(phase.of([a for a in answers if a.what == name])) for phase in phases}
        for name in ENDPOINTS
    }
    rows = one(place.database, "select sum(imported + merged + quarantined) from import_tables")
    imported, filled = phases[1], phases[2]
    return {
        "scale": scale,
        "rows": rows,
        "endpoints": endpoints,
        "live_visibility_p99_ms": {p.name: _spread(p.of(seen.visible)) for p in phases},
        "ingest_commit_stall_max_ms": {p.name: max(p.of(seen.stalls), default=None) for p in phases},
        "import_rows_per_s": round(rows / (imported.last - imported.first)),
        "bare_rows_per_s": round(bare),
        "import_s": round(imported.last - imported.first, 1),
        "backfills_s": round(filled.last - filled.first, 1),
        "total_s": round(filled.last - imported.first, 1),
        "import_seconds": _booked(place.database, imported=True),
        "backfill_seconds": _booked(place.database, imported=False),
        "rss_mb": {name: round(mb) for name, mb in seen.rss_peak.items()},
        "wal_peak_mb": round(seen.wal_peak / 1e6, 1),
        "errors": seen.errors[:10],
        "error_count": len(seen.errors),
    }


def _spread(ascending: list[float]) -> dict[str, float] | None:
    """n, p50, p95, p99 and the longest, ms; None when there was nothing."""
    if not ascending:
        return None
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {"n": len(ascending)} | {name: round(rank(ascending, share), 1) for name, share in shares.items()}


def verdicts(found: dict[str, Any]) -> list[tuple[bool, str]]:
    """Each target with whether it was met."""
    judged: list[tuple[bool, str]] = []
    for name, phases in found["endpoints"].items():
        for phase in ("import", "backfills"):
            if not phases[phase] or not phases["after"]:
                continue
            during, after = phases[phase]["p99"], phases["after"]["p99"]
            limit = min(RATIO * after, LISTS_MS) if name in LISTS else RATIO * after
            judged.append(
                (during <= limit, f"{name}, {phase}: p99 {during} ms, {after} ms after ({during / after:.1f}x)")
            )
    for phase in ("import", "backfills"):
        live = found["live_visibility_p99_ms"][phase]
        if live:
            judged.append((live["p99"] <= VISIBLE_MS, f"live packet visible, {phase}: p99 {live['p99']} ms"))
    ratio = found["import_rows_per_s"] / found["bare_rows_per_s"]
    judged.append((ratio >= IMPORT_RATIO, f"import at {ratio:.2f} of the bare loop's rate"))
    judged.append((found["error_count"] == 0 and found["live_lost"] == 0, "no errors, no live packet lost"))
    for name in ("ingest", "migrations"):
        mb = found["rss_mb"].get(name)
        judged.append((mb is not None and mb < MEMORY_MB, f"{name}: {mb or 'unknown'} MB"))
    return judged


def show(found: dict[str, Any]) -> None:
    """The figures for people."""
    print(f"{'endpoint':20} {'phase':10} {'n':>6} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}  ms")
    live = {"live packet visible": found["live_visibility_p99_ms"]}
    for name, phases in (found["endpoints"] | live).items():
        for phase, spread in phases.items():
            if spread:
                figures = "".join(f"{spread[key]:9}" for key in ("p50", "p95", "p99", "max"))
                print(f"{name:20} {phase:10} {spread['n']:6}{figures}")
    for key in (key for key in found if key not in ("endpoints", "live_visibility_p99_ms")):
        print(f"{key:32} {found[key]}")
    for met, words in verdicts(found):
        print(f"{'ok' if met else 'MISSED':8} {words}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    print(f"{today()}  {machine(CACHE)}  {versions()}")
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        found = run(options.scale, Path(directory))
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))
    sys.exit(0 if all(met for met, _ in verdicts(found)) else 1)


if __name__ == "__main__":
    main()
