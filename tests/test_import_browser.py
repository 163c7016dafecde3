"""Header, endpoints and banner together in a real browser while a real import runs, fails, is stopped and ends."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from browsing import DESKTOP, WATCH_POLICY
from import_rig import history
from installation import Installation, ack
from playwright.sync_api import Browser, Page, expect

from hopscope.migrations import operating
from hopscope.store import connection, ledger

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(600)]

KEY = "a-long-operator-key-7391"
HEADER = "x-corescope-load-status"
SHOWN_MS, GONE_MS = 4_000, 10_000  # a migration's start shows within 2 s; here besides what the machine needs
PATIENCE_MS = 30_000
END_S = 300  # of a whole import, which takes six seconds where nothing else runs
RECEPTIONS = 160_000  # several looks of the page


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE_MS)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "meshcore.db"
    history(path, receptions=RECEPTIONS)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path / "site", api_key=KEY) as running:
        running.air.heard(ack(1))
        running.stored(1)
        yield running


@pytest.fixture
def page(browser: Browser, site: Installation) -> Iterator[Page]:
    profile = browser.new_context(viewport=DESKTOP)
    profile.set_default_timeout(PATIENCE_MS)
    profile.add_init_script(WATCH_POLICY)
    profile.add_init_script(f"sessionStorage.setItem('hopscope.operator-key', '{KEY}')")
    made = profile.new_page()
    made.goto(site.url + "/packets")
    expect(made.get_by_role("status", name="Changes of stored data")).to_be_attached()
    yield made
    assert made.evaluate("window.violations") == []
    profile.close()


def ask_for_import(site: Installation, path: Path) -> None:
    operating.ask_for_import(site.settings.database, path, by="cli", now_ms=int(time.time() * 1000))


def run_sql(site: Installation, text: str) -> Any:
    db = connection.open_writer(site.settings.database)
    try:
        return db.execute(text).get
    finally:
        db.close()


def line(page: Page, name: str) -> Any:
    return page.locator(f'.banner [data-migration="{name}"]')


def header(page: Page, site: Installation) -> str:
    return page.request.get(site.url + "/livez").headers[HEADER]


def until_header(page: Page, site: Installation, wanted: str) -> None:
    deadline = time.monotonic() + END_S
    while header(page, site) != wanted:
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


def until_running(site: Installation, name: str) -> None:
    """Wait for the migration's own start, which the page's deadline counts from."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while name not in {row["name"] for row in rows(site) if row["status"] == "running"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rows(site: Installation) -> Sequence[dict[str, Any]]:
    db = connection.open_reader(site.settings.database)
    try:
        return ledger.rows(db)
    finally:
        db.close()


def listed(page: Page, site: Installation, name: str) -> dict[str, Any]:
    health = page.request.get(site.url + "/api/healthz").json()["async_migrations"]
    perf = page.request.get(site.url + "/api/perf").json()["asyncMigrations"]
    found = [next(one for one in rows if one["name"] == name) for rows in (health, perf)]
    assert found[0].keys() == found[1].keys()
    return dict(found[0])


def test_running_then_failed_then_retried_then_done(site: Installation, page: Page, source: Path) -> None:
    assert header(page, site) == "ready"
    unlucky = apsw.Connection(str(source)).execute("select max(timestamp) from observations").get
    run_sql(
        site,
        f"create trigger no before insert on observations when new.heard_at = {unlucky}000 "
        "begin select raise(abort, 'no room'); end",
    )
    ask_for_import(site, source)
    until_running(site, "import_1_observations")
    expect(line(page, "import_1_observations")).to_have_attribute("data-status", "running", timeout=SHOWN_MS)
    until_header(page, site, "loading")
    failed = line(page, "import_1_observations")
    expect(failed).to_have_attribute("data-status", "failed")
    expect(failed).to_contain_text("no room")
    expect(failed.get_by_role("button", name="Retry")).to_be_visible()
    shown = listed(page, site, "import_1_observations")
    assert (shown["status"], shown["etaSeconds"]) == ("failed", None)
    assert "no room" in shown["errorMessage"]
    health = page.request.get(site.url + "/api/healthz").json()
    assert (health["ready"], health["reason"]) == (False, "migration failed: import_1_observations")
    assert page.request.get(site.url + "/readyz").status == 200
    run_sql(site, "drop trigger no")
    failed.get_by_role("button", name="Retry").click()
    expect(failed).not_to_have_attribute("data-status", "failed")
    until_header(page, site, "ready")
    expect(page.locator(".banner [data-migration]")).to_have_count(0, timeout=GONE_MS)
    assert page.request.get(site.url + "/api/healthz").json()["ready"] is True
    assert run_sql(site, "select count(*) from observations") == RECEPTIONS + 1
    assert run_sql(site, "select sum(observation_count) from transmissions") == RECEPTIONS + 1


