"""Ten thousand records at a thousand a second, and the ingest process killed three times: the database is the truth."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from brokers import Mosquitto
from truth_check import differences

from hopscope.store.connection import DatabaseMissing, open_reader

COUNT, RATE = 10_000, 1_000
KILL_AT = (1_500, 3_000, 4_500)  # receptions stored; about 6,700 there are in all
PATIENCE_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other processes do."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ask(database: Path, query: str) -> int:
    """One number from the database; 0 while it is not there."""
    try:
        db = open_reader(str(database))
    except DatabaseMissing:
        return 0
    try:
        if not db.execute("select count(*) from sqlite_schema where name = 'meta'").get:
            return 0
        return int(db.execute(query).get or 0)
    finally:
        db.close()


@pytest.mark.mosquitto
def test_ten_thousand_records_survive_three_kills(tmp_path: Path) -> None:
    database, truth_file = tmp_path / "mesh.db", tmp_path / "truth.json"
    hopscope = (sys.executable, "-m", "hopscope")
    with Mosquitto(tmp_path) as broker:
        env = {**os.environ, "HOPSCOPE_DATABASE": str(database), "HOPSCOPE_MQTT_URL": broker.url}

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen([*hopscope, "ingest"], env=env, cwd=tmp_path)

        ingest = start()
        until(lambda: ask(database, "select count(*) from sources where connected") == 1)
        options = ("--seed", "4", "--count", str(COUNT), "--rate", str(RATE), "--truth", str(truth_file))
        generate = subprocess.Popen([*hopscope, "generate", "--mqtt", broker.url, *options], env=env, cwd=tmp_path)
        for kill_at in KILL_AT:
            until(lambda at=kill_at: ask(database, "select value from counters where name = 'observations'") >= at)
            os.kill(ingest.pid, signal.SIGKILL)
            ingest.wait()
            ingest = start()
        assert generate.wait(PATIENCE_S) == 0
        truth = json.loads(truth_file.read_text())
        receptions, refused = truth["totals"]["receptions"], truth["totals"]["refused"]
        until(lambda: ask(database, "select value from counters where name = 'observations'") >= receptions)
        until(lambda: ask(database, "select sum(count) from reject_counts") >= refused)
        ingest.terminate()
        assert ingest.wait(PATIENCE_S) == 0
    assert truth["totals"]["records"] == COUNT
    assert differences(str(database), truth) == []
