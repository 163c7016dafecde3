"""One SQLite file as the engine's Database: read snapshots, write turns with a deadline, checkpoints between them.

Keeps two connections of its own. Decides nothing about pace; says Busy at once instead of waiting for a lock.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from inchworm.clock import Clock, Never, StopLike, SystemClock
from inchworm.errors import Busy, DatabaseBroken, DeadlineExceeded, Stopped, UnsafeConnection, UnsafeVersion
from inchworm.ports import Dialect, Limits, Turn, Upkeep
from inchworm.queries import load
from inchworm.sqlite import keys, summons
from inchworm.sqlite.driver import Driver, open_path, wrap
from inchworm.sqlite.governor import Governor
from inchworm.sqlite.transaction import SqliteReads, SqliteTurn, translated
from inchworm.sqlite.versions import has_wal_reset_bug, parse_version

COMMIT_PATIENCE_S = 1.0  # in rollback-journal mode a commit waits for readers; past this the turn is given up
SUMMONS_LOOK_S = 0.1  # between two looks, during an index build, at the stop token and at who waits
TOO_LONG = (
    "the index was not built within lock_s, {:g} s, and is rolled back; retry with a larger lock_s in a quiet hour, or "
    "make an IndexTable, which blocks nobody"
)
REQUEST_FIRST = "an operator's request goes before the index build"
READ_BUSY_MS = 1_000  # a reader meets a lock only outside WAL mode, and then for one commit

WAL_BUG = (
    "SQLite {version} has the WAL-reset bug (3.7.0 to 3.51.2; repaired in 3.51.3, 3.50.7 and 3.44.6): two connections "
    "that write or checkpoint at the same instant can corrupt a WAL database. inchworm adds no checkpoints of its own "
    "here; install the apsw extra or a newer SQLite"
)

NO_JOURNAL = (
    "journal_mode is off on this connection, so SQLite cannot roll a turn back and a slice could be half written; "
    "let the factory choose wal, or leave the mode alone"
)
JOURNAL_IN_MEMORY = (
    "journal_mode is memory on this connection: a process that is killed inside a turn leaves a damaged file; "
    "let the factory choose wal, or leave the mode alone"
)


class SqliteDatabase:
    """See `inchworm.ports.Database`. One thread at a time; `open_connection` is called twice."""

    def __init__(
        self, writer: Driver, reader: Driver, *, clock: Clock | None = None, strict_version: bool = False
    ) -> None:
        self._clock = clock or SystemClock()
        self._pid = os.getpid()
        self.writer, self.reader = writer, reader
        self._read_steps = 0
        try:
            with translated(writer):
                self._prepare(strict_version=strict_version)
        except BaseException:
            self.close()
            raise

    def _prepare(self, *, strict_version: bool) -> None:
        for driver in (self.writer, self.reader):
            driver.run(f"pragma busy_timeout = {READ_BUSY_MS}")
        self.reader.run("pragma query_only = on")
        files = self.writer.run("pragma database_list").mappings()
        self.path = str(next((f["file"] for f in files if f["name"] == "main"), "") or "")
        self.journal_mode = str(self._value("pragma journal_mode"))
        self.page_size = int(self._value("pragma page_size"))
        self._wal = self.journal_mode == "wal"
        if self.journal_mode == "off":
            raise UnsafeConnection(NO_JOURNAL)
        self._one_file = self._wal and any(f["name"] not in ("main", "temp") for f in files)
        unsafe = self._wal and has_wal_reset_bug(parse_version(self.writer.version))
        warning = WAL_BUG.format(version=self.writer.version)
        if unsafe and strict_version:
            raise UnsafeVersion(warning)
        if self._wal:
            # the cursor commits with its work, so a power loss may only take the last slices away, both together
            self.writer.run("pragma synchronous = normal")
        self._governor = Governor(
            self.writer, self._clock, self.path, self.page_size, wal=self._wal, may_checkpoint=self._wal and not unsafe
        )
        said = [warning] if unsafe else []
        if self.journal_mode == "memory" and self.path:
            said.append(JOURNAL_IN_MEMORY)
        self._dialect = Dialect("sqlite", load("sqlite"), tuple(said))
        self._seen_version = self._value("pragma data_version")
        self.writer.run("pragma busy_timeout = 0")

    def _value(self, sql: str) -> Any:
        with translated(self.writer):
            row = self.writer.run(sql).one()
        return row[0] if row else None

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise UnsafeConnection("this database was opened before fork(); open it again in the child process")

    @contextmanager
    def snapshot(self, *, limit_s: float | None = None, stop: StopLike | None = None) -> Iterator[SqliteReads]:
        self._check_process()
        until = None if limit_s is None else self._clock.monotonic() + limit_s
        reads = SqliteReads(self.reader, self._clock, until, stop)
        self.reader.watch(reads.is_over if until is not None or stop is not None else None)
        try:
            reads.run("begin", ())
            if not self._wal:
                # takes the lock, or says Busy: a statement that is prepared without it is prepared for the schema as
                # this connection saw it last, and a table made since would not exist
                reads.run("pragma schema_version", ())
            yield reads
        finally:
            self.reader.watch(None)
            self._read_steps += reads.steps
            if self.reader.in_transaction():
                self.reader.run("rollback")

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        self._check_process()
        with translated(self.writer):
            self.writer.run("begin immediate")
        turn = SqliteTurn(self.writer, self._clock, self._clock.monotonic() + limit_s, one_file=self._one_file)
        self.writer.watch(turn.interrupts)
        try:
            with translated(self.writer):  # what a callable's own statements met is a fault like any other
                yield turn
            self.writer.watch(None)  # an interrupted commit would leave open whether it happened
            turn.check_open()
            self._commit()
        finally:
            self.writer.watch(None)
            # after an interrupt SQLite may or may not have rolled back itself: look, then roll back
            if self.writer.in_transaction():
                self.writer.run("rollback")

    def _commit(self) -> None:
        until = self._clock.monotonic() + COMMIT_PATIENCE_S
        while True:
            try:
                with translated(self.writer):
                    self.writer.run("commit")
                return
            except Busy:
                if self._clock.monotonic() > until:
                    raise
                self._clock.sleep(0.001, Never())

    def others_wrote(self) -> bool:
        try:
            seen = self._value("pragma data_version")
        except Busy:
            return True  # without a log whoever commits keeps readers out: that is somebody who writes
        changed, self._seen_version = seen != self._seen_version, seen
        return bool(changed)

    def upkeep(self, limits: Limits) -> Upkeep:
        self._check_process()
        steps, self._read_steps = self._read_steps, 0
        return replace(self._governor.upkeep(limits), read_steps=steps)

    def build_index(self, create: str, *, limit_s: float, stop: StopLike | None = None) -> None:
        until, look_at, ended_by = self._clock.monotonic() + limit_s, 0.0, ""

        def is_over() -> bool:
            nonlocal look_at, ended_by
            now = self._clock.monotonic()
            if now >= look_at:
                look_at = now + SUMMONS_LOOK_S
                ended_by = "stop" if stop is not None and stop.is_set() else "request" if self._awaited() else ""
            return bool(ended_by) or now > until

        if self._awaited():
            raise Busy(REQUEST_FIRST)
        try:
            with self.turn(limit_s=limit_s) as turn:
                self.writer.watch(is_over)
                turn.execute(create, {})
        except DeadlineExceeded as problem:
            if ended_by:
                raise (Stopped("stopped while building") if ended_by == "stop" else Busy(REQUEST_FIRST)) from problem
            raise DeadlineExceeded(TOO_LONG.format(limit_s)) from problem

    def _awaited(self) -> bool:
        return summons.is_awaited(self.path)

    def announced(self) -> AbstractContextManager[None]:
        return summons.announced(self.path)

    def key_problem(self, table: str, key: Sequence[str]) -> str | None:
        with self.snapshot() as reads:
            return keys.key_problem(reads, table, key)

    def estimated_rows(self, table: str) -> int | None:
        with self.snapshot() as reads:
            return keys.estimated_rows(reads, table)

    def is_gone(self, holder: str) -> bool:
        del holder  # a file does not know who has it open
        return False

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


def connect(
    target: str | os.PathLike[str] | Callable[[], Any],
    *,
    library: str | None = None,
    clock: Clock | None = None,
    strict_version: bool = False,
) -> SqliteDatabase:
    """Open a file, or call a connection factory (once for writing, once for reading).

    library: "apsw" or "sqlite3"; default: APSW when installed. Raises DatabaseFault, UnsafeVersion, and
    UnsafeConnection for a factory that gives the same connection twice, which stays as it is.
    """
    writer = _opened(target, library)
    try:
        # made read-only by pragma, not by mode=ro, which cannot recover a WAL
        reader = _opened(target, library)
    except BaseException:
        writer.close()
        raise
    if reader.connection is writer.connection:
        raise UnsafeConnection(
            "the factory gave the same connection twice; give a new one for each call, which inchworm may close"
        )
    return SqliteDatabase(writer, reader, clock=clock, strict_version=strict_version)


def _opened(target: str | os.PathLike[str] | Callable[[], Any], library: str | None) -> Driver:
    return wrap(target()) if callable(target) else open_path(target, read_only=False, library=library)


class SqliteReader(SqliteDatabase):
    """One connection that only reads, for status: no pragma that writes, no checkpoint, no turn."""

    def __init__(self, reader: Driver, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._pid = os.getpid()
        self._read_steps = 0
        self.reader = self.writer = reader
        self._wal = False  # not asked, because the answer may have to wait
        reader.run(f"pragma busy_timeout = {READ_BUSY_MS}")
        reader.run("pragma query_only = on")
        self._dialect = Dialect("sqlite", load("sqlite"))

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        raise DatabaseBroken(f"this connection only reads; no turn of {limit_s} s is possible")
        yield

    def upkeep(self, limits: Limits) -> Upkeep:
        del limits
        return Upkeep()

    def close(self) -> None:
        self.reader.close()


def connect_reader(
    target: str | os.PathLike[str] | Callable[[], Any], *, library: str | None = None, clock: Clock | None = None
) -> SqliteReader:
    """Open a file with mode=ro, or call a connection factory once. Raises DatabaseFault."""
    driver = wrap(target()) if callable(target) else open_path(target, read_only=True, library=library)
    return SqliteReader(driver, clock=clock)
