"""The live pages in a real browser: a packet arrives, is opened, is counted, is held back while one reads."""

import re

import pytest
from browsing import Open, eventually
from installation import NORTH, SOUTH, Installation, ack, advert, message, pubkey
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.chromium


def rows(page: Page) -> list[str]:
    return [row.inner_text() for row in page.locator(".grid-row").all()]


def test_a_packet_arrives_without_reload_and_shows_its_bytes(site: Installation, tab: Open) -> None:
    page = tab("/packets")
    expect(page.get_by_text("No packets yet")).to_be_visible()
    expect(page.locator(".connection:visible").first).to_have_text("Live")
    site.air.heard(message("hello mesh"))
    row = page.locator(".grid-row", has_text="hello mesh")
    expect(row).to_be_visible()
    expect(row).to_contain_text("Ann")
    row.click()
    expect(page).to_have_url(re.compile(r"/packets/[0-9a-f]{16}$"))
    detail = page.get_by_role("complementary", name="Packet")
    expect(detail.get_by_role("heading", name="Bytes")).to_be_visible()
    field = detail.locator(".field-row", has_text="path length")
    field.hover()
    expect(detail.locator(".hex-run.lit")).to_have_count(1)
    detail.locator(".hex-run").first.focus()
    expect(detail.locator(".field-row.lit")).to_contain_text("header")
    expect(detail.locator(".receptions li")).to_have_count(1)


def test_receptions_of_one_packet_count_up_in_one_row(site: Installation, tab: Open) -> None:
    page = tab("/packets")
    expect(page.locator(".connection:visible").first).to_have_text("Live")
    frame = message("counted")
    site.air.heard(frame)
    expect(page.locator(".grid-row", has_text="counted").locator(".times")).to_contain_text("1")
    site.air.heard(frame, by=SOUTH, origin="South")
    expect(page.locator(".grid-row", has_text="counted").locator(".times")).to_contain_text("2")
    assert len(rows(page)) == 1


def test_an_open_packet_shows_receptions_that_come_later(site: Installation, tab: Open) -> None:
    frame = message("again")
    site.air.heard(frame)
    site.stored(1)
    page = tab("/packets")
    page.locator(".grid-row").click()
    expect(page.locator(".receptions li")).to_have_count(1)
    site.air.heard(frame, by=SOUTH, origin="South station")
    expect(page.locator(".receptions li")).to_have_count(2)
    expect(page.locator(".receptions")).to_contain_text("South station")


def test_packets_are_held_back_while_the_reader_has_scrolled_and_come_when_asked(site: Installation, tab: Open) -> None:
    for number in range(80):
        site.air.heard(ack(number))
    site.stored(80)
    page = tab("/packets")
    grid = page.get_by_role("grid")
    expect(page.locator(".grid-row").first).to_be_visible()
    grid.evaluate("g => { g.scrollTop = 900; }")
    site.air.heard(message("held back"))
    held = page.get_by_role("button", name="1 new packet")
    expect(held).to_be_visible()
    expect(grid).to_have_attribute("aria-rowcount", "81")
    assert grid.evaluate("g => g.scrollTop") == 900
    held.click()
    expect(page.locator(".grid-row", has_text="held back")).to_be_visible()
    expect(held).to_be_hidden()


def test_pause_holds_the_list_and_resume_shows_what_came(site: Installation, tab: Open) -> None:
    page = tab("/packets")
    expect(page.locator(".connection:visible").first).to_have_text("Live")
    site.air.heard(message("before"))
    expect(page.locator(".grid-row")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    site.air.heard(message("meanwhile"))
    expect(page.get_by_role("button", name="1 new packet")).to_be_visible()
    expect(page.locator(".grid-row")).to_have_count(1)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".grid-row", has_text="meanwhile")).to_be_visible()


def test_filters_stand_in_the_address_and_hold_for_live_packets_too(site: Installation, tab: Open) -> None:
    site.air.heard(message("a text"))
    site.air.heard(ack(1))
    site.stored(2)
    page = tab("/packets")
    expect(page.locator(".grid-row")).to_have_count(2)
    page.get_by_label("Type", exact=True).select_option("5")
    expect(page).to_have_url(re.compile(r"\?type=5$"))
    expect(page.locator(".grid-row")).to_have_count(1)
    site.air.heard(ack(2))
    site.air.heard(message("another text"))
    expect(page.locator(".grid-row", has_text="another text")).to_be_visible()
    expect(page.locator(".grid-row")).to_have_count(2)
    page.reload()
    expect(page.get_by_label("Type", exact=True)).to_have_value("5")
    expect(page.locator(".grid-row")).to_have_count(2)
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".grid-row")).to_have_count(4)


def test_a_filter_by_observer_shows_its_packets_only(site: Installation, tab: Open) -> None:
    site.air.heard(message("north"))
    site.air.heard(message("south"), by=SOUTH, origin="South")
    site.stored(2)
    page = tab(f"/packets?observer={SOUTH}")
    expect(page.locator(".grid-row")).to_have_count(1)
    expect(page.locator(".grid-row")).to_contain_text("south")
    expect(page.get_by_label("Observer", exact=True)).to_have_value(SOUTH)


