"""What an operator asks of imports and migrations: a row, left in one short turn. Does none of the work."""

from pathlib import Path
from typing import Any

import inchworm
from hopscope.migrations.report import names_of, tables_of
from hopscope.store import connection, imports, ledger, schema
from hopscope.store.errors import StoreUnavailable, translated
from hopscope.store.imports import Import
from inchworm import Status, Verb
from inchworm.errors import Busy


class NoSuchMigration(Exception):
    """The ledger has no migration of this name."""


class NoSuchVerb(Exception):
    """Nothing of this kind can be asked; str() names what can."""


class RequestRefused(Exception):
    """The migration's state does not allow it; str() says which verbs fit."""


def ask(database: str, name: str, verb: str, *, by: str) -> str:
    """Pause, resume, cancel, retry or acknowledge a migration; what was done, or `requested`.

    A writer that works on it answers within a second. Raises NoSuchVerb, NoSuchMigration, RequestRefused, and
    StoreUnavailable when the database stays locked for 5 s.
    """
    if verb not in {str(known) for known in Verb}:
        raise NoSuchVerb(f"a migration cannot be asked to {verb!r}: the verbs are {', '.join(Verb)}")
    if name not in _statuses(database):
        raise NoSuchMigration(f"there is no migration {name}")
    if verb == Verb.RETRY and (number := _given_up(database, name)) is not None:
        raise RequestRefused(
            f"import {number} was cancelled and values were derived from what came along: import the file again instead"
        )
    try:
        done = inchworm.request(lambda: connection.open_writer(database), name, verb, by=by)
        if verb == Verb.RETRY:
            _reopen(database, name)
        return done
    except inchworm.RequestRefused as refusal:
        raise RequestRefused(str(refusal)) from refusal
    except Busy as problem:
        raise StoreUnavailable(f"another program keeps the database locked: {problem}") from problem


def ask_for_import(database: str, path: Path, *, by: str, now_ms: int) -> int:
    """Leave a request to import a file; its number. One of the same file that is under way or failed goes on instead.

    Raises StoreUnavailable when the database stays locked for 5 s.
    """
    db = connection.open_writer(database)
    try:
        with translated():
            schema.prepare(db)
        begun = imports.open_of(db, str(path))
        if begun is not None:
            return begun
        known = imports.failed_of(db, str(path))
        if known is None:
            return imports.request(db, str(path), by=by, now=now_ms)
        job = imports.load(db, known)
        assert job is not None  # read a moment ago; nothing deletes imports
    finally:
        db.close()
    statuses = _statuses(database)
    for name in names_of(job):
        if statuses.get(name) in (Status.FAILED, Status.CANCELLED) and _given_up(database, name) is None:
            ask(database, name, "retry", by=by)
    return known


def _given_up(database: str, name: str) -> int | None:
    """The import whose rows a migration reads, when values were already derived from the others of its rows."""
    db = connection.open_reader(database)
    try:
        job = _job_of(db, name)
        status = {str(row["name"]): str(row["status"]) for row in ledger.rows(db)}
    finally:
        db.close()
    if job is None or name not in tables_of(job):
        return None
    derived = [status.get(other, Status.PENDING) for other in names_of(job) if other not in tables_of(job)]
    begun = any(one not in (Status.PENDING, Status.CANCELLED) for one in derived)
    return job.id if job.state == "cancelled" or begun else None


def _reopen(database: str, name: str) -> None:
    """Let the service take up a cancelled import again, of which a derived value is retried."""
    db = connection.open_writer(database)
    try:
        job = _job_of(db, name)
        if job is not None and job.state == "cancelled":
            imports.resume(db, job.id)
    finally:
        db.close()


def _job_of(db: Any, name: str) -> Import | None:
    return next((found for found in imports.every(db) if name in names_of(found)), None)


def _statuses(database: str) -> dict[str, str]:
    """Of every migration in the ledger; none where the engine never ran."""
    db = connection.open_reader(database)
    try:
        return {str(row["name"]): str(row["status"]) for row in ledger.rows(db)}
    finally:
        db.close()
