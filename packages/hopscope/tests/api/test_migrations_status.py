"""What is said about data migrations: exact keys, no failure hidden, nothing asked of the writer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meshes import Mesh

from hopscope.api.migrations_status import MigrationInfo, StatusReader, status_of
from hopscope.store import imports
from hopscope.store.pool import ReadPool

Start = Callable[..., Any]

NOW = 1_790_000_100.0
KEYS = {
    "name", "status", "rowsProcessed", "rowsTotal", "rowsTotalEstimated", "rate", "etaSeconds", "elapsedSec",
    "errorMessage", "startedAt", "endedAt", "reason", "quarantined", "acknowledgedAt",
}  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    """A row of the ledger, 100 seconds after its beginning."""
    made = {
        "name": "tx_last_seen_backfill_v1",
        "status": "running",
        "started_at": "2026-09-21T14:13:20Z",
        "ended_at": None,
        "error": None,
        "rows_processed": 500,
        "rows_total": 1500,
        "last_update_at": "2026-09-21T14:15:00Z",
    }
    return made | changes


def info(**changes: Any) -> MigrationInfo:
    return status_of((row(**changes),), now_s=NOW).migrations[0]


def ledger(mesh: Mesh, **changes: Any) -> None:
    """Write one row as CoreScope's ledger holds it, with the columns of its later version."""
    mesh.db.execute(
        """create table if not exists _async_migrations (name text primary key, status text not null, started_at text,
           ended_at text, error text, rows_processed integer, rows_total integer, last_update_at text)"""
    )
    values = row(**changes)
    mesh.db.execute(
        """insert or replace into _async_migrations values
           (:name, :status, :started_at, :ended_at, :error, :rows_processed, :rows_total, :last_update_at)""",
        values,
    )


def test_a_running_migration_has_rate_and_time_left() -> None:
    found = info()
    assert (found.rate, found.eta_seconds, found.elapsed_sec) == (5.0, 200.0, 100.0)


@pytest.mark.parametrize(
    ("changes", "eta"),
    [
        ({"rows_processed": 0}, None),
        ({"rows_total": None}, None),
        ({"rows_processed": 1600}, None),
        ({"status": "paused"}, None),
        ({"status": "done", "ended_at": "2026-09-21T14:15:00Z"}, None),
        ({"started_at": None}, None),
        ({"started_at": "garbage"}, None),
    ],
)
def test_the_time_left_is_unknown_rather_than_invented(changes: dict[str, Any], eta: float | None) -> None:
    assert info(**changes).eta_seconds == eta


@pytest.mark.parametrize(
    ("stored", "said"),
    [("running", "running"), ("pending_async", "interrupted"), ("verifying", "verifying"), ("exploded", "unknown")],
)
def test_states_are_those_of_the_engine_or_unknown(stored: str, said: str) -> None:
    assert info(status=stored).status == said


def test_a_running_migration_whose_lease_ended_is_not_shown_as_running_for_ever() -> None:
    elsewhere = {"holder": "another-machine|boot|namespace|1|1|token"}
    assert info(**elsewhere, lease_until=NOW + 60).status == "running"
    found = info(**elsewhere, lease_until=NOW - 1)
    assert (found.status, found.rate) == ("interrupted", None)
    assert "lease has ended" in str(found.reason)


def test_a_ledger_with_only_the_oldest_columns_is_read() -> None:
    old = {"name": "obs_observer_ts_idx_v1", "status": "done", "started_at": "2026-09-21 14:13:20"}
    found = status_of((old,), now_s=NOW).migrations[0]
    assert (found.rows_processed, found.started_at, found.quarantined) == (None, "2026-09-21T14:13:20Z", 0)


def test_running_and_failed_are_told_apart() -> None:
    status = status_of((row(), row(name="b", status="failed", error="disk full")), now_s=NOW)
    assert (status.running, status.failed, status.not_ready) == (True, True, "migration failed: b")
    assert status.migrations[1].error_message == "disk full"


def test_an_acknowledged_failure_no_longer_counts_against_readiness() -> None:
    status = status_of((row(status="failed", acknowledged_at="2026-09-21T15:00:00Z"),), now_s=NOW)
    assert (status.failed, status.not_ready) == (False, None)


