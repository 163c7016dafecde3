"""A page stays where eye and finger are: the banner's height, the order of cards, what fits, what is held back."""

import json
import re
from typing import Any

import pytest
from browsing import PATIENCE_MS, PHONE, Open, eventually
from installation import NORTH, SOUTH, Installation, ack, advert, message
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.chromium

TABLET, SMALLEST = {"width": 1024, "height": 768}, {"width": 320, "height": 640}
FINGER = 40  # px; WCAG 2.2 asks for 24, a thumb for more
REASON = "throttled: writes of live ingest wait longer than the budget of 50 ms allows"
HIDDEN = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def migration(name: str = "import_1_observations", status: str = "running", **facts: Any) -> dict[str, Any]:
    """A migration as the API tells it."""
    known = {"rowsProcessed": 350_123, "rowsTotal": 1_500_000, "rowsTotalEstimated": False, "rate": 12_345.6}
    unknown = {"etaSeconds": None, "errorMessage": None, "reason": None, "startedAt": None, "endedAt": None}
    return {"name": name, "status": status} | known | unknown | facts


def tell(page: Page, *migrations: dict[str, Any]) -> None:
    """From now on the server says this of its migrations."""
    states = [one["status"] for one in migrations]
    answer = {
        "ready": True,
        "async_migrations": list(migrations),
        "async_migrations_running": "running" in states,
        "async_migrations_failed": "failed" in states,
    }

    def fulfil(route: Route) -> None:
        route.fulfill(json=answer)

    page.unroute("**/api/healthz")
    page.route("**/api/healthz", fulfil)


def feed(page: Page, events: str) -> None:
    """Let the live feed be opened anew and bring this, then nothing more for a minute."""
    page.unroute("**/api/live*")
    page.route(
        "**/api/live*",
        lambda route: route.fulfill(content_type="text/event-stream", body=f"retry: 60000\n{events}"),
    )
    page.evaluate("dispatchEvent(new Event('online'))")


def height(page: Page) -> float:
    box = page.get_by_role("status").bounding_box()
    return box["height"] if box else 0.0


@pytest.mark.parametrize("viewport", [TABLET, PHONE, SMALLEST], ids=["tablet", "phone", "smallest"])
def test_the_banner_keeps_its_height_while_figures_and_reasons_change(tab: Open, viewport: dict[str, int]) -> None:
    page = tab("/packets", viewport=viewport)
    heights = set()
    for done, rate, left, reason in (
        (7, 3.0, 4, None),
        (1_234_567, 123_456.0, 3599, REASON),
        (1_234_568, None, None, None),
    ):
        tell(page, migration(rowsProcessed=done, rate=rate, etaSeconds=left, reason=reason))
        expect(page.get_by_role("status")).to_contain_text(f"{done:,} / 1,500,000")
        heights.add(round(height(page)))
    assert len(heights) == 1


def test_an_end_takes_no_second_line_beside_the_next_migration(tab: Open) -> None:
    page = tab("/packets")
    tell(page, migration("import_1_nodes"))
    expect(page.get_by_role("status")).to_contain_text("nodes")
    alone = height(page)
    tell(page, migration("import_1_nodes", "done"), migration("import_1_observations"))
    expect(page.get_by_role("status")).to_contain_text("observations")
    assert height(page) == alone
    expect(page.get_by_role("status")).to_contain_text("done")  # spoken, though not in sight


