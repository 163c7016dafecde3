"""The frame of the app: keyboard, phone, theme, failures, migrations."""

import re
import time

import pytest
from browsing import PHONE, Open, eventually
from installation import Installation, ack, advert, message
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.chromium

PAGES = ["/packets", "/map", "/nodes", "/channels", "/observers", "/system"]


def go_to(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()


def test_the_keyboard_reaches_a_packet_and_comes_back(site: Installation, tab: Open) -> None:
    for number in range(30):
        site.air.heard(ack(number))
    site.stored(30)
    page = tab("/packets")
    expect(page.locator(".grid-row").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    grid = page.get_by_role("grid")
    for _ in range(25):
        page.keyboard.press("Tab")
        if grid.evaluate("g => g === document.activeElement"):
            break
    expect(grid).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    active = grid.get_attribute("aria-activedescendant")
    assert active == "packet-2"
    page.keyboard.press("End")
    expect(grid).to_have_attribute("aria-activedescendant", "packet-29")
    expect(page.locator("#packet-29")).to_be_in_viewport()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    detail = page.get_by_role("complementary", name="Packet")
    expect(detail.locator(".detail-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    expect(grid).to_be_focused()


def test_the_focus_moves_to_the_heading_of_a_new_page(tab: Open) -> None:
    page = tab("/packets")
    go_to(page, "Nodes")
    expect(page.get_by_role("heading", name="Nodes", level=1)).to_be_focused()
    expect(page).to_have_title(re.compile("^Nodes"))
    page.go_back()
    expect(page.get_by_role("heading", name="Packets", level=1)).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_never_scrolls_sideways_and_has_every_page_at_hand(site: Installation, tab: Open, path: str) -> None:
    site.air.heard(advert(1, "A repeater with a rather long name", path=[bytes((n,)) for n in range(1, 60)]))
    site.air.heard(message("word" * 30))
    site.stored(2)
    page = tab(path, viewport=PHONE, has_touch=True)
    expect(page.get_by_role("heading", level=1).first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    nav = page.get_by_role("navigation", name="Pages")
    box = nav.bounding_box()
    assert box
    assert box["y"] + box["height"] == pytest.approx(PHONE["height"], abs=1)
    for link in nav.get_by_role("link").all():
        if link.is_visible():
            size = link.bounding_box()
            assert size
            assert size["height"] >= 44


def test_a_chosen_theme_is_there_before_the_first_paint_and_stays(tab: Open) -> None:
    page = tab("/packets", color_scheme="light")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.get_by_role("group", name="Theme").first.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.add_init_script(
        "document.addEventListener('readystatechange', () => {"
        " window.themeAtFirst ??= document.documentElement.dataset.theme; })"
    )
    page.reload()
    assert page.evaluate("window.themeAtFirst") == "dark"


def test_the_system_theme_is_followed_while_nothing_was_chosen(tab: Open) -> None:
    page = tab("/packets", color_scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(color_scheme="light")
    eventually(page, "document.documentElement.dataset.theme === 'light'")


@pytest.mark.parametrize(
    ("path", "request_path", "what"),
    [
        ("/packets", "**/api/packets?*", "Packets"),
        ("/nodes", "**/api/nodes?*", "Nodes"),
        ("/observers", "**/api/observers", "Observers"),
        ("/channels", "**/api/channels", "Channels"),
    ],
)
def test_a_failure_is_shown_with_its_reason_and_can_be_tried_again(
    tab: Open, path: str, request_path: str, what: str
) -> None:
    page = tab("/map", expect_errors=("Failed to load resource",))
    page.route(request_path, lambda route: route.fulfill(status=500, json={"error": "the disk said no"}))
    go_to(page, what)
    alert = page.get_by_role("alert").first
    expect(alert).to_contain_text(f"{what} could not be loaded")
    expect(alert).to_contain_text("the disk said no")
    page.unroute(request_path)
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_be_hidden()


def started(minutes_ago: float = 0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - minutes_ago * 60))


def banner(page: Page) -> Locator:
    return page.get_by_role("status")


@pytest.mark.parametrize("path", ["/packets", "/map"])
def test_a_running_migration_shows_within_two_seconds_and_leaves_within_ten(
    site: Installation, tab: Open, path: str
) -> None:
    page = tab(path)
    expect(banner(page)).to_be_hidden()
    row = {"name": "tx_last_seen_backfill_v1", "started_at": started(), "rows_total": 1000}
    site.ledger(**row, status="running", rows_processed=250, active_seconds=5.0)
    expect(banner(page)).to_contain_text("Last-heard times of packets", timeout=3500)  # a second of it is the server's
    expect(banner(page)).to_contain_text("250 / 1,000")
    expect(banner(page)).to_contain_text("25 %")
    expect(banner(page)).to_contain_text(re.compile(r"\d+ rows/s · .*\d s left"))
    site.ledger(**row, status="done", rows_processed=1000, ended_at=started())
    expect(banner(page)).to_be_hidden(timeout=10_000)


def test_unknown_figures_are_left_out_and_a_reason_is_named(site: Installation, tab: Open) -> None:
    page = tab("/packets")
    site.ledger(
        name="rollups_backfill_v1", status="paused", rows_processed=0, started_at=started(), reason="quiet hours"
    )
    expect(banner(page)).to_contain_text("quiet hours")
    said = banner(page).inner_text()
    assert "left" not in said
    assert "%" not in said
    site.ledger(name="rollups_backfill_v1", status="interrupted", rows_processed=7, rows_total=9, started_at=started())
    expect(banner(page)).to_contain_text("will continue")


def test_a_failed_migration_stays_red_until_acknowledged_and_offers_verbs_to_operators(
    site: Installation, tab: Open
) -> None:
    page = tab("/packets", expect_errors=("Failed to load resource",))
    row = {"name": "tx_last_seen_backfill_v1", "started_at": started(), "rows_processed": 3, "rows_total": 9}
    site.ledger(**row, status="failed", error="disk is full <b>", ended_at=started())
    line = page.locator("[data-migration=tx_last_seen_backfill_v1]")
    expect(line).to_contain_text("disk is full <b>")
    expect(line).to_have_class(re.compile("bad"))
    expect(line.get_by_role("button", name="Retry")).to_be_hidden()
    go_to(page, "System")
    page.get_by_role("button", name="Operator key…").click()
    page.get_by_label("Operator key").fill("a-long-operator-key-7391")
    page.get_by_role("button", name="Use for this tab").click()
    expect(line.get_by_role("button", name="Retry")).to_be_visible()
    asked = []
    page.route(
        "**/api/admin/migrations/**",
        lambda route: (
            asked.append((route.request.url, route.request.headers.get("x-api-key"))),
            route.fulfill(json={}),
        ),
    )
    line.get_by_role("button", name="Acknowledge").click()
    expect(line.get_by_text("asked…")).to_be_hidden()
    assert asked == [
        (f"{site.url}/api/admin/migrations/tx_last_seen_backfill_v1/acknowledge", "a-long-operator-key-7391")
    ]
    site.ledger(**row, status="failed", error="disk is full <b>", ended_at=started(), acknowledged_at=started())
    expect(line).to_be_hidden()
    assert page.evaluate("sessionStorage.getItem('hopscope.operator-key')") == "a-long-operator-key-7391"
    assert page.evaluate("JSON.stringify(localStorage)") == "{}"


def test_the_page_of_the_api_describes_it_under_the_same_policy(site: Installation, tab: Open) -> None:
    page = tab("/api/docs")
    expect(page.get_by_role("heading", name="/api/packets", exact=True)).to_be_visible()
    section = page.locator(".operation", has=page.get_by_role("heading", name="/api/stats", exact=True))
    section.get_by_text("Try it").click()
    section.get_by_role("button", name="Send").click()
    expect(section.locator("pre")).to_contain_text("totalTransmissions")
