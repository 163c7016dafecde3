"""The live writer: one transaction for every reception, 50 a second, whether or not the last one is through.

Drops a reception when the database stays locked for the whole busy timeout, as the incident's ingestor did.
"""

import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import apsw
from history import END, OBSERVERS

from inchworm import WriteGate
from rig.child import Parent, Sample, open_loop
from rig.database import connect, statements

PER_SECOND = 50.0
Turn = Callable[[], AbstractContextManager[object]]


class Reception:
    """Stores receptions of the newest packets; every tenth is of a new packet."""

    def __init__(self, db: apsw.Connection, turn: Turn = nullcontext) -> None:
        self._db = db
        self._turn = turn
        self._known = [row[0] for row in db.execute(statements()["newest_transmissions"], {"n": 300})]
        self._number = 0

    def store(self) -> bool:
        """One transaction; False when the lock was not to be had."""
        self._number += 1
        try:
            with self._turn():
                self._transaction()
        except apsw.BusyError:
            return False
        return True

    def _transaction(self) -> None:
        sql, row = statements(), self._row()
        self._db.execute("begin immediate")
        try:
            if self._number % 10 == 0:
                self._db.execute(sql["insert_transmission"], row)
                row["transmission_id"] = self._db.last_insert_rowid()
            self._db.execute(sql["insert_observation"], row)
            self._db.execute(sql["refresh_last_seen"], row)
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    def _row(self) -> dict[str, Any]:
        return {
            "transmission_id": self._known[self._number % len(self._known)],
            "observer_idx": self._number % OBSERVERS + 1,
            "timestamp": END + 1 + self._number // int(PER_SECOND),
            "first_seen": "2026-07-01T00:00:00Z",
            "hash": secrets.token_hex(8),
            "raw_hex": secrets.token_hex(96),
            "path_json": f'["{secrets.token_hex(3).upper()}","{secrets.token_hex(3).upper()}"]',
            "resolved_path": f'["{secrets.token_hex(32)}","{secrets.token_hex(32)}"]' * 4,
            "decoded_json": '{"type":"TXT_MSG","destHash":"6d","srcHash":"46"}',
        }


def live(path: str, stopped: threading.Event, turn: Turn = nullcontext) -> list[Sample]:
    """Write until stopped; what `open_loop` measured."""
    db = connect(path)
    samples = open_loop(PER_SECOND, stopped, Reception(db, turn).store)
    db.close()
    return samples


def gate_turn(gate: str | None) -> Turn:
    """How a writer that cooperates with inchworm takes a turn; without a gate, any other writer's way."""
    if gate is None:
        return nullcontext
    return WriteGate(gate).live


def main() -> None:
    parent = Parent()
    db = connect(parent.config["db"])
    reception = Reception(db, gate_turn(parent.config["gate"]))
    parent.watch_stop()
    parent.ready()
    parent.report(open_loop(PER_SECOND, parent.stopped, reception.store))
    db.close()


if __name__ == "__main__":
    main()
