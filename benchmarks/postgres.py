"""One statement and inchworm on PostgreSQL, idle and beside a live writer: time, the writer's stalls, wrong rows.

Starts a server of its own in a directory of its own and removes both. `--scale small` takes about a minute.
"""

import argparse
import contextlib
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg

import inchworm
from inchworm.queries import parse_queries

HERE = Path(__file__).parent
SQL = parse_queries((HERE / "postgres.sql").read_text(encoding="utf-8"))
PER_SECOND = 50.0
IDLE_CONTROL_S = {"small": 3.0, "full": 20.0}
SCALES = {"small": (71_000, 600_000), "full": (71_000, 1_500_000)}  # transmissions, observations

LAST_SEEN = inchworm.Backfill(
    name="last_seen", table="transmissions", compute=SQL["compute"], apply=SQL["apply"], guard="monotone"
)


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run. Stalls of the live writer in ms; None without one."""

    seconds: float
    stall_p99_ms: float | None
    stall_max_ms: float | None
    longest_hold_ms: float | None
    turns: int | None
    wal_mb: float
    wrong_rows: int


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A durable server (fsync on) with default pacing of checkpoints; its URL."""
    sys.path[:0] = [str(HERE.parent / "packages/inchworm/tests/postgres"), str(HERE.parent / "tests")]
    tests: Any = import_module("server")
    running = tests.Server(["shared_buffers = 256MB", "max_wal_size = 2GB"])
    try:
        yield running.url("postgres")
    finally:
        running.remove()


def fill(url: str, scale: str, *, indexed: bool) -> None:
    """The same rows, packed as a fresh load leaves them, with statistics and a checkpoint behind it."""
    transmissions, observations = SCALES[scale]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL["schema"].format(transmissions=transmissions, observations=observations))  # type: ignore[arg-type]
        connection.execute(SQL["fresh"].format(transmissions=transmissions))  # type: ignore[arg-type]
        if indexed:
            connection.execute(SQL["index"])  # type: ignore[arg-type]
        connection.execute(SQL["settle"])  # type: ignore[arg-type]
        connection.execute(SQL["checkpoint"])  # type: ignore[arg-type]


def one(url: str, name: str) -> int:
    """A single number."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(SQL[name]).fetchone()  # type: ignore[arg-type]
        return int(row[0]) if row else 0


def one_statement(url: str) -> tuple[float, float, int]:
    """Seconds, the longest hold in ms, turns."""
    with psycopg.connect(url, autocommit=True) as connection:
        began = time.monotonic()
        connection.execute(SQL["one_statement"])  # type: ignore[arg-type]
        took = time.monotonic() - began
    return took, took * 1000, 1


def engine(url: str) -> tuple[float, float, int]:
    """The same through inchworm, connecting and bookkeeping included."""
    began = time.monotonic()
    report = inchworm.run(url, [LAST_SEEN])
    took = time.monotonic() - began
    if not report.ok:
        sys.exit(f"inchworm did not end: {report}")
    return took, report.longest_hold_s * 1000, report["last_seen"].slices


def live(url: str, transmissions: int, pipe: Connection) -> None:
    """Open loop: a reception every 20 ms, each due at its own time whether or not the last one is through."""
    waits: list[tuple[float, float]] = []
    with psycopg.connect(url) as connection:
        pipe.send("ready")
        began, number = time.monotonic(), 0
        while not pipe.poll(max(0.0, began + number / PER_SECOND - time.monotonic())):
            due = began + number / PER_SECOND
            if time.monotonic() < due:
                continue
            number += 1
            row = {"id": 1 + (number * 104_729) % transmissions, "at": 1_800_000_000_000 + number}
            connection.execute(SQL["live_insert"], row)  # type: ignore[arg-type]
            connection.execute(SQL["live_update"], row)  # type: ignore[arg-type]
            connection.commit()
            waits.append((due, time.monotonic() - due))
    pipe.send(waits)


@contextlib.contextmanager
def writer(url: str, scale: str) -> Iterator[Callable[[], list[tuple[float, float]]]]:
    """A live writer in a process of its own; call the yielded function to end it and have its waits."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=live, args=(url, SCALES[scale][0], theirs), daemon=True)
    process.start()
    ours.recv()

    def ended() -> list[tuple[float, float]]:
        ours.send("stop")
        return list(ours.recv())

    try:
        yield ended
    finally:
        process.join(10)


def measured(url: str, scale: str, work: Callable[[str], tuple[float, float, int]] | None, *, busy: bool) -> Run:
    """One run of `work`, or of nothing, with or without a live writer, on data made anew."""
    wal = one(url, "wal")
    waits: list[tuple[float, float]] = []
    with writer(url, scale) if busy else contextlib.nullcontext(list) as ended:
        if work is None:
            time.sleep(IDLE_CONTROL_S[scale])
            took, hold, turns = IDLE_CONTROL_S[scale], None, None
        else:
            took, hold, turns = work(url)
        waits = ended()
    each = sorted(1000 * waited for _, waited in waits)
    return Run(
        seconds=round(took, 3),
        stall_p99_ms=round(each[int(0.99 * (len(each) - 1))], 1) if each else None,
        stall_max_ms=round(each[-1], 1) if each else None,
        longest_hold_ms=None if hold is None else round(hold, 1),
        turns=turns,
        wal_mb=round((one(url, "wal") - wal) / 1e6, 1),
        wrong_rows=one(url, "wrong_rows") if work is not None else 0,
    )


CASES: tuple[tuple[str, Callable[[str], tuple[float, float, int]] | None, bool], ...] = (
    ("idle control", None, True),
    ("one statement, idle", one_statement, False),
    ("inchworm, idle", engine, False),
    ("one statement, live writer", one_statement, True),
    ("inchworm, live writer", engine, True),
)
AGAINST = (("inchworm, idle", "one statement, idle"), ("inchworm, live writer", "one statement, live writer"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without-index", action="store_true", help="no index (transmission_id, heard_at)")
    parser.add_argument("--only", metavar="TEXT", default="", help="only lines whose name contains this")
    given = parser.parse_args()
    found: dict[str, list[Run]] = {}
    with server() as url:
        for _ in range(given.repeats):
            for name, work, busy in CASES:
                if given.only not in name or (work is None and "idle control" in found):
                    continue
                fill(url, given.scale, indexed=not given.without_index)
                run = measured(url, given.scale, work, busy=busy)
                found.setdefault(name, []).append(run)
                print(f"{name}: {json.dumps(asdict(run))}", flush=True)
    print()
    for ours, theirs in AGAINST:
        if ours in found and theirs in found:
            mine, other = ([run.seconds for run in found[name]] for name in (ours, theirs))
            print(
                f"{ours} / {theirs}: {statistics.median(mine) / statistics.median(other):.2f} of medians, "
                f"{min(mine) / min(other):.2f} of the runs that other programs disturbed least"
            )
    if wrong := [name for name, runs in found.items() if any(run.wrong_rows for run in runs)]:
        sys.exit(f"wrong rows after: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
