"""Metrics: absent is not zero, and labels stay bounded."""

from pathlib import Path

import pytest
from databases import writing
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

import inchworm
from inchworm.metrics import MigrationCollector


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = str(tmp_path / "mesh.db")
    with writing(path) as connection:
        connection.execute("create table t (id integer primary key, a integer)")
        connection.execute("insert into t values (1, 1), (2, 2)")
    inchworm.run(
        path,
        [inchworm.Backfill(name="good", table="t", update="update t set a = 5 where id between :first and :last")],
    )
    return path


def scraped(reader: inchworm.StatusReader) -> str:
    registry = CollectorRegistry()
    registry.register(MigrationCollector(reader))
    return generate_latest(registry).decode()


def test_a_done_migration_shows_its_rows_and_no_remaining_time(db: str) -> None:
    with inchworm.StatusReader(db) as reader:
        text = scraped(reader)
    assert 'inchworm_migration_status{migration="good",status="done"} 1.0' in text
    assert 'inchworm_migration_rows_processed{migration="good"} 2.0' in text
    assert 'inchworm_migration_eta_seconds{migration="good"}' not in text
    assert "inchworm_ledger_readable 1.0" in text


def test_an_unreadable_ledger_shows_itself_and_no_zeros(tmp_path: Path) -> None:
    with inchworm.StatusReader(str(tmp_path / "missing.db")) as reader:
        text = scraped(reader)
    assert "inchworm_ledger_readable 0.0" in text
    assert "inchworm_migration" not in text


def test_reasons_become_a_bounded_set_of_labels(db: str) -> None:
    reasons = {f"paused by user{n}": 1.0 for n in range(50)} | {f"quiet hours {n}": 2.0 for n in range(50)}
    with writing(db) as connection:
        text = ", ".join(f'"{k}": {v}' for k, v in reasons.items())
        connection.execute("update _async_migrations set throttled = ?", ("{" + text + ', "stall budget": 3.5}',))
    with inchworm.StatusReader(db) as reader:
        lines = [line for line in scraped(reader).splitlines() if line.startswith("inchworm_migration_throttled")]
    assert sorted(line.partition("reason=")[2] for line in lines) == [
        '"other"} 100.0',
        '"paused"} 50.0',
        '"stall budget"} 3.5',
    ]


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("quiet hours until 23:30", "quiet hours"),
        ("cancelled by ann", "cancelled"),
        ("failed", "failed"),
        ("interrupted: SIGTERM", "interrupted"),
        ("my own reason", "other"),
    ],
)
def test_a_reason_of_the_engines_own_has_a_label_without_its_details(db: str, reason: str, label: str) -> None:
    with writing(db) as connection:
        connection.execute("update _async_migrations set throttled = json_object(?, 7)", (reason,))
    with inchworm.StatusReader(db) as reader:
        text = scraped(reader)
    assert f'inchworm_migration_throttled_seconds{{migration="good",reason="{label}"}} 7.0' in text
