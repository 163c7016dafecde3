"""What the API says about imports and migrations, and what an operator may ask of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import apsw
import pytest
from corescope_file import CoreScopeFile
from import_rig import Importing
from litestar import Litestar
from litestar.testing import TestClient

from hopscope.app.reader import create_app
from hopscope.config.settings import Settings
from hopscope.migrations import report
from hopscope.store import imports, ledger
from hopscope.store.lock import WriterLock
from meshwire import encode

KEY = "a-long-operator-key-7391"
OPERATOR = {"X-API-Key": KEY}
Client = TestClient[Litestar]


@pytest.fixture
def start(store: apsw.Connection, tmp_path: Path) -> Iterator[Callable[[], Client]]:
    """Starts an application; one that is started later has not read an older status."""
    (tmp_path / "imports").mkdir()
    settings = Settings(database=str(tmp_path / "hopscope.db"), api_key=KEY, import_dir=str(tmp_path / "imports"))
    with ExitStack() as stack:
        yield lambda: stack.enter_context(TestClient(create_app(settings), raise_server_exceptions=False))


@pytest.fixture
def client(start: Callable[[], Client]) -> Client:
    return start()


def fill(source: CoreScopeFile) -> None:
    frame = encode.frame(1, 3, encode.ack(b"\x01\x02\x03\x04"))
    packet = source.transmission(frame, "2026-05-17T06:40:00Z")
    source.observation(packet, source.observer("A1" * 32), 1_779_000_000, ["8A"], raw_hex=None)


def status_of(store: apsw.Connection, name: str) -> Any:
    return next(row["status"] for row in ledger.rows(store) if row["name"] == name)


def test_without_imports_every_list_is_there_and_empty(client: Client) -> None:
    assert client.get("/api/imports").json() == {"imports": []}
    health = client.get("/api/healthz").json()
    assert (health["async_migrations"], health["async_migrations_running"], health["async_migrations_failed"]) == (
        [],
        False,
        False,
    )
    assert client.get("/api/perf").json()["asyncMigrations"] == []


def test_an_import_is_shown_with_its_report_and_without_its_directory(
    start: Callable[[], Client], source: CoreScopeFile, bring: Importing, tmp_path: Path
) -> None:
    fill(source)
    bring(source.path)
    client = start()
    answer = client.get("/api/imports")
    (found,) = answer.json()["imports"]
    assert (found["file"], found["state"], found["accountedFor"]) == ("meshcore.db", "done", True)
    assert str(tmp_path) not in answer.text
    names = [one["name"] for one in client.get("/api/perf").json()["asyncMigrations"]]
    assert "tx_last_seen_backfill_v1" in names


def test_no_error_of_an_import_tells_strangers_where_its_file_lies(
    start: Callable[[], Client], store: apsw.Connection, source: CoreScopeFile, bring: Importing, tmp_path: Path
) -> None:
    fill(source)
    store.execute("create trigger no before insert on observations begin select raise(abort, '/srv/x/no.db-wal'); end")
    assert bring(source.path).state == "failed"
    (found,) = start().get("/api/imports").json()["imports"]
    said = [found["error"], *(one["error"] for one in found["migrations"] if one["error"])]
    assert len(said) == 2
    assert all("no.db-wal" in one and "/srv" not in one for one in said)


@pytest.mark.parametrize(
    ("holder", "stored", "says"),
    [
        (None, "requested", "waiting"),
        ("ingest", "requested", "requested"),
        (None, "running", "interrupted"),
        ("ingest", "running", "running"),
        ("import", "running", "running"),
    ],
)
def test_an_import_runs_only_while_somebody_works(
    holder: str | None, stored: str, says: str, *, start: Callable[[], Client], store: apsw.Connection, tmp_path: Path
) -> None:
    number = imports.request(store, "/srv/meshcore.db", by="cli", now=1)
    store.execute("update imports set state = ? where id = ?", (stored, number))
    with ExitStack() as stack:
        if holder:
            stack.enter_context(WriterLock.acquire(str(tmp_path / "hopscope.db"), holder))
        (found,) = start().get("/api/imports").json()["imports"]
    assert found["state"] == says


@pytest.mark.parametrize(
    ("statuses", "says"),
    [
        (("done", "pending"), "running"),
        (("interrupted", "pending"), "interrupted"),
        (("paused", "interrupted"), "paused"),
        (("interrupted", "running"), "running"),
        (("paused", "verifying"), "running"),
    ],
)
def test_an_import_of_a_living_writer_stands_as_its_migrations_do(
    statuses: tuple[str, ...], says: str, store: apsw.Connection
) -> None:
    number = imports.request(store, "/srv/meshcore.db", by="cli", now=1)
    store.execute("update imports set state = 'running' where id = ?", (number,))
    job = imports.load(store, number)
    assert job is not None
    rows = [{"name": n, "status": s} for n, s in zip(report.names_of(job), statuses, strict=False)]
    assert {report.standing(job, rows, works=works) for works in (True, None)} == {says}
    assert report.standing(job, rows, works=False) == "interrupted"


def test_everything_an_operator_may_do_needs_the_key(client: Client) -> None:
    for method, path in (
        ("GET", "/api/admin/import-files"),
        ("POST", "/api/admin/imports"),
        ("POST", "/api/admin/migrations/tx_last_seen_backfill_v1/pause"),
    ):
        assert client.request(method, path, json={"file": "x.db"}).status_code == 403, path


def test_a_file_of_the_import_directory_is_asked_for_by_name(
    client: Client, store: apsw.Connection, tmp_path: Path
) -> None:
    (tmp_path / "imports" / "meshcore.db").write_bytes(b"")
    listed = client.get("/api/admin/import-files", headers=OPERATOR).json()
    assert listed == {"configured": True, "files": ["meshcore.db"], "refused": []}
    answer = client.post("/api/admin/imports", json={"file": "meshcore.db"}, headers=OPERATOR)
    assert (answer.status_code, answer.json()["number"]) == (202, 1)
    job = imports.load(store, 1)
    assert job is not None
    assert (job.path, job.state, job.requested_by) == (str(tmp_path / "imports" / "meshcore.db"), "requested", "api")


def test_an_import_directory_that_is_not_there_is_said(client: Client, tmp_path: Path) -> None:
    (tmp_path / "imports").rmdir()
    answer = client.get("/api/admin/import-files", headers=OPERATOR)
    assert answer.status_code == 400
    assert answer.json()["error"] == "the import directory cannot be read: No such file or directory"


@pytest.mark.parametrize("name", ["../hopscope.db", "/etc/passwd", "", ".", "..", "a/b.db", "x\x00.db", "link.db", 5])
def test_no_name_leads_out_of_the_import_directory(
    name: object, client: Client, store: apsw.Connection, tmp_path: Path
) -> None:
    (tmp_path / "imports" / "link.db").symlink_to(tmp_path / "hopscope.db")
    answer = client.post("/api/admin/imports", json={"file": name}, headers=OPERATOR)
    assert answer.status_code in (400, 404)
    assert "error" in answer.json()
    assert imports.opened(store) == []


def test_what_would_not_be_imported_is_listed_with_the_reason(client: Client, tmp_path: Path) -> None:
    place = tmp_path / "imports"
    for name in ("meshcore.db", "copy (1).db", "notes.txt"):
        (place / name).write_bytes(b"")
    (place / "outside.db").symlink_to(tmp_path / "hopscope.db")
    (place / "inside.db").symlink_to("meshcore.db")
    (place / "dangling.db").symlink_to("nothing.db")
    listed = client.get("/api/admin/import-files", headers=OPERATOR).json()
    assert listed["files"] == ["inside.db", "meshcore.db"]
    refused = {one["file"]: one["reason"] for one in listed["refused"]}
    assert refused.keys() == {"copy (1).db", "outside.db"}
    assert refused["outside.db"] == "it is a link that leads out of the import directory"
    assert "its name" in refused["copy (1).db"]
    for name, status in {"inside.db": 202, "outside.db": 404, "dangling.db": 404, "copy (1).db": 400}.items():
        answer = client.post("/api/admin/imports", json={"file": name}, headers=OPERATOR)
        assert answer.status_code == status, name


def test_a_verb_that_does_not_fit_says_which_do(client: Client, source: CoreScopeFile, bring: Importing) -> None:
    fill(source)
    bring(source.path)
    path = "/api/admin/migrations/tx_last_seen_backfill_v1/"
    done = client.post(path + "pause", headers=OPERATOR)
    assert (done.status_code, "cannot be asked to pause" in done.json()["error"]) == (409, True)
    unknown = client.post(path + "explode", headers=OPERATOR)
    assert (unknown.status_code, unknown.json()["error"]) == (
        404,
        "a migration cannot be asked to 'explode': the verbs are pause, resume, cancel, retry, acknowledge",
    )
    assert client.post("/api/admin/migrations/nothing/pause", headers=OPERATOR).status_code == 404


def test_a_failure_is_not_ready_until_an_operator_acknowledges_it(
    start: Callable[[], Client], store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    fill(source)
    store.execute("create trigger no before insert on observations begin select raise(abort, 'no room'); end")
    found = bring(source.path)
    assert found.state == "failed"
    client = start()
    health = client.get("/api/healthz")
    assert (health.status_code, health.json()["ready"]) == (200, False)
    assert health.json()["reason"] == "migration failed: import_1_observations"
    failed = next(one for one in health.json()["async_migrations"] if one["status"] == "failed")
    assert "no room" in failed["errorMessage"]
    assert health.json()["async_migrations_failed"] is True
    assert client.get("/readyz").status_code == 200
    answer = client.post("/api/admin/migrations/import_1_observations/acknowledge", headers=OPERATOR)
    assert (answer.status_code, answer.json()["request"]) == (202, "acknowledge")
    assert start().get("/api/healthz").json()["ready"] is True


def test_a_retried_import_goes_on_where_it_failed(
    client: Client, store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    fill(source)
    store.execute("create trigger no before insert on observations begin select raise(abort, 'no room'); end")
    assert bring(source.path).state == "failed"
    assert bring(source.path.with_name("other.db")).state == "refused"
    store.execute("drop trigger no")
    client.post("/api/admin/migrations/import_1_observations/retry", headers=OPERATOR)
    assert status_of(store, "import_1_observations") == "pending"
    bring(source.path.with_name("missing.db"))
    job = imports.load(store, 1)
    assert job is not None
    assert job.state == "done"
    assert list(store.execute("select observation_count from transmissions")) == [(1,)]