def test_a_screen_reader_is_not_told_every_figure(tab: Open) -> None:
    page = tab("/packets")
    tell(page, migration(rowsProcessed=1))
    expect(page.get_by_role("status")).to_contain_text("1 / 1,500,000")
    page.evaluate(
        """() => {
          window.spoken = [];
          const loud = (node) => !(node instanceof Element ? node : node.parentElement)?.closest('[aria-live="off"]');
          const said = ({ target, addedNodes }) => (addedNodes.length ? [...addedNodes] : [target]);
          const text = (node) => node.textContent.trim();
          const heed = (changes) => window.spoken.push(...changes.flatMap(said).filter(loud).map(text).filter(Boolean));
          const all = { subtree: true, childList: true, characterData: true };
          new MutationObserver(heed).observe(document.querySelector("[role=status]"), all);
        }"""
    )
    for done, reason in ((2, None), (3, REASON), (4, REASON.replace("50", "40"))):
        tell(page, migration(rowsProcessed=done, rate=1000.0 * done, etaSeconds=90 - done, reason=reason))
        expect(page.get_by_role("status")).to_contain_text(f"{done} / 1,500,000")
    assert page.evaluate("window.spoken") == []
    tell(page, migration(status="paused", rowsProcessed=4))
    expect(page.get_by_role("status")).to_contain_text("paused")
    assert page.evaluate("window.spoken.length") > 0
    expect(page.get_by_role("status")).to_have_attribute("aria-atomic", "false")  # one line, not all of them again


def test_what_waits_for_an_operator_does_not_look_as_if_it_ran(tab: Open) -> None:
    page = tab("/packets")
    colors = {}
    for status in ("running", "paused", "interrupted", "unknown", "failed"):
        tell(page, migration(status=status))
        line = page.locator(f".notice[data-status={status}]")
        expect(line).to_be_visible()
        colors[status] = line.evaluate("e => getComputedStyle(e).backgroundColor")
    assert colors["paused"] == colors["interrupted"] == colors["unknown"]
    assert len(set(colors.values())) == 3


@pytest.mark.parametrize("width", [320, 390, 1024, 1200, 1440])
def test_the_bytes_of_a_frame_fit_into_their_pane(site: Installation, tab: Open, width: int) -> None:
    site.air.heard(advert(1, "A repeater", path=[b"\x01", b"\x02"]))
    site.stored(1)
    key = site.get("/api/packets?limit=1")["packets"][0]["hash"]
    page = tab(f"/packets/{key}", viewport={"width": width, "height": 800})
    expect(page.locator(".hex-row").first).to_be_visible()
    beyond = """() => {
      const edge = document.querySelector(".detail-body").getBoundingClientRect().right;
      const right = (element) => element.getBoundingClientRect().right;
      return [...document.querySelectorAll(".hex-run, .field-row")].filter((element) => right(element) > edge).length;
    }"""
    assert page.evaluate(beyond) == 0


@pytest.mark.parametrize("path", ["/packets", "/map", "/nodes", "/channels/Public", "/observers", "/system"])
def test_a_finger_finds_every_control_of_a_phone(site: Installation, tab: Open, path: str) -> None:
    site.air.heard(advert(1, "A repeater"))
    site.air.heard(message("hello"))
    site.stored(2)
    page = tab(path, viewport=PHONE, has_touch=True, is_mobile=True)
    expect(page.get_by_role("heading", level=1).first).to_be_attached()
    tell(page, migration(status="failed", errorMessage="disk is full"))
    expect(page.get_by_role("status")).to_contain_text("disk is full")
    small = page.evaluate(
        """finger => [...document.querySelectorAll("button, input, select, .nav-links a, .brand")]
          .map((e) => [e.textContent.trim() || e.className, e.getBoundingClientRect()])
          .filter(([, box]) => box.width && box.height && Math.max(box.width, box.height) < 2000 && box.height < finger)
          .map(([name, box]) => `${name} ${box.height}`)""",
        FINGER,
    )
    assert small == []


def test_observers_keep_their_places_whoever_spoke_last(site: Installation, tab: Open) -> None:
    site.air.heard(ack(1), by=SOUTH, origin="alpha")
    site.stored(1)
    site.air.heard(ack(2), by=NORTH, origin="Zulu")
    site.stored(2)
    page = tab("/observers")
    expect(page.locator(".observer h2")).to_have_text(["alpha", "Zulu"])


