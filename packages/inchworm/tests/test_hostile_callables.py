"""What an author's own SQL and Python can get wrong: keys beyond the slice, commits, nonsense, wrong counts."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import Backfill, Skip, Status, Stop
from inchworm.clock import SystemClock
from inchworm.errors import RowRefused
from inchworm.progress import Counts
from inchworm.report import Outcome
from inchworm.testing import FakeClock, Observed, SqliteHarness


@pytest.fixture(params=["sqlite3", "apsw"])
def harness(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteHarness:
    pytest.importorskip(request.param)
    return SqliteHarness(tmp_path, request.param)


def made(harness: SqliteHarness, *statements: str) -> str:
    target = harness.fresh()
    harness.execute(target, *statements)
    return target


TWELVE = "with recursive s(x) as (select 1 union all select x + 1 from s where x < 12) select x from s"


def twelve(harness: SqliteHarness) -> str:
    return made(
        harness,
        "create table t (id integer primary key, n int not null default 0, c, d)",
        f"insert into t (id) {TWELVE}",
    )


def go(harness: SqliteHarness, target: str, **definition: Any) -> Outcome:
    migration = Backfill(**{"name": "m", "table": "t", **definition})
    return inchworm.run(target, [migration], driver=harness.library, clock=FakeClock(), first_rows=3).outcomes[0]


def sums(harness: SqliteHarness, target: str) -> object:
    return harness.rows(target, "select n, count(*) from t group by n order by n")


PAIRS = "a between :first_a and :last_a and :first_b <= :last_b + 99"
BEYOND: dict[str, dict[str, Any]] = {
    "update": {"update": f"update t set n = n + 1 where {PAIRS}"},
    "compute": {
        "guard": "frozen",
        "compute": f"select a, b from t where {PAIRS}",
        "apply": "update t set n = n + 1 where a = :a and b = :b",
    },
    "reread": {
        "guard": "reread",
        "compute": f"select a, b from t where {PAIRS}",
        "apply": "update t set n = n + 1 where a = :a and b = :b",
    },
}


@pytest.mark.parametrize("kind", ["int", "text"])
@pytest.mark.parametrize("form", BEYOND)
def test_bounds_that_reach_beyond_the_slice_are_refused_before_a_row_is_changed_twice(
    harness: SqliteHarness, form: str, kind: str
) -> None:
    bounds = BEYOND[form]
    if kind == "text":
        bounds = {k: v.replace(":first_b <= :last_b + 99", ":first_b <= :last_b || 'z'") for k, v in bounds.items()}
    table = f"create table t (a {kind} not null, b {kind} not null, n int not null default 0, primary key (a, b))"
    rows = "insert into t (a, b) select x.column1, y.column1 from (values (1), (2)) x, (values (1), (2), (3), (4)) y"
    target = made(harness, table, rows)
    outcome = go(harness, target, key=("a", "b"), **bounds)
    assert outcome.status is Status.FAILED
    assert "as a row: (a, b) >= (:first_a, :first_b)" in str(outcome.error)
    assert sums(harness, target) == [(0, 8)]


def test_rows_inserted_into_the_slice_meanwhile_are_no_bounds_that_reach_beyond_it(harness: SqliteHarness) -> None:
    target = made(
        harness,
        "create table t (id integer primary key, n int not null default 0)",
        "insert into t (id) values (10), (20), (30), (40)",
    )
    asked: list[int] = []

    def throttle() -> None:
        asked.append(1)

    class Inserts(FakeClock):
        """Somebody inserts whenever the engine looks at the time."""

        def monotonic(self) -> float:
            if asked and len(asked) < 3:
                asked.append(1)
                harness.execute(target, f"insert into t (id) values (1{len(asked)})")
            return super().monotonic()

    work = Backfill(name="m", table="t", update="update t set n = n + 1 where id between :first and :last")
    outcome = inchworm.run(target, [work], driver=harness.library, clock=Inserts(), first_rows=3, throttle=throttle)[
        "m"
    ]
    assert outcome.status is Status.DONE
    assert outcome.counts.balanced


def test_a_transform_that_yields_other_keys_is_refused(harness: SqliteHarness) -> None:
    target = twelve(harness)

    def shifted(rows: Any) -> Any:
        return [{"id": row["id"] % 12 + 1} for row in rows]

    outcome = go(harness, target, guard="frozen", transform=shifted, apply="update t set n = n + 1 where id = :id")
    assert "transform yielded key 4" in str(outcome.error)
    assert sums(harness, target) == [(0, 12)]


@pytest.mark.parametrize("yielded", [1, "id", (1, 2)])
def test_a_transform_that_yields_no_rows_at_all_is_refused_in_a_sentence(harness: SqliteHarness, yielded: Any) -> None:
    def nonsense(rows: Any) -> Any:
        return [yielded for _ in rows]

    work = {"guard": "frozen", "transform": nonsense, "apply": "update t set n = 1 where id = :id"}
    outcome = go(harness, twelve(harness), **work)
    assert "mappings, or Skip(key)" in str(outcome.error)


def test_what_is_skipped_outside_the_slice_is_not_counted_and_a_list_is_a_key(harness: SqliteHarness) -> None:
    def skips(rows: Any) -> Any:
        return [*(dict(row) for row in rows[1:]), Skip([rows[0]["id"]]), *(Skip(key) for key in range(100, 120))]  # type: ignore[arg-type]

    def apply(turn: Any, rows: Any) -> int:
        return len(rows)

    outcome = go(harness, twelve(harness), guard="frozen", transform=skips, apply=apply)
    assert (outcome.status, outcome.counts) == (Status.DONE, Counts(12, 12 - outcome.slices, 0, outcome.slices))


def test_an_apply_that_counts_what_transform_skipped_is_refused_and_rolled_back(harness: SqliteHarness) -> None:
    target = twelve(harness)

    def apply(turn: Any, rows: Any) -> int:
        turn.execute("update t set n = n + 1 where id <= 3", {})
        return 3

    outcome = go(harness, target, guard="frozen", transform=lambda rows: [*rows[1:], Skip(rows[0]["id"])], apply=apply)
    assert "skipped 1" in str(outcome.error)
    assert sums(harness, target) == [(0, 12)]


@pytest.mark.parametrize("late", [False, True])
def test_an_apply_that_commits_fails_it_at_once_and_is_not_tried_again(harness: SqliteHarness, late: bool) -> None:
    target, clock, calls = twelve(harness), FakeClock(), []

    def apply(turn: Any, rows: Any) -> int:
        calls.append(1)
        for row in rows:
            turn.connection.execute("update t set n = n + 1 where id = ?", (row["id"],))
        turn.connection.execute("commit")
        clock.advance(10.0 if late else 0.0)
        return len(rows)

    work = Backfill(name="m", table="t", guard="frozen", transform=lambda rows: rows, apply=apply)
    outcome = inchworm.run(target, [work], driver=harness.library, clock=clock, first_rows=3)["m"]
    assert outcome.status is Status.FAILED
    assert "ended the engine's transaction" in str(outcome.error)
    assert (len(calls), sums(harness, target)) == (1, [(0, 9), (1, 3)])


def test_a_row_that_an_apply_callables_own_statement_cannot_change_is_put_aside(harness: SqliteHarness) -> None:
    target = made(
        harness,
        "create table t (id integer primary key, n int not null default 0, check (id <> 5 or n = 0))",
        f"insert into t (id) {TWELVE}",
    )

    def apply(turn: Any, rows: Any) -> int:
        for row in rows:
            turn.connection.execute("update t set n = n + 1 where id = ?", (row["id"],))
        return len(rows)

    work = {"guard": "frozen", "transform": lambda rows: rows, "apply": apply, "on_quarantine": "done"}
    outcome = go(harness, target, **work)
    assert (outcome.status, outcome.counts) == (Status.DONE, Counts(12, 11, 0, 0, 1))
    assert sums(harness, target) == [(0, 1), (1, 11)]


def test_null_over_null_and_one_over_one_point_nought_are_counted_as_what_they_are(harness: SqliteHarness) -> None:
    target = made(
        harness,
        "create table t (id integer primary key, c, d)",
        "insert into t values (1, null, null), (2, null, 5), (3, 1, 1), (4, 1.0, 1)",
    )
    work = {"compute": "select id, d as c from t where id between :first and :last"}
    nulls = go(harness, target, **work, apply="update t set c = :c where id = :id and c is null")
    assert (nulls.counts.changed, nulls.counts.unchanged) == (1, 3)
    reals = go(
        harness, target, name="r", update="update t set c = d * 1.0 where id between :first and :last and id > 2"
    )
    assert (reals.counts.changed, reals.counts.unchanged) == (1, 3)


@pytest.mark.parametrize("value", [object(), 2**63, "\udc80"])
def test_a_value_that_cannot_be_stored_costs_its_row_and_not_the_migration(harness: SqliteHarness, value: Any) -> None:
    def values(rows: Any) -> Any:
        return [{"id": row["id"], "c": value if row["id"] == 7 else "fine"} for row in rows]

    work = {"guard": "frozen", "transform": values, "apply": "update t set c = :c where id = :id"}
    outcome = go(harness, twelve(harness), **work, on_quarantine="done")
    assert (outcome.status, outcome.counts) == (Status.DONE, Counts(12, 11, 0, 0, 1))


@pytest.mark.parametrize("text", ["update t set g = 1 where id = :id", "update v set n = 1 where id = :id"])
def test_what_can_never_be_set_is_refused_without_trying_each_row(harness: SqliteHarness, text: str) -> None:
    target = twelve(harness)
    harness.execute(target, "alter table t add column g as (n * 2)", "create view v as select * from t")
    work = {"guard": "frozen", "compute": "select id from t where id between :first and :last"}
    outcome = go(harness, target, **work, apply=text)
    assert (outcome.status, outcome.counts.examined) == (Status.FAILED, 0)


def test_two_statements_in_one_text_are_refused_without_trying_each_row(tmp_path: Path) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    work = {"guard": "frozen", "compute": "select id from t where id between :first and :last"}
    outcome = go(harness, twelve(harness), **work, apply="update t set n = 1 where id = :id; select 1")
    assert (outcome.status, outcome.counts.examined) == (Status.FAILED, 0)


def test_a_factory_that_is_in_use_by_somebody_else_is_not_left_with_our_rollback(tmp_path: Path) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    target = twelve(harness)
    opened: list[sqlite3.Connection] = []

    def factory() -> sqlite3.Connection:
        opened.append(sqlite3.connect(target))
        return opened[-1]

    work = Backfill(name="m", table="t", update="update t set n = n + 1 where id between :first and :last")
    assert inchworm.run(factory, [work], clock=FakeClock()).ok
    assert len(opened) == 2
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("select 1")


@pytest.mark.parametrize(("guard", "values"), [("frozen", [(1, 12)]), ("reread", [(1, 9), (2, 3)])])
def test_a_retry_with_a_new_definition_never_walks_rows_again_that_rely_on_exactly_once(
    harness: SqliteHarness, guard: Any, values: Any
) -> None:
    target, stop = twelve(harness), Stop()

    def first(rows: Any) -> Any:
        stop.set("a mistake was found")
        return rows

    def second(rows: Any) -> Any:
        return rows

    def made_of(transform: Any) -> Backfill:
        apply = "update t set n = n + 1 where id = :id"
        return Backfill(name="m", table="t", guard=guard, transform=transform, apply=apply)

    def run(transform: Any, stop: Stop) -> Status:
        options: dict[str, Any] = {"driver": harness.library, "clock": FakeClock(), "first_rows": 3, "stop": stop}
        return inchworm.run(target, [made_of(transform)], **options)["m"].status

    assert run(first, stop) is Status.INTERRUPTED
    assert run(second, Stop()) is Status.FAILED
    assert inchworm.request(target, "m", "retry") == "pending"
    assert run(second, Stop()) is Status.DONE
    assert sums(harness, target) == values


def test_a_fault_that_an_apply_callable_swallows_still_takes_its_slice_back(harness: SqliteHarness) -> None:
    target = made(
        harness,
        "create table t (id integer primary key, n int not null default 0, check (id <> 5 or n = 0))",
        f"insert into t (id) {TWELVE}",
    )

    def apply(turn: Any, rows: Any) -> int:
        done = 0
        for row in rows:
            with suppress(RowRefused):
                done += turn.execute("update t set n = n + 1 where id = :id", {"id": row["id"]})
        return done

    work = {"guard": "frozen", "transform": lambda rows: rows, "apply": apply, "on_quarantine": "done"}
    outcome = go(harness, target, **work)
    assert (outcome.status, outcome.counts) == (Status.DONE, Counts(12, 11, 0, 0, 1))
    assert sums(harness, target) == [(0, 1), (1, 11)]


def test_a_long_wait_writes_the_ledger_a_few_times_per_lease_and_not_at_each_look(harness: SqliteHarness) -> None:
    target, clock, turns, asked = twelve(harness), FakeClock(), [0], [0]

    def step(what: str, sql: str) -> None:
        turns[0] += what == "begin"

    def throttle() -> str | None:
        asked[0] += 1
        return "somebody else first" if asked[0] < 120 else None

    work = Backfill(name="m", table="t", update="update t set n = n + 1 where id between :first and :last")
    options: dict[str, Any] = {"open_with": lambda _: Observed(harness.open(target, clock), step), "clock": clock}
    outcome = inchworm.run(target, [work], throttle=throttle, lease_s=60.0, **options)["m"]
    waited = outcome.throttled["somebody else first"]
    assert waited > 50
    assert turns[0] <= outcome.slices + 5 + 1 + waited / 15


def test_durations_do_not_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    before = clock.monotonic()
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert clock.wall() == 4e9
    assert 0 <= clock.monotonic() - before < 1e6


def test_a_request_for_a_migration_whose_runner_was_killed_is_carried_out_and_not_left_to_it(tmp_path: Path) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    target = twelve(harness)

    def dies(rows: Any) -> Any:
        raise KeyboardInterrupt

    work = Backfill(name="m", table="t", guard="frozen", transform=dies, apply="update t set n = 1 where id = :id")
    with pytest.raises(KeyboardInterrupt):
        inchworm.run(target, [work], driver="sqlite3", clock=FakeClock())
    assert harness.rows(target, "select status, holder is null from _async_migrations") == [("running", 0)]
    assert inchworm.request(lambda: sqlite3.connect(target), "m", "pause") == "paused"
    assert harness.rows(target, "select status from _async_migrations") == [("paused",)]
