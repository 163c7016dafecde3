"""One PostgreSQL database as the engine's Database: read snapshots, short write turns, and what hangs over them.

Keeps two connections of its own. Decides nothing about pace; says Busy instead of waiting long for a lock.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import psycopg

from inchworm.clock import Clock, StopLike, SystemClock
from inchworm.errors import (
    Busy,
    DatabaseBroken,
    DatabaseFault,
    UnsafeConnection,
)
from inchworm.ports import Dialect, Limits, Turn, Upkeep
from inchworm.postgres import catalog
from inchworm.postgres.index import build
from inchworm.postgres.presence import announce, is_announced
from inchworm.postgres.session import Connect, Session, Watch
from inchworm.postgres.transaction import RECONNECT_S, PostgresReads, PostgresTurn, Sets
from inchworm.queries import load

SQL = load("postgres")

Target = str | os.PathLike[str] | Callable[[], Any]

CONNECT_S = 10
READ_LOCK_MS = 1_000  # a reader meets a lock only while somebody changes the table's definition
LOCK_SHARE = 0.2  # of a turn's limit: how long the first wait for a row may last
LOCK_SHARE_MOST = 0.5  # a wait must end as Busy, never as a turn that took too long
LOCK_MOST_S = 0.25
IDLE_FLOOR_S = 5.0  # a process that was stopped inside a turn loses its session, and its locks, after this long
SNAPSHOT_IDLE_S = 600.0  # a transform computes inside the snapshot
OTHERS_LOOK_S = 0.1
UPKEEP_LOOK_S = 1.0
BLOAT_LOOK_S = 10.0
BLOAT_FLOOR = 100_000  # dead rows; a pass over a healthy table makes one per row and is never held up
BLOAT_MOST_S = 600.0  # then it goes on, whatever autovacuum does: a hold must end

REPLICA_LAG = "replica lag"
BLOAT = "dead rows (autovacuum is behind)"
STANDBY = "this server is a standby: it can be read, not migrated"


@dataclass(slots=True)
class _About:
    """What a connection's server said of itself."""

    deadlock_s: float = 1.0
    standby: bool = False


@dataclass(slots=True)
class _Governor:
    """What the last looks between turns found; times of the monotonic clock."""

    looked_at: float = float("-inf")
    lag_bytes: int | None = None
    bloat_at: float = float("-inf")
    bloat_since: float | None = None
    bloat_hold: str | None = None
    tables: dict[str, None] = field(default_factory=dict)


