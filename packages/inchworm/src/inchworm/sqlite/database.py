"""One SQLite file as the engine's Database: read snapshots, write turns with a deadline, checkpoints between them.

Keeps two connections of its own. Decides nothing about pace; says Busy at once instead of waiting for a lock.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from inchworm.clock import Clock, Never, StopLike, SystemClock
from inchworm.errors import (
    Busy,
    DatabaseBroken,
    DatabaseFault,
    DeadlineExceeded,
    StatementRefused,
    Stopped,
    UnsafeConnection,
    UnsafeVersion,
)
from inchworm.ports import Dialect, Limits, Params, Rows, SqlValue, Turn, Upkeep
from inchworm.queries import load, quoted
from inchworm.sqlite.driver import Driver, open_path, wrap
from inchworm.sqlite.versions import has_wal_reset_bug, parse_version
from inchworm.statement import numbered

COMMIT_PATIENCE_S = 1.0  # in rollback-journal mode a commit waits for readers; past this the turn is given up
CHECKPOINT_PAGES = 1_000  # SQLite's own default, done between turns instead of inside somebody's commit
CHECKPOINT_EVERY_S = 0.1  # measured: calm writers, and a log that stays below 16 MB
DISK_LOOK_S = 1.0
READ_BUSY_MS = 1_000  # a reader meets a lock only outside WAL mode, and then for one commit

WAL_TOO_LONG = "WAL too long (pinned reader)"
WAL_BUG = (
    "SQLite {version} has the WAL-reset bug (3.7.0 to 3.51.2; repaired in 3.51.3, 3.50.7 and 3.44.6): two connections "
    "that write or checkpoint at the same instant can corrupt a WAL database. inchworm adds no checkpoints of its own "
    "here; install the apsw extra or a newer SQLite"
)


class SqliteDatabase:
    """See `inchworm.ports.Database`. One thread at a time; `open_connection` is called twice."""

    def __init__(
        self, writer: Driver, reader: Driver, *, clock: Clock | None = None, strict_version: bool = False
    ) -> None:
        self._clock = clock or SystemClock()
        self._pid = os.getpid()
        self.writer, self.reader = writer, reader
        self._prepare(strict_version=strict_version)

    def _prepare(self, *, strict_version: bool) -> None:
        self.writer.run("pragma busy_timeout = 0")
        self.reader.run(f"pragma busy_timeout = {READ_BUSY_MS}")
        self.reader.run("pragma query_only = on")
        files = self.writer.run("pragma database_list").mappings()
        self.path = str(next((f["file"] for f in files if f["name"] == "main"), "") or "")
        self.journal_mode = str(self._value("pragma journal_mode"))
        self.page_size = int(self._value("pragma page_size"))
        self._wal = self.journal_mode == "wal"
        unsafe = self._wal and has_wal_reset_bug(parse_version(self.writer.version))
        warning = WAL_BUG.format(version=self.writer.version)
        if unsafe and strict_version:
            self.close()
            raise UnsafeVersion(warning)
        if self._wal:
            # the cursor commits with its work, so a power loss may only take the last slices away, both together
            self.writer.run("pragma synchronous = normal")
        self._own_checkpoints = self._wal and not unsafe
        if self._own_checkpoints:
            self.writer.run("pragma wal_autocheckpoint = 0")
        self._dialect = Dialect("sqlite", load("sqlite"), (warning,) if unsafe else ())
        self._seen_version = self._value("pragma data_version")
        self._looked_at_disk = float("-inf")
        self._disk_hold: str | None = None
        self._wal_seen = 0
        self._wal_hold: str | None = None
        self._checkpointed = float("-inf")

    def _value(self, sql: str) -> Any:
        row = self.writer.run(sql).one()
        return row[0] if row else None

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise UnsafeConnection("this database was opened before fork(); open it again in the child process")

    @contextmanager
    def snapshot(self, *, limit_s: float | None = None, stop: StopLike | None = None) -> Iterator["SqliteReads"]:
        self._check_process()
        until = None if limit_s is None else self._clock.monotonic() + limit_s
        reads = SqliteReads(self.reader, self._clock, until, stop)
        self.reader.watch(reads.is_over if until is not None or stop is not None else None)
        try:
            reads.run("begin", ())
            yield reads
        finally:
            self.reader.watch(None)
            if self.reader.in_transaction():
                self.reader.run("rollback")

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        self._check_process()
        with _translated(self.writer):
            self.writer.run("begin immediate")
        turn = SqliteTurn(self.writer, self._clock, self._clock.monotonic() + limit_s)
        self.writer.watch(turn.is_over)
        try:
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
                with _translated(self.writer):
                    self.writer.run("commit")
                return
            except Busy:
                if self._clock.monotonic() > until:
                    raise
                self._clock.sleep(0.001, Never())

    def others_wrote(self) -> bool:
        seen = self._value("pragma data_version")
        changed, self._seen_version = seen != self._seen_version, seen
        return bool(changed)

    def upkeep(self, limits: Limits) -> Upkeep:
        self._check_process()
        hold = self._disk(limits)
        if not self._wal:
            return Upkeep(hold)
        size = self._wal_file_bytes()
        if not self._own_checkpoints:
            return self._watch_wal_file(size, hold, limits)
        now = self._clock.monotonic()
        if size < CHECKPOINT_PAGES * self.page_size or now - self._checkpointed < CHECKPOINT_EVERY_S:
            return Upkeep(hold or self._wal_hold, size)
        self._checkpointed = now
        row = self.writer.run("pragma wal_checkpoint(passive)").one()
        log, moved = (int(row[1] or 0), int(row[2] or 0)) if row else (0, 0)
        waiting = max(0, log - moved) * self.page_size
        self._wal_hold = WAL_TOO_LONG if waiting > limits.wal_cap_bytes else None
        return Upkeep(hold or self._wal_hold, waiting)

    def build_index(self, create: str, *, limit_s: float) -> None:
        with self.turn(limit_s=limit_s) as turn:
            turn.execute(create, {})

    def _watch_wal_file(self, size: int, hold: str | None, limits: Limits) -> Upkeep:
        """Without checkpoints of our own only the file tells: one that still grows past the cap is not being reset."""
        grew, self._wal_seen = size > self._wal_seen, max(size, self._wal_seen)
        return Upkeep(hold or (WAL_TOO_LONG if grew and size > limits.wal_cap_bytes else None), size)

    def _wal_file_bytes(self) -> int:
        try:
            return Path(self.path + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _disk(self, limits: Limits) -> str | None:
        now = self._clock.monotonic()
        if self.path and now - self._looked_at_disk >= DISK_LOOK_S:
            self._looked_at_disk = now
            free = shutil.disk_usage(os.path.dirname(self.path) or ".").free
            self._disk_hold = "disk floor" if free < limits.disk_floor_bytes else None
        return self._disk_hold

    def key_problem(self, table: str, key: Sequence[str]) -> str | None:
        schema, _, name = table.rpartition(".")
        with self.snapshot() as reads:
            info = reads.select(
                "select name, pk, [notnull], type from pragma_table_info(:table, :schema)",
                {"table": name, "schema": schema or "main"},
            ).rows
            if not info:
                return f"there is no table {table}"
            known = {str(r[0]).lower(): r for r in info}
            wanted = [k.lower() for k in key]
            if wanted == ["rowid"] and "rowid" not in known:
                return None
            if missing := [k for k in wanted if k not in known]:
                return f"table {table} has no column {', '.join(missing)}"
            if not self._is_unique(reads, schema or "main", name, known, set(wanted)):
                return f"{table}({', '.join(key)}) is not unique: rows that share a key would be skipped or repeated"
            return self._null_problem(reads, table, key, known)

    def _is_unique(self, reads: "SqliteReads", schema: str, name: str, known: Any, wanted: set[str]) -> bool:
        if wanted == {column for column, row in known.items() if row[1]}:
            return True
        indexes = reads.select(
            "select name from pragma_index_list(:table, :schema) where [unique] = 1 and partial = 0",
            {"table": name, "schema": schema},
        ).rows
        for (index,) in indexes:
            found = reads.select("select name from pragma_index_info(:i, :schema)", {"i": index, "schema": schema}).rows
            if {str(r[0]).lower() for r in found} == wanted:
                return True
        return False

    def _null_problem(self, reads: "SqliteReads", table: str, key: Sequence[str], known: Any) -> str | None:
        for column in key:
            row = known[column.lower()]
            if row[2] or (row[1] and str(row[3]).lower() == "integer" and len(key) == 1):
                continue
            parts = {"table": ".".join(quoted(p) for p in table.split(".")), "column": quoted(column)}
            if len(reads.select(load("keyset")["null_key"].format(**parts), {})):
                return f"{table}.{column} holds NULL: such rows have no place in the walk"
        return None

    def estimated_rows(self, table: str) -> int | None:
        with self.snapshot() as reads:
            if not len(reads.select("select 1 from sqlite_master where name = 'sqlite_stat1'", {})):
                return None
            name = table.rpartition(".")[2]
            row = reads.select("select stat from sqlite_stat1 where tbl = :t and stat is not null", {"t": name}).one()
            first = str(row[0]).split()[0] if row else ""
            return int(first) if first.isdigit() else None

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


@contextmanager
def _translated(driver: Driver) -> Iterator[None]:
    try:
        yield
    except DatabaseFault:
        raise
    except Exception as problem:
        fault = driver.fault(problem)
        if fault is None:
            raise
        raise fault from problem


class SqliteReads:
    """See `inchworm.ports.Reads`."""

    def __init__(self, driver: Driver, clock: Clock, until: float | None, stop: StopLike | None) -> None:
        self._driver, self._clock, self._until, self._stop = driver, clock, until, stop

    def is_over(self) -> bool:
        """The progress handler: whether to interrupt now."""
        if self._stop is not None and self._stop.is_set():
            return True
        return self._until is not None and self._clock.monotonic() > self._until

    def run(self, sql: str, params: Any) -> Rows:
        try:
            with _translated(self._driver):
                return self._driver.run(sql, params)
        except DeadlineExceeded as problem:
            if self._stop is not None and self._stop.is_set():
                raise Stopped("stopped while reading") from problem
            raise

    def select(self, sql: str, params: Params) -> Rows:
        return self.run(sql, params)


class SqliteTurn:
    """See `inchworm.ports.Turn`. `_over` is set by the first fault: SQLite may have rolled back already."""

    def __init__(self, driver: Driver, clock: Clock, until: float) -> None:
        self._driver, self._clock, self._until = driver, clock, until
        self._over: DatabaseFault | None = None
        self._compiled: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[int, ...]]] = {}

    @property
    def connection(self) -> object:
        return self._driver.connection

    def is_over(self) -> bool:
        """The progress handler: whether to interrupt now."""
        return self._clock.monotonic() > self._until

    def check_open(self) -> None:
        """Raise the fault that ended this turn, however the code between swallowed it."""
        if self._over is not None:
            raise self._over
        if self.is_over():
            raise DeadlineExceeded("the turn ran past its limit")
        if not self._driver.in_transaction():
            raise DeadlineExceeded("the transaction was ended by somebody else")

    @contextmanager
    def _statement(self) -> Iterator[None]:
        self.check_open()
        try:
            with _translated(self._driver):
                yield
        except DatabaseFault as fault:
            self._over = fault
            raise

    def select(self, sql: str, params: Params) -> Rows:
        with self._statement():
            return self._driver.run(sql, params)

    def execute(self, sql: str, params: Params) -> int:
        with self._statement():
            before = self._driver.total_changes()
            self._driver.run(sql, params)
            if self._driver.total_changes() == before:
                return 0  # changes() would still show the statement before
            return int(str(self._driver.run("select changes()").rows[0][0]))

    def apply(self, sql: str, rows: Rows) -> Sequence[bool]:
        if not rows.rows:
            return []
        with self._statement():
            text, picks = self._compile(sql, rows.columns)
            seen = _Seen(self._driver, self)
            self._driver.many(text, seen.each(rows.rows, picks))
            return seen.closed()

    def _compile(self, sql: str, columns: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
        key = (sql, columns)
        if key not in self._compiled:
            try:
                self._compiled[key] = numbered(sql, columns)
            except KeyError as problem:
                raise StatementRefused(
                    f"no computed column fills :{problem.args[0]} (there are {columns})"
                ) from problem
        return self._compiled[key]


class _Seen:
    """Feeds executemany and learns from the change counter which rows matched; reads the clock between rows."""

    def __init__(self, driver: Driver, turn: SqliteTurn) -> None:
        self._total, self._is_over = driver.total_changes, turn.is_over
        self._marks: list[int] = []

    def each(self, rows: Sequence[Sequence[SqlValue]], picks: tuple[int, ...]) -> Iterator[tuple[SqlValue, ...]]:
        whole = picks == tuple(range(len(rows[0])))
        for row in rows:
            self._marks.append(self._total())
            if self._is_over():
                raise DeadlineExceeded("the turn ran past its limit between two rows")
            yield tuple(row) if whole else tuple(row[p] for p in picks)

    def closed(self) -> list[bool]:
        marks = [*self._marks, self._total()]
        return [after != before for before, after in pairwise(marks)]


def connect(
    target: str | os.PathLike[str] | Callable[[], Any],
    *,
    library: str | None = None,
    clock: Clock | None = None,
    strict_version: bool = False,
) -> SqliteDatabase:
    """Open a file, or call a connection factory (once for writing, once for reading).

    library: "apsw" or "sqlite3"; default: APSW when installed. Raises DatabaseBroken, UnsafeVersion.
    """
    writer = _opened(target, library)
    try:
        # made read-only by pragma, not by mode=ro, which cannot recover a WAL
        reader = _opened(target, library)
    except BaseException:
        writer.close()
        raise
    return SqliteDatabase(writer, reader, clock=clock, strict_version=strict_version)


def _opened(target: str | os.PathLike[str] | Callable[[], Any], library: str | None) -> Driver:
    return wrap(target()) if callable(target) else open_path(target, read_only=False, library=library)


class SqliteReader(SqliteDatabase):
    """One connection that only reads, for status: no pragma that writes, no checkpoint, no turn."""

    def __init__(self, reader: Driver, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._pid = os.getpid()
        self.reader = self.writer = reader
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
