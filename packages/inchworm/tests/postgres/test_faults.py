"""Errors mean what they mean, lost connections are opened again, and a lost answer to COMMIT is found out."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import inchworm
from inchworm import Status
from inchworm.errors import (
    Busy,
    ConnectionLost,
    DatabaseBroken,
    DatabaseFault,
    DiskFull,
    RowRefused,
    StatementRefused,
    UnsafeConnection,
)
from inchworm.ports import Rows
from inchworm.postgres import connect, database
from inchworm.postgres.database import PostgresDatabase
from inchworm.testing import Observed
from inchworm.testing.conformance import Conformance, count_up
from inchworm.testing.kills import kill

from .server import PostgresHarness, Server

pytestmark = pytest.mark.postgres

family = Conformance().family
TABLE = (
    "create table t (id int primary key, small smallint check (small < 100))",
    "insert into t values (1, 1), (2, 2)",
    "create function fail_with(state text) returns int language plpgsql as"
    " $$ begin raise exception 'made up' using errcode = state; end $$",
)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("update t set small = 100", RowRefused),
        ("update t set small = 100000", RowRefused),
        ("insert into t values (1, 1)", RowRefused),
        ("update t set small = 1 / (id - 1)", RowRefused),
        ("update t set small = 'x'::text::int", RowRefused),
        ("update t set small = (select id from t)", RowRefused),
        ("update nowhere set small = 1", StatementRefused),
        ("update t set nothing = 1", StatementRefused),
        ("updat t", StatementRefused),
        ("update t set small = :missing", StatementRefused),
        ("select fail_with('53100')", DiskFull),
        ("select fail_with('40001')", Busy),
        ("select fail_with('40P01')", Busy),
        ("select fail_with('55P03')", Busy),
        ("select fail_with('58030')", DatabaseBroken),
        ("select fail_with('XX001')", DatabaseBroken),
        ("select fail_with('P0001')", RowRefused),
        ("select pg_terminate_backend(pg_backend_pid())", ConnectionLost),
    ],
)
def test_an_error_means_what_the_runner_decides_by(
    harness: PostgresHarness, sql: str, fault: type[DatabaseFault]
) -> None:
    target = harness.fresh()
    harness.execute(target, *TABLE)
    with closing(connect(target)) as db:
        with pytest.raises(fault), db.turn(limit_s=5.0) as turn:
            turn.execute(sql, {})
        with db.turn(limit_s=5.0) as turn:
            assert turn.execute("update t set small = 3 where id = 1", {}) == 1
    assert harness.rows(target, "select * from t order by id") == [(1, 3), (2, 2)]


@pytest.mark.parametrize("value", ["nul \x00", "surrogate \ud800"])
def test_a_value_that_cannot_be_written_down_is_the_fault_of_its_row(harness: PostgresHarness, value: str) -> None:
    target = harness.fresh()
    harness.execute(target, "create table t (id int primary key, c text)", "insert into t values (1)")
    with closing(connect(target)) as db, pytest.raises(RowRefused), db.turn(limit_s=5.0) as turn:
        turn.apply("update t set c = :c where id = :id", Rows(("id", "c"), [(1, value)]))


def test_a_swallowed_fault_still_ends_the_turn(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(target, *TABLE)

    def swallow(db: PostgresDatabase) -> None:
        with db.turn(limit_s=5.0) as turn:
            turn.execute("update t set small = 50 where id = 1", {})
            try:
                turn.execute("update t set small = 100", {})
            except RowRefused:
                turn.execute("update t set small = 60 where id = 2", {})

    with closing(connect(target)) as db, pytest.raises(RowRefused):
        swallow(db)
    assert harness.rows(target, "select small from t order by id") == [(1,), (2,)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_turn_whose_transaction_somebody_ended_is_not_called_committed(harness: PostgresHarness, end: str) -> None:
    target = harness.fresh()
    harness.execute(target, *TABLE)

    def meddle(db: PostgresDatabase) -> None:
        with db.turn(limit_s=5.0) as turn:
            assert isinstance(turn.connection, psycopg.Connection)
            turn.connection.execute(end)

    with closing(connect(target)) as db, pytest.raises(DatabaseFault, match="ended by somebody else"):
        meddle(db)


def test_a_deferred_constraint_that_fails_at_commit_is_the_rows_fault(harness: PostgresHarness) -> None:
    target = harness.fresh()
    harness.execute(
        target,
        "create table a (id int primary key)",
        "create table b (id int primary key, a int references a deferrable initially deferred)",
        "insert into b values (1)",
    )
    with closing(connect(target)) as db, pytest.raises(RowRefused), db.turn(limit_s=5.0) as turn:
        turn.execute("update b set a = 7", {})


@pytest.mark.parametrize("what", ["snapshot", "select", "begin", "read", "apply", "execute", "commit", "committed"])
def test_it_goes_on_after_its_connections_were_killed_at_any_step(
    harness: PostgresHarness, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inchworm.pace.WOKEN_SHARE", 0.0)  # slices stay small, so that there are many steps
    target = family(harness, parents=100)
    seen: list[str] = []

    def step(now: str, sql: str) -> None:
        seen.append(now)
        if now == what and seen.count(what) in (7, 8, 11):
            harness.execute(
                target, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'inchworm'"
            )

    runner = inchworm.Runner(
        target, [count_up()], first_rows=10, open_with=lambda _: Observed(harness.open(target), step), stall_budget_ms=9
    )
    outcome = runner.run()["count_up"]
    assert seen.count(what) >= 11
    assert (outcome.status, outcome.counts.changed, outcome.error) == (Status.DONE, 100, None)
    assert harness.rows(target, "select distinct n from parents") == [(1,)]


@contextmanager
def lost_answers(how: Callable[[psycopg.Connection[Any], str], None]) -> Iterator[list[str]]:
    """Every commit of a slice is done `how`, and its answer never comes."""
    real, done = database.Session.script, list[str]()

    def script(self: Any, text: str) -> Rows:
        if "synchronous_commit" in text and len(done) < 3:
            done.append(text)
            how(self.connection, text)
            self.connection.close()
            raise DatabaseBroken("the connection was lost")
        return real(self, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database.Session, "script", script)
        yield done


@pytest.mark.parametrize("arrived", [True, False])
def test_a_commit_whose_answer_was_lost_is_neither_repeated_nor_forgotten(
    harness: PostgresHarness, *, arrived: bool
) -> None:
    target = family(harness, parents=100)

    def how(connection: psycopg.Connection[Any], text: str) -> None:
        if arrived:
            connection.execute(text)

    with lost_answers(how) as lost:
        runner = inchworm.Runner(target, [count_up()], first_rows=10)
        outcome = runner.run()["count_up"]
    assert len(lost) == 3
    assert (outcome.status, outcome.counts.changed) == (Status.DONE, 100)
    assert harness.rows(target, "select distinct n from parents") == [(1,)]


def test_a_server_that_restarts_is_waited_for(tmp_path: Path) -> None:
    own, starting = Server(), list[threading.Timer]()
    try:
        target = own.url("postgres")
        family(PostgresHarness(own), parents=0)
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute("create table parents (id bigint primary key, n bigint not null default 0)")
            connection.execute("insert into parents (id) select generate_series(1, 100)")
        restarts: list[str] = []

        def step(what: str, sql: str) -> None:
            if what in ("apply", "commit", "select") and "apply" not in restarts[-1:] and len(restarts) < 3:
                restarts.append(what)
                for earlier in starting:
                    earlier.join()
                own.stop("immediate" if len(restarts) == 2 else "fast")
                starting.append(threading.Timer(0.3, own.start))
                starting[-1].start()

        runner = inchworm.Runner(
            target, [count_up()], first_rows=10, open_with=lambda _: Observed(connect(target), step), lock_patience_s=60
        )
        outcome = runner.run()["count_up"]
        assert (outcome.status, outcome.counts.changed, outcome.error) == (Status.DONE, 100, None)
        assert outcome.throttled
    finally:
        for last in starting:
            last.join()
        own.remove()


def test_killed_fifty_times_it_loses_nothing_and_repeats_at_most_one_slice(
    harness: PostgresHarness, tmp_path: Path
) -> None:
    toll = kill(harness, tmp_path, kills=50, by_clock=0.3)
    assert (toll.kills, toll.wrong_rows) == (50, 0)
    assert toll.most_repeated <= 1


def test_a_database_that_was_opened_before_fork_is_refused_in_the_child(harness: PostgresHarness) -> None:
    with closing(connect(harness.fresh())) as db:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with db.snapshot():
                    pass
            except UnsafeConnection:
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        with db.snapshot() as reads:
            assert reads.select("select 1", {}).rows == [(1,)]


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(DatabaseBroken, match="port 1 failed"):
        inchworm.run("postgresql://nobody@127.0.0.1:1/none", [count_up()])


def test_without_psycopg_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None; import inchworm\n"
        "try: inchworm.run('postgresql://localhost/x', [])\n"
        "except ImportError as problem: print(problem)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'inchworm[postgres]'" in done.stdout
