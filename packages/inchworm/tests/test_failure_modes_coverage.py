"""Ways to end too early, never, or with rows left out: shapes of keys, late rows, rows that vanish."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import inchworm
from inchworm import Backfill, Status
from inchworm.keyset import Keyset
from inchworm.testing import FakeClock, MemoryHarness, SqliteHarness
from inchworm.testing.conformance import Conformance, count_up, newest

suite = Conformance()


@pytest.fixture
def harness(tmp_path: Path) -> SqliteHarness:
    return SqliteHarness(tmp_path, "sqlite3")


SHAPES = {
    "integer": ("k integer primary key", st.integers(-(2**63), 2**63 - 1)),
    "rowid table with a text key": ("k text not null primary key", st.text(max_size=4)),
    "text without case": ("k text not null collate nocase primary key", st.text("aAbBzZ", max_size=5)),
    "blob": ("k blob not null primary key", st.binary(max_size=4)),
    "a unique column that is not the primary key": (
        "i text not null default (hex(randomblob(8))) primary key, k integer not null unique",
        st.integers(-99, 99),
    ),
}


@pytest.mark.parametrize("without_rowid", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_key_is_visited_once_whatever_its_shape(shape: str, without_rowid: bool, data: st.DataObject) -> None:
    columns, values = SHAPES[shape]
    keys = data.draw(st.lists(values, unique_by=lambda v: v.lower() if isinstance(v, str) else v, max_size=60))
    order = data.draw(st.sampled_from(["asc", "desc"]))
    _visited_once(
        f"create table t ({columns}, n integer not null default 0)", ("k",), [(k,) for k in keys], order, without_rowid
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    keys=st.lists(st.tuples(st.text("ab\x00é", max_size=2), st.integers(-3, 3)), unique=True, max_size=60),
    order=st.sampled_from(["asc", "desc"]),
    without_rowid=st.booleans(),
)
def test_every_composite_key_is_visited_once(keys: list[tuple[str, int]], order: str, without_rowid: bool) -> None:
    table = "create table t (a text not null, b integer not null, n integer not null default 0, primary key (a, b))"
    _visited_once(table, ("a", "b"), keys, order, without_rowid)


def _visited_once(table: str, key: tuple[str, ...], keys: list[Any], order: Any, without_rowid: bool) -> None:
    memory = MemoryHarness("sqlite3")
    try:
        target = memory.fresh()
        with closing(sqlite3.connect(target, uri=True, isolation_level=None)) as connection:
            connection.execute(table + (" without rowid" if without_rowid else ""))
            marks = ", ".join("?" * len(key))
            connection.executemany(f"insert into t ({', '.join(key)}) values ({marks})", keys)
        low = " and ".join([f"({', '.join(key)}) >= ({', '.join(':' + p for p in _names('first', key))})"])
        high = f"({', '.join(key)}) <= ({', '.join(':' + p for p in _names('last', key))})"
        migration = Backfill(
            name="m",
            table="t",
            key=key,
            order=order,
            compute=f"select {', '.join(key)} from t where {low} and {high}",
            apply=f"update t set n = n + 1 where {' and '.join(f'{k} = :{k}' for k in key)}",
            guard="frozen",
        )
        report = inchworm.run(target, [migration], driver="sqlite3", first_rows=3, clock=FakeClock())
        outcome = report["m"]
        assert (outcome.status, outcome.counts.examined, outcome.counts.changed) == (Status.DONE, len(keys), len(keys))
        assert {n for (n,) in memory.rows(target, "select n from t")} <= {1}
    finally:
        memory.close()


def _names(end: str, key: tuple[str, ...]) -> list[str]:
    return [end] if len(key) == 1 else [f"{end}_{column}" for column in key]


def test_a_key_that_holds_null_is_refused(harness: SqliteHarness) -> None:
    target = harness.fresh()
    harness.execute(target, "create table t (k text primary key, n int)", "insert into t values (null, 0), ('a', 0)")
    migration = Backfill(name="m", table="t", key="k", update="update t set n = 1 where k between :first and :last")
    outcome = suite.go(harness, target, migration)["m"]
    assert outcome.status is Status.FAILED
    assert "NULL" in str(outcome.error)


def test_a_thousand_million_missing_keys_between_rows_cost_no_slices(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=0)
    harness.execute(target, *(f"insert into parents (id) values ({i * 1_000_000_000})" for i in range(1, 101)))
    outcome = suite.go(harness, target, count_up())["count_up"]
    assert (outcome.status, outcome.counts.examined) == (Status.DONE, 100)
    assert outcome.slices <= 100 // suite.rows_per_slice + 1


def test_the_next_keys_are_found_without_looking_at_other_rows(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=0)
    harness.execute(
        target,
        "with recursive i(i) as (select 1 union all select i + 1 from i where i < 20000)"
        " insert into parents (id) select i from i",
    )
    walk, steps = Keyset("parents", ("id",)), []
    with closing(sqlite3.connect(target)) as connection:
        for at in (0, 10_000, 19_900):
            seen = [0]
            connection.set_progress_handler(lambda seen=seen: seen.__setitem__(0, seen[0] + 1), 1)
            params = {"at_0": at, "high_0": 20_000, "slice_rows": 50}
            assert len(connection.execute(walk.next_keys(first=False), params).fetchall()) == 50
            connection.set_progress_handler(None, 1)
            steps.append(seen[0])
    assert max(steps) < 2 * min(steps)


def test_rows_that_an_older_writer_adds_below_nobodys_care_are_found_by_verify(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=60, orphans=0)
    late: list[int] = []

    def older_version(what: str, sql: str) -> None:
        if what == "apply" and not late:
            late.append(9_001)
        if what == "committed" and late == [9_001]:
            late.append(0)
            harness.execute(
                target, "insert into parents (id) values (9001)", "insert into children values (99999, 9001, 5)"
            )

    check = (
        "select id from parents p where id between :first and :last and newest <>"
        " coalesce((select max(at) from children where parent = p.id), 0)"
    )
    outcome = suite.go(harness, target, newest(verify=check), step=older_version)["newest"]
    assert outcome.status is Status.FAILED
    assert "9001" in str(outcome.error)
    assert outcome.counts.examined == 60


def test_nine_tenths_of_the_rows_deleted_meanwhile_leave_the_rest_right(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=400)
    deleted: list[int] = []

    def delete(what: str, sql: str) -> None:
        if what == "committed" and not deleted and 1 in suite.values(harness, target, "n"):
            deleted.append(1)
            harness.execute(target, "delete from parents where id % 20 <> 0 or id > 700")

    outcome = suite.go(harness, target, count_up(), step=delete)["count_up"]
    assert (outcome.status, outcome.counts.balanced) == (Status.DONE, True)
    assert set(suite.values(harness, target, "n")) == {1}


def test_slices_in_which_nothing_changes_are_progress_and_not_the_end(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=200, orphans=120)
    outcome = suite.go(harness, target, newest())["newest"]
    assert (outcome.counts.unchanged, outcome.counts.changed) == (120, 80)


def test_rows_returned_by_the_statement_are_not_mistaken_for_its_count(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=60)
    update = "update parents set n = 5 where id between :first and :last returning id"
    outcome = suite.go(harness, target, Backfill(name="r", table="parents", update=update))["r"]
    assert (outcome.status, outcome.counts.changed) == (Status.DONE, 60)
    applied = count_up(apply="update parents set n = n + 1 where id = :id returning n")
    assert suite.go(harness, target, applied)["count_up"].counts.changed == 60


def test_an_apply_that_claims_more_than_its_slice_is_refused(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=60)
    outcome = suite.go(harness, target, count_up(apply=lambda turn, rows: 1_000))["count_up"]
    assert outcome.status is Status.FAILED
    assert "apply returned 1000" in str(outcome.error)


def test_triggers_do_not_count_as_rows_of_the_migration(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=60)
    harness.execute(
        target,
        "create table log (id integer primary key, at int)",
        "create trigger t after update on parents begin insert into log (at) values (1), (2), (3); end",
    )
    one = Backfill(name="one", table="parents", update="update parents set n = n + 1 where id between :first and :last")
    report = suite.go(harness, target, one, count_up("two"))
    assert [o.counts.changed for o in report.outcomes] == [60, 60]
    assert harness.rows(target, "select count(*) from log") == [(360,)]


def test_compute_from_a_second_database_walks_that_one_and_writes_this(harness: SqliteHarness) -> None:
    old, target = suite.family(harness, parents=90), harness.fresh()
    harness.execute(target, "create table copies (id bigint primary key, newest bigint not null)")
    copy = Backfill(
        name="copy",
        table="parents",
        source=old,
        compute="select id, newest + id as newest from parents where id between :first and :last",
        apply="insert into copies (id, newest) values (:id, :newest) on conflict do nothing",
        guard="frozen",
    )
    opened: list[Any] = []

    def open_with(which: Any) -> Any:
        opened.append(which)
        return harness.open(which)

    clock = FakeClock()
    report = inchworm.run(target, [copy], open_with=open_with, first_rows=20, clock=clock)
    assert (report["copy"].status, report["copy"].counts.changed) == (Status.DONE, 90)
    assert harness.rows(target, "select count(*), sum(newest = id) from copies") == [(90, 90)]
    assert opened == [target, old]
    assert harness.rows(old, "select name from sqlite_master where name like '\\_async%' escape '\\'") == []
