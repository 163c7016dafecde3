"""The ways to fill transmissions.last_seen that the benchmark compares; each runs in a process of its own.

Each returns what it did: rows examined and changed, and the longest time that it held the write lock.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import apsw

from inchworm import WriteGate
from rig import engine
from rig.child import Parent, Sample
from rig.database import connect, statements
from rig.done import Done
from rig.writer import live

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


class WriterBeside:
    """A live writer in a thread of this process that lets inchworm hand over through their common gate."""

    def __init__(self, path: str) -> None:
        self.gate = WriteGate()
        self._over = threading.Event()
        self._samples: list[Sample] = []
        self._thread = threading.Thread(target=self._live, args=(path,))
        self._thread.start()

    def _live(self, path: str) -> None:
        self._samples = live(path, self._over, self.gate.live)

    def end(self) -> list[Sample]:
        """Stop, a moment after the migration; what the writer measured."""
        time.sleep(0.2)
        self._over.set()
        self._thread.join()
        return self._samples


def main() -> None:
    parent = Parent()
    config = parent.config
    name, path = config["strategy"], config["db"]
    beside = WriterBeside(path) if config["writer_beside"] else None
    gate = beside.gate if beside else WriteGate(config["gate"]) if config["gate"] else None
    work = partial(engine.run, gate=gate) if name == "inchworm" else STRATEGIES[name]
    parent.ready()
    parent.wait_go()
    began = time.monotonic()
    done = work(path)
    ended = time.monotonic()
    parent.report({"began": began, "ended": ended, "live": beside.end() if beside else [], **asdict(done)})


if __name__ == "__main__":
    main()
