"""Ways to lose count: crashes, power loss, two runners, a ledger that changes under the runner, noise."""

import logging
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import Progress, Status, Stop
from inchworm import ledger as books
from inchworm.errors import Busy, DatabaseBroken, DatabaseFault, DiskFull, StatementRefused
from inchworm.testing import FakeClock, Observed, SqliteHarness
from inchworm.testing.conformance import Conformance, count_up, newest
from inchworm.testing.kit import forked

suite = Conformance()


@pytest.fixture(params=["sqlite3", "apsw"])
def harness(tmp_path: Path, request: pytest.FixtureRequest) -> SqliteHarness:
    pytest.importorskip(request.param)
    return SqliteHarness(tmp_path, request.param)


def entry(harness: SqliteHarness, target: str, name: str = "count_up") -> books.Entry:
    with closing(harness.open(target)) as db, db.snapshot() as reads:
        found = books.entry(reads, name)
    assert found is not None
    return found


def histories(harness: SqliteHarness, target: str, name: str = "count_up") -> list[str]:
    return [
        str(row[0])
        for row in harness.rows(target, f"select reason from _async_history where name = '{name}' order by id")
    ]


def test_an_error_in_a_slice_keeps_the_cursor_and_a_retry_goes_on_there(harness: SqliteHarness) -> None:
    target, calls = suite.family(harness), [0]

    def apply(turn: Any, rows: Any) -> int:
        calls[0] += 1
        if calls[0] == 3:
            raise StatementRefused("no such function: later")
        return sum(turn.execute("update parents set n = n + 1 where id = :id", {"id": r["id"]}) for r in rows)

    first = suite.go(harness, target, count_up(apply=apply))["count_up"]
    assert (first.status, first.slices) == (Status.FAILED, 2)
    assert suite.values(harness, target, "n").count(1) == first.counts.examined
    assert suite.ask(harness, target, "count_up", "retry") == "pending"
    second = suite.go(harness, target, count_up(apply=apply))["count_up"]
    assert (second.status, second.counts.examined) == (Status.DONE, 200)
    assert set(suite.values(harness, target, "n")) == {1}


def test_rate_and_remaining_time_are_those_of_this_attempt(harness: SqliteHarness) -> None:
    target, clock, stop = suite.family(harness), FakeClock(), Stop()

    def slow(what: str, sql: str) -> None:
        clock.advance(0.01)
        if what == "committed" and suite.values(harness, target, "n").count(1) >= 60:
            stop.set("SIGTERM")

    suite.go(harness, target, count_up(), step=slow, clock=clock, stop=stop, stall_budget_ms=9e9)
    clock.advance(86_400)
    seen: list[Progress] = []

    def step(what: str, sql: str) -> None:
        clock.advance(0.3)

    suite.go(harness, target, count_up(), step=step, clock=clock, on_progress=seen.append, stall_budget_ms=9e9)
    rates = [p.rate for p in seen if p.rate is not None]
    assert rates
    assert all(0 < rate < 200 / 0.3 for rate in rates)
    assert all(p.eta_s is None or 0 <= p.eta_s < 3_600 for p in seen)
    assert seen[-1].throttled["interrupted: SIGTERM"] == pytest.approx(86_400, abs=10)


def test_at_most_one_progress_event_a_second_and_one_at_the_end(harness: SqliteHarness) -> None:
    target, clock, seen = suite.family(harness), FakeClock(), []

    def step(what: str, sql: str) -> None:
        clock.advance(0.05)

    started = clock.monotonic()
    suite.go(harness, target, count_up(), step=step, clock=clock, on_progress=seen.append, stall_budget_ms=9e9)
    assert 1 <= len(seen) <= clock.monotonic() - started + 1
    assert [p.status for p in seen].count(Status.DONE) == 1
    assert len({p.slices for p in seen[:-1]}) == len(seen[:-1]), "an event without a slice"


