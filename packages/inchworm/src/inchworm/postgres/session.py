"""One connection to a PostgreSQL server: opened when needed, again when lost, with values as the engine has them.

Owns how values are written and read and how a statement is stopped. Opens no transaction on its own.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.rows import tuple_row
from psycopg.types.numeric import Int4, Int8, IntNumeric

from inchworm.clock import StopLike
from inchworm.errors import ConnectionLost, DatabaseBroken, DatabaseFault, StatementRefused
from inchworm.ports import Params, Rows, SqlValue
from inchworm.postgres.bulk import Filled
from inchworm.postgres.faults import fault_of
from inchworm.postgres.parameters import translated
from inchworm.queries import load

Connection = psycopg.Connection[Any]
Connect = Callable[[], Connection]

SQL = load("postgres")
SETTINGS = "set client_encoding = utf8; set datestyle = iso"
RECONNECT_LOOK_S = 0.1
STOP_LOOK_S = 0.1  # between two looks at a stop token while the server works
CANCEL_S = 1.0
INT4, INT8 = 1 << 31, 1 << 63
INT8_OID = 20  # pg_type.dat

# Types that Python has; everything else (uuid, timestamps, json, arrays …) stays the text that PostgreSQL writes, which
# can be a key, is exact, and can be handed back as a parameter.
_AS_PYTHON = ("bool", "int2", "int4", "int8", "oid", "float4", "float8", "bytea")


class _Numeric(Loader):
    """An exact number: int where it has no fraction (sum(bigint) is numeric), else Decimal."""

    def load(self, data: Buffer) -> int | Decimal:
        text = bytes(data).decode("ascii")
        return int(text) if text.lstrip("-").isdigit() else Decimal(text)


class _Text(Loader):
    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8")


def _adapters() -> AdaptersMap:
    ours, theirs = AdaptersMap(psycopg.adapters), psycopg.adapters
    kept = {theirs.types[name].oid for name in _AS_PYTHON}
    for kind in theirs.types:
        if kind.oid not in kept:
            ours.register_loader(kind.oid, _Text)
        if kind.array_oid:
            ours.register_loader(kind.array_oid, _Text)
    ours.register_loader("numeric", _Numeric)
    return ours


ADAPTERS = _adapters()


def dumped(value: SqlValue) -> object:
    """A whole number as PostgreSQL reads it in SQL: int4 when it fits, as `1` would be, not psycopg's int2."""
    if type(value) is not int:
        return value
    if -INT4 <= value < INT4:
        return Int4(value)
    return Int8(value) if -INT8 <= value < INT8 else IntNumeric(value)


