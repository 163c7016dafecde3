"""An index by CREATE INDEX and by an index table, on the incident's observations: time, stall, disk, inserts after it.

Each beside a live writer of 50 transactions a second in another process; then the writes of an application, alone.
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
from history import CACHE, SCALES, history
from rig.child import Child
from rig.database import connect
from rig.figures import between, spread
from rig.machine import Others, machine, today, versions
from rig.measure import SETTLE_S, fresh_copy

import inchworm

COLUMNS = ("transmission_id", "timestamp")
TABLE = inchworm.IndexTable(
    name="observations_by_tx_v1", table="observations", columns=COLUMNS, index_table="observations_by_tx"
)
INDEX = "create index observations_tx_ts on observations (transmission_id, timestamp)"
WRITES, PER_COMMIT, ROUNDS = 10_000, 100, 3
CONTROL_S = 5.0  # the live writer alone: what it waits for although nobody builds anything

# What a table WITHOUT ROWID with the columns as its key would take: its one tree is that of a plain index. Not shipped:
# its entries could not be NULL, nor found again by the key of their row.
ONE_TREE = """create table one_tree (transmission_id not null, timestamp not null, id not null,
  primary key (transmission_id, timestamp, id)) without rowid;
insert into one_tree select transmission_id, timestamp, id from observations order by 1, 2, 3"""

INSERT = """
insert into observations (transmission_id, observer_idx, direction, snr, rssi, path_json, timestamp, raw_hex)
values (:at % 1000 + 1, 1, 'rx', -3.25, -101.0, :at, 1782864000 + :at, hex(zeroblob(48)))"""
UPDATE = "update observations set timestamp = timestamp + 1 where id = :id"
OTHER = "update observations set snr = snr + 1 where id = :id"
DELETE = "delete from observations where id = :id"

LOOK_UP = "select max(timestamp) from observations_by_tx where transmission_id = 4711"
JOINED = """select o.id, o.snr from observations_by_tx as e join observations as o using (id)
where e.transmission_id = 4711 order by e.timestamp desc limit 10"""


def by_index(path: str) -> float | None:
    db = connect(path)
    db.execute(INDEX)
    db.close()
    return None


def by_table(path: str) -> float | None:
    report = inchworm.run(path, [TABLE])
    if not report.ok:
        raise RuntimeError(f"{report[TABLE.name].status}: {report[TABLE.name].error}")
    return report.longest_hold_s


def one_tree(path: str) -> float | None:
    db = connect(path)
    db.execute(ONE_TREE)
    db.close()
    return None


def nothing(path: str) -> float | None:
    del path
    time.sleep(CONTROL_S)
    return None


@dataclass(frozen=True, slots=True)
class Way:
    """One line: how the look-up is made fast. `drop`: the statements that take it away again."""

    name: str
    make: Callable[[str], float | None]
    drop: tuple[str, ...] = ()


WAYS = (
    Way("no index", nothing),
    Way("CREATE INDEX", by_index, ("drop index observations_tx_ts",)),
    Way("IndexTable", by_table, TABLE.drop),
    Way("one tree, unkept", one_tree),
)


def used_mb(path: str) -> float:
    with contextlib.closing(connect(path, read_only=True)) as db:
        pages, free, size = (int(db.pragma(name)) for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size / 1e6


def built(way: Way, path: Path) -> tuple[str, str]:
    """Make it beside the writer: seconds, its longest wait, the longest turn, disk."""
    before, others = used_mb(str(path)), Others()
    writer = Child("writer", db=str(path), gate=None)
    try:
        writer.wait_ready()
        time.sleep(SETTLE_S)
        began = time.monotonic()
        hold_s = way.make(str(path))
        ended = time.monotonic()
        time.sleep(SETTLE_S)
        waits = spread(between([tuple(s) for s in writer.result(stop=True)], began, ended))
    finally:
        writer.end()
    hold = "" if hold_s is None else f"{hold_s * 1e3:,.0f} ms"
    grown = used_mb(str(path)) - before
    row = f"| {way.name} | {ended - began:.2f} s | {waits.max:,.0f} ms | {hold} | {grown:.1f} MB |"
    return row, f"{others.cpus():.1f}"


@contextlib.contextmanager
def commits(db: apsw.Connection, at: int) -> Iterator[None]:
    if at % PER_COMMIT == 0:
        db.execute("begin immediate")
    yield
    if at % PER_COMMIT == PER_COMMIT - 1:
        db.execute("commit")


def written(path: Path) -> list[float]:
    """Processor time per row, in microseconds, best of 3: insert, update of an indexed column, of another, delete."""
    with contextlib.closing(connect(str(path))) as db:
        db.pragma("synchronous", "normal")
        best = [float("inf")] * 4
        for number in range(ROUNDS):
            for place, sql in enumerate((INSERT, UPDATE, OTHER, DELETE)):
                began, first = time.process_time(), db.last_insert_rowid() - WRITES + 1
                for at in range(WRITES):
                    with commits(db, at):
                        db.execute(sql, {"at": number * WRITES + at, "id": first + at})
                best[place] = min(best[place], (time.process_time() - began) / WRITES * 1e6)
        return best


def dropped(way: Way, path: Path) -> float:
    with contextlib.closing(connect(str(path))) as db:
        began = time.perf_counter()
        db.execute("begin immediate")
        for statement in way.drop:
            db.execute(statement)
        db.execute("commit")
        return (time.perf_counter() - began) * 1e3


def explained(path: Path) -> list[str]:
    with contextlib.closing(connect(str(path), read_only=True)) as db:
        return [
            f"    {sql}\n" + "\n".join(f"      {row[3]}" for row in db.execute("explain query plan " + sql))
            for sql in (LOOK_UP, JOINED)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    options = parser.parse_args()
    rows = SCALES[options.scale].observations
    print(f"{today()}  {machine(CACHE)}  {versions()}\n{rows:,} observations, columns {', '.join(COLUMNS)}\n")
    costs, source = list[str](), history(options.scale)
    print(
        "| way | total | longest wait of a writer | longest turn | disk | other programs |\n|---|--:|--:|--:|--:|--:|"
    )
    for way in WAYS:
        with fresh_copy(source) as path:
            row, cpus = built(way, path)
            print(f"{row} {cpus} CPUs |", flush=True)
            if way.make is one_tree:
                continue
            times = " | ".join(f"{each:.1f} µs" for each in written(path))
            plans = explained(path) if way.make is by_table else []
            costs += [f"| {way.name} | {times} | {dropped(way, path):.0f} ms |"]
    print("\n| writes with it | insert | update of an indexed column | of another | delete | to drop it |")
    print("|---|--:|--:|--:|--:|--:|\n" + "\n".join(costs))
    print("\nEXPLAIN QUERY PLAN\n" + "\n".join(plans))


if __name__ == "__main__":
    main()
