"""Other writers come first: no lost change, no long wait, no deadlock for the application, no lock left behind."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
import pytest

import inchworm
from inchworm import Backfill, Status
from inchworm.errors import Busy, DeadlineExceeded
from inchworm.ports import Database, Rows
from inchworm.postgres import connect, database
from inchworm.testing import FakeClock, Observed
from inchworm.testing.conformance import Conformance, count_up, newest

from .server import PostgresHarness

pytestmark = pytest.mark.postgres

PATIENCE_S = 20.0
family = Conformance().family
wrong = Conformance().wrong


def go(
    harness: PostgresHarness,
    target: str,
    migration: Backfill,
    step: Callable[[str, str], None] = lambda what, sql: None,
    **options: Any,
) -> inchworm.report.Outcome:
    runner = inchworm.Runner(
        target, [migration], first_rows=20, open_with=lambda _: Observed(harness.open(target), step), **options
    )
    return runner.run()[migration.name]


@contextmanager
def session(target: str, *statements: str) -> Iterator[psycopg.Connection[Any]]:
    """Another connection in a transaction, with these statements run."""
    with psycopg.connect(target) as connection:
        connection.execute("set lock_timeout = '20s'")
        for statement in statements:
            connection.execute(statement)
        yield connection


class Writer:
    """The application: changes parents and their children in one transaction, from a thread of its own."""

    def __init__(self, target: str) -> None:
        self._target, self._moments = target, itertools.count(100_000)
        self._threads: list[threading.Thread] = []
        self.problems: list[BaseException] = []

    def begin(self) -> None:
        """Return when it has locked its rows, or cannot; it commits a moment later."""
        locked = threading.Event()
        self._threads.append(threading.Thread(target=self._write, args=(next(self._moments), locked)))
        self._threads[-1].start()
        locked.wait(0.05)

    def _write(self, moment: int, locked: threading.Event) -> None:
        try:
            with session(self._target) as own:
                for parent in range(2 + 2 * (moment % 20), 161, 40):  # one in each slice, no one twice
                    own.execute(f"update parents set newest = {moment} where id = {parent}")
                    own.execute(f"insert into children (id, parent, at) values ({moment}{parent}, {parent}, {moment})")
                locked.set()
                time.sleep(0.03)  # long enough for the turn to meet the locked rows; too short only weakens the test
        except BaseException as problem:  # noqa: BLE001 - handed to the test's own thread
            self.problems.append(problem)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE_S)


PLAIN = "update parents set newest = :newest where id = :id"
RELIES = "select parent as id, max(at), count(*) from children where parent between :first and :last group by 1"
WHOLE = (
    "update parents set newest = coalesce((select max(at) from children where parent = parents.id), 0)"
    " where id between :first and :last"
)
GUARDED = {
    "monotone": newest(),
    "compare": newest(apply=PLAIN, guard="compare", relies_on=RELIES),
    "reread": newest(apply=PLAIN, guard="reread"),
    "update": Backfill(name="newest", table="parents", update=WHOLE),
}


@pytest.mark.parametrize("guard", GUARDED)
def test_a_writer_that_commits_inside_our_turn_is_not_lost(harness: PostgresHarness, guard: str) -> None:
    target = family(harness, parents=80)
    writer = Writer(target)

    def step(what: str, sql: str) -> None:
        if what in ("begin", "apply"):
            writer.begin()

    outcome = go(harness, target, GUARDED[guard], step, stall_budget_ms=1000)
    writer.join()
    assert (writer.problems, outcome.status, outcome.error) == ([], Status.DONE, None)
    assert wrong(harness, target) == 0


def test_a_row_that_stays_locked_is_waited_for_outside_any_transaction(harness: PostgresHarness) -> None:
    target = family(harness)
    busy, free = threading.Event(), threading.Event()
    seen: list[str] = []

    def hold() -> None:
        with session(target, "update parents set newest = newest where id = 100"):
            busy.set()
            assert free.wait(PATIENCE_S)

    def step(what: str, sql: str) -> None:
        seen.append(what)
        if seen[-8:].count("hold") > 3 and what == "begin":
            # the same slice again and again: meanwhile nobody else waits for us, not even for a row of that slice
            harness.execute(target, "update parents set newest = newest where id = 98")
            free.set()

    thread = threading.Thread(target=hold)
    thread.start()
    assert busy.wait(PATIENCE_S)
    outcome = go(harness, target, count_up(), step)
    thread.join(PATIENCE_S)
    assert (outcome.status, outcome.counts.changed) == (Status.DONE, 200)
    assert harness.rows(target, "select distinct n from parents") == [(1,)]
    assert outcome.throttled["another writer holds the lock"] > 0


def test_a_row_that_is_always_busy_is_changed_in_the_end(harness: PostgresHarness) -> None:
    target = family(harness)
    over = threading.Event()
    commits = [0]

    def hammer() -> None:
        with psycopg.connect(target, autocommit=True) as connection:
            while not over.is_set():
                connection.execute("update parents set newest = newest + 1 where id = 60")
                commits[0] += 1

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        outcome = go(harness, target, count_up(), lock_patience_s=PATIENCE_S)
    finally:
        over.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert (outcome.status, outcome.counts.changed) == (Status.DONE, 200)
    assert commits[0] > 3
    assert harness.rows(target, "select distinct n from parents") == [(1,)]


def test_opposite_orders_of_locks_never_give_the_application_a_deadlock(harness: PostgresHarness) -> None:
    target = family(harness)
    met: list[str] = []
    errors: list[BaseException] = []

    def opposite() -> None:
        try:
            with session(target, "update parents set newest = newest where id = 38") as other:
                ready.set()
                assert locked.wait(PATIENCE_S)
                other.execute("update parents set newest = newest where id = 2")
                met.append("through")
        except BaseException as problem:  # noqa: BLE001 - handed to the test's own thread
            errors.append(problem)

    ready, locked = threading.Event(), threading.Event()
    thread = threading.Thread(target=opposite)
    thread.start()
    assert ready.wait(PATIENCE_S)

    def meet(db: Database) -> None:
        """Lock row 2, then meet row 38, whose owner then wants row 2."""
        with db.turn(limit_s=2.0) as turn:
            turn.execute("update parents set n = n + 1 where id = 2", {})
            locked.set()
            turn.apply("update parents set n = n + 1 where id = :id", Rows(("id",), [(i,) for i in range(2, 41, 2)]))

    with closing(connect(target)) as db:
        with pytest.raises(Busy):
            meet(db)
        thread.join(PATIENCE_S)
    assert (errors, met) == ([], ["through"])
    assert go(harness, target, count_up()).status is Status.DONE


def test_a_wait_for_a_lock_is_below_half_of_what_the_server_calls_a_deadlock(harness: PostgresHarness) -> None:
    target = harness.fresh()
    short = target.replace("options=", "options=-cdeadlock_timeout%3D30ms%20")
    with closing(connect(short)) as db, db.turn(limit_s=5.0) as turn:
        assert turn.select("show lock_timeout", {}).rows == [("15ms",)]


def test_a_runner_that_was_stopped_inside_a_turn_loses_its_locks(
    harness: PostgresHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = family(harness)
    monkeypatch.setattr(database, "IDLE_FLOOR_S", 0.3)
    child = os.fork()
    if child == 0:
        stopped: list[int] = []
        applied: list[bool] = []

        def step(what: str, sql: str) -> None:
            applied.append(what == "apply")
            if what == "commit" and any(applied) and not stopped:
                stopped.append(1)
                os.kill(os.getpid(), signal.SIGSTOP)

        code = 1
        try:
            code = 0 if go(harness, target, count_up(), step).status is Status.DONE else 1
        finally:
            os._exit(code)
    assert os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1])
    harness.execute(target, "update parents set newest = newest")  # raises when the rows stay locked
    os.kill(child, signal.SIGCONT)
    assert os.waitpid(child, 0)[1] == 0
    assert harness.rows(target, "select distinct n from parents") == [(1,)]


def test_a_commit_that_a_dead_runner_still_makes_is_seen_by_its_successor(harness: PostgresHarness) -> None:
    """Its process is gone, its last transaction is not: the successor must not start from the cursor before it."""
    target = family(harness)
    stop = inchworm.Stop()

    def interrupt(what: str, sql: str) -> None:
        if what == "apply":
            stop.set("test")

    clock = FakeClock()
    inchworm.Runner(
        target,
        [count_up()],
        first_rows=20,
        clock=clock,
        open_with=lambda _: Observed(harness.open(target, clock), interrupt),
    ).run(stop=stop)
    [(at,)] = harness.rows(target, 'select "cursor" from _async_migrations')
    with ExitStack() as stack:
        zombie = stack.enter_context(
            session(
                target,
                "update parents set n = n + 1 where id > 40 and id <= 80",
                "update _async_migrations set \"cursor\" = '[80]', rows_processed = 40, rows_changed = 40, slices = 2",
            )
        )
        waiting: list[str] = []

        def step(what: str, sql: str) -> None:
            waiting.append(what)
            if waiting.count("begin") > 3 and not zombie.closed:
                zombie.commit()
                zombie.close()

        outcome = go(harness, target, count_up(), step)
    assert (at, outcome.status, outcome.counts.changed) == ("[40]", Status.DONE, 200)
    assert harness.rows(target, "select distinct n from parents") == [(1,)]


def test_two_runners_that_start_at_the_same_moment_share_the_work_and_one_ledger(harness: PostgresHarness) -> None:
    target = family(harness)
    together = threading.Barrier(4)
    results: list[object] = []

    def run() -> None:
        together.wait(PATIENCE_S)
        try:
            results.append(inchworm.run(target, [count_up("a"), count_up("b", table="parents")]).ok)
        except BaseException as problem:  # noqa: BLE001 - handed to the test's own thread
            results.append(problem)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True] * 4
    assert harness.rows(target, "select distinct n from parents") == [(2,)]


def test_a_statement_that_takes_too_long_is_stopped_by_the_server(harness: PostgresHarness) -> None:
    with closing(connect(harness.fresh())) as db:
        with pytest.raises(DeadlineExceeded), db.turn(limit_s=0.05) as turn:
            turn.select("select pg_sleep(20)", {})
        with pytest.raises(DeadlineExceeded), db.snapshot(limit_s=0.05) as reads:
            reads.select("select pg_sleep(20)", {})
        with db.turn(limit_s=5.0) as turn:
            assert turn.select("select 1 as one", {}).mappings() == [{"one": 1}]


def test_many_small_statements_are_stopped_between_rows(harness: PostgresHarness) -> None:
    target = family(harness)
    rows = Rows(("id",), [(2 * i,) for i in range(1, 201)])
    began = time.monotonic()
    with closing(connect(target)) as db, pytest.raises(DeadlineExceeded), db.turn(limit_s=0.1) as turn:
        turn.apply("update parents set n = 1 where id = :id + 0 and pg_sleep(0.02) is not null", rows)
    assert time.monotonic() - began < 3.0, "200 rows of 20 ms each would have taken 4 s"
    assert harness.rows(target, "select distinct n from parents") == [(0,)]


def test_a_stop_token_ends_a_long_computation(harness: PostgresHarness) -> None:
    target, stop = family(harness), inchworm.Stop()
    slow = count_up(compute="select id from parents where id between :first and :last and pg_sleep(0.5) is not null")

    def step(what: str, sql: str) -> None:
        if "pg_sleep" in sql:
            stop.set("SIGTERM")

    runner = inchworm.Runner(target, [slow], first_rows=200, open_with=lambda _: Observed(harness.open(target), step))
    outcome = runner.run(stop=stop)["count_up"]  # 200 rows of 0.5 s, were it not stopped
    assert (outcome.status, outcome.reason) == (Status.INTERRUPTED, "interrupted: SIGTERM")
