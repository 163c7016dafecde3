"""Ways to be in somebody's way, and to be kept waiting: locks, logs, disks, fat rows, indexes."""

import contextlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import Backfill, IndexBuild, Status, Stop
from inchworm.clock import Never
from inchworm.errors import Busy, DeadlineExceeded, LockNeverFree
from inchworm.opening import open_reader
from inchworm.ports import Limits
from inchworm.sqlite.driver import Driver, open_path
from inchworm.sqlite.governor import WAL_TOO_LONG
from inchworm.testing import FakeClock, Observed, SqliteHarness
from inchworm.testing.conformance import Conformance, StockWriter, count_up, newest

suite = Conformance()


@pytest.fixture(params=["sqlite3", "apsw"])
def harness(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteHarness:
    pytest.importorskip(request.param)
    return SqliteHarness(tmp_path, request.param)


def other(harness: SqliteHarness, target: str) -> Driver:
    """A connection of somebody else, through the same library: two libraries on one file lose each other's locks."""
    return open_path(target, read_only=False, library=harness.library)


def throttled(harness: SqliteHarness, target: str) -> str:
    return str(harness.rows(target, "select throttled from _async_migrations")[0][0])


def test_three_stock_writers_are_all_served_while_long_turns_follow_each_other(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()
    harness.execute(target, "create table live (who int, at int)")
    writers = [
        StockWriter(clock, lambda at, who=who: harness.execute(target, f"insert into live values ({who}, {at})"))
        for who in range(3)
    ]

    def step(what: str, sql: str) -> None:
        if what == "execute" and "update parents set n" in sql:
            clock.advance(0.025)
        for who, writer in enumerate(writers):
            if what == "execute" and "update parents set n" in sql:
                clock.advance(0.001 * who)  # they do not arrive together
                writer.met_a_turn()
            writer.lock_is(held=what not in ("begin", "committed", "snapshot", "select"))

    long = Backfill(name="m", table="parents", update="update parents set n = 1 where id between :first and :last")
    assert suite.go(harness, target, long, step=step, clock=clock).ok
    waited = [turns for writer in writers for turns in writer.turns_waited[2:]]
    assert len(waited) > 30
    assert max(waited) <= 2


def test_an_idle_database_is_migrated_without_waiting(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()
    suite.go(harness, target, newest(), clock=clock)
    assert clock.slept == []


def test_a_turn_begins_as_a_writer_and_meets_a_lock_before_any_work(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    with closing(other(harness, target)) as writer, closing(harness.open(target)) as db:
        writer.run("begin immediate")
        with pytest.raises(Busy), db.turn(limit_s=1):
            pytest.fail("the turn began beside another writer")
        writer.run("rollback")
        with db.turn(limit_s=1) as turn:
            assert turn.execute("update parents set n = 1 where id = 2", {}) == 1


def test_a_thousand_status_reads_beside_a_writer_that_never_commits(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()
    suite.go(harness, target, count_up())
    reader = inchworm.StatusReader(target, clock=clock, open_with=lambda t: open_reader(str(t), driver=harness.library))
    with closing(other(harness, target)) as writer, closing(harness.open(target)) as witness, reader:
        writer.run("begin immediate")
        writer.run("update parents set n = 9")
        witness.others_wrote()
        for _ in range(1_000):
            clock.advance(2.0)  # past the cache, so that each one really reads
            assert reader.read()[0].status is Status.DONE
        assert not witness.others_wrote()
        writer.run("rollback")


def test_a_pinned_reader_pauses_the_run_at_the_cap_of_the_log_and_its_end_resumes_it(tmp_path: Path) -> None:
    pytest.importorskip("apsw")
    harness = SqliteHarness(tmp_path, "apsw")
    target, clock = suite.family(harness, parents=300), FakeClock()
    pinned = other(harness, target)
    pinned.run("begin")
    pinned.run("select count(*) from parents")
    paused: list[int] = []

    def look() -> None:
        if paused or (WAL_TOO_LONG not in throttled(harness, target) and not _reason(harness, target)):
            return
        paused.append(suite.values(harness, target, "n").count(1))
        pinned.close()

    def step(what: str, sql: str) -> None:
        clock.advance(0.02)

    clock.on_sleep = look
    heavy = count_up(apply="update parents set n = n + 1, newest = newest + 1 where id = :id")
    outcome = suite.go(
        harness, target, heavy, step=step, clock=clock, wal_cap_mb=0.2, stall_budget_ms=9e9, disk_floor_mb=0
    )["count_up"]
    assert outcome.status is Status.DONE
    assert paused
    assert 0 < paused[0] < 300
    assert WAL_TOO_LONG in outcome.throttled


def _reason(harness: SqliteHarness, target: str) -> bool:
    return harness.rows(target, "select reason from _async_migrations") == [(WAL_TOO_LONG,)]


def test_a_disk_below_its_floor_pauses_the_run_with_that_reason(
    harness: SqliteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, clock = suite.family(harness), FakeClock()
    stop = Stop()

    def give_up() -> None:
        if clock.monotonic() > 60:
            stop.set("the test has seen enough")

    clock.on_sleep = give_up
    outcome = suite.go(harness, target, count_up(), clock=clock, stop=stop, disk_floor_mb=1e12)["count_up"]
    assert outcome.status is Status.INTERRUPTED
    assert outcome.throttled["disk floor"] > 30
    assert set(suite.values(harness, target, "n")) == {0}
    assert suite.go(harness, target, count_up()).ok


def test_a_full_database_waits_with_that_reason_and_goes_on_when_there_is_room(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()
    harness.execute(target, "create table copies (id integer primary key, filler blob)")
    opened: list[Any] = []
    migration = count_up(apply="insert into copies (id, filler) values (:id, zeroblob(3000))")

    def small(what: str, sql: str) -> None:
        if what == "begin" and not clock.slept and harness.rows(target, "select count(*) from copies") != [(0,)]:
            [(pages,)] = opened[0].writer.run("pragma page_count").rows
            opened[0].writer.run(f"pragma max_page_count = {pages}")

    def room() -> None:
        if clock.monotonic() > 0.25:
            opened[0].writer.run("pragma max_page_count = 1000000")

    def open_with(_: object) -> Any:
        opened.append(harness.open(target, clock))
        return Observed(opened[0], small)

    clock.on_sleep = room
    report = inchworm.run(target, [migration], open_with=open_with, clock=clock, first_rows=20, disk_floor_mb=0)
    assert (report["count_up"].status, report["count_up"].counts.changed) == (Status.DONE, 200)
    assert report["count_up"].throttled["disk full"] > 0
    assert harness.rows(target, "select count(*) from copies") == [(200,)]


def factory(target: str, clock: FakeClock, cost_s: Callable[[int], float]) -> Callable[[], sqlite3.Connection]:
    """Connections with a function `work(id)` that takes as long as it is told, on the fake clock."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(target, isolation_level=None)

        def work(key: int) -> int:
            clock.advance(cost_s(key))
            return 1

        connection.create_function("work", 1, work)
        return connection

    return connect


SLOW = Backfill(
    name="slow",
    table="parents",
    on_quarantine="done",
    update="update parents set n = n + work(id) where id between :first and :last",
)


def test_a_fat_row_is_isolated_given_more_time_and_changed(tmp_path: Path) -> None:
    harness, clock = SqliteHarness(tmp_path, "sqlite3"), FakeClock()
    target = suite.family(harness)
    connect = factory(target, clock, lambda key: 0.3 if key == 122 else 0.0001)
    outcome = inchworm.run(connect, [SLOW], clock=clock, first_rows=50)["slow"]
    assert (outcome.status, outcome.counts.changed, outcome.counts.quarantined) == (Status.DONE, 200, 0)
    assert set(suite.values(harness, target, "n")) == {1}


def test_a_row_that_never_fits_is_put_aside_and_the_rest_is_changed(tmp_path: Path) -> None:
    harness, clock = SqliteHarness(tmp_path, "sqlite3"), FakeClock()
    target = suite.family(harness)
    connect = factory(target, clock, lambda key: 60.0 if key == 122 else 0.0001)
    outcome = inchworm.run(connect, [SLOW], clock=clock, first_rows=50)["slow"]
    assert (outcome.status, outcome.counts.changed, outcome.counts.quarantined) == (Status.DONE, 199, 1)
    assert harness.rows(target, "select row_key from _async_quarantine") == [("[122]",)]
    assert harness.rows(target, "select id from parents where n <> 1") == [(122,)]


def test_a_machine_that_stalls_in_a_bookkeeping_turn_fails_nothing(harness: SqliteHarness) -> None:
    """Beginning, putting a row aside, answering: one small row each, so that only the machine can make it slow."""
    target, clock = suite.family(harness), FakeClock()
    stalled: list[str] = []

    def step(what: str, sql: str) -> None:
        for word in ("set bound = ", "into _async_quarantine"):
            if what == "execute" and word in sql:
                clock.advance(0.4)  # eight times the budget
                stalled.append(word)

    refused = "update parents set n = case when id = 122 then abs(-9223372036854775808) else n + 1 end where id = :id"
    outcome = suite.go(
        harness, target, count_up(apply=refused, on_quarantine="done"), step=step, clock=clock, stall_budget_ms=50
    )["count_up"]
    assert (outcome.status, outcome.counts.changed, outcome.counts.quarantined) == (Status.DONE, 199, 1)
    assert stalled == ["set bound = ", "into _async_quarantine"]


def test_after_one_long_stall_the_size_comes_back(tmp_path: Path) -> None:
    harness, clock = SqliteHarness(tmp_path, "sqlite3"), FakeClock()
    target = suite.family(harness, parents=4_000)
    stalled: list[int] = []

    def cost_s(key: int) -> float:
        if key == 400 and not stalled:
            stalled.append(key)
            return 1.0
        return 0.00001

    outcome = inchworm.run(factory(target, clock, cost_s), [SLOW], clock=clock, first_rows=50)["slow"]
    assert (outcome.status, outcome.counts.changed) == (Status.DONE, 4_000)
    assert outcome.slices < 40


def test_between_many_small_rows_the_clock_is_read_too(tmp_path: Path) -> None:
    harness, clock = SqliteHarness(tmp_path, "sqlite3"), FakeClock()
    target = suite.family(harness)
    connect = factory(target, clock, lambda key: 0.01)
    migration = count_up(apply="update parents set n = n + work(id) where id = :id")
    report = inchworm.run(connect, [migration], clock=clock, first_rows=100)
    assert report.ok
    assert report.longest_hold_s <= 0.07  # the limit of 50 ms and one row of 10 ms
    assert set(suite.values(harness, target, "n")) == {1}


def test_an_interrupted_turn_is_over_whatever_the_code_between_does(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()
    with closing(harness.open(target, clock)) as db:

        def believes_in_a_savepoint() -> None:
            with db.turn(limit_s=1) as turn:
                turn.execute("update parents set n = 5", {})
                clock.advance(2)
                with contextlib.suppress(DeadlineExceeded):
                    turn.execute("update parents set n = 6", {})
                turn.execute("update parents set n = 7", {})

        with pytest.raises(DeadlineExceeded):
            believes_in_a_savepoint()
        assert set(suite.values(harness, target, "n")) == {0}
        with db.turn(limit_s=1) as turn:
            turn.execute("update parents set n = 8", {})
    assert set(suite.values(harness, target, "n")) == {8}


def test_a_rollback_journal_works_and_a_reader_at_commit_time_is_waited_for(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    harness.execute(target, "pragma journal_mode = delete")
    reader = other(harness, target)
    clock, met = FakeClock(), []

    def step(what: str, sql: str) -> None:
        if what == "commit" and not met:
            met.append(1)
            reader.run("begin")
            reader.run("select count(*) from parents")

    real = clock.sleep

    def sleep(seconds: float, stop: Any) -> None:
        if isinstance(stop, Never) and reader.in_transaction():
            reader.run("rollback")
        real(seconds, stop)

    clock.sleep = sleep  # type: ignore[method-assign]
    assert suite.go(harness, target, count_up(), step=step, clock=clock).ok
    reader.close()
    assert met
    assert set(suite.values(harness, target, "n")) == {1}


def test_checkpoints_are_made_between_turns_and_never_by_a_commit(tmp_path: Path) -> None:
    pytest.importorskip("apsw")
    harness = SqliteHarness(tmp_path, "apsw")
    target = suite.family(harness, parents=3_000)
    with closing(harness.open(target)) as db:
        assert db.writer.run("pragma wal_autocheckpoint").rows[0] == (0,)  # type: ignore[attr-defined]
        for at in range(200):
            with db.turn(limit_s=5) as turn:
                turn.execute("update parents set newest = newest + 1", {})
            if at == 100:
                before = Path(target + "-wal").stat().st_size
        after = Path(target + "-wal").stat().st_size
        assert after > before > 1_000 * 4_096, "a commit checkpointed"
        assert db.upkeep(Limits(1 << 40, 0)).hold is None


def test_an_index_is_built_as_a_migration_and_again_is_nothing(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    build = IndexBuild(name="by_time", create="create index children_by_time on children (parent, at)")
    after = newest(after=("by_time",))
    assert suite.go(harness, target, build, after).ok  # type: ignore[arg-type]
    assert harness.rows(target, "select count(*) from sqlite_master where name = 'children_by_time'") == [(1,)]
    again = IndexBuild(name="by_time_2", create="create index children_by_time on children (parent, at)")
    assert suite.go(harness, target, again).ok  # type: ignore[arg-type]


def test_an_index_that_would_hold_the_lock_too_long_is_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    harness, clock = SqliteHarness(tmp_path, "sqlite3"), FakeClock()
    target = suite.family(harness, parents=2_000)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(target, isolation_level=None)

        def dear(value: int) -> int:
            clock.advance(0.01)
            return value

        connection.create_function("dear", 1, dear, deterministic=True)
        return connection

    build = IndexBuild(name="dear", create="create index d on parents (dear(id))", lock_s=2.0)
    report = inchworm.run(connect, [build, newest(after=("dear",)), count_up()], clock=clock)
    assert [report[name].status for name in ("dear", "newest", "count_up")] == [
        Status.FAILED,
        Status.PENDING,
        Status.DONE,
    ]
    assert report.longest_hold_s < 3
    assert harness.rows(target, "select 1 from sqlite_master where name = 'd'") == []


def test_an_index_dropped_in_the_middle_makes_it_slower_and_not_wrong(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=300)
    dropped: list[int] = []

    def drop(what: str, sql: str) -> None:
        if what == "committed" and not dropped and any(suite.values(harness, target, "newest")):
            dropped.append(1)
            harness.execute(target, "drop index children_by_parent", "analyze")

    outcome = suite.go(harness, target, newest(), step=drop)["newest"]
    assert dropped
    assert outcome.status is Status.DONE
    assert suite.wrong(harness, target) == 0


def test_a_count_that_takes_too_long_becomes_an_estimate_that_says_so(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()

    def step(what: str, sql: str) -> None:
        if what == "select" and "count(*)" in sql:
            clock.advance(60)

    outcome = suite.go(harness, target, count_up(), step=step, clock=clock)["count_up"]
    assert outcome.status is Status.DONE
    assert outcome.total.estimated or outcome.total.rows == 200
    given = suite.go(harness, target, count_up("given", count=7))["given"]
    assert (given.total.rows, given.total.estimated) == (7, True)


def test_a_slice_of_five_thousand_rows_needs_no_more_variables_than_a_slice_of_one(tmp_path: Path) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    target = suite.family(harness, parents=6_000, orphans=0)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(target, isolation_level=None)
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 40)
        return connection

    outcome = inchworm.run(connect, [count_up()], clock=FakeClock(), first_rows=5_000)["count_up"]
    assert (outcome.status, outcome.counts.changed, outcome.slices) == (Status.DONE, 6_000, 2)


def test_a_lock_that_is_never_free_fails_the_migration_and_says_so(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()

    def always(what: str, sql: str) -> None:
        if what == "begin" and 1 in suite.values(harness, target, "n") and clock.monotonic() < 30.5:
            raise Busy("database is locked")

    outcome = suite.go(harness, target, count_up(), step=always, clock=clock, lock_patience_s=30)["count_up"]
    assert outcome.status is Status.FAILED
    assert "not free for 30 s" in str(outcome.error)
    assert outcome.throttled["another writer holds the lock"] > 29


def test_a_lock_that_somebody_keeps_for_ever_does_not_keep_the_caller(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()

    def kept(what: str, sql: str) -> None:
        if what == "begin" and 1 in suite.values(harness, target, "n"):
            raise Busy("database is locked")

    with pytest.raises(LockNeverFree, match="not free for 5 s"):
        suite.go(harness, target, count_up(), step=kept, clock=clock, lock_patience_s=5)
    assert clock.monotonic() < 15
    assert suite.go(harness, target, count_up()).ok
    assert set(suite.values(harness, target, "n")) == {1}
