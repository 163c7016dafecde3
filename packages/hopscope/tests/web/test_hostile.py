"""What strangers send over the air is shown as text, whatever it contains."""

import pytest
from browsing import PHONE, Open
from installation import NORTH, Installation, advert, message, pubkey
from playwright.sync_api import expect

from meshwire import Role

pytestmark = pytest.mark.chromium

MARKUP = "<img src=x onerror=alert(1)>"
NAMES = {
    1: "<b>bold</b><script>",
    2: "\u202egnirts desrever",
    3: "👩‍👩‍👧‍👦 family 🏔️",
    4: "Z" + "\u0337\u0335\u0321" * 8,
    5: "مرحبا node",
    6: "'\"`${7*7}{{7*7}}",
}
LONG = "long " * 200  # 1000 characters


@pytest.fixture
def hostile(site: Installation) -> Installation:
    for number, name in NAMES.items():
        site.air.heard(advert(number, name, role=Role.REPEATER, at=(47.2 + number / 100, 11.4)))
    site.air.heard(message(MARKUP, sender="</bdi><h1>Eve"))
    site.air.heard(message("javascript:alert(2) \u2066x\u2069", sender="\u202eEve"))
    site.air.heard(message("loud observer"), by="C3" * 32, origin=LONG + MARKUP)
    site.air.status(by=NORTH, origin=MARKUP, model=MARKUP * 4, firmware_version="<style>*{display:none}</style>")
    site.stored(9)
    return site


PAGES = ["/packets", "/map", "/nodes", f"/nodes/{pubkey(1)}", "/channels/Public", "/observers", "/system"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("viewport", ["desktop", "phone"])
def test_hostile_text_makes_no_element_and_no_dialog(
    hostile: Installation, tab: Open, path: str, viewport: str
) -> None:
    page = tab(path, **({"viewport": PHONE} if viewport == "phone" else {}))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    expect(page.get_by_role("main")).to_contain_text("3" if path == "/system" else "e")
    page.wait_for_load_state("networkidle") if path == "/docs" else page.wait_for_timeout(400)
    assert page.locator("main img[src=x], main script, main style, main b, main h1 h1").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_markup_in_a_message_is_read_letter_by_letter(hostile: Installation, tab: Open) -> None:
    page = tab("/channels/Public")
    expect(page.get_by_role("log")).to_contain_text(MARKUP)
    expect(page.get_by_role("log")).to_contain_text("</bdi><h1>Eve")


def test_direction_marks_cannot_turn_the_text_around_them(hostile: Installation, tab: Open) -> None:
    page = tab("/nodes")
    row = page.locator(".grid-row", has_text="gnirts desrever")
    expect(row).to_be_visible()
    assert "\u202e" not in page.locator("main").inner_text()
    assert row.locator("bdi").first.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"


def test_a_thousand_characters_are_cut_and_stay_within_their_card(hostile: Installation, tab: Open) -> None:
    page = tab("/observers", viewport=PHONE)
    card = page.locator(".observer", has_text="long long")
    expect(card).to_contain_text("…")
    box = card.bounding_box()
    assert box
    assert box["width"] <= PHONE["width"]
    assert box["height"] < 400


def test_a_popup_of_the_map_holds_names_as_text(hostile: Installation, tab: Open) -> None:
    page = tab("/map")
    page.locator(".map-list button", has_text="bold").click()
    popup = page.locator(".leaflet-popup")
    expect(popup.locator("bdi")).to_have_text("<b>bold</b><script>")
    assert popup.locator("b, script").count() == 0
