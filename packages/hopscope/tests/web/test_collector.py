"""A collector that is gone is said in words on every page, and no longer once it is back. Real processes."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, Open
from installation import Installation
from playwright.sync_api import expect

from hopscope.store import connection, imports, schema
from hopscope.store.lock import WriterLock

pytestmark = pytest.mark.chromium

SEEN_MS = 10_000
GONE = "No new packets can arrive."
Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """A reader alone; the collector is a process of its own."""
    running = Installation(tmp_path)
    db = connection.open_writer(running.settings.database)
    schema.prepare(db)
    db.close()
    running.start_reader()
    yield running
    running.stop_reader()


@pytest.fixture
def collect(site: Installation) -> Iterator[Start]:
    """Starts `hopscope ingest` on the site's database."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        environment = {"HOPSCOPE_DATABASE": site.settings.database, "HOPSCOPE_MQTT_URL": "mqtt://127.0.0.1:1"}
        command = [sys.executable, "-P", "-m", "hopscope", "ingest"]
        started.append(
            subprocess.Popen(
                command, env=environment, cwd=Path(site.settings.database).parent, stderr=subprocess.DEVNULL
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_killed_collector_is_said_in_words_until_it_is_back(size: dict[str, int], collect: Start, tab: Open) -> None:
    process = collect()
    page = tab("/system", viewport=size)
    lamp = page.locator(".connection:visible").first
    status = page.get_by_role("status")
    expect(lamp).to_have_text("Live", timeout=SEEN_MS)
    expect(status).not_to_contain_text(GONE)
    process.kill()
    process.wait()
    expect(lamp).to_have_text("Collector stopped", timeout=SEEN_MS)
    expect(status).to_contain_text(re.compile(rf"{GONE} *The collector stopped (now|\d+ s ago)"))
    state = page.locator(".tile", has=page.get_by_text("State", exact=True))
    expect(state).to_contain_text("stopped")
    expect(state).to_contain_text("no new packets can arrive")
    sources = page.locator("section", has=page.get_by_role("heading", name="Sources", exact=True))
    expect(sources).to_contain_text("not connected")
    expect(sources).to_contain_text("no collector")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    collect()
    expect(lamp).to_have_text("Live", timeout=SEEN_MS)
    expect(status).not_to_contain_text(GONE)
    expect(state).not_to_contain_text("stopped")


def test_an_import_that_lost_its_writer_is_not_called_running(site: Installation, tab: Open) -> None:
    db = connection.open_writer(site.settings.database)
    number = imports.request(db, "/somewhere/meshcore.db", by="cli", now=1)
    db.execute("update imports set state = 'running' where id = ?", (number,))
    db.close()
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 7200))
    row = {"name": "import_1_observations", "rows_processed": 3, "rows_total": 9, "started_at": begun}
    site.ledger(**row, status="interrupted", reason="interrupted: the writer is gone")
    page = tab("/system")
    line = page.locator("[data-migration=import_1_observations]")
    expect(line).to_contain_text("interrupted, will continue when the collector runs again")
    expect(line).to_contain_text("the writer is gone")
    expect(line).not_to_contain_text("interrupted: ")
    report = page.get_by_role("group").filter(has_text="meshcore.db")
    expect(report.locator("summary")).to_contain_text("interrupted")
    expect(report.locator("summary")).not_to_contain_text("running")
    table_row = page.get_by_role("row").filter(has_text="import_1_observations")
    expect(table_row).to_contain_text("begun 2 h ago")
    expect(table_row).not_to_contain_text("took")


def test_an_import_that_is_done_says_in_words_what_it_could_not_read(site: Installation, tab: Open) -> None:
    db = connection.open_writer(site.settings.database)
    schema.prepare(db)
    why = "3 rows of observations are in /srv/mesh/meshcore.db and could not be read: it is damaged"
    for path, state, error in (("meshcore.db", "done", why), ("notes.db", "refused", "this is no CoreScope database")):
        number = imports.request(db, f"/srv/mesh/{path}", by="cli", now=1)
        plan = [imports.TablePlan("observations", key_last=9, total=9)] if state == "done" else []
        imports.begin(db, number, path, plan, now=2)
        imports.end(db, number, state, error=error, now=3)
    db.close()
    page = tab("/system")
    done = page.get_by_role("group").filter(has=page.get_by_text("meshcore.db", exact=True))
    expect(done.locator("summary")).to_contain_text("not every row accounted for")
    expect(done.get_by_text(why.replace("/srv/mesh/", ""))).to_be_visible()
    refused = page.get_by_role("group").filter(has=page.get_by_text("notes.db", exact=True))
    expect(refused.get_by_text("this is no CoreScope database")).to_be_visible()
    expect(refused.get_by_text("Times are the server's receive times")).to_be_visible()
    expect(refused).not_to_contain_text("accounted for")


def test_an_import_in_the_collectors_place_is_said(site: Installation, tab: Open) -> None:
    with WriterLock.acquire(site.settings.database, "import"):
        page = tab("/packets")
        expect(page.get_by_role("status")).to_contain_text(
            "The collector is stopped; hopscope import works in its place."
        )
        expect(page.locator(".connection:visible").first).to_have_text("Collector stopped")
