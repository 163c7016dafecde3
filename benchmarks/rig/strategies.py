"""The ways to fill transmissions.last_seen that the benchmark compares; each runs in a process of its own.

Each returns what it did: rows examined and changed, and the longest time that it held the write lock.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import apsw

from rig.child import Parent
from rig.database import connect, statements


@dataclass(slots=True)
class Done:
    """What one run of a strategy did. Seconds; `bookkeeping_share` is None where there is no bookkeeping."""

    rows_examined: int = 0
    rows_changed: int = 0
    lock_hold_max_s: float = 0.0
    turns: int = 0
    bookkeeping_share: float | None = None


Strategy = Callable[[str], Done]


def one_statement(path: str) -> Done:
    """The incident: one UPDATE over the whole table."""
    db, done = connect(path), Done()
    _turn(db, done, "one_statement", {})
    done.rows_examined = db.execute(statements()["bound"]).get
    return done


def chunks(path: str, *, rows: int, pause_s: float) -> Done:
    """One UPDATE per `rows` rows in key order, then a sleep.

    In key order, because the usual `where last_seen = 0 limit n` never ends on transmissions without observations.
    """
    db, done, sql = connect(path), Done(), statements()
    bound, after = db.execute(sql["bound"]).get, 0
    while after < bound:
        upto = db.execute(sql["chunk_end"], {"after": after, "bound": bound, "rows": rows}).get
        _turn(db, done, "chunk", {"after": after, "upto": upto})
        done.rows_examined += upto - after  # the generated ids have no gaps
        after = upto
        time.sleep(pause_s)
    return done


def bare_turns(path: str, *, rows: int = 1_000) -> Done:
    """What inchworm's default form does to the rows, without inchworm: compute outside the lock, apply inside.

    No ledger, no deadline, no guard against two runners: the floor that the engine's own cost is measured from.
    """
    db, done, sql = connect(path), Done(), statements()
    db.execute("pragma synchronous = normal")  # as inchworm does: its cursor commits with its work
    bound, after = db.execute(sql["bound"]).get, 0
    while after < bound:
        upto = db.execute(sql["chunk_end"], {"after": after, "bound": bound, "rows": rows}).get
        computed = db.execute(sql["compute"], {"first": after + 1, "last": upto}).fetchall()
        db.execute("begin immediate")
        began = time.monotonic()
        before = db.total_changes()
        db.executemany(sql["apply"], [{"id": key, "last_seen": value} for key, value in computed])
        done.rows_changed += db.total_changes() - before
        db.execute("commit")
        done.lock_hold_max_s = max(done.lock_hold_max_s, time.monotonic() - began)
        done.turns += 1
        done.rows_examined += upto - after
        after = upto
    return done


def _turn(db: apsw.Connection, done: Done, name: str, bounds: dict[str, int]) -> None:
    """One statement in one write transaction; the lock is held from the end of BEGIN IMMEDIATE to that of COMMIT."""
    while True:
        try:
            db.execute("begin immediate")
            break
        except apsw.BusyError:
            continue
    began = time.monotonic()
    db.execute(statements()[name], bounds)
    done.rows_changed += db.changes()
    db.execute("commit")
    done.lock_hold_max_s = max(done.lock_hold_max_s, time.monotonic() - began)
    done.turns += 1


def create_index(path: str) -> Done:
    """What an index build is: one statement that writes for its whole duration."""
    db, done = connect(path), Done()
    _turn(db, done, "create_index", {})
    return done


STRATEGIES: dict[str, Strategy] = {
    "one statement": one_statement,
    "5,000 rows + 100 ms": partial(chunks, rows=5_000, pause_s=0.1),
    "500 rows + 1 ms": partial(chunks, rows=500, pause_s=0.001),
    "bare turns": bare_turns,
    "create index": create_index,
}


def main() -> None:
    parent = Parent()
    strategy, path = STRATEGIES[parent.config["strategy"]], parent.config["db"]
    parent.ready()
    parent.wait_go()
    began = time.monotonic()
    done = strategy(path)
    found: dict[str, Any] = {"began": began, "ended": time.monotonic(), **asdict(done)}
    parent.report(found)


if __name__ == "__main__":
    main()
