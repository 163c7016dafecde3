"""Tables and files that a walk could misread: keys that compare otherwise, rowids that change, text that is none."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import Backfill, Status
from inchworm.bounds import total_of
from inchworm.clock import Stop
from inchworm.cursor import Bound, Slice, advance
from inchworm.errors import CursorStuck, DeadlineExceeded, RowRefused, StatementRefused, UnsafeConnection
from inchworm.keyset import Keyset
from inchworm.report import Outcome
from inchworm.testing import FakeClock, SqliteHarness


@pytest.fixture(params=["sqlite3", "apsw"])
def harness(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteHarness:
    pytest.importorskip(request.param)
    return SqliteHarness(tmp_path, request.param)


def made(harness: SqliteHarness, *statements: str) -> str:
    target = harness.fresh()
    harness.execute(target, *statements)
    return target


def go(harness: SqliteHarness, target: Any, migration: Backfill, rows: int = 2) -> Outcome:
    return inchworm.run(target, [migration], driver=harness.library, clock=FakeClock(), first_rows=rows)[migration.name]


def counted(key: str | tuple[str, ...] = "k", **more: Any) -> Backfill:
    """Adds one to each row."""
    text = "update t set n = n + 1 where k between :first and :last"
    return Backfill(name="m", table="t", key=key, **{"update": text, **more})


@pytest.mark.parametrize("key", ["cast(x'ff' as text)", "'b' || cast(x'ff' as text)"])
def test_a_key_that_is_no_text_fails_it_at_once_and_leaves_no_snapshot_open(harness: SqliteHarness, key: str) -> None:
    target = made(
        harness,
        "create table t (k text primary key, n integer not null default 0)",
        f"insert into t (k) values ('a'), ({key}), ('c')",
    )
    outcome = go(harness, target, counted(), rows=1)
    assert outcome.status is Status.FAILED
    assert "utf-8" in str(outcome.error).lower()
    assert harness.rows(target, "select status from _async_migrations") == [("failed",)]


@pytest.mark.parametrize("extra", ["without rowid", ""])
def test_a_quoted_name_that_is_no_column_is_an_error_and_never_a_string(harness: SqliteHarness, extra: str) -> None:
    target = made(
        harness,
        f"create table t (k text primary key, n int not null default 0) {extra}",
        "insert into t (k) values (1)",
    )
    if extra:
        work = Backfill(
            name="m",
            table="t",
            key="rowid",
            guard="frozen",
            compute="select 'rowid' as rowid where :first <= :last",
            apply="update t set n = n + 1 where 'rowid' = :rowid",
        )
    else:
        compute = "select k from t where k between :first and :last"
        work = counted(
            update=None, compute=compute, apply="update t set n = 1 where k = :k", guard="compare", relies_on="m"
        )
        work = Backfill(
            name="m",
            table="t",
            key="k",
            compute=compute,
            apply="update t set n = 1 where k = :k",
            guard="compare",
            relies_on=("mistyped",),
        )
    outcome = go(harness, target, work)
    assert outcome.status is Status.FAILED
    assert "no such column" in str(outcome.error)
    assert harness.rows(target, "select n from t") == [(0,)]


KEYS = {
    "an index that tells apart what the column does not": (
        "create table t (k text collate nocase, n int default 0)",
        "create unique index i on t (k collate binary)",
        False,
    ),
    "a primary key that tells apart what the column does not": (
        "create table t (k text collate nocase, n int default 0, primary key (k collate binary))",
        "select 1",
        False,
    ),
    "an index that is stricter than the column": (
        "create table t (k text, n int default 0)",
        "create unique index i on t (k collate nocase)",
        False,
    ),
    "an index that compares as the column, downwards": (
        "create table t (k text collate nocase, n int default 0)",
        "create unique index i on t (k desc)",
        True,
    ),
    "an integer primary key that is not the rowid": (
        "create table t (k integer primary key desc, n int default 0)",
        "select 1",
        True,
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_key_is_unique_as_the_walk_compares_it(harness: SqliteHarness, case: str) -> None:
    table, index, usable = KEYS[case]
    target = made(harness, table, index)
    outcome = go(harness, target, counted())
    assert outcome.status is (Status.DONE if usable else Status.FAILED)
    assert usable or "not unique" in str(outcome.error)


ROWIDS = {
    "no index": ("create table t (n int not null default 0)", "neither"),
    "an index": ("create table t (n int not null default 0); create index i on t (n)", ""),
    "an integer primary key": ("create table t (i integer primary key, n int not null default 0)", ""),
    "a view": ("create table u (n int); create view t as select * from u", "no table of its own"),
}


@pytest.mark.parametrize("case", ROWIDS)
def test_rowids_that_vacuum_may_change_are_no_key(harness: SqliteHarness, case: str) -> None:
    made_by, problem = ROWIDS[case]
    target = made(harness, *made_by.split("; "))
    if not problem:
        harness.execute(target, *["insert into t default values"] * 40, "delete from t where rowid % 2")
    vacuumed: list[int] = []

    def transform(rows: Any) -> Any:
        if not vacuumed:
            vacuumed.append(1)
            harness.execute(target, "vacuum")
        return rows

    work = Backfill(
        name="m",
        table="t",
        key="rowid",
        guard="frozen",
        compute="select rowid as rowid from t where rowid between :first and :last",
        transform=transform,
        apply="update t set n = n + 1 where rowid = :rowid",
    )
    outcome = go(harness, target, work)
    assert problem in str(outcome.error)
    if not problem:
        assert vacuumed
        assert harness.rows(target, "select n, count(*) from t group by n") == [(1, 20)]


def test_an_attached_file_is_read_but_not_written_because_two_logs_commit_apart(tmp_path: Path) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    main, other = (
        made(harness, "create table here (k integer primary key, n int)"),
        made(
            harness, "create table t (k integer primary key, n int default 0)", "insert into t (k) values (1), (2), (3)"
        ),
    )

    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(main)
        connection.execute("attach ? as aux", (other,))
        return connection

    for written in ("aux.t", "t"):
        work = counted(update=f"update {written} set n = n + 1 where k between :first and :last")
        refused = inchworm.run(opened, [Backfill(name=written, table="aux.t", key="k", update=work.update)])
        assert "attached" in str(refused[written].error)
    copied = Backfill(
        name="copy",
        table="aux.t",
        key="k",
        guard="frozen",
        compute="select k, n from aux.t where k between :first and :last",
        apply="insert into here values (:k, :n)",
    )
    assert inchworm.run(opened, [copied])["copy"].counts.changed == 3
    assert harness.rows(other, "select max(n) from t") == [(0,)]


def test_a_row_inserted_before_a_bad_last_row_is_not_put_aside_in_its_place(harness: SqliteHarness) -> None:
    target = made(
        harness,
        "create table t (k integer primary key, n int not null default 0, check (k < 30 or n = 0))",
        "insert into t (k) values (10), (20), (30)",
    )
    seen = []

    def transform(rows: Any) -> Any:
        seen.append([row["k"] for row in rows])
        if seen[-1] == [30]:
            harness.execute(target, "insert or ignore into t (k) values (25)")
        return [{"k": row["k"]} for row in rows]

    work = Backfill(
        name="m",
        table="t",
        key="k",
        guard="frozen",
        transform=transform,
        apply="update t set n = n + 1 where k = :k",
        on_quarantine="done",
    )
    outcome = go(harness, target, work)
    assert (outcome.status, outcome.counts.quarantined) == (Status.DONE, 1)
    assert harness.rows(target, "select row_key from _async_quarantine") == [("[30]",)]


def test_more_quarantined_rows_than_fit_into_one_look_are_all_left_out_of_the_check(tmp_path: Path) -> None:
    from inchworm.recheck import recheck

    harness = SqliteHarness(tmp_path, "sqlite3")
    target = made(harness, "create table t (k integer primary key, n int not null default 0)")
    with closing(sqlite3.connect(target)) as connection:
        connection.executemany("insert into t (k) values (?)", ((k,) for k in range(10_050)))
        connection.commit()
    work = counted(verify="select k from t where n = 0 and k between :first and :last")
    go(harness, target, work, rows=5_000)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("update t set n = 0")
        rows = ((f"[{k}]",) for k in range(10_050))
        connection.executemany("insert into _async_quarantine values ('m', ?, 'bad', 'now')", rows)
        connection.commit()
    assert recheck(target, [work], stop=Stop())[0].problem is None


@pytest.mark.parametrize("mode", ["off", "memory"])
def test_a_connection_that_cannot_roll_back_is_refused_and_one_that_a_kill_damages_is_named(
    tmp_path: Path, mode: str
) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    target = made(
        harness,
        "pragma journal_mode = delete",
        "create table t (k integer primary key, n int not null default 0)",
        "insert into t (k) values (1)",
    )

    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(target)
        connection.execute(f"pragma journal_mode = {mode}")
        return connection

    if mode == "off":
        with pytest.raises(UnsafeConnection, match="journal_mode is off"):
            inchworm.run(opened, [counted()])
    else:
        report = inchworm.run(opened, [counted()])
        assert report.ok
        assert ["journal_mode is memory" in warning for warning in report.warnings] == [True]


def test_a_span_of_keys_beyond_what_the_ledger_holds_is_an_unknown_total(tmp_path: Path) -> None:
    class Slow:
        """A database whose count takes too long and that was never analysed."""

        def snapshot(self, **_: Any) -> Any:
            raise DeadlineExceeded("too long")

        def estimated_rows(self, _: str) -> None:
            return None

    slow: Any = Slow()
    wide, narrow = Bound((-(2**63),), (2**63 - 1,)), Bound((1,), (10,))
    walk = Keyset("t", ("k",))
    assert total_of(slow, counted(), walk, wide, Stop()).rows is None
    assert total_of(slow, counted(), walk, narrow, Stop()).rows == 10


def test_a_bound_that_cannot_be_read_in_time_is_refused_and_not_tried_for_ever(tmp_path: Path) -> None:
    from inchworm.bounds import bound_of

    class Slow:
        def snapshot(self, **_: Any) -> Any:
            raise DeadlineExceeded("too long")

    slow: Any = Slow()
    with pytest.raises(StatementRefused, match="needs an index"):
        bound_of(slow, Keyset("t", ("k",)), Stop())


@pytest.mark.parametrize(
    ("old", "keys", "order"),
    [
        ((5,), [(4,), (5,)], "asc"),
        ((5,), [(3,), (4,)], "asc"),
        ((5,), [(6,), (7,)], "desc"),
        (("a", 1), [("a", 1)], "asc"),
    ],
)
def test_a_slice_that_does_not_move_the_cursor_is_an_error_and_never_another_round(
    old: Any, keys: Any, order: Any
) -> None:
    with pytest.raises(CursorStuck):
        advance(old, Slice(tuple(keys), order))
    assert advance(None, Slice(tuple(keys), order)) in keys


def test_a_null_in_a_later_column_of_the_key_is_refused_too(harness: SqliteHarness) -> None:
    target = made(
        harness,
        "create table t (a int not null, b int, n int, unique (a, b))",
        "insert into t values (1, 1, 0), (1, null, 0)",
    )
    text = "update t set n = 1 where (a, b) >= (:first_a, :first_b) and (a, b) <= (:last_a, :last_b)"
    outcome = go(harness, target, counted(("a", "b"), update=text))
    assert "t.b holds NULL" in str(outcome.error)


def test_a_read_that_failed_in_the_middle_does_not_pin_its_snapshot(harness: SqliteHarness) -> None:
    target = made(harness, "create table t (k text)", "insert into t values ('a'), (cast(x'ff' as text)), ('c')")
    with closing(harness.open(target)) as db:
        with pytest.raises(RowRefused) as kept, db.snapshot() as reads:
            reads.select("select k from t", {})
        harness.execute(target, "insert into t values ('d')")
        with db.snapshot() as reads:
            assert reads.select("select count(*) from t", {}).rows == [(4,)]
        assert kept.value.__traceback__ is not None  # as long as it is kept, so are the locals of its frames