def test_a_tab_in_the_background_holds_packets_and_shows_them_when_it_returns(site: Installation, tab: Open) -> None:
    page = tab("/packets")
    expect(page.locator(".connection:visible").first).to_have_text("Live")
    site.air.heard(message("before"))
    expect(page.locator(".grid-row", has_text="before")).to_be_visible()
    page.evaluate(HIDDEN, True)
    site.air.heard(message("meanwhile"))
    site.stored(2)
    eventually(page, "document.querySelector('.scope strong').textContent === '2'")  # it has come
    assert page.locator(".grid-row").count() == 1
    page.evaluate(HIDDEN, False)
    expect(page.locator(".grid-row", has_text="meanwhile")).to_be_visible()


def test_after_more_than_is_held_the_list_is_loaded_anew(site: Installation, tab: Open) -> None:
    site.air.heard(message("stored"))
    site.stored(1)
    page = tab("/packets")
    expect(page.locator(".grid-row")).to_have_count(1)
    page.evaluate(HIDDEN, True)
    many = [{"hash": f"{number:016x}", "payload_type": 3, "route_type": 1} for number in range(2100)]
    feed(page, f"event: packets\ndata: {json.dumps({'packets': many})}\n\n")
    eventually(page, "document.querySelector('.scope strong').textContent === '2,101'")
    assert page.locator(".grid-row").count() == 1
    with page.expect_response(re.compile(r"/api/packets\?")):
        page.evaluate(HIDDEN, False)
    expect(page.locator(".grid-row")).to_have_count(1)