def test_running_then_stopped_then_resumed_then_done(site: Installation, page: Page, source: Path) -> None:
    ask_for_import(site, source)
    running = line(page, "import_1_observations")
    expect(running).to_have_attribute("data-status", "running")
    expect(running).to_contain_text("/ 160,000")
    site.stop_writer()
    expect(running).to_have_attribute("data-status", "interrupted")
    expect(running).to_contain_text("will continue")
    assert header(page, site) == "loading"
    done = listed(page, site, "import_1_observations")
    assert done["reason"] == "interrupted: the test is over"
    assert 0 < done["rowsProcessed"] < RECEPTIONS
    site.start_writer()
    until_header(page, site, "ready")
    expect(page.locator(".banner [data-migration]")).to_have_count(0, timeout=GONE_MS)
    assert run_sql(site, "select count(*) from observations") == RECEPTIONS + 1


def migrating_processes() -> list[int]:
    """The children of this process that run migrations."""
    lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    numbers = [int(number) for numbers in lists for number in numbers.split()]
    return [n for n in numbers if b"hopscope.app.migrating" in Path(f"/proc/{n}/cmdline").read_bytes()]


def test_running_then_killed_then_resumed_then_done(site: Installation, page: Page, source: Path) -> None:
    ask_for_import(site, source)
    running = line(page, "import_1_observations")
    expect(running).to_have_attribute("data-status", "running")
    (number,) = migrating_processes()
    os.kill(number, signal.SIGKILL)
    expect(running).to_have_attribute("data-status", "interrupted", timeout=SHOWN_MS)
    expect(running).to_contain_text("will continue")
    expect(running).to_contain_text("crashed: its process is gone")
    assert header(page, site) == "loading"
    shown = listed(page, site, "import_1_observations")
    assert (shown["status"], shown["errorMessage"], shown["rate"]) == ("interrupted", None, None)
    assert 0 < shown["rowsProcessed"] < RECEPTIONS
    expect(running).to_have_attribute("data-status", "running")
    until_header(page, site, "ready")
    expect(page.locator(".banner [data-migration]")).to_have_count(0, timeout=GONE_MS)
    assert run_sql(site, "select count(*) from observations") == RECEPTIONS + 1
    assert run_sql(site, "select sum(observation_count) from transmissions") == RECEPTIONS + 1


def test_an_acknowledged_failure_leaves_the_banner_while_another_stays(
    site: Installation, page: Page, tmp_path: Path
) -> None:
    history(tmp_path / "small.db", receptions=2_000)
    broken = {"rollup_hops_v1": "hops", "rollup_hash_sizes_v1": "hash_sizes_hourly"}
    for table in broken.values():
        run_sql(site, f"create trigger no_{table} before insert on {table} begin select raise(abort, 'no room'); end")
    ask_for_import(site, tmp_path / "small.db")
    for name in broken:
        expect(line(page, name)).to_have_attribute("data-status", "failed")
    line(page, "rollup_hops_v1").get_by_role("button", name="Acknowledge").click()
    expect(line(page, "rollup_hops_v1")).to_have_count(0)
    expect(line(page, "rollup_hash_sizes_v1")).to_contain_text("no room")
    assert listed(page, site, "rollup_hops_v1")["acknowledgedAt"] is not None
    assert listed(page, site, "rollup_hash_sizes_v1")["acknowledgedAt"] is None
    page.goto(site.url + "/system")
    seen, still = (page.get_by_role("row").filter(has_text=name) for name in broken)
    expect(seen).to_contain_text("failed, acknowledged")
    expect(seen.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(still.get_by_role("button", name="Acknowledge")).to_be_visible()
    for table in broken.values():
        run_sql(site, f"drop trigger no_{table}")
    for row in (seen, still):
        row.get_by_role("button", name="Retry").click()
    until_header(page, site, "ready")
    expect(page.locator(".banner [data-migration]")).to_have_count(0, timeout=GONE_MS)
    assert listed(page, site, "rollup_hops_v1")["acknowledgedAt"] is None


def test_an_operator_imports_a_file_from_the_system_page(browser: Browser, source: Path, tmp_path: Path) -> None:
    with Installation(tmp_path / "site", api_key=KEY, import_dir=str(source.parent)) as site:
        profile = browser.new_context(viewport=DESKTOP)
        profile.add_init_script(WATCH_POLICY)
        page = profile.new_page()
        page.goto(site.url + "/system")
        expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)
        page.get_by_role("button", name="Operator key").click()
        page.get_by_placeholder("operator key").fill(KEY)
        page.get_by_role("button", name="Use for this tab").click()
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_text("The writer begins with it.")).to_be_visible()
        report = page.get_by_role("group").filter(has_text="meshcore.db")
        expect(report).to_contain_text("every row accounted for", timeout=60_000)
        expect(report).to_contain_text("162,008 imported")  # packets, receptions and observers
        assert page.evaluate("window.violations") == []
        profile.close()
