"""Rules of the web app that need no page: asked of its modules in a real browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import PHONE
from installation import Installation
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.chromium

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def site_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("modules")) as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Browser, site_of_module: Installation) -> Iterator[Page]:
    opened = browser.new_page(viewport=PHONE)
    opened.goto(site_of_module.url + "/api/docs")
    yield opened
    opened.close()


@pytest.fixture
def ask(page: Page) -> Ask:
    """Call an exported function of a module."""

    def asked(module: str, function: str, *arguments: Any) -> Any:
        return page.evaluate(
            "async ([module, name, given]) => (await import(`/static/js/${module}`))[name](...given)",
            [module, function, list(arguments)],
        )

    return asked


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("plain", "plain"),
        ("  a\tb\n\nc ", "a b c"),
        ("\u202eevil\u202c", "evil"),
        ("\u2066isolated\u2069", "isolated"),
        ("zero\u200bwidth", "zero width"),
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 2),
        ("\x00\x1b[31mred", "[31mred"),
        ("tag\U000e0041s", "tag s"),
        (None, ""),
        (7, "7"),
    ],
)
def test_text_from_the_air_loses_what_cannot_be_seen_and_nothing_else(ask: Ask, sent: object, shown: str) -> None:
    assert ask("text.js", "fit", sent) == shown


def test_long_text_is_cut_between_characters(ask: Ask) -> None:
    cut = ask("text.js", "fit", "🏔" * 100, 10)
    assert cut == "🏔" * 9 + "…"


NODES = [
    {"public_key": "aa11" + "0" * 60, "role": "repeater", "lat": 1, "lon": 1},
    {"public_key": "aa22" + "0" * 60, "role": "repeater", "lat": 2, "lon": 2},
    {"public_key": "bb33" + "0" * 60, "role": "repeater", "lat": 3, "lon": 3},
    {"public_key": "cc44" + "0" * 60, "role": "companion", "lat": 4, "lon": 4},
    {"public_key": "dd55" + "0" * 60, "role": "room", "lat": None, "lon": None},
    {"public_key": "ee66" + "0" * 60, "role": "room", "lat": 6, "lon": 6},
]


def way(page: Page, **packet: Any) -> list[list[int]]:
    """The latitudes of the stretches that would flash."""
    found = page.evaluate(
        """async ([nodes, packet]) => {
          const { hopFinder, stretches } = await import("/static/js/map/paths.js");
          return stretches(packet, hopFinder(nodes)).map((stretch) => stretch.map((node) => node.lat));
        }""",
        [NODES, {"payload_type": 5, "route_type": 1, "observer_id": "", "path_json": "[]"} | packet],
    )
    return list(found)


def test_a_path_of_hops_that_one_node_fits_is_drawn_whole(page: Page) -> None:
    assert way(page, path_json='["AA11","BB33","EE66"]') == [[1, 3, 6]]


def test_an_ambiguous_hop_leaves_a_gap_and_is_never_guessed(page: Page) -> None:
    assert way(page, path_json='["AA","BB","EE"]') == [[3, 6]]
    assert way(page, path_json='["BB","AA","EE"]') == []


def test_companions_and_nodes_without_a_position_are_no_hops(page: Page) -> None:
    assert way(page, path_json='["CC","BB"]') == []
    assert way(page, path_json='["BB","DD","EE"]') == []


def test_an_advert_begins_at_its_node_and_ends_at_the_observer(page: Page) -> None:
    advert = {"payload_type": 4, "decoded": {"payload": {"pubKey": NODES[3]["public_key"]}}}
    assert way(page, path_json='["BB"]', observer_id=str(NODES[5]["public_key"]).upper(), **advert) == [[4, 3, 6]]


def test_direct_packets_and_traces_are_not_drawn_because_their_path_is_not_behind_them(page: Page) -> None:
    assert way(page, path_json='["BB","EE"]', route_type=2) == []
    assert way(page, path_json='["BB","EE"]', payload_type=9) == []


def test_each_byte_belongs_to_the_innermost_field(ask: Ask) -> None:
    spans = [
        {"name": "payload", "start": 1, "end": 5},
        {"name": "flags", "start": 2, "end": 3},
        {"name": "beyond", "start": 4, "end": 99},
    ]
    assert ask("parts/bytes.js", "owners", 6, spans) == [-1, 0, 1, 0, 0, 2]


@pytest.mark.parametrize(
    ("status", "reason", "failed", "shown"),
    [
        ("running", None, False, True),
        ("verifying", None, False, True),
        ("paused", "paused by api", False, True),
        ("interrupted", "SIGTERM", False, True),
        ("unknown", None, False, True),
        ("failed", None, True, True),
        ("failed", None, None, True),  # whether somebody acknowledged it is not known: it stays
        ("failed", None, False, False),
        ("pending", None, False, False),
        ("done", None, False, False),
        ("cancelled", None, False, False),
        ("parked", None, False, False),
    ],
)
def test_the_banner_shows_what_concerns_the_reader(
    page: Page, status: str, reason: str | None, failed: bool | None, shown: bool
) -> None:
    lines = page.evaluate(
        """async ([one, failed]) => {
          const { bannerLines } = await import("/static/js/migrations.js");
          return bannerLines({ list: [one], failed }, new Map(), 0).length;
        }""",
        [{"name": "x", "status": status, "reason": reason}, failed],
    )
    assert bool(lines) is shown


def test_the_banner_leaves_out_a_failure_that_was_acknowledged_while_another_is_open(page: Page) -> None:
    lines = page.evaluate(
        """async () => {
          const { bannerLines } = await import("/static/js/migrations.js");
          const seen = { name: "seen", status: "failed", acknowledgedAt: "2026-09-21T15:00:00Z" };
          const open = { name: "open", status: "failed", acknowledgedAt: null };
          const names = (failed) => bannerLines({ list: [seen, open], failed }, new Map(), 0).map(({ name }) => name);
          return [names(true), names(null)];
        }"""
    )
    assert lines == [["open"], ["open"]]


def test_a_finished_migration_says_goodbye_for_four_seconds(page: Page) -> None:
    counts = page.evaluate(
        """async () => {
          const { bannerLines } = await import("/static/js/migrations.js");
          const done = { list: [{ name: "x", status: "done" }], failed: false };
          return [0, 3999, 4000].map((later) => bannerLines(done, new Map([["x", 1000]]), 1000 + later).length);
        }"""
    )
    assert counts == [1, 1, 0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tx_last_seen_backfill_v1", "Last-heard times of packets"),
        ("tx_last_seen_backfill_v1.import_2", "Last-heard times of packets, import 2"),
        ("import_3_observer_metrics", "Import 3: observer metrics"),
        ("some_other_thing_v7", "Some other thing"),
    ],
)
def test_migrations_are_named_in_words(ask: Ask, name: str, words: str) -> None:
    assert ask("migrations.js", "inWords", name) == words


def test_figures_of_progress_leave_out_what_is_unknown(ask: Ask) -> None:
    known = {"status": "running", "rowsProcessed": 50, "rowsTotal": 200, "rate": 12.4, "etaSeconds": 75}
    assert ask("parts/banner.js", "figures", known) == "50 / 200 · 25 % · 12 rows/s · 1 min 15 s left"
    unknown = {"status": "running", "rowsProcessed": 50, "rowsTotal": None, "rate": None, "etaSeconds": None}
    assert ask("parts/banner.js", "figures", unknown) == "50 rows"
    estimated = {"status": "paused", "rowsProcessed": 1, "rowsTotal": 3, "rowsTotalEstimated": True, "etaSeconds": 5}
    assert ask("parts/banner.js", "figures", estimated) == "1 / about 3 · 33 %"


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ({}, True),
        ({"type": "5"}, True),
        ({"type": "4"}, False),
        ({"observer": "ab"}, True),
        ({"observer": "AB", "channel": "Public"}, True),
        ({"channel": "#test"}, False),
        ({"region": "INN,MUC"}, True),
        ({"region": "MUC"}, False),
        ({"hash": "00ff"}, True),
        ({"until": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_live_packets_pass_the_filters_of_the_list(page: Page, filters: dict[str, str], passes: bool) -> None:
    packet = {"payload_type": 5, "observer_id": "AB", "hash": "00FF", "decoded": {"payload": {"channel": "Public"}}}
    passed = page.evaluate(
        """async ([packet, filters]) => {
          const { passes } = await import("/static/js/packets/filters.js");
          return passes(packet, filters, () => "INN");
        }""",
        [packet, filters],
    )
    assert passed is passes


def test_a_packet_heard_again_within_moments_is_counted_in_its_place(page: Page) -> None:
    orders = page.evaluate(
        """async () => {
          const { Book } = await import("/static/js/packets/book.js");
          const packet = (hash, count) => ({
            hash, payload_type: 3, route_type: 1, observation_count: count, path_json: "[]",
          });
          const book = new Book();
          const names = () => book.rows.map((row) => row.hash + row.heard).join(" ");
          const said = [];
          book.hear([packet("a", 1)], 1000);
          book.hear([packet("b", 1)], 2000);
          book.hear([packet("a", 2)], 3000);
          said.push(names());
          book.hear([packet("a", 2)], 3000);
          said.push(names());
          book.hear([packet("a", 3)], 60_000);
          said.push(names());
          return said;
        }"""
    )
    assert orders == ["b1 a2", "b1 a2", "a3 b1"]


def test_times_of_every_spelling_are_understood(ask: Ask) -> None:
    at = 1_790_000_000_000
    for spelling in ("2026-09-21T14:13:20Z", "2026-09-21T14:13:20.000Z", at, at // 1000):
        assert ask("format.js", "toMs", spelling) == at
    for nothing in (None, "", 0, "yesterday"):
        assert ask("format.js", "toMs", nothing) is None


def test_a_few_far_coordinates_do_not_zoom_the_map_out_to_the_world(page: Page) -> None:
    near = [{"lat": 47 + n / 100, "lon": 11 + n / 100} for n in range(20)]
    far = [{"lat": 0, "lon": 0}, {"lat": 37, "lon": -122}]
    kept = page.evaluate(
        'async (nodes) => (await import("/static/js/map/view.js")).core(nodes).map(([lat]) => lat)', near + far
    )
    assert len(kept) == 20
    assert min(kept) >= 47


def test_a_reason_does_not_repeat_the_state_it_stands_beside(ask: Ask) -> None:
    reasons = ("interrupted: SIGTERM", "interrupted: the writer is gone", "quiet hours", None)
    said = [ask("migrations.js", "whyInWords", reason) for reason in reasons]
    assert said == ["stopped by SIGTERM", "the writer is gone", "quiet hours", ""]


def test_receptions_that_nobody_counted_yet_are_no_zero(ask: Ask) -> None:
    assert [ask("format.js", "receptions", n) for n in (0, None, 1, 1200)] == ["–", "–", "1", "1,200"]