def test_a_paused_list_stays_when_events_were_missed_and_is_loaded_when_asked(site: Installation, tab: Open) -> None:
    site.air.heard(message("old"))
    site.stored(1)
    page = tab("/packets")
    expect(page.locator(".grid-row")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    page.route("**/api/live*", lambda route: route.abort())
    site.air.heard(message("missed"))
    site.stored(2)
    feed(page, "event: resync\ndata: {}\n\n")
    held = page.get_by_role("button", name="New packets")
    expect(held).to_be_visible()
    expect(page.locator(".grid-row")).to_have_count(1)
    held.click()
    expect(page.locator(".grid-row", has_text="missed")).to_be_visible()
    expect(held).to_be_hidden()


@pytest.mark.parametrize(
    ("key", "why"), [("not-the-key-of-this-one", "This is not the key"), ("clé 🔑", "only letters, digits and signs")]
)
def test_a_wrong_key_is_refused_where_it_is_typed(tab: Open, key: str, why: str) -> None:
    page = tab("/system", expect_errors=("Failed to load resource",))
    page.get_by_role("button", name="Operator key…").click()
    field = page.get_by_label("Operator key")
    field.fill(key)
    page.get_by_role("button", name="Use for this tab").click()
    expect(page.locator("#key-refused")).to_contain_text(why)
    expect(field).to_have_value(key)
    assert page.evaluate("sessionStorage.length") == 0
    expect(page.locator(".connection:visible").first).to_have_text("Live")
    field.fill("a-long-operator-key-7391")
    page.keyboard.press("Enter")
    expect(page.get_by_text("operator", exact=True)).to_be_visible()


def test_a_phone_reaches_the_description_of_the_api(tab: Open) -> None:
    page = tab("/system", viewport=PHONE)
    page.get_by_role("link", name="Description of the API").click()
    expect(page).to_have_url(re.compile("/api/docs$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("API")


@pytest.mark.parametrize(
    ("path", "request_path", "selector"),
    [
        ("/packets", "**/api/packets?*", ".grid-row"),
        ("/nodes", "**/api/nodes?*", ".grid-row"),
        ("/channels", "**/api/channels", ".channel"),
    ],
)
def test_a_page_recovers_by_itself_once_the_server_answers(
    site: Installation, tab: Open, path: str, request_path: str, selector: str
) -> None:
    site.air.heard(advert(1, "A repeater"))
    site.air.heard(message("hello"))
    site.stored(2)
    page = tab("/system", expect_errors=("Failed to load resource",))
    page.route(request_path, lambda route: route.fulfill(status=503, json={"error": "there is no database yet"}))
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=path.strip("/").capitalize()).click()
    expect(page.get_by_role("alert").filter(has_text="there is no database yet")).to_be_visible()
    page.unroute(request_path)
    expect(page.locator(selector).first).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("viewport", [TABLET, PHONE], ids=["tablet", "phone"])
def test_an_operator_reaches_every_verb_without_scrolling_sideways(tab: Open, viewport: dict[str, int]) -> None:
    page = tab("/packets", viewport=viewport)
    page.add_init_script("sessionStorage.setItem('hopscope.operator-key', 'a-long-operator-key-7391')")
    idle = migration("channel_index_v1", "pending", rowsProcessed=0, rowsTotal=None)
    tell(
        page, idle, migration("import_1_nodes", "done"), migration(reason=REASON, etaSeconds=3599), idle | {"name": "x"}
    )
    page.goto(page.url.replace("/packets", "/system"))
    table = page.get_by_role("table").filter(has_text="import_1_observations")
    expect(table.locator("tbody tr").first).to_contain_text("Import 1: observations")  # what runs stands first
    expect(table.locator("tbody tr").last).to_contain_text("Import 1: nodes")
    pause = table.get_by_role("button", name="Pause: Import 1: observations")
    box = pause.bounding_box()
    assert box
    assert box["x"] + box["width"] <= viewport["width"]
    cancel = table.get_by_role("button", name="Cancel: Import 1: observations")
    cancel.click()
    expect(table.get_by_role("button", name="Really cancel: Import 1: observations")).to_be_focused()
    pause.focus()
    expect(cancel).to_be_visible()  # disarmed


def test_the_system_page_says_how_long_nothing_was_stored(site: Installation, tab: Open) -> None:
    page = tab("/system")
    expect(page.locator(".tile").filter(has_text="State")).to_contain_text("well")

    def long_ago(route: Route) -> None:
        answer = route.fetch().json()
        for part in answer["writer"]:
            part["at"] -= 600_000
        route.fulfill(json=answer)

    page.route("**/api/perf", long_ago)
    page.reload()
    state = page.locator(".tile").filter(has_text="State")
    expect(state).to_contain_text(re.compile("quiet.*the writer stored nothing for (9|10|11) min", re.DOTALL))


def test_what_is_not_stored_is_said_so_and_not_called_a_failure(tab: Open) -> None:
    page = tab(f"/nodes/{'f' * 64}", expect_errors=("Failed to load resource",))
    expect(page.get_by_role("alert")).to_contain_text("Node not found")
    expect(page.get_by_role("alert")).to_contain_text("It is not stored")


def test_a_strong_signal_is_shown_whole(site: Installation, tab: Open) -> None:
    site.air.heard(ack(1), snr=12.75)
    site.stored(1)
    page = tab("/packets")
    cell = page.locator(".grid-row .c-snr")
    expect(cell).to_have_text("+12.8")
    assert cell.evaluate("e => e.scrollWidth <= e.clientWidth")


def test_a_channel_asks_for_nothing_in_the_background_and_is_right_when_it_returns(
    site: Installation, tab: Open
) -> None:
    site.air.heard(message("first"))
    site.stored(1)
    page = tab("/channels/Public")
    expect(page.get_by_role("log")).to_contain_text("first")
    expect(page.locator(".connection:visible").first).to_have_text("Live")
    page.evaluate(HIDDEN, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/channels" in request.url else None)
    site.air.heard(message("second"))
    site.stored(2)
    page.wait_for_timeout(1500)  # a burst rests for 0.8 s
    assert asked == []
    page.evaluate(HIDDEN, False)
    expect(page.get_by_role("log")).to_contain_text("second")


def test_figures_are_asked_for_at_once_when_a_tab_returns(tab: Open) -> None:
    page = tab("/observers")
    expect(page.get_by_text("No observer has reported yet")).to_be_visible()
    page.evaluate(HIDDEN, True)
    with page.expect_request("**/api/observers", timeout=2000):
        page.evaluate(HIDDEN, False)
