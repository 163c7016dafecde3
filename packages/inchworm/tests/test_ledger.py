"""The ledger is created whole, extended additively, and refused when it is newer."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import inchworm
from inchworm import ledger
from inchworm.errors import Busy, LedgerTooNew
from inchworm.lease import retire, this_holder
from inchworm.states import Status
from inchworm.testing import FakeClock, SqliteHarness
from inchworm.testing.conformance import count_up

CORESCOPE = (
    "create table _async_migrations (name text primary key, status text not null, "
    "started_at text default (datetime('now')), ended_at text, error text)"
)


@pytest.fixture
def harness(tmp_path: Path) -> SqliteHarness:
    return SqliteHarness(tmp_path, "sqlite3")


def table(harness: SqliteHarness, rows: int = 40) -> str:
    target = harness.fresh()
    harness.execute(target, "create table parents (id integer primary key, n integer not null default 0)")
    harness.execute(target, *(f"insert into parents (id) values ({i})" for i in range(1, rows + 1)))
    return target


def statuses(harness: SqliteHarness, target: str) -> dict[str, inchworm.MigrationStatus]:
    with inchworm.StatusReader(target, open_with=lambda t: harness.open(str(t))) as reader:
        return {s.name: s for s in reader.read()}


def test_a_fresh_database_has_no_migrations_and_that_is_not_an_error(harness: SqliteHarness) -> None:
    assert statuses(harness, harness.fresh()) == {}


def test_the_older_table_reads_before_and_runs_after_it_was_extended(harness: SqliteHarness) -> None:
    target = table(harness)
    harness.execute(
        target, CORESCOPE, "insert into _async_migrations (name, status) values ('count_up', 'pending_async')"
    )
    harness.execute(target, "insert into _async_migrations (name, status, error) values ('old', 'failed', 'why')")
    before = statuses(harness, target)
    assert (before["count_up"].status, before["old"].error) == (Status.INTERRUPTED, "why")
    report = inchworm.run(target, [count_up()], driver="sqlite3")
    assert report.ok
    assert report.parked == ("old",)
    assert statuses(harness, target)["old"].needs_acknowledgement


def test_what_corescope_has_done_stays_done(harness: SqliteHarness) -> None:
    target = table(harness)
    harness.execute(target, CORESCOPE, "insert into _async_migrations (name, status) values ('count_up', 'done')")
    assert inchworm.run(target, [count_up()], driver="sqlite3").ok
    assert harness.rows(target, "select distinct n from parents") == [(0,)]


def test_a_newer_ledger_is_refused(harness: SqliteHarness) -> None:
    target = table(harness)
    inchworm.run(target, [count_up()], driver="sqlite3")
    harness.execute(target, "update _async_ledger set version = version + 1")
    with pytest.raises(LedgerTooNew, match="upgrade inchworm"):
        inchworm.run(target, [count_up()], driver="sqlite3")


def test_a_current_ledger_is_not_written_on_start(harness: SqliteHarness) -> None:
    target = table(harness)
    inchworm.run(target, [count_up()], driver="sqlite3")
    with closing(harness.open(target)) as other:
        other.others_wrote()
        assert inchworm.run(target, [count_up()], driver="sqlite3").ok
        assert not other.others_wrote()


def test_an_unknown_status_and_a_bad_time_are_said_and_not_guessed(harness: SqliteHarness) -> None:
    target = table(harness)
    harness.execute(
        target, CORESCOPE, "insert into _async_migrations (name, status, started_at) values ('x', 'wat', 'soon')"
    )
    status = statuses(harness, target)["x"]
    assert (status.status, status.started_at) == (Status.UNKNOWN, None)
    assert len(status.problems) == 2


def test_a_name_that_no_code_knows_is_parked(harness: SqliteHarness) -> None:
    target = table(harness)
    harness.execute(target, CORESCOPE, "insert into _async_migrations (name, status) values ('x', 'pending_async')")
    with inchworm.StatusReader(target, known=["y"], open_with=lambda t: harness.open(str(t))) as reader:
        assert reader.read()[0].status is Status.PARKED


def test_a_holder_that_died_on_this_machine_reads_as_crashed_and_is_followed_at_once(harness: SqliteHarness) -> None:
    target, clock = table(harness), FakeClock()
    dead = this_holder()
    retire(dead)
    with closing(harness.open(target)) as db:
        ledger.ensure(db, "2026-01-01T00:00:00Z")
    harness.execute(
        target,
        "insert into _async_migrations (name, status, holder, epoch, lease_until, attempts) "
        f"values ('count_up', 'running', '{dead}', 7, {clock.wall() + 1e6}, 1)",
    )
    status = statuses(harness, target)["count_up"]
    assert (status.status, str(status.reason).startswith("crashed: pid")) == (Status.INTERRUPTED, True)
    runner = inchworm.Runner(target, [count_up()], open_with=lambda t: harness.open(str(t), clock), clock=clock)
    assert runner.run().ok
    assert clock.slept == []
    assert harness.rows(target, "select epoch from _async_migrations") == [(8,)]


def test_a_living_holder_is_waited_for_and_its_success_is_ours(harness: SqliteHarness) -> None:
    target = table(harness)
    alive = this_holder()
    with closing(harness.open(target)) as db:
        ledger.ensure(db, "2026-01-01T00:00:00Z")
    clock = FakeClock()
    harness.execute(
        target,
        "insert into _async_migrations (name, status, holder, epoch, lease_until, attempts) "
        f"values ('count_up', 'running', '{alive}', 7, {clock.wall() + 30}, 1)",
    )

    def finish() -> None:
        if len(clock.slept) == 3:
            harness.execute(target, "update _async_migrations set status = 'done', holder = null")

    clock.on_sleep = finish
    runner = inchworm.Runner(target, [count_up()], open_with=lambda t: harness.open(str(t), clock), clock=clock)
    assert runner.run().ok
    assert len(clock.slept) == 3
    assert harness.rows(target, "select distinct n from parents") == [(0,)]
    retire(alive)


def test_a_failure_is_acknowledged_without_any_runner(harness: SqliteHarness) -> None:
    target = table(harness)
    inchworm.run(target, [count_up(apply="update nowhere set n = 1 where id = :id")], driver="sqlite3")
    assert statuses(harness, target)["count_up"].needs_acknowledgement
    from inchworm.application import ask

    with closing(harness.open(target)) as db:
        assert ask(db, FakeClock(), "count_up", inchworm.Verb.ACKNOWLEDGE, "ada") == "acknowledged"
        with pytest.raises(inchworm.RequestRefused, match="verbs that fit: cancel, retry, acknowledge"):
            ask(db, FakeClock(), "count_up", inchworm.Verb.PAUSE, "ada")
    status = statuses(harness, target)["count_up"]
    assert (status.needs_acknowledgement, status.acknowledged_by) == (False, "ada")


def test_status_is_read_once_per_ttl_however_often_it_is_asked(harness: SqliteHarness) -> None:
    target, clock = table(harness), FakeClock()
    opened: list[object] = []

    def opening(target_: object) -> inchworm.ports.Database:
        opened.append(target_)
        return harness.open(target)

    inchworm.run(target, [count_up()], driver="sqlite3")
    with inchworm.StatusReader(target, clock=clock, open_with=opening) as reader:
        first = reader.read()
        harness.execute(target, "update _async_migrations set status = 'failed'")
        assert all(reader.read() is first for _ in range(1000))
        clock.advance(1.0)
        assert reader.read()[0].status is Status.FAILED
    assert len(opened) == 1


def test_the_time_that_a_migration_waits_for_an_operator_or_a_runner_is_booked_to_its_reason(
    harness: SqliteHarness,
) -> None:
    target, time, stop = table(harness, 2_000), FakeClock(), inchworm.Stop()
    inchworm.run(target, [count_up()], clock=time, stop=stop, throttle=lambda: stop.set("SIGTERM"))
    for verb, answer in (("pause", "paused"), ("resume", "pending"), ("cancel", "cancelled"), ("retry", "pending")):
        time.advance({"pause": 10, "resume": 500, "cancel": 20, "retry": 3_000}[verb])
        assert inchworm.request(target, "count_up", verb, by="ann", clock=time) == answer
    time.advance(60)
    outcome = inchworm.run(target, [count_up()], clock=time)["count_up"]
    assert outcome.status is Status.DONE
    waited = {reason: seconds for reason, seconds in outcome.throttled.items() if seconds >= 1}
    assert waited == pytest.approx(
        {"interrupted: SIGTERM": 10, "paused by ann": 500, "no runner": 80, "cancelled by ann": 3_000}, abs=0.1
    )


def test_a_runner_that_is_stopped_before_there_is_a_ledger_says_that_nothing_was_begun(harness: SqliteHarness) -> None:
    target, stop = table(harness), inchworm.Stop()
    stop.set("SIGTERM")
    report = inchworm.run(target, [count_up()], stop=stop)
    assert not report.ok
    assert report["count_up"].status is Status.PENDING
    assert report["count_up"].reason == "not begun"
    assert statuses(harness, target) == {}


def test_a_word_that_is_no_verb_is_refused_with_those_that_are(harness: SqliteHarness) -> None:
    target = table(harness)
    inchworm.run(target, [count_up()], driver="sqlite3")
    with pytest.raises(inchworm.RequestRefused, match="'stop' is not one of pause, resume, cancel, retry, acknowledge"):
        inchworm.request(target, "count_up", "stop")


def test_a_request_that_meets_a_lock_says_so_after_its_patience_and_leaves_nothing(harness: SqliteHarness) -> None:
    target = table(harness)
    inchworm.run(target, [count_up()], driver="sqlite3")
    with closing(sqlite3.connect(target, isolation_level=None)) as writer:
        writer.execute("begin immediate")
        with pytest.raises(Busy, match="count_up: the database stayed locked for 5 s; nothing was asked"):
            inchworm.request(target, "count_up", "cancel", clock=FakeClock())


@pytest.mark.parametrize(
    ("given", "sentence"), [(count_up(), "give a list of migrations"), (["x"], "'x' is no migrat")]
)
def test_what_is_no_list_of_migrations_is_a_sentence(given: object, sentence: str) -> None:
    with pytest.raises(inchworm.DefinitionError, match=sentence):
        inchworm.Runner("mesh.db", given)  # type: ignore[arg-type]
