"""Who waits for a lock that another program holds says so within two seconds, migration held or not."""

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from databases import writing

import inchworm
from inchworm import Backfill, IndexBuild, LockNeverFree, Progress, Status
from inchworm.cli import running
from inchworm.cli.exits import Exit
from inchworm.cli.root import inchworm as command
from inchworm.clock import Stop
from inchworm.errors import Busy
from inchworm.patience import Patience, Waiting
from inchworm.testing import FakeClock

CHANGE = Backfill(name="change", table="t", update="update t set b = 1 where id between :first and :last")
INDEX = IndexBuild(name="by_b", create="create index t_b on t (b)", after=("change",))

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("begin immediate")
print("held", flush=True)
sys.stdin.readline()
db.execute("rollback")
"""


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = tmp_path / "t.db"
    with writing(path) as connection:
        connection.execute("create table t (id integer primary key, b integer)")
        connection.executemany("insert into t (id) values (?)", ((n,) for n in range(100)))
    return str(path)


@contextmanager
def held(path: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield other


def go(path: str, clock: FakeClock, told: list[Progress], *migrations: Backfill | IndexBuild) -> inchworm.Report:
    return inchworm.run(
        path, migrations or [CHANGE], clock=clock, on_progress=told.append, lock_patience_s=30, driver="sqlite3"
    )


def until_free(other: sqlite3.Connection, clock: FakeClock, seconds: float) -> None:
    def look() -> None:
        if clock.monotonic() > seconds and other.in_transaction:
            other.execute("rollback")

    clock.on_sleep = look


def test_a_wait_before_the_first_registration_is_told_with_its_patience(
    db: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Progress] = []
    clock = FakeClock()
    with held(db) as other, caplog.at_level(logging.WARNING, logger="inchworm"):
        until_free(other, clock, 9.5)
        assert go(db, clock, told).ok
    waits = [event for event in told if event.status is Status.PENDING]
    assert [str(event.reason) for event in waits][:2] == [
        f"another writer holds the lock; waited {n} s, gives up after 30 s" for n in (1, 2)
    ]
    assert len(waits) == 9
    assert waits[0].name == "change"
    lines = [r.getMessage() for r in caplog.records if "inchworm.waiting" in r.getMessage()]
    assert lines == [
        f'inchworm.waiting migration=change why="another writer holds the lock" waited_s={n} patience_s=30'
        for n in (1, 2, 4, 8)
    ]


def test_a_wait_for_the_claim_is_told_of_the_migration_that_is_next(db: str) -> None:
    told: list[Progress] = []
    clock = FakeClock()
    assert go(db, clock, []).ok
    with writing(db) as connection:
        connection.execute("update _async_migrations set status = 'interrupted', cursor = null")
    with held(db) as other:
        until_free(other, clock, clock.monotonic() + 3.5)
        assert go(db, clock, told).ok
    waits = [event for event in told if event.status is Status.INTERRUPTED]
    assert [(event.name, event.counts.examined) for event in waits] == [("change", 100)] * 3
    assert all("another writer holds the lock; waited" in str(event.reason) for event in waits)


def test_what_is_done_already_is_not_said_to_wait(db: str) -> None:
    told: list[Progress] = []
    clock = FakeClock()
    assert go(db, clock, []).ok
    with held(db) as other:
        until_free(other, clock, clock.monotonic() + 2.5)
        assert go(db, clock, told, CHANGE, INDEX).ok
    assert {event.name for event in told} == {"by_b"}


def test_a_wait_within_a_migration_is_told_too(db: str) -> None:
    told: list[Progress] = []
    clock = FakeClock()
    with closing(sqlite3.connect(db, isolation_level=None)) as other:

        def holds(event: Progress) -> None:
            told.append(event)

        def throttle() -> str | None:  # asked between two turns
            if not other.in_transaction and clock.monotonic() == 0:
                other.execute("begin immediate")
                until_free(other, clock, 3.5)
            return None

        report = inchworm.run(
            db,
            [CHANGE],
            clock=clock,
            on_progress=holds,
            throttle=throttle,
            lock_patience_s=30,
            first_rows=10,
            driver="sqlite3",
        )
    assert report.ok
    reasons = [str(event.reason) for event in told if event.status is Status.RUNNING]
    assert "another writer holds the lock; waited 1 s, gives up after 30 s" in reasons


def test_a_display_that_fails_does_not_end_a_wait(db: str) -> None:
    clock = FakeClock()

    def broken(event: Progress) -> None:
        raise ZeroDivisionError

    with held(db) as other:
        until_free(other, clock, 2.5)
        assert inchworm.run(db, [CHANGE], clock=clock, on_progress=broken, driver="sqlite3").ok


def test_readers_that_are_kept_out_are_told_of_too() -> None:
    told: list[Waiting] = []
    clock = FakeClock()

    def read() -> int:
        if clock.monotonic() < 2.5:
            raise Busy("database is locked")
        return 1

    assert Patience(clock, Stop(), 30, told.append).read(read) == 1
    assert [(w.times, w.patience_s) for w in told] == [(1, 30), (2, 30)]


def test_a_short_wait_is_not_worth_a_word(db: str) -> None:
    told: list[Progress] = []
    clock = FakeClock()
    with held(db) as other:
        until_free(other, clock, 0.9)
        assert go(db, clock, told).ok
    assert [event.status for event in told] == [Status.DONE]


def test_patience_still_ends(db: str) -> None:
    with held(db), pytest.raises(LockNeverFree, match="not free for 30 s"):
        go(db, FakeClock(), [])


def test_run_says_within_two_seconds_what_it_waits_for(db: str, tmp_path: Path) -> None:
    (tmp_path / "moves.py").write_text(
        "import inchworm\n"
        "ALL = [inchworm.Backfill(name='change', table='t', "
        "update='update t set b = 1 where id between :first and :last')]\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, db], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    run = subprocess.Popen(
        [sys.executable, "-m", "inchworm", "-v", "run", "--no-plan", "--db", db, "moves:ALL"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stderr is not None
    said = [run.stderr.readline(), run.stderr.readline()]
    waited = "another writer holds the lock"
    assert said[0] == f'warning inchworm.waiting migration=change why="{waited}" waited_s=1 patience_s=600\n'
    assert said[1] == f"change: pending, {waited}; waited 1 s, gives up after 600 s, 0 rows\n"
    holder.communicate("go\n", timeout=30)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == Exit.OK, out
    assert out.startswith("change: done\n")


def test_a_look_first_says_that_it_waits(db: str) -> None:
    told: list[Waiting] = []
    clock = FakeClock()
    with held(db):
        inchworm.plan_migrations(db, [CHANGE], clock=clock, on_wait=told.append, driver="sqlite3")
    assert str(told[0]) == "another writer holds the lock; waited 1 s, gives up after 5 s"


def test_a_lock_taken_after_the_look_costs_the_forecast_and_not_the_run(
    db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "later.py").write_text(
        "import inchworm\n"
        "ALL = inchworm.Backfill(name='change', table='t', "
        "update='update t set b = 1 where id between :first and :last')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def locked(*anything: object) -> None:
        raise Busy("database is locked")

    monkeypatch.setattr(running, "record", locked)
    result = CliRunner().invoke(command, ["run", "--db", db, "later:ALL"])
    assert result.exit_code == Exit.OK, result.output
    assert "the forecast is not kept for the report: database is locked" in result.stderr