class PostgresDatabase:
    """See `inchworm.ports.Database`. One thread at a time; `open_connection` is called once per connection needed."""

    def __init__(self, open_connection: Connect, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._pid = os.getpid()
        self._open = open_connection
        self.about = _About()
        self.writer = Session(open_connection, self._meet)
        self.reader = Session(open_connection)
        self._watch = Watch()
        self._dialect = Dialect("postgres", SQL, wakes_waiters=True)
        self._lock_share = LOCK_SHARE
        self._next_number: int | None = None
        self._own_numbers = 0
        self._others_at = float("-inf")
        self._governor = _Governor()
        self._sets = Sets(self.reader)

    def _meet(self, session: Session) -> None:
        """Each new writing connection: what the server allows, and that this process is here."""
        row = session.script(SQL["about"]).rows[0]
        self.about = _About(float(str(row[0])) / 1000, bool(row[1]))
        if not self.about.standby:
            announce(session)

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise UnsafeConnection("this database was opened before fork(); open it again in the child process")

    @contextmanager
    def snapshot(self, *, limit_s: float | None = None, stop: StopLike | None = None) -> Iterator["PostgresReads"]:
        self._check_process()
        idle_ms = _ms(SNAPSHOT_IDLE_S)
        script = SQL["begin_snapshot"].format(lock_ms=READ_LOCK_MS, statement_ms=_ms(limit_s), idle_ms=idle_ms)
        self.reader.begin(script, patience_s=RECONNECT_S)
        until = None if limit_s is None else self._clock.monotonic() + limit_s
        reads = PostgresReads(self.reader, self._clock, until, stop, script)
        try:
            if stop is None:
                yield reads
            else:
                with self._watch.over(self.reader, stop):
                    yield reads
        finally:
            _end(self.reader)

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        self._check_process()
        wait_s = min(limit_s * self._lock_share, LOCK_MOST_S, self.about.deadlock_s / 2)
        script = SQL["begin_turn"].format(
            lock_ms=_ms(wait_s), statement_ms=_ms(limit_s), idle_ms=_ms(max(IDLE_FLOOR_S, 4 * limit_s))
        )
        self._refuse_standby()
        self.writer.begin(script)
        turn = PostgresTurn(self.writer, self._clock, self._clock.monotonic() + limit_s, self._sets)
        try:
            yield turn
            turn.check_open()
            # a lost answer is ConnectionLost like any other: the ledger's own fences tell whether it was committed
            self.writer.script(SQL["commit_slice" if turn.tables else "commit"])
            self._lock_share = LOCK_SHARE
        except Busy:  # also a lost connection: a longer wait then costs nothing
            self._lock_share = min(LOCK_SHARE_MOST, self._lock_share * 2)  # hot rows: stay in their queue longer
            raise
        finally:
            self._governor.tables.update(turn.tables)
            self._own_numbers += turn.wrote
            _end(self.writer)

    def _refuse_standby(self) -> None:
        """Asked anew for each connection: a standby may have been promoted."""
        _ = self.writer.connection
        if self.about.standby:
            self.writer.drop()
            raise DatabaseBroken(STANDBY)

    def others_wrote(self) -> bool:
        now = self._clock.monotonic()
        if now - self._others_at < OTHERS_LOOK_S:
            return False
        self._others_at = now
        following = int(str(self.reader.begin(SQL["transactions"]).rows[0][0]))
        before, own = self._next_number, self._own_numbers
        self._next_number, self._own_numbers = following, 0
        return before is not None and following > before + own

    def upkeep(self, limits: Limits) -> Upkeep:
        self._check_process()
        now, governor = self._clock.monotonic(), self._governor
        if now - governor.looked_at >= UPKEEP_LOOK_S:
            governor.looked_at = now
            lag = self.reader.begin(SQL["lag"]).rows[0][0]
            governor.lag_bytes = None if lag is None else int(lag)
        if now - governor.bloat_at >= BLOAT_LOOK_S:
            governor.bloat_at = now
            self._look_at_bloat(now)
        lagging = governor.lag_bytes is not None and governor.lag_bytes > limits.wal_cap_bytes
        return Upkeep(REPLICA_LAG if lagging else governor.bloat_hold, governor.lag_bytes)

    def _look_at_bloat(self, now: float) -> None:
        governor = self._governor
        found = any(
            len(self.reader.run(SQL["bloat"], {"relation": catalog.spelled(table), "floor": BLOAT_FLOOR})[0])
            for table in governor.tables
        )
        governor.bloat_since = (governor.bloat_since or now) if found else None
        patient = governor.bloat_since is not None and now - governor.bloat_since < BLOAT_MOST_S
        governor.bloat_hold = BLOAT if patient else None

    def key_problem(self, table: str, key: Sequence[str]) -> str | None:
        with self.snapshot() as reads:
            return catalog.key_problem(reads, table, key)

    def estimated_rows(self, table: str) -> int | None:
        with self.snapshot() as reads:
            return catalog.estimated_rows(reads, table)

    def build_index(self, create: str, *, limit_s: float, stop: StopLike | None = None) -> None:
        """CREATE INDEX CONCURRENTLY on a connection of its own; no writer waits, so `limit_s` does not bind."""
        self._check_process()
        del limit_s
        build(self._open, create, self._watch, stop)

    def announced(self) -> AbstractContextManager[None]:
        return nullcontext()  # a build holds no lock that a request meets

    def is_gone(self, holder: str) -> bool:
        return not is_announced(self.reader, holder)

    def close(self) -> None:
        self._watch.close()
        self.reader.close()
        self.writer.close()


def _ms(seconds: float | None) -> int:
    """Whole milliseconds, at least one; 0, PostgreSQL's "no limit", for None."""
    return 0 if seconds is None else max(1, min(math.ceil(seconds * 1000), 2**31 - 1))


def _end(session: Session) -> None:
    """Roll back what is still open. A connection that cannot even do that is given up."""
    if session.is_lost():
        session.drop()
    elif session.in_transaction():
        try:
            session.script(SQL["rollback"])
        except DatabaseFault:
            session.drop()


def connect(target: Target, *, clock: Clock | None = None) -> PostgresDatabase:
    """Open a postgresql:// URL (or any libpq connection string), or a factory of psycopg connections.

    The factory is called for each connection needed, also after one was lost. Raises DatabaseBroken.
    """
    database = PostgresDatabase(_connector(target), clock=clock)
    try:
        _ = database.writer.connection
    except BaseException:
        database.close()
        raise
    return database


def _connector(target: Target) -> Connect:
    if callable(target):
        return lambda: _checked(target())
    url = os.fspath(target)
    options: dict[str, Any] = {"autocommit": True}
    given = psycopg.conninfo.conninfo_to_dict(url)
    options |= {} if "connect_timeout" in given else {"connect_timeout": CONNECT_S}
    options |= {} if "application_name" in given else {"application_name": "inchworm"}
    return lambda: psycopg.connect(url, **options)


def _checked(connection: Any) -> psycopg.Connection[Any]:
    if not isinstance(connection, psycopg.Connection):
        raise TypeError(f"{type(connection).__name__} is not a connection of psycopg 3")
    return connection


class PostgresReader(PostgresDatabase):
    """One connection that only reads, for status, also on a standby: no turn, no announcement."""

    def __init__(self, open_connection: Connect, *, clock: Clock | None = None) -> None:
        super().__init__(open_connection, clock=clock)
        self.writer = self.reader

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        raise DatabaseBroken(f"this connection only reads; no turn of {limit_s} s is possible")
        yield

    def upkeep(self, limits: Limits) -> Upkeep:
        del limits
        return Upkeep()


def connect_reader(target: Target, *, clock: Clock | None = None) -> PostgresReader:
    """Open for reading the ledger only. Raises DatabaseBroken."""
    reader = PostgresReader(_connector(target), clock=clock)
    try:
        _ = reader.reader.connection
    except BaseException:
        reader.close()
        raise
    return reader
