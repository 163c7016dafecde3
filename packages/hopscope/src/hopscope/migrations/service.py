"""Runs imports and the migrations that follow from them, one import at a time, beside live ingest.

One pass looks for requests, makes plans and lets the engine work; it returns when nothing is left to do. Owns a
connection for its own short turns; the engine opens its own.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import inchworm
from hopscope import log
from hopscope.migrations import corescope_import
from hopscope.migrations.report import names_of, tables_of, vanished
from hopscope.store import connection, corescope, imports, ledger
from hopscope.store.corescope import SourceError
from hopscope.store.errors import StoreUnavailable
from hopscope.store.imports import Import
from inchworm import Backfill, Outcome, Report, Status, Verb
from inchworm.errors import InchwormError
from inchworm.gate import Gate
from meshwire import KeyRing

DISK_FLOOR_BYTES = 64 << 20  # as the engine's own: below it nothing is written
COUNT_S = 10.0  # at most so long is counted what retention leaves behind, before a disk is called too full
LOCK_PATIENCE_S = 600.0  # an operator's own transaction in a database shell ends within minutes, or was forgotten


class StopToken(Protocol):
    """What asks the service to stop; `reason` is recorded as the cause of the interruption."""

    @property
    def reason(self) -> str | None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class _Stop:
    """The process's token as the engine reads it."""

    def __init__(self, token: StopToken) -> None:
        self._token = token
        self.is_set, self.wait = token.is_set, token.wait

    @property
    def cause(self) -> str:
        """Recorded as `interrupted: <cause>`."""
        return self._token.reason or "stop requested"


@dataclass(frozen=True, slots=True)
class Work:
    """What the service needs: the database's path, keys to read packets with, the budget, the gate ingest passes.

    lock_patience_s: how long a stranger may keep the database locked before a migration gives up with that error.
    says_ends: whether the log says how imports ended; not where somebody waits for the end and tells it himself.
    """

    database: str
    keys: KeyRing
    stall_budget_ms: int
    gate: Gate | None = None
    retention_days: int = 0  # as settings.Settings
    lock_patience_s: float = LOCK_PATIENCE_S
    says_ends: bool = True
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000


class Blocked(Exception):
    """Nothing can go on now, because of the database and not of a migration; str() says why. A later pass continues."""


class Service:
    """See the module. Used by one thread."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._db = connection.open_writer(work.database)

    def close(self) -> None:
        """Give the connection back."""
        self._db.close()

    def work(self, stop: StopToken) -> None:
        """One pass: take up requests and run what is begun, until nothing is open or `stop` is set.

        Raises Blocked, for instance when another program keeps the database locked for longer than the patience.
        """
        try:
            self._pass(stop)
        except (StoreUnavailable, InchwormError) as problem:
            raise Blocked(f"the database cannot be written: {problem}") from problem

    def _pass(self, stop: StopToken) -> None:
        while not stop.is_set():
            number = _retried(self._db)  # first: until it has ended it stands in the way of those that were asked for
            if number is not None:
                imports.resume(self._db, number)
            else:
                number = next(iter(imports.opened(self._db)), None)
                if number is None:
                    return
            job = imports.load(self._db, number)
            assert job is not None  # read a moment ago; nothing deletes imports
            if job.state == "requested":
                job = self._begun(job)
            if job is not None and not self._run(job, stop):
                return

    def _begun(self, job: Import) -> Import | None:
        """The import with its plan, or None when it was refused."""
        try:
            self._begin(job)
        except SourceError as exc:
            if self._work.says_ends:
                log.error("import.refused", file=job.path, error=str(exc))
            imports.end(self._db, job.id, "refused", error=str(exc), now=self._work.now_ms())
            return None
        return imports.load(self._db, job.id)

    def _begin(self, job: Import) -> None:
        if why := self._obstacle():
            raise SourceError(why)
        earlier, now = imports.witnesses(self._db), self._work.now_ms()
        with corescope.reading_source(job.path) as source:
            found = corescope.shape(source)
            after = corescope_import.came_already(earlier, partial(corescope.witness, source))
            keep_from = corescope_import.kept_from(self._work.retention_days, now)
            extents = corescope.extents(source, found, after)
            plans = corescope_import.plan(found, extents, after, keep_from=keep_from)
            stored = plans
            if keep_from and not has_room(self._work.database, corescope_import.bytes_needed(plans)):
                enough = corescope_import.within(COUNT_S)  # counted only where it decides
                left = corescope.forgotten_rows(source, found, extents, after, keep_from=keep_from, enough=enough)
                stored = corescope_import.without(plans, left)
        check_disk(self._work.database, corescope_import.bytes_needed(stored))
        name = corescope_import.source_name(job.id, job.path)
        imports.begin(self._db, job.id, name, plans, now=now)
        log.info("import.started", file=job.path, number=job.id)

    def _obstacle(self) -> str | None:
        """Which failed import stands in the way of others, and what to do about it."""
        for number in imports.failed(self._db):
            job = imports.load(self._db, number)
            names = set() if job is None else set(names_of(job))
            for row in ledger.rows(self._db):
                if row["name"] in names and row["status"] == Status.FAILED:
                    name = row["name"]
                    todo = f"retry or cancel {name} (hopscope migrations retry {name})"
                    return f"import {number} failed and stands in the way: {todo}"
        return None

    def _run(self, job: Import, stop: StopToken) -> bool:
        """Let the engine work until the import's end. False: it was interrupted, or a migration is paused."""
        migrations = corescope_import.backfills(job, self._work.keys, retention_days=self._work.retention_days)
        report = run_migrations(self._work, migrations, stop)
        if report.ok:
            unread = self._unread(job.id)
            imports.end(self._db, job.id, "done", error=unread, now=self._work.now_ms())
            log.info("import.done", number=job.id, seconds=round(report.elapsed_s, 1), error=unread)
            return True
        if any(outcome.status is Status.CANCELLED for outcome in report.outcomes) and not _failed(report):
            report = self._wrap_up(job, report, stop)
            if stop.is_set():
                return False
        return self._ended(job, report)

    def _unread(self, number: int) -> str | None:
        """Rows that are still in the source and were not read: SQLite does not notice every damage on the way.

        Of the tables whose keys are never used again; nothing is counted while no row is missing.
        """
        job = imports.load(self._db, number)
        assert job is not None  # ended a moment ago; nothing deletes imports
        short = {
            t.name: t for t in job.tables if t.left_out is None and t.name in corescope.KEYED_BY_ID and vanished(t)
        }
        if not short:
            return None
        try:
            left = corescope.still_there(job.path, {t.name: (t.key_after, t.key_last) for t in short.values()})
        except SourceError as exc:
            return f"rows are missing and {exc}"
        unread = [f"{left[name] - t.read} rows of {name}" for name, t in short.items() if left[name] > t.read]
        return f"{', '.join(unread)} are in {job.path} and could not be read: it is damaged" if unread else None

    def _wrap_up(self, job: Import, report: Report, stop: StopToken) -> Report:
        """An operator gave a part of the import up: derive what follows from the rest, so that nothing stays half."""
        derived = corescope_import.derived_only(job, self._work.keys)
        wanted = {migration.name for migration in derived}
        self._cancel(name for name in names_of(job) if name not in wanted)
        report = run_migrations(self._work, derived, stop)
        if not stop.is_set() and not _failed(report):
            self._cancel(names_of(job))
        return report

    def _cancel(self, names: Iterable[str]) -> None:
        """What waits for a cancelled one would wait for ever."""
        status = {row["name"]: row["status"] for row in ledger.rows(self._db)}
        for name in names:
            if status.get(name) == Status.PENDING:
                target = partial(connection.open_writer, self._work.database)
                inchworm.request(target, name, Verb.CANCEL, by="the import's end")

    def _ended(self, job: Import, report: Report) -> bool:
        """Write down how it ended; False when it did not."""
        failed = _failed(report)
        if failed:
            why, state = f"{failed[0].name}: {failed[0].error}{_meanwhile(job, failed[0])}", "failed"
        elif any(outcome.status not in (Status.DONE, Status.CANCELLED) for outcome in report.outcomes):
            return False
        else:
            why, state = self._given_up(job), "cancelled"
        imports.end(self._db, job.id, state, error=why, now=self._work.now_ms())
        if self._work.says_ends:
            log.error("import.ended", number=job.id, state=state, error=why)
        return True

    def _given_up(self, job: Import) -> str:
        derived = set(names_of(job)) - set(tables_of(job))
        rows = ledger.rows(self._db)
        missing = [str(row["name"]) for row in rows if row["name"] in derived and row["status"] == Status.CANCELLED]
        if not missing:
            return "an operator cancelled a part of it; what came along is complete"
        until = (
            "what they compute is missing until they are" if missing[1:] else "what it computes is missing until it is"
        )
        return f"an operator cancelled {', '.join(missing)}: {until} retried"


