"""Wrong engines, each with one mistake that real migrations have made, and a judge that runs the suite over them.

The suite is worth what it rejects: an engine of this module that passes it shows a hole in the suite.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import pytest

from inchworm import Backfill, Report, ledger, pace
from inchworm.clock import StopLike
from inchworm.errors import DatabaseFault
from inchworm.ports import Database, Dialect, Limits, Params, Reads, Rows, Turn, Upkeep
from inchworm.testing.conformance import Conformance
from inchworm.testing.harness import Harness

Open = Callable[[], Database]


class Endless(Exception):
    """A mutant was stopped because it would never have ended by itself."""


class Passing:
    """A Database that passes everything on; a mutant overrides what it does wrong."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner

    @property
    def dialect(self) -> Dialect:
        return self.inner.dialect

    @contextmanager
    def snapshot(self, *, limit_s: float | None = None, stop: StopLike | None = None) -> Iterator[Reads]:
        with self.inner.snapshot(limit_s=limit_s, stop=stop) as reads:
            yield reads

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        with self.inner.turn(limit_s=limit_s) as turn:
            yield turn

    def others_wrote(self) -> bool:
        return self.inner.others_wrote()

    def upkeep(self, limits: Limits) -> Upkeep:
        return self.inner.upkeep(limits)

    def key_problem(self, table: str, key: Sequence[str]) -> str | None:
        return self.inner.key_problem(table, key)

    def estimated_rows(self, table: str) -> int | None:
        return self.inner.estimated_rows(table)

    def build_index(self, create: str, *, limit_s: float, stop: StopLike | None = None) -> None:
        self.inner.build_index(create, limit_s=limit_s, stop=stop)

    def announced(self) -> AbstractContextManager[None]:
        return self.inner.announced()

    def is_gone(self, holder: str) -> bool:
        return self.inner.is_gone(holder)

    def close(self) -> None:
        self.inner.close()


class PassingTurn:
    """A Turn that passes everything on."""

    def __init__(self, inner: Turn) -> None:
        self.inner = inner

    @property
    def connection(self) -> object:
        return self.inner.connection

    def select(self, sql: str, params: Params) -> Rows:
        return self.inner.select(sql, params)

    def execute(self, sql: str, params: Params) -> int:
        return self.inner.execute(sql, params)

    def hold(self, sql: str, params: Params) -> None:
        self.inner.hold(sql, params)

    def apply(self, sql: str, rows: Rows) -> Sequence[bool]:
        return self.inner.apply(sql, rows)


class OuterTransactionDatabase(Passing):
    """Slices, but one transaction around all of them: nobody sees a row or writes one before the end."""

    def __init__(self, inner: Database) -> None:
        super().__init__(inner)
        self._outer: Any = None
        self._turn: Turn | None = None

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        del limit_s
        if self._turn is None:
            self._outer = self.inner.turn(limit_s=1e9)
            self._turn = self._outer.__enter__()
        yield self._turn

    @contextmanager
    def snapshot(self, *, limit_s: float | None = None, stop: StopLike | None = None) -> Iterator[Reads]:
        if self._turn is not None:
            yield self._turn
            return
        with self.inner.snapshot(limit_s=limit_s, stop=stop) as reads:
            yield reads

    def close(self) -> None:
        if self._outer is not None:
            self._outer.__exit__(None, None, None)
        super().close()


class InventedCountersDatabase(Passing):
    """Reports every row that was sent as changed, instead of asking the database."""

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        with self.inner.turn(limit_s=limit_s) as turn:
            yield _InventedCounters(turn)


class _InventedCounters(PassingTurn):
    def apply(self, sql: str, rows: Rows) -> Sequence[bool]:
        self.inner.apply(sql, rows)
        return [True] * len(rows)


class SeparateCursorDatabase(Passing):
    """Writes the cursor in a transaction of its own, right after that of the work."""

    @contextmanager
    def turn(self, *, limit_s: float) -> Iterator[Turn]:
        late: list[Params] = []
        with self.inner.turn(limit_s=limit_s) as turn:
            yield _LateCursor(turn, late)
        for params in late:
            with self.inner.turn(limit_s=limit_s) as after:
                after.execute(ledger.SQL["advance"], params)


class _LateCursor(PassingTurn):
    def __init__(self, inner: Turn, late: list[Params]) -> None:
        super().__init__(inner)
        self._late = late

    def execute(self, sql: str, params: Params) -> int:
        if sql != ledger.SQL["advance"]:
            return self.inner.execute(sql, params)
        self._late.append(params)
        return 1


class _Mutant(Conformance):
    """`wrap` puts the mistake around the database."""

    wrap: ClassVar[type[Passing]]

    def engine(self, target: str, db: Open, migrations: Sequence[Backfill], **options: Any) -> Report:
        return super().engine(target, lambda: type(self).wrap(db()), migrations, **options)


