"""What is said before anything is done: measured on a sample that leaves nothing behind."""

import json
import time
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner
from corescope_file import CoreScopeFile
from import_rig import KEYS, PACKETS, history

from hopscope.cli.root import main
from hopscope.migrations.corescope_import import BYTES_PER_ROW
from hopscope.migrations.forecast import forecast
from hopscope.store import connection, schema
from hopscope.store.corescope import Forgotten, SourceError
from meshwire import encode


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
    assert "retention_days is 30: of packets that nobody heard" in told(str(tmp_path / "meshcore.db")).output


def old_and_new(path: Path, age: str = "current") -> None:
    """700 packets heard three times 40 days ago, ten of them again yesterday, and ten new ones."""
    now = int(time.time())
    file = CoreScopeFile(path, age)
    file.db.execute("begin")
    alice = file.observer("A1" * 32)
    for number in range(710):
        heard = now - (40 if number < 700 else 1) * 86_400
        frame = encode.frame(1, 3, encode.ack(number.to_bytes(4, "little")))
        packet = file.transmission(frame, heard)
        for hop in range(3):
            file.observation(packet, alice, heard + 60 * hop, [f"{hop:02X}"])
        if number < 10:
            file.observation(packet, alice, now - 86_400, ["8A"])
    file.db.execute("commit")
    file.close()


@pytest.mark.parametrize("age", ["legacy", "current"])
def test_what_retention_leaves_behind_is_read_but_needs_no_room(age: str, tmp_path: Path) -> None:
    old_and_new(tmp_path / "meshcore.db", age)
    source, database = str(tmp_path / "meshcore.db"), str(tmp_path / "h.db")
    everything = forecast(source, database, KEYS, stall_budget_ms=50)
    kept = forecast(source, database, KEYS, stall_budget_ms=50, retention_days=30)
    assert everything.past_retention == Forgotten()
    assert kept.past_retention == Forgotten(690, 3 * 690)
    assert {plan.name: plan.total for plan in kept.plans}["observations"] == 3 * 710 + 10, "all of them are read"
    rows = 690 * BYTES_PER_ROW["transmissions"] + 3 * 690 * BYTES_PER_ROW["observations"]
    assert everything.bytes_needed - kept.bytes_needed >= rows
    assert "690 packets with 2,070 receptions stay behind" in kept.warnings[-1]


def test_a_count_that_takes_too_long_is_an_upper_bound_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_and_new(tmp_path / "meshcore.db")
    looks = iter([False, True])
    monkeypatch.setattr("hopscope.migrations.corescope_import.within", lambda _seconds: lambda: next(looks))
    source, database = str(tmp_path / "meshcore.db"), str(tmp_path / "h.db")
    found = forecast(source, database, KEYS, stall_budget_ms=50, retention_days=30)
    assert found.past_retention == Forgotten(490, 3 * 490, whole=False)
    assert "and more that were not counted: time and disk are upper bounds" in found.warnings[-1]


def test_a_file_that_does_not_tell_leaves_nothing_behind(tmp_path: Path) -> None:
    old_and_new(tmp_path / "meshcore.db", "legacy")
    db = apsw.Connection(str(tmp_path / "meshcore.db"))
    db.execute("drop index idx_observations_transmission_id")
    db.close()
    source, database = str(tmp_path / "meshcore.db"), str(tmp_path / "h.db")
    found = forecast(source, database, KEYS, stall_budget_ms=50, retention_days=30)
    assert found.past_retention == Forgotten()
    assert "they come along and are dropped afterwards" in found.warnings[-1]


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
