"""An index build on SQLite lets go of the write lock when it is told to, and leaves nothing behind."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import IndexBuild, Status, Stop
from inchworm.application import ask
from inchworm.clock import SystemClock
from inchworm.errors import Busy
from inchworm.sqlite import summons
from inchworm.states import Verb
from inchworm.testing import FakeClock, SqliteHarness
from inchworm.testing.conformance import Conformance

suite = Conformance()

PATIENCE_S = 30.0
BUILD = IndexBuild(name="slow", create="create index slow on parents (slowly(id))", lock_s=PATIENCE_S)


@pytest.fixture(params=["sqlite3", "apsw"])
def library(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


def slow_connections(target: str, library: str, meanwhile: Callable[[], None]) -> Callable[[], Any]:
    """A factory whose connections call `meanwhile` for each row that an index over `slowly(id)` takes in."""

    def slowly(value: int) -> int:
        meanwhile()
        return value

    def connect() -> Any:
        if library == "sqlite3":
            import sqlite3

            connection = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
            connection.create_function("slowly", 1, slowly, deterministic=True)
            return connection
        import apsw

        other = apsw.Connection(target)
        other.create_scalar_function("slowly", slowly, 1, deterministic=True)
        return other

    return connect


def asked(harness: SqliteHarness, target: str, name: str, verb: str) -> str:
    """An operator's request, on the machine's own clock."""
    with closing(harness.open(target)) as db:
        return ask(db, SystemClock(), name, Verb(verb), "ada")


def statuses(harness: SqliteHarness, target: str) -> list[Any]:
    there = harness.rows(target, "select 1 from sqlite_master where name = '_async_migrations'")
    return [row[0] for row in harness.rows(target, "select status from _async_migrations")] if there else []


def indexes(harness: SqliteHarness, target: str) -> list[Any]:
    return list(harness.rows(target, "select name from sqlite_master where name = 'slow'"))


def test_a_stop_during_an_index_build_ends_it_at_once_and_leaves_nothing(tmp_path: Path, library: str) -> None:
    harness, stop = SqliteHarness(tmp_path, library), Stop()
    target, rows = suite.family(harness, parents=20_000), list[int]()

    def meanwhile() -> None:
        rows.append(1)
        if len(rows) == 1_000:
            stop.set("SIGTERM")
        if len(rows) > 1_000:
            time.sleep(0.001)  # the index takes twenty seconds, unless the token is heeded

    outcome = inchworm.run(slow_connections(target, library, meanwhile), [BUILD], stop=stop)["slow"]
    assert (outcome.status, outcome.reason) == (Status.INTERRUPTED, "interrupted: SIGTERM")
    assert len(rows) < 10_000
    assert indexes(harness, target) == []
    outcome = inchworm.run(slow_connections(target, library, lambda: None), [BUILD])["slow"]
    assert outcome.status is Status.DONE
    assert indexes(harness, target) == [("slow",)]


@pytest.mark.parametrize(("verb", "status"), [("cancel", Status.CANCELLED), ("pause", Status.PAUSED)])
def test_an_operator_cancels_or_pauses_an_index_build_that_holds_the_lock(
    tmp_path: Path, library: str, verb: str, status: Status
) -> None:
    harness, begun = SqliteHarness(tmp_path, library), threading.Event()
    target = suite.family(harness, parents=20_000)

    def meanwhile() -> None:
        begun.set()
        time.sleep(0.001)

    answers: list[str] = []

    def operator() -> None:
        assert begun.wait(PATIENCE_S)
        answers.append(asked(harness, target, "slow", verb))

    thread = threading.Thread(target=operator)
    thread.start()
    outcome = inchworm.run(slow_connections(target, library, meanwhile), [BUILD], wait_paused=False)["slow"]
    thread.join(PATIENCE_S)
    assert answers == ["requested"]
    assert (outcome.status, outcome.reason) == (status, f"{status} by ada")
    assert indexes(harness, target) == []
    assert harness.rows(target, "select answer from _async_requests") == [(str(status),)]
    assert not os.path.exists(summons.beside(target))


def test_a_request_that_came_right_after_the_claim_is_heeded_before_the_lock_is_taken(
    tmp_path: Path, library: str
) -> None:
    harness, clock = SqliteHarness(tmp_path, library), FakeClock()
    target, answers = suite.family(harness, parents=50), list[str]()
    build = IndexBuild(name="slow", create="create index slow on parents (n)")

    def step(what: str, sql: str) -> None:
        if what == "committed" and not answers and "running" in statuses(harness, target):
            answers.append(suite.ask_at(harness, target, "slow", "cancel", clock))

    outcome = suite.go(harness, target, build, step=step, clock=clock)["slow"]  # type: ignore[arg-type]
    assert answers == ["requested"]
    assert (outcome.status, outcome.reason) == (Status.CANCELLED, "cancelled by ada")
    assert indexes(harness, target) == []


def test_a_request_for_another_migration_gets_in_between_and_the_build_goes_on(tmp_path: Path, library: str) -> None:
    harness, begun = SqliteHarness(tmp_path, library), threading.Event()
    target, answers, rows = suite.family(harness, parents=2_000), list[str](), list[int]()
    other = IndexBuild(name="later", create="create index later on parents (n)", after=("slow",))

    def meanwhile() -> None:
        begun.set()
        rows.append(1)
        if not answers:
            time.sleep(0.001)

    def operator() -> None:
        assert begun.wait(PATIENCE_S)
        answers.append(asked(harness, target, "later", "pause"))

    thread = threading.Thread(target=operator)
    thread.start()
    connect = slow_connections(target, library, meanwhile)
    report = inchworm.run(connect, [BUILD, other], wait_paused=False)
    thread.join(PATIENCE_S)
    assert answers == ["paused"]
    assert [report[name].status for name in ("slow", "later")] == [Status.DONE, Status.PAUSED]
    assert len(rows) > 2_000, "it was not interrupted, so nothing was tried"


def test_who_is_announced_is_seen_until_the_end_of_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "mesh.db")
    assert not summons.is_awaited(path)
    with summons.announced(path):
        assert summons.is_awaited(path)
    assert not summons.is_awaited(path)
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with summons.announced(path):
            os.write(tell, b".")
            signal.pause()
    os.read(told, 1)
    assert summons.is_awaited(path)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert os.path.exists(summons.beside(path))
    assert not summons.is_awaited(path)


def test_where_no_file_can_be_made_a_request_waits_as_before(tmp_path: Path) -> None:
    with summons.announced(str(tmp_path / "nowhere" / "mesh.db")), summons.announced(""):
        assert not summons.is_awaited("")


def test_a_build_does_not_begin_while_a_request_waits(tmp_path: Path, library: str) -> None:
    harness = SqliteHarness(tmp_path, library)
    target = suite.family(harness, parents=5)
    with closing(harness.open(target)) as db:
        with db.announced(), pytest.raises(Busy, match="operator"):
            db.build_index("create index i on parents (n)", limit_s=5.0)
        db.build_index("create index i on parents (n)", limit_s=5.0)
    assert harness.rows(target, "select name from sqlite_master where name = 'i'") == [("i",)]
