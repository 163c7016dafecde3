"""What reviews of CoreScope's own backfill asked for, point by point, shown on ours. One test each."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from corescope_file import CoreScopeFile
from import_rig import KEYS, NOW, Importing, history
from litestar.testing import TestClient

import inchworm
from hopscope.api.migrations_status import status_of
from hopscope.app.reader import create_app
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
from hopscope.migrations import corescope_import, report
from hopscope.migrations.derived import Derivation, derivations
from hopscope.migrations.service import Service, Work, run_migrations
from hopscope.store import connection, imports, ledger
from inchworm import Backfill
from meshwire import encode

AT = 1_779_000_000


def ack(number: int) -> bytes:
    return encode.frame(1, 3, encode.ack(number.to_bytes(4, "little")))


def row_of(store: apsw.Connection, name: str) -> dict[str, Any]:
    return next(row for row in ledger.rows(store) if row["name"] == name)


def work_on(store: apsw.Connection) -> Work:
    return Work(str(store.filename), KEYS, stall_budget_ms=50, now_ms=lambda: NOW)


def begin(store: apsw.Connection, source: CoreScopeFile) -> list[Backfill]:
    """The plan of an import as the service makes it, not yet run."""
    number = imports.request(store, str(source.path), by="cli", now=NOW)
    service = Service(work_on(store))
    stopped = StopToken()
    stopped.set("planned only")
    service._begun(imports.load(store, number))  # type: ignore[arg-type]
    service.close()
    job = imports.load(store, number)
    assert job is not None
    return corescope_import.backfills(job, KEYS)


def test_1_a_transmission_without_observations_ends_and_keeps_its_zero(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    for number in range(50):  # orphans first in the order of keys
        source.transmission(ack(number), AT)
    source.observation(source.transmission(ack(99), AT), source.observer("A1" * 32), AT)
    assert bring(source.path).state == "done"
    row = row_of(store, "tx_last_seen_backfill_v1")
    assert (row["status"], row["rows_processed"], row["rows_changed"]) == ("done", 51, 1)
    assert store.execute("select count(*) from transmissions where last_seen = 0").get == 50


def test_2_no_statement_of_a_slice_reads_a_whole_table(store: apsw.Connection, source: CoreScopeFile) -> None:
    own = derivations(Derivation(1, 1, ("import_1_observations",)), KEYS)
    for migration in own:
        for text in filter(None, (migration.compute, *migration.statements, migration.verify)):
            names = dict.fromkeys(re.findall(r":(\w+)", text))
            plan = [line[3] for line in store.execute("explain query plan " + text, names)]
            whole = [
                line for line in plan if re.match(r"SCAN (?!place|p$|touched|t$|j )", line) and "VIRTUAL" not in line
            ]
            assert [line for line in whole if "CONSTANT" not in line and "(" not in line] == [], (migration.name, plan)
    for table, text in ((m.table, m.compute) for m in begin(store, source) if m.source is not None):
        plan = [line[3] for line in source.db.execute("explain query plan " + str(text), {"first": 1, "last": 2})]
        assert not any(line.startswith("SCAN") for line in plan), (table, plan)


def test_3_an_error_in_the_first_look_fails_the_migration_and_shows(
    store: apsw.Connection, source: CoreScopeFile
) -> None:
    source.transmission(ack(1), AT)
    first, *rest = begin(store, source)
    broken = replace(first, table="no_such_table")
    ended = run_migrations(work_on(store), [broken, *rest], StopToken())
    assert ended[first.name].status is inchworm.Status.FAILED
    row = row_of(store, first.name)
    assert "no_such_table" in row["error"]
    assert {o.status for o in ended.outcomes[1:]} == {inchworm.Status.PENDING}


def test_4_a_retry_starts_with_clean_figures(store: apsw.Connection, source: CoreScopeFile, bring: Importing) -> None:
    source.observation(source.transmission(ack(1), AT), source.observer("A1" * 32), AT)
    store.execute("create trigger no before insert on observations begin select raise(abort, 'no room'); end")
    assert bring(source.path).state == "failed"
    assert row_of(store, "import_1_observations")["error"] is not None
    store.execute("drop trigger no")
    inchworm.request(lambda: connection.open_writer(str(store.filename)), "import_1_observations", "retry")
    row = row_of(store, "import_1_observations")
    assert (row["status"], row["error"], row["ended_at"]) == ("pending", None, None)
    service = Service(work_on(store))
    service.work(StopToken())
    service.close()
    row = row_of(store, "import_1_observations")
    assert (row["status"], row["rows_quarantined"], row["error"]) == ("done", 0, None)
    assert store.execute("select count(*) from observations").get == 1


def test_5_a_stop_between_slices_keeps_partial_work_and_its_cause(store: apsw.Connection, tmp_path: Path) -> None:
    history(tmp_path / "history.db", receptions=4_000)
    imports.request(store, str(tmp_path / "history.db"), by="cli", now=NOW)
    stop = StopToken()
    work = replace(work_on(store), gate=StopInside(store, "import_1_observations", stop), now_ms=lambda: NOW * 2)
    service = Service(work)
    service.work(stop)
    service.close()
    row = row_of(store, "import_1_observations")
    assert (row["status"], row["reason"]) == ("interrupted", "interrupted: SIGTERM")
    assert 0 < row["rows_processed"] < row["rows_total"]
    assert store.execute("select state from imports").get == "running"


class StopInside:
    """A gate that asks to stop as soon as a migration has written a slice: between two slices, not after a time."""

    def __init__(self, store: apsw.Connection, name: str, stop: StopToken) -> None:
        self._store, self._name, self._stop, self._gate = store, name, stop, inchworm.WriteGate()

    def migration(self, stop: Any) -> Any:
        if any(row["name"] == self._name and row["rows_processed"] for row in ledger.rows(self._store)):
            self._stop.set("SIGTERM")
        return self._gate.migration(stop)


def test_6_progress_is_told_once_per_second_at_most_and_once_at_the_end(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    source.observation(source.transmission(ack(1), AT), source.observer("A1" * 32), AT)
    bring(source.path)
    of = Derivation(2, 1, ("import_1_observations",))
    again = next(m for m in derivations(of, KEYS) if m.name.startswith("tx_last_seen"))
    told: list[tuple[str, int]] = []

    def tell(progress: inchworm.Progress) -> None:
        told.append((str(progress.status), progress.counts.examined))
        raise RuntimeError("a callback that fails harms nobody")

    ended = inchworm.run(lambda: connection.open_writer(str(store.filename)), [again], on_progress=tell)
    assert ended.ok
    assert told == [("done", 1)]


def test_7_rows_above_the_bound_are_left_to_live_ingest(store: apsw.Connection, source: CoreScopeFile) -> None:
    alice = source.observer("A1" * 32)
    source.observation(source.transmission(ack(1), AT), alice, AT)
    plan = begin(store, source)
    late = source.transmission(ack(2), AT + 9)
    source.observation(late, alice, AT + 9)
    assert run_migrations(work_on(store), plan, StopToken()).ok
    assert store.execute("select count(*) from transmissions").get == 1
    job = imports.load(store, 1)
    assert job is not None
    assert {t.name: t.read for t in job.tables if t.name in ("transmissions", "observations")} == {
        "transmissions": 1,
        "observations": 1,
    }


def test_a_row_that_is_gone_before_it_is_read_is_reported_as_vanished(
    store: apsw.Connection, source: CoreScopeFile
) -> None:
    alice, packet = source.observer("A1" * 32), source.transmission(ack(1), AT)
    for number in range(3):
        source.observation(packet, alice, AT + 60 * number, [f"0{number}"])
    begin(store, source)
    source.db.execute("delete from observations where timestamp = ?", (AT + 60,))
    service = Service(work_on(store))
    service.work(StopToken())
    service.close()
    job = imports.load(store, 1)
    assert job is not None
    told = report.as_json(job, ledger.rows(store))
    observations = next(table for table in told["tables"] if table["table"] == "observations")
    assert (observations["rowsAtStart"], observations["rowsRead"], observations["vanished"]) == (3, 2, 1)
    assert told["accountedFor"] is True


def test_8_another_writer_commits_between_two_turns(store: apsw.Connection, tmp_path: Path) -> None:
    """Counted, not timed: one transaction around the whole import would let nobody in between."""
    history(tmp_path / "history.db", receptions=6_000)
    imports.request(store, str(tmp_path / "history.db"), by="cli", now=NOW)
    seen: list[int] = []
    gate = Between(lambda: seen.append(stored_by_another(str(store.filename))))
    service = Service(replace(work_on(store), gate=gate, now_ms=lambda: NOW * 2))
    service.work(StopToken())
    service.close()
    steps = sorted(set(seen))
    assert store.execute("select state from imports").get == "done"
    assert len(steps) >= 6, "a reader sees the import in steps"
    assert store.execute("select value from counters where name = 'others'").get == len(seen)


class Between:
    """A gate that lets somebody else write before each turn."""

    def __init__(self, other: Callable[[], None]) -> None:
        self._other, self._gate = other, inchworm.WriteGate()

    def migration(self, stop: Any) -> Any:
        thread = threading.Thread(target=self._other)
        thread.start()
        thread.join()
        return self._gate.migration(stop)


def stored_by_another(path: str) -> int:
    """A commit of another connection; returns how many observations it sees."""
    db = connection.open_writer(path)
    try:
        db.execute("insert into counters values ('others', 1) on conflict (name) do update set value = value + 1")
        return int(db.execute("select count(*) from observations").get)
    finally:
        db.close()


def test_9_an_older_ledger_is_extended_and_a_fresh_one_made_whole(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    store.execute(
        "create table _async_migrations (name text primary key, status text not null, started_at text, ended_at text, "
        "error text)"
    )
    store.execute("insert into _async_migrations values ('obs_observer_ts_idx_v1', 'done', null, null, null)")
    assert bring(source.path).state == "done"
    columns = {row[0] for row in store.execute("select name from pragma_table_info('_async_migrations')")}
    assert {"rows_processed", "rows_total", "last_update_at"} <= columns
    assert row_of(store, "obs_observer_ts_idx_v1")["status"] == "done"


def test_10_list_and_booleans_are_always_there_and_an_unreadable_ledger_is_an_error(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    settings = Settings(database=str(store.filename))
    with TestClient(create_app(settings)) as client:
        health = client.get("/api/healthz").json()
        assert [health[key] for key in ("async_migrations", "async_migrations_running", "async_migrations_failed")] == [
            [],
            False,
            False,
        ]
    bring(source.path)
    store.execute("update _async_migrations set status = 'wat' where name = 'import_1_nodes'")
    with TestClient(create_app(settings)) as client:
        shown = {one["name"]: one["status"] for one in client.get("/api/perf").json()["asyncMigrations"]}
        assert shown["import_1_nodes"] == "unknown"
    store.execute("drop table _async_migrations")
    store.execute("create table _async_migrations (something_else)")
    with TestClient(create_app(settings)) as client:
        health = client.get("/api/healthz").json()
        assert health["async_migrations_error"]
        assert (health["async_migrations"], health["ready"]) == ([], False)
        assert (health["async_migrations_running"], health["async_migrations_failed"]) == (None, None)


def test_11_a_failed_migration_is_seen_until_it_is_acknowledged(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    source.observation(source.transmission(ack(1), AT), source.observer("A1" * 32), AT)
    store.execute("create trigger no before insert on observations begin select raise(abort, 'no room'); end")
    bring(source.path)
    status = status_of(ledger.rows(store), now_s=NOW / 1000)
    assert (status.running, status.failed, status.not_ready) == (False, True, "migration failed: import_1_observations")
    failed = next(m for m in status.migrations if m.status == "failed")
    assert "no room" in (failed.error_message or "")
    inchworm.request(lambda: connection.open_writer(str(store.filename)), "import_1_observations", "acknowledge")
    assert status_of(ledger.rows(store), now_s=NOW / 1000).failed is False


def test_12_status_is_answered_while_the_writer_holds_the_lock(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    bring(source.path)
    store.execute("begin exclusive")
    try:
        with TestClient(create_app(Settings(database=str(store.filename)))) as client:
            for path in ("/api/healthz", "/api/perf", "/api/imports", "/readyz"):
                assert client.get(path).status_code == 200, path
    finally:
        store.execute("rollback")


@pytest.mark.parametrize("budget", [10, 50, 200])
def test_13_the_stall_budget_of_the_settings_is_the_one_the_engine_gets(
    budget: int, store: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def run(*_: Any, **options: Any) -> Any:
        given.append(options["stall_budget_ms"])
        return inchworm.Report(())

    monkeypatch.setattr(inchworm, "run", run)
    run_migrations(replace(work_on(store), stall_budget_ms=budget), [], StopToken())
    assert given == [budget]


def test_rate_and_time_left_are_arithmetic_on_the_attempts_own_figures() -> None:
    row = {
        "name": "a",
        "status": "running",
        "started_at": "2026-05-28T20:00:00Z",
        "rows_processed": 60_000,
        "rows_total": 100_000,
        "attempt_rows": 10_000,
        "attempt_active_s": 5.0,
    }
    (found,) = status_of((row,), now_s=1_780_000_000.0).migrations
    assert found.rate == pytest.approx(2_000)
    assert found.eta_seconds == pytest.approx(20.0)
    assert json.dumps(found.elapsed_sec) == "1600.0"


def test_a_full_disk_is_waited_out_and_nothing_is_lost(
    store: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(tmp_path / "history.db", receptions=3_000)
    imports.request(store, str(tmp_path / "history.db"), by="cli", now=NOW)
    disk = FullDisk(store)
    monkeypatch.setattr(connection, "open_writer", disk.open)
    service = Service(replace(work_on(store), gate=disk, now_ms=lambda: NOW * 2))
    service.work(StopToken())
    service.close()
    assert disk.refused > 0
    assert store.execute("select state from imports").get == "done"
    assert store.execute("select count(*) from observations").get == 3_000
    assert json.loads(row_of(store, "import_1_observations")["throttled"])["disk full"] > 0


class FullDisk:
    """Takes the room away while observations come in, until a turn was refused; then there is room again."""

    def __init__(self, store: apsw.Connection) -> None:
        self._store, self._gate, self._open = store, inchworm.WriteGate(), connection.open_writer
        self._opened: list[apsw.Connection] = []
        self._stored = 0
        self.refused = 0

    def open(self, path: str) -> apsw.Connection:
        self._opened.append(self._open(path))
        return self._opened[-1]

    def migration(self, stop: Any) -> Any:
        """Called in the engine's thread before each of its turns."""
        stored = int(self._store.execute("select count(*) from observations").get)
        if stored and not self.refused:
            pages = int(self._store.pragma("page_count"))
            if self._stored == stored:
                self.refused, pages = 1, 1_000_000
            self._stored = stored
            for one in self._opened[1:]:  # the first is the service's own
                if not one.in_transaction:
                    one.pragma("max_page_count", pages)
        return self._gate.migration(stop)