class OuterTransaction(_Mutant):
    """Chunk-shaped, but one outer transaction around all slices."""

    wrap = OuterTransactionDatabase


class InventedCounters(_Mutant):
    """Counters that are not taken from the database."""

    wrap = InventedCountersDatabase


class SeparateCursor(_Mutant):
    """The cursor in a transaction of its own."""

    wrap = SeparateCursorDatabase


class SingleStatement(Conformance):
    """Everything in one slice, as a single statement would do it."""

    def engine(self, target: str, db: Open, migrations: Sequence[Backfill], **options: Any) -> Report:
        self.rows_per_slice = 1_000_000_000
        return super().engine(target, db, migrations, **options)


def _no_gap(facts: pace.Turned, **crowded: float) -> float:
    del facts, crowded
    return 0.0


class NoGap(Conformance):
    """Takes the lock again as soon as it was released, however long it was held."""

    def engine(self, target: str, db: Open, migrations: Sequence[Backfill], **options: Any) -> Report:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pace, "gap", _no_gap)
            return super().engine(target, db, migrations, **options)


class PredicateLoop(Conformance):
    """Repeats `… where it is still wrong limit n` until nothing is left, without a cursor."""

    most_turns = 200
    fix = (
        "update parents set newest = coalesce((select max(at) from children where parent = parents.id), 0)"
        " where id in (select id from parents where newest = 0 order by id limit 20)"
    )
    left = "select 1 from parents where newest = 0 limit 1"

    def engine(self, target: str, db: Open, migrations: Sequence[Backfill], **options: Any) -> Report:
        if any(m.name == "newest" and m.verify is None and m.table == "parents" for m in migrations):
            self._loop(db())
        return super().engine(target, db, migrations, **options)

    def _loop(self, db: Database) -> None:
        turns = 0
        try:
            while self._wrong_rows_left(db):
                with db.turn(limit_s=60) as turn:
                    turn.execute(self.fix, {})
                turns += 1
                if turns > self.most_turns:
                    raise Endless(f"{turns} turns, and the same rows are still selected")
        finally:
            db.close()

    def _wrong_rows_left(self, db: Database) -> bool:
        try:
            with db.snapshot() as reads:
                return bool(len(reads.select(self.left, {})))
        except DatabaseFault:
            return False  # "nothing to do", as such loops say


MUTANTS: Mapping[str, type[Conformance]] = {
    "a single statement": SingleStatement,
    "one outer transaction around all slices": OuterTransaction,
    "counters that are not the database's": InventedCounters,
    "the cursor in another transaction": SeparateCursor,
    "a predicate loop without a cursor": PredicateLoop,
    "no gap after long turns": NoGap,
}


def failing(suite: type[Conformance], fresh: Callable[[], Harness], only: Sequence[str] = ()) -> dict[str, str]:
    """Run the tests of a suite (or those named) and give those that fail, with the first line of why.

    fresh: a new harness for each test. Parametrized tests run with all their parameters, named `test[a-b]`.
    """
    found: dict[str, str] = {}
    for name, test in inspect.getmembers(suite, inspect.isfunction):
        if not name.startswith("test_") or (only and name not in only):
            continue
        for label, values in _parameters(test):
            why = _why_it_fails(suite(), name, values | ({"harness": fresh()} if _wants_harness(test) else {}))
            if why is not None:
                found[name + label] = why
    return found


def _wants_harness(test: Callable[..., Any]) -> bool:
    return "harness" in inspect.signature(test).parameters


def _parameters(test: Callable[..., Any]) -> list[tuple[str, dict[str, Any]]]:
    """All combinations of the test's `parametrize` marks, with pytest's own labels as far as they are words."""
    found: list[tuple[tuple[str, ...], dict[str, Any]]] = [((), {})]
    for mark in getattr(test, "pytestmark", []):
        if mark.name != "parametrize":
            continue
        names = mark.args[0] if not isinstance(mark.args[0], str) else [n.strip() for n in mark.args[0].split(",")]
        rows = [(value,) if len(names) == 1 else tuple(value) for value in mark.args[1]]
        found = [
            ((*words, *(getattr(v, "__name__", str(v)) for v in row)), values | dict(zip(names, row, strict=True)))
            for words, values in found
            for row in rows
        ]
    return [(f"[{'-'.join(words)}]" if words else "", values) for words, values in found]


def _why_it_fails(suite: Conformance, name: str, values: dict[str, Any]) -> str | None:
    try:
        getattr(suite, name)(**values)
    except pytest.skip.Exception:
        return None
    except Exception as problem:  # noqa: BLE001 - any way to fail is a failure
        return f"{type(problem).__name__}: {problem}".partition("\n")[0]
    return None
