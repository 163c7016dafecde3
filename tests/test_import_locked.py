"""A stranger keeps the database locked while an import runs and packets arrive: all wait, nobody loses anything.

HOPSCOPE_LOCK_SECONDS says for how long; a minute is `HOPSCOPE_LOCK_SECONDS=60 pytest tests/test_import_locked.py`.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from import_rig import PACKETS, history
from installation import Installation, ack

from hopscope.migrations import operating
from hopscope.store import connection, ledger

LOCK_S = float(os.environ.get("HOPSCOPE_LOCK_SECONDS", "2"))
RECEPTIONS = 40_000
LIVE = 25
PATIENCE_S = 60.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ask(site: Installation, text: str) -> int:
    db = connection.open_reader(site.settings.database)
    try:
        return int(db.execute(text).get or 0)
    finally:
        db.close()


@pytest.mark.timeout(LOCK_S * 2 + 180)
def test_a_stranger_that_locks_the_database_delays_import_and_ingest_and_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    history(tmp_path / "meshcore.db", receptions=RECEPTIONS)
    with Installation(tmp_path / "site") as site, caplog.at_level(logging.WARNING):
        database = site.settings.database
        operating.ask_for_import(database, tmp_path / "meshcore.db", by="cli", now_ms=int(time.time() * 1000))
        stranger = connection.open_writer(database)
        until(lambda: ask(site, "select value from counters where name = 'observations'") > 500)
        stranger.execute("begin immediate")
        stored, answered = ask(site, "select count(*) from observations"), 0
        assert stored < RECEPTIONS
        until(lambda: site.get("/api/healthz")["async_migrations_running"] is True)
        freed_at = time.monotonic() + LOCK_S
        heard = 0
        while time.monotonic() < freed_at or heard < LIVE:
            if heard < LIVE:
                site.air.heard(ack(1_000_000 + heard))
                heard += 1
            assert len(site.get("/api/packets?limit=50")["packets"]) == 50
            assert site.get("/api/healthz")["async_migrations_running"] is True
            answered += 1
            time.sleep(0.02)
        assert answered >= LIVE, "readers do not wait for a locked database"
        assert ask(site, "select count(*) from observations") == stored, "somebody wrote beside the lock"
        stranger.execute("rollback")
        stranger.close()
        until(lambda: ask(site, "select count(*) from imports where state = 'done'") == 1)
        until(lambda: ask(site, "select count(*) from transmissions") == PACKETS + LIVE)
        assert ask(site, "select count(*) from observations") == RECEPTIONS + LIVE
        assert ask(site, "select sum(observation_count) from transmissions") == RECEPTIONS + LIVE
        assert ask(site, "select sum(observations) from traffic_hourly") == RECEPTIONS + LIVE
        db = connection.open_reader(database)
        rows = {row["name"]: row for row in ledger.rows(db)}
        db.close()
    assert {row["status"] for row in rows.values()} == {"done"}
    waited = json.loads(rows["import_1_observations"]["throttled"])
    # ingest waits in front of it, and is waited for first
    assert waited["another writer holds the lock"] + waited.get("live writer first", 0) > LOCK_S / 2
    if LOCK_S > connection.BUSY_TIMEOUT_MS / 1000 + 1:
        assert "database is locked" in caplog.text, "ingest says why it waits"
