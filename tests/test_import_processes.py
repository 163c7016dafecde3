"""Imports by the command line and by a running writer: killed, told to stop, resumed, and deprived of the source."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from import_rig import PACKETS, RECEPTIONS, history

from hopscope.migrations import operating
from hopscope.store import connection, ledger
from hopscope.store.connection import DatabaseMissing
from hopscope.store.lock import writer_alive

PATIENCE_S = 180.0  # for what takes a second or two on an idle machine
LONG = 64_000  # receptions, where an import must not end before the test has done something to it
HOPSCOPE = (sys.executable, "-P", "-m", "hopscope")

pytestmark = pytest.mark.timeout(600)


class Place:
    """A directory with a source and a database, and the processes that were started over it."""

    def __init__(self, directory: Path, receptions: int) -> None:
        self.source, self.database = directory / "meshcore.db", directory / "hopscope.db"
        self.receptions = receptions
        history(self.source, receptions)
        self._environment = {**os.environ, "HOPSCOPE_DATABASE": str(self.database), "PYTHONWARNINGS": "error"}
        self._directory = directory
        self._running: list[subprocess.Popen[str]] = []

    def set(self, name: str, value: str) -> None:
        """A setting of all processes that are started from now on."""
        self._environment[name] = value

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*HOPSCOPE, *arguments],
            env=self._environment,
            cwd=self._directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def writer(self) -> subprocess.Popen[str]:
        process = self.start("ingest")
        until(lambda: writer_alive(str(self.database)) and self.ask("select count(*) from meta") is not None)
        return process

    def ask(self, text: str) -> Any:
        try:
            db = connection.open_reader(str(self.database))
        except DatabaseMissing:
            return None
        try:
            return db.execute(text).get
        except (apsw.SQLError, apsw.BusyError):  # not made yet, or being made
            return None
        finally:
            db.close()

    def row(self, name: str) -> dict[str, Any]:
        db = connection.open_reader(str(self.database))
        try:
            return next((row for row in ledger.rows(db) if row["name"] == name), {})
        finally:
            db.close()

    def wait_for_rows(self, count: int) -> None:
        until(lambda: (self.ask("select value from counters where name = 'observations'") or 0) >= count)

    def wait_for_state(self, state: str) -> None:
        until(lambda: self.ask("select state from imports order by id desc limit 1") == state)

    def check(self) -> None:
        """Every row is there once, and everything derived agrees with it."""
        assert self.ask("select count(*) from transmissions") == PACKETS
        assert self.ask("select count(*) from observations") == self.receptions
        assert self.ask("select sum(observation_count) from transmissions") == self.receptions
        assert self.ask("select sum(observations) || '/' || sum(transmissions) from traffic_hourly") == (
            f"{self.receptions}/{PACKETS}"
        )
        assert self.ask("select sum(observations) from hash_sizes_hourly") == self.receptions
        assert self.ask("select sum(observation_count) from observers") == self.receptions
        assert self.ask("select sum(advert_count) from nodes") == PACKETS // 5
        wrong = "select count(*) from transmissions where last_seen = 0 and observation_count > 0"
        assert self.ask(wrong) == 0
        assert self.ask("pragma integrity_check") == "ok"

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, RECEPTIONS)
    yield made
    made.end()


@pytest.fixture
def long_place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, LONG)
    yield made
    made.end()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stop(process: subprocess.Popen[str], number: signal.Signals) -> str:
    process.send_signal(number)
    return process.communicate(timeout=PATIENCE_S)[1]


def test_without_a_writer_the_command_does_the_work_and_ends_with_the_report(place: Place) -> None:
    ended = place.run("import", str(place.source), "--json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["state"], report["accountedFor"]) == ("done", True)
    tables = {table["table"]: table for table in report["tables"]}
    assert tables["observations"]["rowsRead"] == tables["observations"]["imported"] == RECEPTIONS
    assert not writer_alive(str(place.database))
    place.check()
    again = place.run("import", str(place.source))
    assert again.returncode == 0
    place.check()


def test_a_running_writer_does_the_work_and_the_command_waits_for_it(place: Place) -> None:
    writer = place.writer()
    ended = place.run("import", str(place.source), "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["accountedFor"] is True
    assert writer.poll() is None
    place.check()
    listed = place.run("migrations", "--json")
    assert {row["status"] for row in json.loads(listed.stdout)} == {"done"}


def test_without_waiting_the_command_leaves_a_request_that_the_next_writer_takes_up(place: Place) -> None:
    ended = place.run("import", str(place.source), "--no-wait")
    assert (ended.returncode, ended.stdout) == (
        0,
        "import 1 is asked for; no writer runs now, the next one takes it up\n",
    )
    place.writer()
    place.wait_for_state("done")
    place.check()


def test_a_writer_that_is_killed_goes_on_where_it_was_and_nothing_is_doubled(place: Place) -> None:
    writer = place.writer()
    place.run("import", str(place.source), "--no-wait")
    for rows in (1_000, 5_000, 11_000):
        place.wait_for_rows(rows)
        writer.kill()
        writer.communicate()
        writer = place.writer()
    until(lambda: place.row("tx_last_seen_backfill_v1").get("status") == "done")
    writer.kill()
    writer.communicate()
    place.writer()
    place.wait_for_state("done")
    place.check()


def test_nothing_is_left_behind_when_the_writer_is_killed(long_place: Place) -> None:
    writer = long_place.writer()
    long_place.run("import", str(long_place.source), "--no-wait")
    long_place.wait_for_rows(1_000)
    lists = [path.read_text() for path in Path(f"/proc/{writer.pid}/task").glob("*/children")]
    children = [Path(f"/proc/{number}") for numbers in lists for number in numbers.split()]
    assert children, "an import runs in a process of its own"
    writer.kill()
    writer.communicate()
    until(lambda: not any(child.exists() for child in children))
    long_place.writer()
    long_place.wait_for_state("done")
    long_place.check()


def test_a_writer_that_is_told_to_stop_records_the_signal_and_resumes(long_place: Place) -> None:
    writer = long_place.writer()
    long_place.run("import", str(long_place.source), "--no-wait")
    long_place.wait_for_rows(1_000)
    stop(writer, signal.SIGTERM)
    assert writer.returncode == 0
    row = long_place.row("import_1_observations")
    assert (row["status"], row["reason"]) == ("interrupted", "interrupted: SIGTERM")
    assert 0 < row["rows_processed"] < LONG
    long_place.writer()
    long_place.wait_for_state("done")
    long_place.check()


def test_a_command_that_is_interrupted_says_so_and_the_same_command_continues(long_place: Place) -> None:
    command = long_place.start("import", str(long_place.source), "--json")
    long_place.wait_for_rows(1_000)
    command.send_signal(signal.SIGINT)
    out, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 1
    assert "stopped (SIGINT); import 1 goes on with the next writer" in told
    report = json.loads(out)
    assert (report["state"], report["stopped"] in told) == ("interrupted", True)
    assert "interrupted" in {one["status"] for one in report["migrations"]}
    assert "running" not in {one["status"] for one in report["migrations"]}
    assert long_place.row("import_1_observations")["reason"] == "interrupted: SIGINT"
    ended = long_place.run("import", str(long_place.source), "--json")
    assert ended.returncode == 0, ended.stderr
    tables = {table["table"]: table["rowsRead"] for table in json.loads(ended.stdout)["tables"]}
    assert tables["observations"] == LONG, "the report is that of the import which was interrupted"
    long_place.check()


def test_an_interrupted_command_says_that_the_running_writer_goes_on(long_place: Place) -> None:
    long_place.writer()
    command = long_place.start("import", str(long_place.source))
    long_place.wait_for_rows(1_000)
    assert stop(command, signal.SIGINT) == "hopscope: stopped (SIGINT); the writer goes on with import 1\n"
    assert command.returncode == 1
    long_place.wait_for_state("done")


def test_a_source_that_vanishes_fails_the_import_with_its_name_and_a_retry_goes_on(long_place: Place) -> None:
    writer = long_place.writer()
    long_place.run("import", str(long_place.source), "--no-wait")
    long_place.wait_for_rows(1_000)
    stop(writer, signal.SIGTERM)
    away = long_place.source.with_name("away.db")
    long_place.source.rename(away)
    writer = long_place.writer()
    long_place.wait_for_state("failed")
    row = long_place.row("import_1_observations")
    assert (row["status"], f"there is no file {long_place.source}" in row["error"]) == ("failed", True)
    away.rename(long_place.source)
    assert long_place.run("migrations", "retry", "import_1_observations").returncode == 0
    long_place.wait_for_state("done")
    long_place.check()


def test_an_operator_pauses_and_resumes_a_migration(long_place: Place) -> None:
    long_place.writer()
    long_place.run("import", str(long_place.source), "--no-wait")
    long_place.wait_for_rows(1)
    assert operating.ask(str(long_place.database), "rollup_hops_v1", "pause", by="api") == "paused"
    until(lambda: long_place.row("rollup_hash_sizes_v1").get("status") == "done")
    held = long_place.row("rollup_hops_v1")
    assert (held["status"], held["reason"], held["rows_processed"]) == ("paused", "paused by api", 0)
    assert long_place.ask("select state from imports") == "running"
    assert long_place.run("migrations", "resume", "rollup_hops_v1").returncode == 0
    long_place.wait_for_state("done")
    long_place.check()


@pytest.mark.parametrize("by", ["the command", "the writer"])
def test_the_retention_of_the_settings_holds_for_an_import(by: str, place: Place) -> None:
    """Every packet of the file was heard within a day and a half, but one long ago."""
    source = apsw.Connection(str(place.source))
    source.execute("update observations set timestamp = timestamp - 86400 * 40 where transmission_id = 1")
    source.close()
    place.set("HOPSCOPE_RETENTION_DAYS", "30")
    if by == "the writer":
        place.writer()
    ended = place.run("import", str(place.source), "--json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["quarantine"] == [{"reason": "past_retention", "count": 1 + RECEPTIONS // PACKETS}]
    assert place.ask("select count(*) from transmissions") == PACKETS - 1
    assert place.ask("select count(*) from observations") == RECEPTIONS - RECEPTIONS // PACKETS


def test_a_cancelled_import_ends_the_command_with_a_failure_and_the_reason(long_place: Place) -> None:
    long_place.writer()
    command = long_place.start("import", str(long_place.source), "--json")
    long_place.wait_for_rows(1_000)
    assert long_place.run("migrations", "cancel", "import_1_observations").returncode == 0
    out, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 1
    report = json.loads(out)
    assert (report["state"], report["accountedFor"]) == ("cancelled", False)
    assert "an operator cancelled a part of it" in told
    again = long_place.run("import", str(long_place.source), "--json")
    assert again.returncode == 0, again.stderr
    long_place.check()


def test_a_file_that_grows_meanwhile_is_read_up_to_where_it_was_and_again_for_the_rest(long_place: Place) -> None:
    source = apsw.Connection(str(long_place.source))
    long_place.writer()
    command = long_place.start("import", str(long_place.source), "--json")
    long_place.wait_for_rows(1_000)
    text = (
        "insert into observations (transmission_id, observer_idx, timestamp, path_json) "
        "select transmission_id, 1, max(timestamp) + 600, '[]' from observations group by transmission_id limit 50"
    )
    source.execute(text)
    source.close()
    out, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == 0, told
    tables = {table["table"]: table["rowsRead"] for table in json.loads(out)["tables"]}
    assert tables["observations"] == LONG
    long_place.check()
    again = long_place.run("import", str(long_place.source), "--json")
    tables = {table["table"]: (table["rowsAtStart"], table["imported"]) for table in json.loads(again.stdout)["tables"]}
    assert tables["observations"] == (50, 50)
    assert long_place.row("import_2_observations")["rows_total"] == 50


def test_a_file_that_is_no_corescope_database_is_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing " * 200)
    ended = place.run("import", str(tmp_path / "notes.txt"))
    assert ended.returncode == 1
    assert "cannot be read as a database" in ended.stderr
