"""A collector that is gone is said in words on every page, and no longer once it is back. Real processes."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, Open
from installation import Installation
from playwright.sync_api import expect

from hopscope.store import connection, schema

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
