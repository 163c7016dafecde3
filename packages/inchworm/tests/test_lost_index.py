"""An index that is dropped while a migration needs it: the migration pauses with a reason, and ends when it is back."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

import inchworm
from inchworm import Status, pace
from inchworm.model import Row
from inchworm.sqlite.driver import open_path

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


def test_a_dropped_index_pauses_the_migration_and_its_return_lets_it_end(history: Path) -> None:
    slices = 0

    def drop_at_the_twentieth(rows: Sequence[Row]) -> Iterable[Row]:
        nonlocal slices
        slices += 1
        if slices == 20:
            execute(history, "drop index by_parent")
        return rows

    last_seen = inchworm.Backfill(
        name="last_seen",
        table="parents",
        compute="select parent_id as id, max(at) as last_seen from children"
        " where parent_id between :first and :last group by 1",
        transform=drop_at_the_twentieth,
        apply="update parents set last_seen = :last_seen where id = :id and last_seen < :last_seen",
    )

    def run() -> inchworm.Outcome:
        return inchworm.run(history, [last_seen], wait_paused=False, first_rows=SLICE)["last_seen"]

    outcome = run()
    assert outcome.status is Status.PAUSED
    assert "index" in (outcome.reason or "")
    assert 20 * SLICE <= outcome.counts.examined < 24 * SLICE

    execute(history, "create index by_parent on children (parent_id)")
    inchworm.request(history, "last_seen", "resume")
    assert run().status is Status.DONE