class _Cursor(psycopg.RawCursor[Any]):
    """A cursor with the engine's own adapters, so that the caller's connection keeps its own."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, row_factory=tuple_row)
        self._adapters = ADAPTERS


class Session:
    """One connection, used by one thread. `connect` opens it; `prepared` is called on each new one."""

    def __init__(self, connect: Connect, prepared: Callable[["Session"], None] | None = None) -> None:
        self._connect, self._prepared = connect, prepared
        self._connection: Connection | None = None
        self._closed = self._met = False

    @property
    def connection(self) -> Connection:
        """The driver's connection, opened if there is none. Raises ConnectionLost, DatabaseBroken the first time."""
        if self._connection is None:
            if self._closed:
                raise DatabaseBroken("this database was closed")
            try:
                self._connection = self._opened()
                if self._prepared is not None:
                    self._prepared(self)
            except ConnectionLost as fault:
                self.drop()
                raise fault if self._met else DatabaseBroken(str(fault)) from fault
            self._met = True
        return self._connection

    def _opened(self) -> Connection:
        with translating():
            connection = self._connect()
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.rollback()
            connection.autocommit = True  # the engine writes its own BEGIN and COMMIT
            connection.execute(SETTINGS, prepare=False)
            return connection

    def in_transaction(self) -> bool:
        return self._connection is not None and self._connection.info.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
            TransactionStatus.ACTIVE,
        )

    def is_lost(self) -> bool:
        """Whether there is no usable connection (any more)."""
        return self._connection is None or self._connection.closed or self._connection.broken

    def begin(self, script: str, *, patience_s: float = 0.0) -> Rows:
        """Several statements in one round trip, the result of the last; on a lost connection once more on a new one.

        Only for what may be sent twice: the beginning of a transaction, or a single read. With patience a server that
        cannot be reached is tried again for that long.
        """
        until = time.monotonic() + patience_s
        while True:
            first = self._connection is None
            try:
                return self.script(script)
            except ConnectionLost:
                self.drop()
                if first and time.monotonic() >= until:
                    raise
                if first:
                    time.sleep(RECONNECT_LOOK_S)

    def script(self, script: str) -> Rows:
        """Several statements in one round trip; the result of the last."""
        with translating(), _Cursor(self.connection) as cursor:
            cursor.execute(script, prepare=False)
            while cursor.nextset():
                pass
            return _rows(cursor)

    def run(self, sql: str, params: Params, *, prepare: bool | None = False) -> tuple[Rows, int]:
        """One statement with `:name` parameters: its rows, and how many rows it matched.

        `prepare=False` has each statement planned for its own values; None leaves it to psycopg.
        """
        statement = translated(sql)
        values = [dumped(params[name]) for name in _filled(statement.names, params)]
        with translating(), _Cursor(self.connection) as cursor:
            cursor.execute(statement.text, values, prepare=prepare)
            return _rows(cursor), max(0, cursor.rowcount)

    def many(self, sql: str, columns: Sequence[str], rows: Sequence[Sequence[SqlValue]]) -> list[bool]:
        """A statement once per row, sent as one pipeline; per row, whether it matched anything."""
        statement = translated(sql)
        places = {column: at for at, column in enumerate(columns)}
        picks = [places[name] for name in _filled(statement.names, places)]
        values = [[dumped(row[at]) for at in picks] for row in rows]
        with translating(), _Cursor(self.connection) as cursor:
            cursor.executemany(statement.text, values, returning=True)
            matched = [cursor.rowcount > 0]
            while cursor.nextset():
                matched.append(cursor.rowcount > 0)
            return matched

    def inferred(self, sql: str, fixed: Sequence[bool]) -> tuple[str, ...]:
        """For each distinct parameter the type that PostgreSQL gives it; "" where it cannot tell or knows no arrays.

        fixed: parameters that will be numbers, whatever the place. Nothing is run.
        """
        statement = translated(sql)
        names = tuple(dict.fromkeys(statement.names))
        kinds = [INT8_OID if fixed[names.index(name)] else 0 for name in statement.names]
        server = self.connection.pgconn
        if server.prepare(b"", statement.text.encode(), kinds).status is not ExecStatus.COMMAND_OK:
            return ("",) * len(names)
        described = server.describe_prepared(b"")
        found = [described.param_type(statement.names.index(name)) for name in names]
        rows = [self.run(SQL["element_type"], {"oid": oid})[0].one() for oid in found]
        return tuple(str(row[0]) if row else "" for row in rows)

    def bulk(self, filled: Filled) -> set[int]:
        """A statement over arrays, in one round trip; the numbers of the rows that matched, from 1."""
        switch = translated(SQL["by_index"])
        with translating(), self.connection.pipeline(), contextlib.ExitStack() as stack:
            cursors = [stack.enter_context(_Cursor(self.connection)) for _ in range(3)]
            cursors[0].execute(switch.text, ["off"] * 3)
            cursors[1].execute(filled.text, filled.arrays, prepare=False)
            cursors[2].execute(switch.text, ["on"] * 3)
            return {int(at) for (at,) in cursors[1].fetchall()}

    def cancel(self) -> None:
        """Stop what the server does for this connection, from another thread; a failure is left to the next try."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=CANCEL_S)

    def drop(self) -> None:
        """Give the connection up; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()

    def close(self) -> None:
        """Give it up for good; may be called twice."""
        self._closed = True
        self.drop()


def _filled(names: Sequence[str], given: Any) -> Sequence[str]:
    for name in names:
        if name not in given:
            raise StatementRefused(f"nothing fills :{name} (there are {', '.join(given) or 'no values'})")
    return names


def _rows(cursor: _Cursor) -> Rows:
    if cursor.description is None:
        return Rows((), [])
    return Rows(tuple(column.name for column in cursor.description), cursor.fetchall())


@contextmanager
def translating() -> Iterator[None]:
    """Driver exceptions become faults; others pass through."""
    try:
        yield
    except DatabaseFault:
        raise
    except Exception as problem:
        fault = fault_of(problem)
        if fault is None:
            raise
        raise fault from problem


class Watch:
    """Cancels what a connection does when a stop token is set, from a thread of its own; it looks ten times a second.

    The thread begins with the first watched snapshot and ends with `close`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: tuple[Session, StopLike] | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, session: "Session", stop: StopLike) -> Iterator[None]:
        """Watch while the block runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="inchworm-stop", daemon=True)
            self._thread.start()
        self._job = (session, stop)
        try:
            yield
        finally:
            with self._lock:  # a cancel that is under way must not meet a later statement
                self._job = None

    def _look(self) -> None:
        while not self._over.wait(STOP_LOOK_S):
            with self._lock:
                if self._job is not None and self._job[1].is_set():
                    self._job[0].cancel()

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