def test_what_on_progress_raises_harms_nothing(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()
    told: list[Progress] = []

    def broken(progress: Progress) -> None:
        told.append(progress)
        raise RuntimeError("the display is gone")

    outcome = suite.go(harness, target, count_up(), on_progress=broken, clock=clock)["count_up"]
    assert (outcome.status, len(told) >= 1) == (Status.DONE, True)
    assert set(suite.values(harness, target, "n")) == {1}


def test_a_ledger_row_that_vanishes_stops_the_run_before_another_slice_is_written(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    at: list[int] = []

    def vanish(what: str, sql: str) -> None:
        if what == "committed" and not at and 1 in suite.values(harness, target, "n"):
            at.append(suite.values(harness, target, "n").count(1))
            harness.execute(target, "delete from _async_migrations")

    with pytest.raises(DatabaseFault, match="vanished from the ledger"):
        suite.go(harness, target, count_up(), step=vanish)
    assert suite.values(harness, target, "n").count(1) == at[0]


def test_bookkeeping_that_cannot_be_written_takes_its_slice_back(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    harness.execute(target, "create table keep (a int)")
    harness.execute(target, "create table _probe (a int)")

    def step(what: str, sql: str) -> None:
        if what == "execute" and sql == books.SQL["advance"]:
            raise DatabaseBroken("disk I/O error")

    outcome = suite.go(harness, target, count_up(), step=step)["count_up"]
    assert outcome.status is Status.FAILED
    assert set(suite.values(harness, target, "n")) == {0}


def test_stop_kill_and_pause_leave_three_different_reasons(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    stop = Stop()
    suite.go(
        harness, target, count_up(), stop=stop, step=lambda what, sql: stop.set("SIGTERM") if what == "apply" else None
    )

    def die(what: str, sql: str) -> None:
        if what == "apply":
            os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(forked(lambda: suite.go(harness, target, count_up(), step=die).ok), 0)
    suite.go(
        harness,
        target,
        count_up(),
        step=lambda what, sql: stop.set("x") if what == "apply" else None,
        stop=(stop := Stop()),
    )
    suite.ask(harness, target, "count_up", "pause")
    reasons = histories(harness, target)
    assert "interrupted: SIGTERM" in reasons
    assert any("died (crashed)" in reason for reason in reasons)
    assert reasons[-1] == "paused by ada"


def test_a_stopped_process_that_wakes_after_its_lease_writes_nothing_more(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    asleep, wake = os.pipe()

    def child() -> bool:
        slept = False

        def step(what: str, sql: str) -> None:
            nonlocal slept
            if what == "begin" and not slept and 1 in suite.values(harness, target, "n"):
                slept = True
                os.write(wake, b"!")
                os.kill(os.getpid(), signal.SIGSTOP)

        return suite.go(harness, target, count_up(), step=step).ok

    process = forked(child)
    assert os.read(asleep, 1) == b"!"
    os.waitpid(process, os.WUNTRACED)
    finished = suite.go(harness, target, count_up(), clock=FakeClock(FakeClock().wall() + 3_600))
    assert finished.ok
    os.kill(process, signal.SIGCONT)
    assert os.waitpid(process, 0)[1] == 0
    os.close(asleep)
    os.close(wake)
    assert set(suite.values(harness, target, "n")) == {1}


def test_two_processes_at_once_apply_every_row_once(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=600)
    children = [
        forked(lambda: inchworm.run(target, [count_up()], driver=harness.library, first_rows=10, disk_floor_mb=0).ok)
        for _ in range(2)
    ]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert set(suite.values(harness, target, "n")) == {1}
    claims = harness.rows(target, "select count(*) from _async_history where to_status = 'running'")
    assert claims == [(1,)]


def test_a_slice_longer_than_the_lease_is_fenced_out_or_keeps_it(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()
    taken: list[Any] = []

    def slow(what: str, sql: str) -> None:
        if what == "apply":
            clock.advance(0.03)
        if what == "begin" and not taken and 1 in suite.values(harness, target, "n"):
            clock.advance(5.0)
            taken.append(suite.go(harness, target, count_up(), clock=FakeClock(clock.wall())))

    assert suite.go(harness, target, count_up(), step=slow, clock=clock, lease_s=1.0).ok
    assert taken[0].ok
    assert set(suite.values(harness, target, "n")) == {1}


def test_a_hundred_interruptions_leave_one_row_and_nothing_queued(harness: SqliteHarness) -> None:
    target = suite.family(harness)
    for _ in range(100):
        stop = Stop()
        suite.go(
            harness, target, count_up(), stop=stop, step=lambda what, sql, s=stop: s.set() if what == "begin" else None
        )
    assert harness.rows(target, "select count(*) from _async_migrations") == [(1,)]
    assert harness.rows(target, "select count(*) from _async_requests") == [(0,)]
    assert suite.go(harness, target, count_up()).ok
    assert set(suite.values(harness, target, "n")) == {1}


def test_after_a_power_loss_cursor_and_rows_agree_wherever_the_log_was_cut(
    harness: SqliteHarness, tmp_path: Path
) -> None:
    target, stop = suite.family(harness), Stop()
    with closing(harness.open(target)) as keeps_the_log:
        keeps_the_log.others_wrote()
        with keeps_the_log.snapshot() as reads:
            reads.select("select count(*) from parents", {})
            suite.go(
                harness, target, count_up(), stop=stop, step=lambda what, sql: _stop_late(what, harness, target, stop)
            )
            whole, log = Path(target).read_bytes(), Path(target + "-wal").read_bytes()
    seen = set()
    for part in range(21):
        cut = tmp_path / f"cut-{part}.db"
        cut.write_bytes(whole)
        Path(f"{cut}-wal").write_bytes(log[: len(log) * part // 20])
        if not harness.rows(str(cut), "select 1 from sqlite_master where name = '_async_migrations'"):
            continue
        [(done,)] = harness.rows(str(cut), "select count(*) from parents where n = 1")
        counted = sum(
            int(str(r[0] or 0)) for r in harness.rows(str(cut), "select rows_processed from _async_migrations")
        )
        assert done == counted
        seen.add(done)
        assert suite.go(harness, str(cut), count_up()).ok
        assert set(suite.values(harness, str(cut), "n")) == {1}
    assert len(seen) >= 3, "the cuts did not fall between slices"


def _stop_late(what: str, harness: SqliteHarness, target: str, stop: Stop) -> None:
    if what == "committed" and suite.values(harness, target, "n").count(1) > 100:
        stop.set("power")


def test_a_fault_at_every_single_step_ends_in_done_and_right_or_in_an_error(harness: SqliteHarness) -> None:
    at, reached = 0, True
    while reached:
        at += 1
        target, steps, reached = suite.family(harness, parents=45), [0], False

        def step(what: str, sql: str, steps: list[int] = steps, at: int = at) -> None:
            nonlocal reached
            steps[0] += 1
            if steps[0] == at:
                reached = True
                raise DatabaseBroken("disk I/O error")

        try:
            outcome = suite.go(harness, target, count_up(), step=step)["count_up"]
        except DatabaseFault:
            continue  # the ledger itself could not be read or written: the caller is told
        done = suite.values(harness, target, "n").count(1)
        assert (done == 45) if outcome.status is Status.DONE else outcome.error
    assert at > 20


def test_a_handler_that_fails_for_an_hour_logs_a_bounded_number_of_lines(
    harness: SqliteHarness, caplog: pytest.LogCaptureFixture
) -> None:
    target, clock = suite.family(harness), FakeClock()

    def full(what: str, sql: str) -> None:
        if what == "apply" and clock.monotonic() < 3_600:
            raise DiskFull("database or disk is full")

    with caplog.at_level(logging.INFO, logger="inchworm"):
        assert suite.go(harness, target, count_up(), step=full, clock=clock).ok
    assert clock.monotonic() >= 3_600
    assert len(caplog.records) < 30
    assert entry(harness, target).throttled["disk full"] > 3_000


def test_every_second_of_an_hour_of_trouble_is_booked_to_a_reason(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()

    def trouble(what: str, sql: str) -> None:
        clock.advance(0.002)
        if what == "begin" and 100 < clock.monotonic() < 400:
            raise Busy("database is locked")

    quiet = lambda: "quiet hours" if clock.monotonic() < 50 else None  # noqa: E731
    began = clock.monotonic()
    suite.go(
        harness,
        target,
        count_up(),
        newest(after=("count_up",)),
        step=trouble,
        clock=clock,
        throttle=quiet,
        stall_budget_ms=9e9,
    )
    booked = [
        e.active_s + sum(e.throttled.values()) for e in (entry(harness, target), entry(harness, target, "newest"))
    ]
    assert sum(booked) <= clock.monotonic() - began + 0.1
    assert sum(booked) >= 0.9 * (clock.monotonic() - began)


def test_one_broken_migration_beside_a_good_one_stops_only_itself(harness: SqliteHarness) -> None:
    target = suite.family(harness, parents=40)
    bad = count_up("bad", transform=lambda rows: [{"id": 1 // 0} for _ in rows])
    report = suite.go(harness, target, bad, count_up("good"))
    assert (report["bad"].status, report["good"].status) == (Status.FAILED, Status.DONE)
    assert "ZeroDivisionError" in str(report["bad"].error)


def test_a_kill_while_a_pause_is_asked_for_does_not_lose_the_request(harness: SqliteHarness) -> None:
    target = suite.family(harness)

    def step(what: str, sql: str) -> None:
        if what == "committed" and 1 in suite.values(harness, target, "n"):
            assert suite.ask(harness, target, "count_up", "pause") == "requested"
            os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(forked(lambda: suite.go(harness, target, count_up(), step=step).ok), 0)
    outcome = suite.go(harness, target, count_up(), wait_paused=False)["count_up"]
    assert (outcome.status, outcome.reason) == (Status.PAUSED, "paused by ada")
    assert outcome.counts.examined > 0


def test_the_ledger_is_written_once_per_slice_and_never_when_all_is_done(harness: SqliteHarness) -> None:
    target, turns = suite.family(harness), [0]

    def step(what: str, sql: str) -> None:
        turns[0] += what == "begin"

    outcome = suite.go(harness, target, count_up(), step=step)["count_up"]
    assert turns[0] <= outcome.slices + 5  # create, register, claim, begin, done
    turns[0] = 0
    suite.go(harness, target, count_up(), step=step)
    assert turns[0] == 0


def test_an_unclean_wall_clock_changes_neither_pace_nor_accounts(harness: SqliteHarness) -> None:
    target, clock, steps = suite.family(harness), FakeClock(), [0]

    def jump(what: str, sql: str) -> None:
        steps[0] += 1
        clock.advance(0.001)
        clock.jump_wall(86_400 if steps[0] % 2 else -86_400)

    outcome = suite.go(harness, target, count_up(), step=jump, clock=clock)["count_up"]
    assert outcome.status is Status.DONE
    assert 0 < outcome.active_s + sum(outcome.throttled.values()) <= clock.monotonic()
    assert set(suite.values(harness, target, "n")) == {1}


def test_observing_changes_nothing(harness: SqliteHarness) -> None:
    plain, observed = suite.family(harness), suite.family(harness)
    inchworm.run(plain, [newest()], open_with=lambda t: harness.open(str(t)), clock=FakeClock())
    db = Observed(harness.open(observed), lambda what, sql: None)
    inchworm.run(observed, [newest()], open_with=lambda t: db, clock=FakeClock())
    everything = "select id, newest, n from parents order by id"
    assert harness.rows(plain, everything) == harness.rows(observed, everything)