def test_each_failure_says_whether_it_was_acknowledged() -> None:
    seen, open_one = row(status="failed", acknowledged_at="2026-09-21T15:00:00.5Z"), row(name="b", status="failed")
    status = status_of((seen, open_one, row(name="c", acknowledged_at="2026-09-21T15:00:00Z")), now_s=NOW)
    assert [m.acknowledged_at for m in status.migrations] == ["2026-09-21T15:00:00Z", None, None]
    assert (status.failed, status.unacknowledged) == (True, ("b",))


@pytest.mark.parametrize(
    ("status", "header"),
    [
        ("pending", "loading"), ("running", "loading"), ("paused", "loading"), ("interrupted", "loading"),
        ("verifying", "loading"), ("failed", "loading"), ("exploded", "loading"),
        ("done", "ready"), ("cancelled", "ready"), ("parked", "ready"),
    ],
)  # fmt: skip
def test_the_header_says_loading_until_history_is_filled(mesh: Mesh, start: Start, status: str, header: str) -> None:
    ledger(mesh, status=status)
    assert start().get("/livez").headers["x-corescope-load-status"] == header


def test_without_a_ledger_everything_is_empty_and_false(mesh: Mesh, start: Start) -> None:
    client = start()
    health = client.get("/api/healthz").json()
    assert health["async_migrations"] == []
    assert health["async_migrations_running"] is False
    assert health["async_migrations_failed"] is False
    assert "async_migrations_error" not in health
    assert client.get("/api/perf").json()["asyncMigrations"] == []


def test_perf_and_healthz_say_the_same_with_exactly_these_keys(mesh: Mesh, start: Start) -> None:
    ledger(mesh)
    client = start()
    perf = client.get("/api/perf").json()["asyncMigrations"]
    health = client.get("/api/healthz").json()
    assert [set(one) for one in perf] == [KEYS]
    assert (health["ready"], health["async_migrations_running"]) == (True, True)
    assert [one["name"] for one in health["async_migrations"]] == [one["name"] for one in perf]


@pytest.mark.parametrize("path", ["/api/healthz", "/api/perf", "/metrics"])
def test_no_error_of_a_migration_tells_strangers_where_the_operator_keeps_files(
    mesh: Mesh, start: Start, path: str
) -> None:
    place = "/srv/Op's. data; (2)/meshcore.db"
    imports.request(mesh.db, place, by="cli", now=1)
    ledger(mesh, status="failed", error=f"there is no file {place}, nor /home/op/b.db-wal")
    text = start().get(path).text
    assert "/srv" not in text
    assert "/home" not in text
    assert ("there is no file meshcore.db, nor b.db-wal" in text) == (path != "/metrics")


def test_metrics_tell_how_far_a_migration_is_from_the_same_ledger(mesh: Mesh, start: Start) -> None:
    ledger(mesh)
    mesh.db.execute("alter table _async_migrations add column throttled text")
    mesh.db.execute("alter table _async_migrations add column rows_quarantined integer")
    waited = '{"disk floor": 2.5, "paused by alice": 1, "paused by bob": 3}'
    mesh.db.execute("update _async_migrations set throttled = ?, rows_quarantined = 7", (waited,))
    ledger_row = (
        "insert into _async_migrations (name, status, rows_processed, throttled) values ('b', 'paused', 4, 'x')"
    )
    mesh.db.execute(ledger_row)
    lines = [line for line in start().get("/metrics").text.splitlines() if line.startswith("hopscope_migration_")]
    of_a, of_b = ([line for line in lines if f'migration="{name}"' in line] for name in (row()["name"], "b"))
    name = row()["name"]
    rate = next(line for line in of_a if line.startswith("hopscope_migration_rows_per_second"))
    assert float(rate.split()[-1]) > 0
    assert set(of_a) - {rate} == {
        f'hopscope_migration_rows_processed{{migration="{name}"}} 500.0',
        f'hopscope_migration_rows_total{{migration="{name}"}} 1500.0',
        f'hopscope_migration_rows_quarantined{{migration="{name}"}} 7.0',
        f'hopscope_migration_throttled_seconds{{migration="{name}",reason="disk floor"}} 2.5',
        f'hopscope_migration_throttled_seconds{{migration="{name}",reason="other"}} 4.0',
    }
    assert of_b == [
        'hopscope_migration_rows_processed{migration="b"} 4.0',
        'hopscope_migration_rows_quarantined{migration="b"} 0.0',
    ]


