"""Any Database with a call before each of its steps, where a test may raise a fault, kill the process, or write."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from inchworm.clock import StopLike
from inchworm.ports import Database, Dialect, Limits, Params, Reads, Rows, Turn, Upkeep

Step = Callable[[str, str], None]


class Observed:
    """`on_step(what, sql)`: what is snapshot, select, begin, execute, apply, read, commit or committed.

    `select` is a statement on a read snapshot and `read` one inside a turn; `commit` comes just before the commit and
    `committed` right after it, when the lock is free again.
    """

    def __init__(self, inner: Database, on_step: Step) -> None:
        self._inner, self._step = inner, on_step

    @property
    def dialect(self) -> Dialect:
        return self._inner.dialect

    @contextmanager
    def snapshot(self, *, limit_s: float | None = None, stop: StopLike | None = None) -> Iterator[Reads]:
        self._step("snapshot", "")
        with self._inner.snapshot(limit_s=limit_s, stop=stop) as reads:
            yield _Reads(reads, self._step)

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        self._step("begin", "")
        with self._inner.turn(limit_s=limit_s) as turn:
            yield _Turn(turn, self._step)
            self._step("commit", "")
        self._step("committed", "")

    def others_wrote(self) -> bool:
        return self._inner.others_wrote()

    def upkeep(self, limits: Limits) -> Upkeep:
        return self._inner.upkeep(limits)

    def key_problem(self, table: str, key: Sequence[str]) -> str | None:
        return self._inner.key_problem(table, key)

    def estimated_rows(self, table: str) -> int | None:
        return self._inner.estimated_rows(table)

    def build_index(self, create: str, *, limit_s: float, stop: StopLike | None = None) -> None:
        self._inner.build_index(create, limit_s=limit_s, stop=stop)

    def announced(self) -> AbstractContextManager[None]:
        return self._inner.announced()

    def is_gone(self, holder: str) -> bool:
        return self._inner.is_gone(holder)

    def close(self) -> None:
        self._inner.close()


class _Reads:
    def __init__(self, inner: Reads, step: Step) -> None:
        self._inner, self._step = inner, step

    def select(self, sql: str, params: Params) -> Rows:
        self._step("select", sql)
        return self._inner.select(sql, params)


class _Turn:
    def __init__(self, inner: Turn, step: Step) -> None:
        self._inner, self._step = inner, step

    @property
    def connection(self) -> object:
        return self._inner.connection

    def select(self, sql: str, params: Params) -> Rows:
        self._step("read", sql)
        return self._inner.select(sql, params)

    def execute(self, sql: str, params: Params) -> int:
        self._step("execute", sql)
        return self._inner.execute(sql, params)

    def hold(self, sql: str, params: Params) -> None:
        self._step("hold", sql)
        self._inner.hold(sql, params)

    def apply(self, sql: str, rows: Rows) -> Sequence[bool]:
        self._step("apply", sql)
        return self._inner.apply(sql, rows)
