"""What is said before anything is done: measured on a sample that leaves nothing behind."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from corescope_file import CoreScopeFile
from import_rig import KEYS, PACKETS, history

from hopscope.cli.root import main
from hopscope.migrations.forecast import forecast
from hopscope.store import connection, schema
from hopscope.store.corescope import SourceError


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(tmp_path / "data" / "hopscope.db"))
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["upgrade-check", *arguments])


def test_a_forecast_counts_every_row_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    history(tmp_path / "meshcore.db", receptions=30_000)
    before = (tmp_path / "meshcore.db").read_bytes()
    database = str(tmp_path / "data" / "hopscope.db")
    found = forecast(str(tmp_path / "meshcore.db"), database, KEYS, stall_budget_ms=50)
    rows = {plan.name: plan.total for plan in found.plans if plan.left_out is None}
    assert (rows["transmissions"], rows["observations"]) == (PACKETS, 30_000)
    assert found.sampled_rows < 30_000
    assert found.seconds > 0
    assert found.bytes_needed > 0
    assert found.fits
    assert list((tmp_path / "data").iterdir()) == []
    assert (tmp_path / "meshcore.db").read_bytes() == before


def test_the_command_says_it_for_people_and_for_machines(told: Any, tmp_path: Path) -> None:
    file = CoreScopeFile(tmp_path / "meshcore.db")
    file.observer("A1" * 32)
    file.close()
    text = told(str(tmp_path / "meshcore.db"))
    assert text.exit_code == 0, text.output
    assert "dropped_packets" in text.output
    assert "the file is only read" in text.output
    found = json.loads(told(str(tmp_path / "meshcore.db"), "--json").stdout)
    assert found["fits"] is True
    tables = {table["table"]: table for table in found["tables"]}
    assert (tables["observers"]["rowsToRead"], tables["observers"]["comesAlong"]) == (1, True)
    assert not (tmp_path / "data").exists()


def test_a_retention_is_said_to_leave_packets_behind(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CoreScopeFile(tmp_path / "meshcore.db").close()
    assert "retention_days" not in told(str(tmp_path / "meshcore.db")).output
    monkeypatch.setenv("HOPSCOPE_RETENTION_DAYS", "30")
    assert "retention_days is 30: packets that nobody heard" in told(str(tmp_path / "meshcore.db")).output


def test_a_database_of_our_own_is_checked_for_its_schema(told: Any, tmp_path: Path) -> None:
    db = connection.open_writer(str(tmp_path / "ours.db"))
    schema.prepare(db)
    assert "as it is" in told(str(tmp_path / "ours.db")).output
    db.execute("update meta set value = '99' where key = 'schema_version'")
    db.close()
    newer = told(str(tmp_path / "ours.db"))
    assert (newer.exit_code, "install a newer hopscope" in newer.output) == (1, True)


def test_a_disk_without_room_is_said_and_ends_with_a_failure(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CoreScopeFile(tmp_path / "meshcore.db").close()
    monkeypatch.setattr("hopscope.migrations.forecast.DISK_FLOOR_BYTES", 1 << 60)
    ended = told(str(tmp_path / "meshcore.db"))
    assert ended.exit_code == 1
    assert "no room" in ended.output


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("nothing" * 200)
    with pytest.raises(SourceError, match="cannot be read as a database"):
        forecast(str(tmp_path / "x.db"), str(tmp_path / "h.db"), KEYS, stall_budget_ms=50)
