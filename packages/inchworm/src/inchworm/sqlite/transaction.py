"""What runs inside a read snapshot or a write turn on one SQLite connection, and when it is cut short.

Begins and ends no transaction itself: `database` does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise, repeat
from operator import itemgetter
from typing import Any

from inchworm.clock import Clock, StopLike
from inchworm.errors import DatabaseFault, DeadlineExceeded, StatementRefused, Stopped
from inchworm.ports import Params, Rows, SqlValue
from inchworm.sqlite.driver import HANDLER_STEPS, Driver
from inchworm.statement import numbered, target_of

ATTACHED = (
    "{table} is in an attached database: with a write-ahead log SQLite commits two files one after the other, and a "
    "kill between them would keep the cursor without the rows (https://www.sqlite.org/lang_attach.html); open that "
    "file itself, and attach the others for reading"
)
ENDED = (
    "apply ended the engine's transaction: what it committed stays without its cursor, and a retry would do it again. "
    "Do not commit, roll back or use `with connection:` on the connection of a turn"
)


@contextmanager
def translated(driver: Driver) -> Iterator[None]:
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
        self.steps = 0

    def is_over(self) -> bool:
        """The progress handler: whether to interrupt now; counts the instructions on the way."""
        self.steps += HANDLER_STEPS
        if self._stop is not None and self._stop.is_set():
            return True
        return self._until is not None and self._clock.monotonic() > self._until

    def run(self, sql: str, params: Any) -> Rows:
        try:
            with translated(self._driver):
                return self._driver.run(sql, params)
        except DeadlineExceeded as problem:
            if self._stop is not None and self._stop.is_set():
                raise Stopped("stopped while reading") from problem
            raise

    def select(self, sql: str, params: Params) -> Rows:
        return self.run(sql, params)


class SqliteTurn:
    """See `inchworm.ports.Turn`. `_over` is set by the first fault: SQLite may have rolled back already.

    one_file: other files with logs of their own are attached; a statement that writes to one of them is refused.
    """

    def __init__(self, driver: Driver, clock: Clock, until: float, *, one_file: bool = False) -> None:
        self._driver, self._clock, self._until = driver, clock, until
        self._over: DatabaseFault | None = None
        self._interrupted = False
        self._one_file, self._allowed = one_file, set[str]()
        self._compiled: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[int, ...]]] = {}

    @property
    def connection(self) -> object:
        return self._driver.connection

    def is_over(self) -> bool:
        """Whether the limit has passed."""
        return self._clock.monotonic() > self._until

    def interrupts(self) -> bool:
        """The progress handler: whether to interrupt now."""
        self._interrupted = self._interrupted or self.is_over()
        return self._interrupted

    def check_open(self) -> None:
        """Raise the fault that ended this turn, however the code between swallowed it."""
        if self._over is not None:
            raise self._over
        if not self._driver.in_transaction() and not self._interrupted:
            self._over = StatementRefused(ENDED)
            raise self._over
        if self.is_over():
            raise DeadlineExceeded("the turn ran past its limit")

    @contextmanager
    def _statement(self) -> Iterator[None]:
        self.check_open()
        try:
            with translated(self._driver):
                yield
        except DatabaseFault as fault:
            self._over = fault
            raise

    def select(self, sql: str, params: Params) -> Rows:
        with self._statement():
            return self._driver.run(sql, params)

    def execute(self, sql: str, params: Params) -> int:
        with self._statement():
            self._check_target(sql)
            before = self._driver.total_changes()
            self._driver.run(sql, params)
            if self._driver.total_changes() == before:
                return 0  # changes() would still show the statement before
            return int(str(self._driver.run("select changes()").rows[0][0]))

    def hold(self, sql: str, params: Params) -> None:
        del sql, params  # the turn holds the only write lock there is

    def apply(self, sql: str, rows: Rows) -> Sequence[bool]:
        if not rows.rows:
            return []
        with self._statement():
            self._check_target(sql)
            text, picks = self._compile(sql, rows.columns)
            seen = _Seen(self._driver, self)
            self._driver.many(text, seen.each(rows.rows, picks))
            return seen.closed()

    def _check_target(self, sql: str) -> None:
        if not self._one_file or sql in self._allowed:
            return
        schema, table = target_of(sql) or ("main", "")
        if schema is None:
            here = "select 1 from main.sqlite_master where lower(name) = :table"
            schema = "main" if len(self._driver.run(here, {"table": table})) or table == "sqlite_master" else "attached"
        if schema not in ("main", "temp"):
            raise StatementRefused(ATTACHED.format(table=table))
        self._allowed.add(sql)

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
        picked = (map(itemgetter(pick), rows) for pick in picks)
        for values in zip(*picked, strict=True) if picks else repeat((), len(rows)):
            self._marks.append(self._total())
            if self._is_over():
                raise DeadlineExceeded("the turn ran past its limit between two rows")
            yield values

    def closed(self) -> list[bool]:
        marks = [*self._marks, self._total()]
        return [after != before for before, after in pairwise(marks)]
