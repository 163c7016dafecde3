"""What happens inside one PostgreSQL transaction: reads on a snapshot, writes in a turn, deadlines between statements.

Begins and ends no transaction, except that a snapshot nobody has seen yet may move to a new connection.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from inchworm.clock import Clock, StopLike
from inchworm.errors import Busy, ConnectionLost, DatabaseFault, DeadlineExceeded, StatementRefused, Stopped
from inchworm.ports import Params, Rows
from inchworm.postgres.bulk import FEWEST_ROWS, Filled, fill, read_bulk
from inchworm.postgres.session import Session
from inchworm.queries import load
from inchworm.statement import update_shape

ENTRY = load("ledger")["entry"]
LOCKED = " for no key update"
RECONNECT_S = 5.0  # how long a read waits for a server that restarts; turns are waited for by the runner
CHUNK_ROWS = 16


class PostgresReads:
    """See `inchworm.ports.Reads`."""

    def __init__(self, session: Session, clock: Clock, until: float | None, stop: StopLike | None, begin: str) -> None:
        self._session, self._clock, self._until, self._stop = session, clock, until, stop
        self._begin: str | None = begin

    def select(self, sql: str, params: Params) -> Rows:
        if self._until is not None and self._clock.monotonic() > self._until:
            raise DeadlineExceeded("the snapshot ran past its limit")
        try:
            return self._first(sql, params) if self._begin else self._session.run(sql, params)[0]
        except DeadlineExceeded as problem:
            if self._stop is not None and self._stop.is_set():
                raise Stopped("stopped while reading") from problem
            raise

    def _first(self, sql: str, params: Params) -> Rows:
        """Nobody has seen anything of this snapshot yet, so that a new one on a new connection is as good."""
        begin, self._begin = self._begin, None
        try:
            return self._session.run(sql, params)[0]
        except ConnectionLost:
            self._session.drop()
            self._session.begin(begin or "", patience_s=RECONNECT_S)
            return self._session.run(sql, params)[0]


class PostgresTurn:
    """See `inchworm.ports.Turn`. `_over` is set by the first fault, after which PostgreSQL refuses every statement.

    tables: those that statements applied to rows have changed. wrote: whether it took a transaction number.
    """

    def __init__(self, session: Session, clock: Clock, until: float, sets: "Sets") -> None:
        self._session, self._clock, self._until, self._sets = session, clock, until, sets
        self._over: DatabaseFault | None = None
        self.tables: dict[str, None] = {}
        self.wrote = False

    @property
    def connection(self) -> object:
        return self._session.connection

    def check_open(self) -> None:
        """Raise the fault that ended this turn, however the code between swallowed it."""
        if self._over is not None:
            raise self._over
        if self._clock.monotonic() > self._until:
            raise DeadlineExceeded("the turn ran past its limit")
        if self._session.is_lost():
            raise ConnectionLost("the connection was lost during the turn")
        if not self._session.in_transaction():
            raise DeadlineExceeded("the transaction was ended by somebody else")

    @contextmanager
    def _statement(self) -> Iterator[None]:
        self.check_open()
        try:
            yield
        except DatabaseFault as fault:
            self._over = fault
            raise

    def select(self, sql: str, params: Params) -> Rows:
        # a migration's own row is read in a turn only to be moved: one that a dying runner still writes is waited for
        with self._statement():
            return self._session.run(sql + LOCKED if sql == ENTRY else sql, params)[0]

    def execute(self, sql: str, params: Params) -> int:
        with self._statement():
            matched = self._session.run(sql, params, prepare=None)[1]
        self.wrote = self.wrote or matched > 0
        return matched

    def hold(self, sql: str, params: Params) -> None:
        with self._statement():
            held = self._session.run(sql + LOCKED, params)[1]
        self.wrote = self.wrote or held > 0

    def apply(self, sql: str, rows: Rows) -> Sequence[bool]:
        if not rows.rows:
            return []
        shape = update_shape(sql)
        self.tables[shape.table if shape else ""] = None
        with self._statement():
            matched = self._as_set(sql, rows)
            if matched is None:
                matched = self._one_by_one(sql, rows)
        self.wrote = self.wrote or any(matched)
        return matched

    def _as_set(self, sql: str, rows: Rows) -> list[bool] | None:
        filled = self._sets.filled(sql, rows)
        if filled is None:
            return None
        try:
            found = self._session.bulk(filled)
        except StatementRefused as problem:
            self._sets.unfit.add(sql)
            raise Busy(f"tried again row by row: {problem}") from problem
        return [at in found for at in range(1, len(rows.rows) + 1)]

    def _one_by_one(self, sql: str, rows: Rows) -> list[bool]:
        matched: list[bool] = []
        at, size = 0, CHUNK_ROWS
        while at < len(rows.rows):
            began = self._clock.monotonic()
            if began > self._until:
                raise DeadlineExceeded("the turn ran past its limit between two rows")
            piece = rows.rows[at : at + size]
            matched += self._session.many(sql, rows.columns, piece)
            at += len(piece)
            size = _next_chunk(len(piece), self._clock.monotonic() - began, self._until - began)
        return matched


class Sets:
    """Which statements can run over arrays, and of which types; asked once per statement, on the reading connection."""

    def __init__(self, reader: Session) -> None:
        self._reader = reader
        self._types: dict[tuple[str, tuple[bool, ...]], tuple[str, ...]] = {}
        self.unfit: set[str] = set()

    def filled(self, sql: str, rows: Rows) -> Filled | None:
        """One statement for all rows, or None: row by row."""
        bulk = None if sql in self.unfit else read_bulk(sql)
        if bulk is None or len(rows.rows) < FEWEST_ROWS:
            return None
        places = {column: at for at, column in enumerate(rows.columns)}
        first = rows.rows[0]
        fixed = tuple(name in places and type(first[places[name]]) in (int, float) for name in bulk.names)
        if (sql, fixed) not in self._types:
            self._types[sql, fixed] = self._reader.inferred(sql, fixed)
        return fill(bulk, rows.columns, rows.rows, self._types[sql, fixed])


def _next_chunk(rows: int, took_s: float, left_s: float) -> int:
    """Rows of the next pipeline: at most four times as many, and a quarter of the time that is left."""
    if took_s <= 0:
        return rows * 4
    return max(1, min(rows * 4, int(rows * left_s / 4 / took_s)))