def test_a_failed_migration_is_not_ready_but_still_served(mesh: Mesh, start: Start) -> None:
    ledger(mesh, status="failed", error="out of disk")
    client = start()
    answer = client.get("/api/healthz")
    assert answer.status_code == 200
    assert (answer.json()["ready"], answer.json()["reason"]) == (False, "migration failed: tx_last_seen_backfill_v1")
    assert client.get("/readyz").status_code == 200


def test_a_ledger_that_cannot_be_read_keeps_the_last_good_rows_and_says_so(mesh: Mesh, database: Path) -> None:
    ledger(mesh)
    pool = ReadPool(str(database))
    reader = StatusReader(pool)
    assert len(reader.current().migrations) == 1
    mesh.close()
    for file in database.parent.glob("mesh.db*"):
        file.unlink()
    reader._memo.forget()
    status = reader.current()
    pool.close()
    assert len(status.migrations) == 1
    assert (status.running, status.failed, status.history_complete) == (None, None, False)
    assert status.error is not None
    assert "there is no database" in status.error


def test_the_ledger_is_read_at_most_once_a_second(mesh: Mesh, database: Path) -> None:
    pool = ReadPool(str(database))
    reader = StatusReader(pool)
    for _ in range(50):
        reader.current()
    assert len(pool.waits_ms()) == 1
    pool.close()


@pytest.mark.parametrize("path", ["/livez", "/api/config/client"])
def test_some_answers_need_no_database(start: Start, path: str) -> None:
    assert start().get(path).status_code == 200


def test_a_missing_database_is_503_with_the_reason_and_every_key(start: Start) -> None:
    client = start()
    answer = client.get("/api/healthz")
    health = answer.json()
    assert (answer.status_code, health["ready"]) == (503, False)
    assert "there is no database yet" in health["reason"]
    assert (health["async_migrations"], health["async_migrations_running"]) == ([], None)
    assert health["async_migrations_failed"] is None
    assert "there is no database yet" in health["async_migrations_error"]
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200
    assert client.get("/livez").headers["x-corescope-load-status"] == "loading"
    assert client.get("/api/packets").status_code == 503
    perf = client.get("/api/perf").json()
    assert (perf["asyncMigrations"], perf["sqlite"]) == ([], None)


def test_a_newer_schema_is_503_with_a_clear_reason(mesh: Mesh, start: Start) -> None:
    mesh.db.execute("update meta set value = '99' where key = 'schema_version'")
    answer = start().get("/api/healthz")
    assert answer.status_code == 503
    assert "install a newer hopscope" in answer.json()["reason"]


def test_a_file_that_is_no_database_is_503(database: Path, start: Start) -> None:
    database.write_bytes(b"this is not a database, it is a sentence that is long enough" * 20)
    answer = start().get("/api/healthz")
    assert answer.status_code == 503
    assert "cannot be read" in answer.json()["reason"]


def test_a_reader_begins_to_answer_when_the_database_appears(database: Path, start: Start) -> None:
    client = start()
    assert client.get("/api/packets").status_code == 503
    mesh = Mesh(database)
    mesh.ack(1)
    assert len(client.get("/api/packets").json()["packets"]) == 1
    mesh.close()


def test_a_replaced_database_is_served_from_the_next_request_on(mesh: Mesh, database: Path, start: Start) -> None:
    old = mesh.ack(1)
    client = start()
    assert client.get("/api/packets").json()["packets"][0]["hash"] == old
    mesh.close()
    for file in database.parent.glob("mesh.db*"):
        file.unlink()
    assert client.get("/api/packets").status_code == 503
    fresh = Mesh(database)
    new = fresh.ack(2)
    assert [packet["hash"] for packet in client.get("/api/packets").json()["packets"]] == [new]
    fresh.close()
