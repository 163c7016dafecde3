"""A database that another program keeps locked: waited for, named as the cause, and nothing lost."""

from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner
from corescope_file import CoreScopeFile
from import_rig import KEYS, NOW, history
from litestar.testing import TestClient

import inchworm
from hopscope.app import importing
from hopscope.app.reader import create_app
from hopscope.app.stop import StopToken
from hopscope.cli.root import main
from hopscope.config.settings import Settings
from hopscope.migrations.service import Blocked, Service, Work
from hopscope.store import connection, imports, ledger
from inchworm.errors import Busy
from inchworm.gate import OpenGate

RECEPTIONS = 3_000
KEY = "a-long-operator-key-7391"


class Stranger:
    """A gate that lets somebody lock the database for good once receptions have come; `let_go` ends it."""

    def __init__(self, store: apsw.Connection) -> None:
        self._store, self._other = store, apsw.Connection(str(store.filename))
        self.locked = self._done = False

    def migration(self, stop: Any) -> Any:
        if not self._done and self._store.execute("select 1 from observations").get:
            self._other.execute("begin immediate")
            self.locked = self._done = True
        return OpenGate().migration(stop)

    def let_go(self) -> None:
        self._other.execute("rollback")
        self._other.close()


def test_past_the_patience_the_work_stops_with_the_cause_and_a_later_pass_goes_on(
    store: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 20)
    history(tmp_path / "history.db", receptions=RECEPTIONS)
    number = imports.request(store, str(tmp_path / "history.db"), by="cli", now=NOW)
    stranger = Stranger(store)
    work = Work(str(store.filename), KEYS, 50, stranger, lock_patience_s=0.2, now_ms=lambda: NOW * 2)
    service = Service(work)
    with pytest.raises(Blocked, match="the write lock was not free for"):
        service.work(StopToken())
    assert stranger.locked
    stored = store.execute("select count(*) from observations").get
    assert 0 < stored < RECEPTIONS
    stranger.let_go()
    service.work(StopToken())
    service.close()
    job = imports.load(store, number)
    assert job is not None
    assert job.state == "done"
    assert store.execute("select count(*) from observations").get == RECEPTIONS
    assert store.execute("select sum(observation_count) from transmissions").get == RECEPTIONS
    assert {row["status"] for row in ledger.rows(store)} == {"done"}


@pytest.fixture
def locked(store: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to import, and a database that somebody keeps locked; everybody's patience is short."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 20)
    monkeypatch.setattr(importing, "ASK_PATIENCE_S", 0.0)
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(store.filename))
    monkeypatch.chdir(tmp_path)
    CoreScopeFile(tmp_path / "m.db").close()
    store.execute("begin immediate")
    return tmp_path / "m.db"


def test_the_command_says_that_the_database_is_locked_and_asks_for_nothing(
    store: apsw.Connection, locked: Path
) -> None:
    ended = CliRunner().invoke(main, ["import", str(locked)])
    assert ended.exit_code == 1
    assert "database is locked" in ended.output
    assert "Traceback" not in ended.output
    store.execute("rollback")
    assert store.execute("select count(*) from imports").get == 0


def test_the_page_is_told_that_the_database_is_locked(store: apsw.Connection, locked: Path) -> None:
    settings = Settings(database=str(store.filename), api_key=KEY, import_dir=str(locked.parent))
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        answer = client.post("/api/admin/imports", json={"file": "m.db"}, headers={"X-API-Key": KEY})
    assert answer.status_code == 503
    assert "database is locked" in answer.json()["error"]


def test_a_verb_that_cannot_be_left_is_said_without_a_trace(
    store: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inchworm.run(
        lambda: connection.open_writer(str(store.filename)),
        [
            inchworm.Backfill(
                name="one_v1", table="nodes", update="update nodes set role = 1 where id between :first and :last"
            )
        ],
    )

    def busy(*_: Any, **__: Any) -> str:
        raise Busy("database is locked (BusyError)")

    monkeypatch.setattr(inchworm, "request", busy)
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(store.filename))
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(main, ["migrations", "pause", "one_v1"])
    assert ended.exit_code == 1
    assert "another program keeps the database locked" in ended.output
