"""An index that is dropped while a migration needs it: the migration pauses with a reason, and ends when it is back."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import inchworm
from inchworm import Status, pace
from inchworm.model import Row
from inchworm.sqlite.driver import open_path
from inchworm.testing import FakeClock

ROWS, CHILDREN, SLICE = 4_000, 75, 64


def execute(path: Path, *statements: str) -> None:
    with closing(open_path(path, read_only=False)) as driver:
        driver.run("pragma busy_timeout = 5000")
        for statement in statements:
            driver.run(statement)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """300,000 children of 4,000 parents, walked in slices of one size, so that costs do not depend on the machine."""
    monkeypatch.setattr(pace, "next_rows", lambda rules, size, facts: size)
    path = tmp_path / "mesh.db"
    path.touch()
    execute(
        path,
        "pragma journal_mode = wal",
        "create table parents (id integer primary key, last_seen integer not null default 0)",
        "create table children (id integer primary key, parent_id integer not null, at integer not null)",
        "begin",
        f"with recursive n (i) as (values (1) union all select i + 1 from n where i < {ROWS})"
        " insert into parents (id) select i from n",
        f"with recursive n (i) as (values (1) union all select i + 1 from n where i < {ROWS * CHILDREN})"
        f" insert into children (parent_id, at) select i % {ROWS} + 1, i from n",
        "commit",
        "create index by_parent on children (parent_id)",
    )
    return path


class SlowMachine(FakeClock):
    """So slow that a scan of the children takes 13 s: each look at the clock, one per 1,000 steps, costs 12 ms."""

    def monotonic(self) -> float:
        self.advance(0.012)
        return super().monotonic()


def last_seen(at: int, then: Callable[[], None]) -> inchworm.Backfill:
    """The incident's migration; `then` is called before its slice number `at`."""
    slices = 0

    def count(rows: Sequence[Row]) -> Iterable[Row]:
        nonlocal slices
        slices += 1
        if slices == at:
            then()
        return rows

    return inchworm.Backfill(
        name="last_seen",
        table="parents",
        compute="select parent_id as id, max(at) as last_seen from children"
        " where parent_id between :first and :last group by 1",
        transform=count,
        apply="update parents set last_seen = :last_seen where id = :id and last_seen < :last_seen",
    )


def drop(path: Path) -> Callable[[], None]:
    return lambda: execute(path, "drop index by_parent")


def run(path: Path, migration: inchworm.Backfill, **options: Any) -> inchworm.Outcome:
    return inchworm.run(path, [migration], wait_paused=False, first_rows=SLICE, **options)["last_seen"]


def restore(path: Path) -> None:
    execute(path, "create index by_parent on children (parent_id)")
    inchworm.request(path, "last_seen", "resume")


def test_a_dropped_index_pauses_the_migration_and_its_return_lets_it_end(history: Path) -> None:
    migration = last_seen(20, drop(history))
    outcome = run(history, migration)
    assert outcome.status is Status.PAUSED
    assert "its plan was 'SEARCH children USING INDEX by_parent" in (outcome.reason or "")
    assert 20 * SLICE <= outcome.counts.examined < 24 * SLICE
    restore(history)
    assert run(history, migration).status is Status.DONE


def test_a_scan_that_does_not_even_end_pauses_at_once_and_names_the_plan_that_was_lost(history: Path) -> None:
    migration, clock = last_seen(20, drop(history)), SlowMachine()
    outcome = run(history, migration, clock=clock, stall_budget_ms=9e9)
    assert outcome.status is Status.PAUSED
    assert "SEARCH children USING INDEX by_parent" in (outcome.reason or "")
    assert "SCAN children" in (outcome.reason or "")
    assert (outcome.counts.examined, outcome.counts.quarantined) == (20 * SLICE, 0)
    restore(history)
    assert run(history, migration).status is Status.DONE


def test_an_index_that_was_gone_before_the_first_slice_pauses_after_three_and_puts_no_row_aside(history: Path) -> None:
    drop(history)()
    clock = SlowMachine()
    outcome = run(history, last_seen(0, print), clock=clock, stall_budget_ms=9e9)
    assert outcome.status is Status.PAUSED
    assert f"{SLICE}, {SLICE // 2}, {SLICE // 4} rows" in (outcome.reason or "")
    assert "SCAN children" in (outcome.reason or "")
    assert (outcome.counts.examined, outcome.counts.quarantined) == (0, 0)
    assert clock.monotonic() < 60
    restore(history)
    assert run(history, last_seen(0, print)).status is Status.DONE


def test_a_fat_row_that_reads_too_long_is_given_time_and_not_taken_for_a_lost_index(history: Path) -> None:
    execute(history, f"insert into children (parent_id, at) select 300, id from children limit {ROWS * CHILDREN}")
    clock = SlowMachine()
    outcome = run(history, last_seen(0, print), clock=clock, stall_budget_ms=9e9)
    assert (outcome.status, outcome.counts.changed) == (Status.DONE, ROWS)