def _meanwhile(job: Import, failed: Outcome) -> str:
    """What is wrong with the source by now, where reading it can have been what failed."""
    error = failed.error or ""
    if failed.name not in tables_of(job):
        return ""
    found = corescope.trouble(job.path, thorough="malformed" in error)
    return "" if found is None or found in error else f"; {found}"


def has_work(db: Any) -> bool:
    """Whether an import waits to be begun or to go on; asked on a read-only connection."""
    return bool(imports.opened(db)) or _retried(db) is not None


def _retried(db: Any) -> int | None:
    """A failed import in whose way nothing stands any more, because an operator had its migrations retried."""
    candidates = imports.failed(db)
    if not candidates:
        return None
    status = {row["name"]: row["status"] for row in ledger.rows(db)}
    for number in candidates:
        job = imports.load(db, number)
        if job is not None and not any(status.get(name) == Status.FAILED for name in names_of(job)):
            return number
    return None


def _failed(report: Report) -> list[Outcome]:
    return [outcome for outcome in report.outcomes if outcome.status is Status.FAILED]


def run_migrations(work: Work, migrations: Sequence[Backfill], stop: StopToken) -> Report:
    """The engine on the store, with the store's own connections, behind live ingest."""
    return inchworm.run(
        lambda: connection.open_writer(work.database),
        migrations,
        stop=_Stop(stop),
        gate=work.gate,
        stall_budget_ms=work.stall_budget_ms,
        lock_patience_s=work.lock_patience_s,
    )


def has_room(database: str, needed: int) -> bool:
    """Whether the database's disk can take so many bytes more."""
    return shutil.disk_usage(Path(database).resolve().parent).free >= needed + DISK_FLOOR_BYTES


def check_disk(database: str, needed: int) -> None:
    """Raise SourceError when the database's disk cannot take so many bytes more."""
    where = Path(database).resolve().parent
    free = shutil.disk_usage(where).free
    if free < needed + DISK_FLOOR_BYTES:
        short = needed + DISK_FLOOR_BYTES - free
        raise SourceError(
            f"the disk of {os.fspath(where)} has {free >> 20} MB free; the import needs about {needed >> 20} MB and "
            f"leaves {DISK_FLOOR_BYTES >> 20} MB alone: make {(short >> 20) + 1} MB of room"
        )
