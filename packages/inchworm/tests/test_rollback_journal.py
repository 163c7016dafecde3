"""Databases without a write-ahead log: whoever commits keeps readers out for a moment, and that is only a wait."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import Backfill, Status
from inchworm.errors import Busy, DiskFull
from inchworm.ports import Limits
from inchworm.sqlite import connect, governor
from inchworm.sqlite.driver import open_path
from inchworm.testing import FakeClock, SqliteHarness


@pytest.fixture(params=["sqlite3", "apsw"])
def harness(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SqliteHarness:
    pytest.importorskip(request.param)
    monkeypatch.setattr("inchworm.sqlite.database.READ_BUSY_MS", 1)
    return SqliteHarness(tmp_path, request.param)


class Stranger:
    """Another connection that keeps everybody out from the `at`-th look at the clock on, for `looks` looks."""

    def __init__(self, target: str, library: str, at: int, looks: int) -> None:
        self.driver = open_path(target, read_only=False, library=library)
        self.at, self.looks, self.seen, self.held = at, looks, 0, False

    def look(self) -> None:
        self.seen += 1
        if not self.held and self.at <= self.seen < self.at + self.looks:
            try:
                self.driver.run("begin exclusive")
                self.held = True
            except Exception as problem:
                if not isinstance(self.driver.fault(problem), Busy):
                    raise
                self.at += 1  # the engine holds a lock just now
        elif self.held and self.seen >= self.at + self.looks:
            self.driver.run("commit")
            self.held = False


class Beside(FakeClock):
    """A clock beside which a stranger works: in each wait and each look at the time."""

    def __init__(self, each: Callable[[], None]) -> None:
        super().__init__()
        self._each = each

    def monotonic(self) -> float:
        self._each()
        return super().monotonic()


def family(harness: SqliteHarness) -> str:
    target = harness.fresh()
    harness.execute(
        target,
        "pragma journal_mode = delete",
        "create table t (id integer primary key, n int not null default 0)",
        "insert into t (id) " + ROWS.format(40),
    )
    return target


ROWS = "with recursive s(x) as (select 1 union all select x + 1 from s where x < {}) select x from s"
WORK = Backfill(
    name="m",
    table="t",
    update="update t set n = n + 1 where id between :first and :last",
    verify="select id from t where n <> 1 and id between :first and :last",
)


@pytest.mark.parametrize("at", [*range(1, 60, 4), 80, 120])
def test_an_exclusive_lock_at_any_moment_is_waited_for(tmp_path: Path, harness: SqliteHarness, at: int) -> None:
    target = family(harness)
    stranger = Stranger(target, harness.library, at, looks=25)
    with closing(stranger.driver):
        report = inchworm.run(target, [WORK], driver=harness.library, clock=Beside(stranger.look), first_rows=10)
    assert (report["m"].status, report["m"].counts.changed, report["m"].error) == (Status.DONE, 40, None)
    assert harness.rows(target, "select n, count(*) from t group by n") == [(1, 40)]


def test_readers_that_are_kept_out_for_ever_are_given_up_after_the_patience(harness: SqliteHarness) -> None:
    target = family(harness)
    with closing(open_path(target, read_only=False, library=harness.library)) as stranger:
        stranger.run("begin exclusive")
        with pytest.raises(Busy):
            inchworm.run(target, [WORK], driver=harness.library, clock=FakeClock(), lock_patience_s=5)
        stranger.run("rollback")


def test_a_checkpoint_that_finds_no_room_is_a_pause_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = SqliteHarness(tmp_path, "sqlite3")
    with closing(connect(harness.fresh(), library="sqlite3", clock=FakeClock())) as db:
        kept: Any = db._governor
        kept._may_checkpoint = True

        def full(_: str) -> Any:
            raise DiskFull("no room")

        monkeypatch.setattr(kept, "_is_due", lambda: True)
        monkeypatch.setattr(kept, "_run", full)
        assert db.upkeep(Limits()).hold == governor.DISK_FULL
        monkeypatch.setattr(kept, "_run", lambda _: (0, 0))
        assert db.upkeep(Limits()).hold is None
