"""What a migration came to is written as soon as the lock is free, and nobody is told that a dead one runs."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from inchworm import IndexBuild, Status, StatusReader, Stop
from inchworm.errors import Busy, DiskFull, LockNeverFree
from inchworm.lease import LEASE_S, retire, this_holder
from inchworm.ledger import Entry
from inchworm.opening import open_reader
from inchworm.pace import LOCKED
from inchworm.sqlite.driver import Driver, open_path
from inchworm.status import status_of
from inchworm.testing import FakeClock, SqliteHarness
from inchworm.testing.conformance import Conformance, count_up

suite = Conformance()
WRONG = count_up(verify="select id from parents where id between :first and :last and n <> 7")
FAR_S = 10_000.0


class Held:
    """A family, and a stranger that takes the lock while the migration is verified and keeps it for so many seconds."""

    def __init__(self, harness: SqliteHarness, seconds: float) -> None:
        self.harness, self.clock, self.stop = harness, FakeClock(), Stop()
        self.target = suite.family(harness)
        self._stranger: Driver = open_path(self.target, read_only=False, library=harness.library)
        self._seconds, self._until = seconds, float("-inf")
        self.clock.on_sleep = self._release

    def step(self, what: str, sql: str) -> None:
        if what == "select" and "n <> 7" in sql and not self._stranger.in_transaction():
            self._stranger.run("begin immediate")
            self._until = self.clock.monotonic() + self._seconds

    def _release(self) -> None:
        if self._stranger.in_transaction() and self.clock.monotonic() >= self._until:
            self._stranger.run("rollback")

    def run(self, migration: Any = WRONG, **options: Any) -> Any:
        try:
            return suite.go(
                self.harness, self.target, migration, step=self.step, clock=self.clock, stop=self.stop, **options
            )[migration.name]
        finally:
            self._until = float("-inf")
            self._release()

    def close(self) -> None:
        self._stranger.close()


@pytest.fixture
def harness(tmp_path: Path) -> SqliteHarness:
    return SqliteHarness(tmp_path, "sqlite3")


@pytest.fixture
def half_a_minute(harness: SqliteHarness) -> Iterator[Held]:
    with closing(Held(harness, 30.0)) as held:
        yield held


@pytest.fixture
def for_ever(harness: SqliteHarness) -> Iterator[Held]:
    with closing(Held(harness, FAR_S)) as held:
        yield held


def test_a_failure_that_nobody_can_write_down_yet_is_kept_until_the_lock_is_free(half_a_minute: Held) -> None:
    outcome = half_a_minute.run()
    assert outcome.status is Status.FAILED
    assert "verify still selects rows" in outcome.error
    assert outcome.throttled[LOCKED] == pytest.approx(30.0, abs=0.1)
    assert half_a_minute.harness.rows(half_a_minute.target, "select attempts from _async_migrations") == [(1,)]


def test_a_stop_while_the_outcome_waits_for_the_lock_ends_the_run_within_a_second_or_so(for_ever: Held) -> None:
    def stop() -> None:
        if for_ever.clock.monotonic() > 5.0:
            for_ever.stop.set("SIGTERM")

    for_ever.clock.on_sleep = stop
    outcome = for_ever.run()
    assert for_ever.clock.monotonic() < 7.0
    assert outcome.status is Status.INTERRUPTED
    assert "failed (verify still selects rows" in outcome.reason
    assert "could not be written" in outcome.reason


def test_whoever_starts_next_finds_the_failure_again_and_writes_it_down(for_ever: Held) -> None:
    for_ever.clock.on_sleep = lambda: for_ever.stop.set("SIGTERM")
    for_ever.run()
    reader = StatusReader(for_ever.target, open_with=lambda t: open_reader(str(t), driver="sqlite3"))
    with reader:
        [status] = reader.read()
    assert (status.status, "crashed" in str(status.reason)) == (Status.INTERRUPTED, True)
    outcome = suite.go(for_ever.harness, for_ever.target, WRONG)[WRONG.name]
    assert (outcome.status, outcome.counts.examined) == (Status.FAILED, 200)
    assert set(suite.values(for_ever.harness, for_ever.target, "n")) == {1}


def test_a_migration_that_is_done_does_not_fail_because_nobody_could_write_that_down(for_ever: Held) -> None:
    right = count_up(verify="select id from parents where id between :first and :last and n <> 1 and n <> 7")
    for_ever.clock.on_sleep = lambda: for_ever.stop.set("SIGTERM")
    outcome = for_ever.run(right)
    assert (outcome.status, "done could not be written" in outcome.reason) == (Status.INTERRUPTED, True)
    again = suite.go(for_ever.harness, for_ever.target, right)[right.name]
    assert (again.status, again.counts.changed) == (Status.DONE, 200)


def test_a_lock_that_outlasts_the_patience_is_said_to_the_caller_with_the_outcome(for_ever: Held) -> None:
    with pytest.raises(LockNeverFree, match=r"failed \(verify still selects rows.*not free for 60 s"):
        for_ever.run(lock_patience_s=60)
    assert 60 <= for_ever.clock.monotonic() < 62


def test_a_full_disk_when_the_outcome_is_written_is_waited_for(harness: SqliteHarness) -> None:
    target, clock = suite.family(harness), FakeClock()

    def step(what: str, sql: str) -> None:
        if what == "execute" and "_async_history" in sql and clock.monotonic() < 20 and full:
            raise DiskFull("database or disk is full")
        if what == "select" and "n <> 7" in sql:
            full.append(1)

    full: list[int] = []
    outcome = suite.go(harness, target, WRONG, step=step, clock=clock)[WRONG.name]
    assert outcome.status is Status.FAILED
    assert outcome.throttled["disk full"] == pytest.approx(20.0, abs=0.1)


def test_an_index_that_was_built_while_the_lock_was_lost_ends_the_run_without_an_error(harness: SqliteHarness) -> None:
    target, stop, built = suite.family(harness), Stop(), []

    def step(what: str, sql: str) -> None:
        if built and what == "begin":
            raise Busy("database is locked")
        if what == "committed" and "running" in str(harness.rows(target, "select status from _async_migrations")):
            built.append(1)
            stop.set("SIGTERM")

    build = IndexBuild(name="by_time", create="create index by_time on children (parent, at)")
    outcome = suite.go(harness, target, build, step=step, stop=stop)["by_time"]  # type: ignore[arg-type]
    assert outcome.status is Status.INTERRUPTED
    assert "could not be written" in str(outcome.reason)


def test_a_holder_that_lives_but_let_its_lease_end_does_not_read_as_running() -> None:
    holder = this_holder()
    try:
        entry = Entry("m", "running", holder=str(holder), lease_until=1_000.0 + LEASE_S)
        assert status_of(entry, None, None, 1_000.0, frozenset()).status is Status.RUNNING
        late = status_of(entry, None, None, 1_001.0 + LEASE_S, frozenset())
        assert (late.status, late.rate) == (Status.INTERRUPTED, None)
        assert "lease" in str(late.reason)
        assert holder.described in str(late.reason)
    finally:
        retire(holder)


def test_a_running_row_of_an_older_ledger_without_leases_reads_as_it_stands() -> None:
    assert status_of(Entry("m", "running"), None, None, 9e9, frozenset()).status is Status.RUNNING
