"""What Python, SQLite and systems do to a migration: versions, forks, transactions nobody asked for, files."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import Backfill, Status, Stop
from inchworm.errors import DatabaseBroken, UnsafeConnection, UnsafeVersion
from inchworm.sqlite import connect, has_wal_reset_bug
from inchworm.testing import FakeClock, SqliteHarness
from inchworm.testing.conformance import Conformance, count_up, newest
from inchworm.testing.kit import forked

suite = Conformance()


@pytest.fixture(params=["sqlite3", "apsw"])
def harness(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteHarness:
    pytest.importorskip(request.param)
    return SqliteHarness(tmp_path, request.param)


@pytest.mark.parametrize(
    ("version", "unsafe"),
    [
        ((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False),
        ((3, 45, 0), True), ((3, 50, 6), True), ((3, 50, 7), False), ((3, 51, 0), True), ((3, 51, 2), True),
        ((3, 51, 3), False), ((3, 52, 0), False), ((4, 0, 0), False),
    ],
)  # fmt: skip
def test_versions_with_the_wal_reset_bug_are_known(version: tuple[int, ...], unsafe: bool) -> None:
    assert has_wal_reset_bug(version) is unsafe


@pytest.mark.parametrize(("version", "unsafe"), [("3.51.2", True), ("3.51.3", False)])
def test_an_unsafe_library_gets_no_checkpoints_and_a_warning_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, unsafe: bool
) -> None:
    from inchworm.sqlite.driver import StdlibDriver

    monkeypatch.setattr(StdlibDriver, "version", version)
    harness = SqliteHarness(tmp_path, "sqlite3")
    target = suite.family(harness, parents=40)
    report = inchworm.run(target, [count_up()], driver="sqlite3")
    assert report.ok
    assert bool(report.warnings) is unsafe
    with closing(connect(target, library="sqlite3")) as db:
        assert (db.writer.run("pragma wal_autocheckpoint").rows[0] == (0,)) is not unsafe
    if unsafe:
        with pytest.raises(UnsafeVersion, match=r"3\.51\.2"):
            inchworm.run(target, [count_up()], driver="sqlite3", strict_version=True)


def test_a_database_is_refused_in_a_process_that_was_forked_after_it_was_opened(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=20)
    with closing(harness.open(target)) as db:

        def child() -> bool:
            refused = 0
            for attempt in (db.snapshot, lambda: db.turn(limit_s=1)):
                try:
                    with attempt():
                        pass
                except UnsafeConnection:
                    refused += 1
            return refused == 2

        assert os.waitpid(forked(child), 0)[1] == 0
        with db.turn(limit_s=1) as turn:
            assert turn.execute("update parents set n = 1", {}) == 20


def opened(target: str, **options: Any) -> Callable[[], sqlite3.Connection]:
    return lambda: sqlite3.connect(target, **options)


@pytest.mark.parametrize("options", [{}, {"isolation_level": "IMMEDIATE"}, {"isolation_level": None}, {"timeout": 60}])
def test_a_factorys_implicit_transactions_and_time_outs_do_not_matter(tmp_path: Path, options: dict[str, Any]) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    target, seen = suite.family(harness), []

    def watch(what: Any) -> None:
        seen.append(suite.values(harness, target, "n").count(1))

    report = inchworm.run(opened(target, **options), [count_up()], first_rows=20, on_progress=watch, clock=FakeClock())
    assert report.ok
    assert set(suite.values(harness, target, "n")) == {1}


def test_tables_made_in_a_turn_that_fails_are_gone_with_it(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=20)

    def fails() -> None:
        with closing(harness.open(target)) as db, db.turn(limit_s=1) as turn:
            turn.execute("create table half (a int)", {})
            turn.execute("insert into half values (1)", {})
            raise RuntimeError("after the DDL")

    with pytest.raises(RuntimeError):
        fails()
    assert harness.rows(target, "select 1 from sqlite_master where name = 'half'") == []


def test_a_commit_by_an_apply_callable_is_noticed_and_fails_the_migration(tmp_path: Path) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    target = suite.family(harness, parents=20)

    def apply(turn: Any, rows: Any) -> int:
        turn.connection.execute("commit")
        return 0

    outcome = inchworm.run(target, [count_up(apply=apply)], driver="sqlite3", clock=FakeClock())["count_up"]
    assert outcome.status is Status.FAILED


def test_a_file_that_may_not_be_written_is_an_error_and_never_nothing_to_do(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=20)
    with pytest.raises(DatabaseBroken):
        inchworm.run(f"file:{target}?mode=ro", [count_up()], driver=harness.library)
    assert set(suite.values(harness, target, "n")) == {0}


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(DatabaseBroken, match="there is no database"):
        inchworm.run(tmp_path / "nowhere.db", [count_up()])
    assert list(tmp_path.iterdir()) == []


def test_a_factory_keeps_its_own_library(tmp_path: Path) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    target, made = suite.family(harness, parents=20), []

    def factory() -> sqlite3.Connection:
        made.append(sqlite3.connect(target))
        return made[-1]

    assert inchworm.run(factory, [count_up()]).ok
    assert len(made) == 2


def test_a_transform_runs_outside_the_write_lock(harness: SqliteHarness) -> None:
    target, wrote = suite.family(harness, parents=60), [0]

    def transform(rows: Any) -> list[dict[str, Any]]:
        harness.execute(target, "update parents set newest = newest where id = 2")  # would be locked inside a turn
        wrote[0] += 1
        return [{"id": row["id"]} for row in rows]

    assert suite.go(harness, target, count_up(compute=None, transform=transform)).ok
    assert wrote[0] >= 2


def test_what_must_be_done_first_can_be_asked_and_only_done_is_done(harness: SqliteHarness) -> None:
    target, stop = suite.family(harness), Stop()

    def asked() -> None:
        inchworm.require_done(lambda: _reader(harness, target), ["count_up"])

    with pytest.raises(inchworm.InchwormError):
        asked()
    suite.go(harness, target, count_up(), stop=stop, step=lambda what, sql: stop.set() if what == "apply" else None)
    with pytest.raises(inchworm.InchwormError, match="interrupted"):
        asked()
    suite.go(harness, target, count_up())
    asked()


def _reader(harness: SqliteHarness, target: str) -> Any:
    from inchworm.sqlite.driver import open_path

    return open_path(target, read_only=False, library=harness.library).connection


@pytest.mark.parametrize(("option", "value"), [("stall_budget_ms", 0), ("stall_budget_ms", -1)])
def test_zero_is_never_read_as_a_default(tmp_path: Path, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option):
        inchworm.Runner(tmp_path / "any.db", [count_up()], **{option: value})  # type: ignore[arg-type]


def test_patience_of_zero_seconds_means_none(harness: SqliteHarness) -> None:
    target, clock, begun = suite.family(harness), FakeClock(), [0]

    def busy(what: str, sql: str) -> None:
        if what == "begin" and 1 in suite.values(harness, target, "n"):
            begun[0] += 1
            if begun[0] <= 2:
                raise inchworm.errors.Busy("database is locked")

    outcome = suite.go(harness, target, count_up(), step=busy, clock=clock, lock_patience_s=0)["count_up"]
    assert outcome.status is Status.FAILED
    assert "was not free" in str(outcome.error)


def test_two_phases_leave_both_versions_of_an_application_right(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=60)
    first = newest("expand")
    assert suite.go(harness, target, first).ok
    # the old version comes back and does not maintain the new value; the check is a migration of its own
    harness.execute(target, "insert into children (id, parent, at) values (500001, 100, 900001)")
    check = (
        "select id from parents p where id between :first and :last and newest <>"
        " coalesce((select max(at) from children where parent = p.id), 0)"
    )
    again = newest("contract", after=("expand",), verify=check)
    assert suite.go(harness, target, first, again).ok
    assert suite.wrong(harness, target) == 0


def test_definitions_are_checked_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(inchworm.DefinitionError, match="circle"):
        inchworm.Runner(tmp_path / "any.db", [count_up("a", after=("b",)), count_up("b", after=("a",))])
    with pytest.raises(inchworm.DefinitionError, match="letter"):
        Backfill(name="1 bad name", table="t", update="update t set n = 1 where id between :first and :last")
