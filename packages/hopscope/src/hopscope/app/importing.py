"""An import asked for on the command line: by a running writer when there is one, else in this process.

Leaves the request as a row, lets the work be done, and follows it on a read-only connection until its end.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hopscope import log
from hopscope.app.stop import StopToken
from hopscope.app.writer import check_database, key_ring
from hopscope.config.settings import Settings
from hopscope.migrations.operating import ask_for_import
from hopscope.migrations.service import Blocked, Service, Work
from hopscope.store import connection, imports, ledger, lock, schema
from hopscope.store.errors import StoreUnavailable
from hopscope.store.imports import Import
from hopscope.store.lock import WriterAlive, WriterLock

LOOK_S = 0.5
COMMAND = "import"  # the work that a command's lock names
ENDED = frozenset({"done", "failed", "cancelled", "refused"})
LATER = "import {} goes on with the next writer, or with the same command"
MEANWHILE = "the writer goes on with import {}"
WRITER_GONE_S = 5.0  # a supervisor starts it again; after so long without one, say so
ASK_PATIENCE_S = 120.0  # a request is one row: a database that a stranger keeps locked is asked again until then


class ImportStopped(Exception):
    """The import goes on later; str() says when. `number`: which one it is; None: it is gone."""

    def __init__(self, why: str, number: int | None = None) -> None:
        super().__init__(why)
        self.number = number


class _CommandEnded(Exception):
    """The other command in whose process the import was done has ended before it."""


@dataclass(frozen=True, slots=True)
class Look:
    """An import and the ledger at one moment."""

    job: Import
    ledger: Sequence[dict[str, Any]]


def bring(settings: Settings, path: Path, stop: StopToken, on_look: Callable[[Look], None]) -> Look:
    """Import a file and wait for the end of it and of every migration after it.

    Raises ImportStopped when it was interrupted: a writer, or the same command, continues it. Raises StoreUnavailable
    when the database stays locked so long that not even the request could be left.
    """
    check_database(settings.database)
    number: int | None = None
    while True:
        try:
            with WriterLock.acquire(settings.database, COMMAND):
                number = number or ask_only(settings, path, stop)
                with _working(settings, stop) as why_gone:
                    return _follow(settings.database, number, stop, on_look, why_gone=why_gone, goes_on=LATER)
        except WriterAlive:
            number = number or ask_only(settings, path, stop)
            why_gone = _Writer(settings.database).why_gone
            with suppress(_CommandEnded):  # nobody starts a command again: this one takes its place
                return _follow(settings.database, number, stop, on_look, why_gone=why_gone, goes_on=MEANWHILE)


def ask_only(settings: Settings, path: Path, stop: StopToken) -> int:
    """Leave the request and return: a running writer takes it up within a second, else the next one does.

    Raises StoreUnavailable when another program keeps the database locked for longer than ASK_PATIENCE_S.
    """
    check_database(settings.database)
    until = time.monotonic() + ASK_PATIENCE_S
    while True:
        try:
            return ask_for_import(settings.database, path, by="cli", now_ms=time.time_ns() // 1_000_000)
        except StoreUnavailable as problem:
            if stop.is_set() or time.monotonic() > until:
                raise StoreUnavailable(f"the request could not be left ({problem}); nothing was changed") from problem
            log.warning("import.waits", error=str(problem))
            stop.wait(LOOK_S)


@contextmanager
def _working(settings: Settings, stop: StopToken) -> Iterator[Callable[[], str | None]]:
    """The service in a thread of this process, stopped at the end; yields what says why it no longer works."""
    ended, blocked = StopToken(), [""]

    def run() -> None:
        keys, days = key_ring(settings), settings.retention_days
        service = Service(Work(settings.database, keys, settings.stall_budget_ms, retention_days=days, says_ends=False))
        try:
            service.work(ended)
        except Blocked as problem:
            blocked[0] = str(problem)
        except Exception:  # noqa: BLE001 - the following thread says that the work has stopped
            log.exception("import.defect")
        finally:
            service.close()

    thread = threading.Thread(target=run, name="import")
    thread.start()
    try:
        yield lambda: None if thread.is_alive() else blocked[0] or "the work has stopped"
    finally:
        ended.set(stop.reason or "the command has ended")
        thread.join()


class _Writer:
    """Whether another process's writer lives, with patience for a restart, which a command's import does not have."""

    def __init__(self, database: str) -> None:
        self._database, self._seen = database, time.monotonic()
        self._work: str | None = None

    def why_gone(self) -> str | None:
        if (work := lock.look(self._database).work) is not None:
            self._work, self._seen = work, time.monotonic()
        elif self._work == COMMAND:
            return COMMAND
        return None if time.monotonic() - self._seen < WRITER_GONE_S else "no writer works any more"


def _follow(
    database: str,
    number: int,
    stop: StopToken,
    on_look: Callable[[Look], None],
    *,
    why_gone: Callable[[], str | None],
    goes_on: str,
) -> Look:
    db = connection.open_reader(database)
    try:
        while True:
            gone = why_gone()  # asked before the look: what ended in between is seen by it
            look = _look(db, number)
            on_look(look)
            if look.job.state in ENDED:
                return look
            if stop.is_set():
                raise ImportStopped(f"stopped ({stop.reason}); {goes_on.format(number)}", number)
            if gone == COMMAND:
                raise _CommandEnded
            if gone is not None:
                raise ImportStopped(f"{gone}; {LATER.format(number)}", number)
            stop.wait(LOOK_S)
    finally:
        db.close()


def look_again(database: str, number: int) -> Look:
    """An import as it stands now. Raises ImportStopped when it is gone."""
    db = connection.open_reader(database)
    try:
        return _look(db, number)
    finally:
        db.close()


def _look(db: Any, number: int) -> Look:
    with connection.snapshot(db):
        job = imports.load(db, number)
        if job is None:
            raise ImportStopped(f"import {number} is gone: the database was replaced")
        return Look(job, ledger.rows(db))


def check_ours(path: Path) -> str:
    """What this version would do with a hopscope database. Raises SchemaError for one it cannot use."""
    db = connection.open_reader(str(path))
    try:
        schema.check(db)
        waiting = [row["name"] for row in ledger.rows(db) if row["status"] not in ("done", "cancelled")]
    finally:
        db.close()
    if not waiting:
        return "this version uses the database as it is; no migration is left to do"
    return "this version uses the database as it is; the writer continues: " + ", ".join(waiting)