def test_thousands_of_rows_keep_few_elements_and_reach_the_oldest(site: Installation, tab: Open) -> None:
    for number in range(1200):
        site.air.heard(ack(number))
    site.stored(1200)
    page = tab("/packets")
    grid = page.get_by_role("grid")
    expect(page.locator(".grid-row").first).to_be_visible()
    for _ in range(40):
        grid.evaluate("g => { g.scrollTop = g.scrollHeight; }")
        page.wait_for_timeout(50)
        if int(grid.get_attribute("aria-rowcount") or 0) == 1201:
            break
    expect(grid).to_have_attribute("aria-rowcount", "1201")
    grid.evaluate("g => { g.scrollTop = g.scrollHeight; }")
    expect(page.locator(".grid-row", has_text="00000000")).to_be_visible()
    assert page.locator(".grid-row").count() < 80


def test_a_full_list_takes_bursts_and_stays_bounded(tab: Open) -> None:
    """The bookkeeping alone, in the browser."""
    page = tab("/packets")
    kept, newest = page.evaluate(
        """async () => {
          const { Book, MOST } = await import("/static/js/packets/book.js");
          const packet = (n) => ({
            hash: n.toString(16).padStart(16, "0"), payload_type: 3, route_type: 1, observation_count: 1,
            first_seen: new Date().toISOString(), path_json: "[]", decoded_json: "{}",
          });
          const book = new Book();
          book.load(Array.from({ length: MOST }, (_, n) => packet(n)));
          for (let burst = 0; burst < 20; burst++) {
            book.hear(Array.from({ length: 20 }, (_, n) => packet(20_000 + burst * 20 + n)), Date.now());
          }
          return [book.rows.length, book.rows[0].hash];
        }"""
    )
    assert kept == 10_000
    assert newest == f"{20_399:016x}"


def test_the_feed_comes_back_after_the_server_was_away(site: Installation, tab: Open) -> None:
    page = tab("/packets", expect_errors=("Failed to load resource", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE"))
    lamp = page.locator(".connection:visible").first
    expect(lamp).to_have_text("Live")
    site.stop_reader()
    expect(lamp).to_have_text("Reconnecting…")
    site.air.heard(message("while away"))
    site.start_reader()
    expect(lamp).to_have_text("Live")
    expect(page.locator(".grid-row", has_text="while away")).to_be_visible()


def test_a_node_stands_on_the_map_and_its_path_can_be_shown(site: Installation, tab: Open) -> None:
    site.air.heard(advert(1, "Hafelekar"))
    site.stored(1)
    page = tab("/map")
    listed = page.get_by_role("region", name="Nodes on the map").get_by_role("button", name=re.compile("Hafelekar"))
    listed.click()
    popup = page.locator(".leaflet-popup")
    expect(popup).to_contain_text("Hafelekar")
    expect(popup).to_contain_text("Repeater")
    expect(popup.get_by_role("link", name="Open node")).to_have_attribute("href", f"/nodes/{pubkey(1)}")
    popup.get_by_role("button").click()
    expect(popup).to_have_count(0)
    box = page.locator(".map-place").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # the map is centred on the node
    expect(page.locator(".leaflet-popup")).to_contain_text("Hafelekar")


def test_the_base_map_draws_land_and_water_without_network(site: Installation, tab: Open) -> None:
    page = tab("/map")
    eventually(
        page,
        """(() => {
          const colors = new Set();
          for (const tile of document.querySelectorAll("canvas.leaflet-tile-loaded")) {
            const pixels = tile.getContext("2d").getImageData(0, 0, tile.width, tile.height).data;
            for (let i = 0; i < pixels.length; i += 4 * 997) colors.add(pixels.slice(i, i + 3).join());
          }
          return colors.size > 3;
        })()""",
    )
    outside = [
        r for r in page.evaluate("performance.getEntriesByType('resource').map(r => r.name)") if site.url not in r
    ]
    assert outside == []


def test_a_channel_reads_like_a_chat_and_says_that_names_are_claims(site: Installation, tab: Open) -> None:
    site.air.heard(message("first"))
    site.stored(1)
    page = tab("/channels/Public")
    log = page.get_by_role("log")
    expect(log).to_contain_text("first")
    expect(page.get_by_text("Sender names are claims")).to_be_visible()
    site.air.heard(message("second", sender="Bob"))
    expect(log).to_contain_text("second")
    assert log.inner_text().index("first") < log.inner_text().index("second")


def test_observers_show_battery_noise_and_their_last_packet(site: Installation, tab: Open) -> None:
    site.air.heard(message("x"))
    site.air.status(by=NORTH)
    site.stored(1)
    page = tab("/observers")
    card = page.locator(".observer", has_text="North tower")
    expect(card).to_contain_text("online")
    expect(card).to_contain_text("3.9 V")
    expect(card).to_contain_text("−113 dBm")


def test_a_node_page_lists_its_recent_adverts(site: Installation, tab: Open) -> None:
    site.air.heard(advert(7, "Patscherkofel"))
    site.stored(1)
    page = tab("/nodes")
    page.locator(".grid-row", has_text="Patscherkofel").click()
    expect(page).to_have_url(re.compile(rf"/nodes/{pubkey(7)}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Patscherkofel")
    expect(page.get_by_role("region", name="Recent adverts").locator("tbody tr")).to_have_count(1)


def test_the_first_page_without_any_source_says_how_to_connect_one(tab: Open) -> None:
    page = tab("/", expect_errors=())
    page.route("**/api/config/client", lambda route: route.fulfill(json=route.fetch().json() | {"hasSources": False}))
    page.goto(page.url)
    expect(page.get_by_role("heading", name="Nothing is connected yet")).to_be_visible()
    expect(page.get_by_text("HOPSCOPE_MQTT_URL").first).to_be_visible()
