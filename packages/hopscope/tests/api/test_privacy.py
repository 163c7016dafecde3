"""What is kept from strangers, wherever a node's name, key or position could show."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from meshes import (
    ANON_REQ,
    COMPANION,
    CONTROL,
    FLOOD,
    REPEATER,
    T0,
    Mesh,
    pubkey,
    seed,
)

from hopscope.api.facts import FactsReader
from hopscope.api.live_events import event_of
from hopscope.api.shown import Decoder, key_ring
from hopscope.config.settings import Privacy, Settings
from hopscope.store import live
from hopscope.store.pool import ReadPool
from hopscope.store.watch import Clock
from meshwire import Advert, decode, encode

Start = Callable[..., Any]

KEY = pubkey(7).hex()
BY_KEY = Privacy(hidden_keys=frozenset({pubkey(7)}))
LAT, LON = 47.123456, -122.654321

PLACES = (
    "/api/nodes",
    "/api/nodes?sortBy=name",
    "/api/nodes?search=shy",
    f"/api/nodes?search={KEY[:10]}",
    "/api/nodes/search?q=shy",
    f"/api/nodes/{KEY}",
    f"/api/nodes/{KEY[:8]}/health",
    "/api/packets",
    "/api/packets?groupByHash=true&expand=observations",
    f"/api/packets?node={KEY}",
    "/api/packets?node=shy",
    "/api/observers",
    f"/api/observers/{KEY.upper()}",
    "/api/channels",
    "/api/channels/Public/messages",
    "/api/analytics/hash-sizes",
    "/api/stats",
    "/api/config/client",
)


def everything(mesh: Mesh, name: str) -> list[str]:
    """A node that shows itself in every way there is; the hashes of its packets."""
    own = KEY.upper()
    return [
        mesh.advert(7, name=name, role=REPEATER, lat=LAT, lon=LON),
        mesh.hear(encode.frame(2, CONTROL, encode.control_discover_response(2, 1.0, 5, pubkey(7)))),
        mesh.hear(encode.frame(2, CONTROL, encode.control_discover_response(2, 1.0, 6, pubkey(7)[:8]))),
        mesh.hear(
            encode.frame(FLOOD, ANON_REQ, encode.anon_request(encode.key_pair(seed(7)), pubkey(9), T0 // 1000, b"x"))
        ),
        mesh.say("hello", sender=name),
        mesh.ack(1, by=own),
    ]


@pytest.mark.parametrize(("name", "privacy"), [("shy", BY_KEY), ("shy 🚫", Privacy())])
def test_a_hidden_node_shows_nowhere(mesh: Mesh, start: Start, name: str, privacy: Privacy) -> None:
    hashes = everything(mesh, name)
    mesh.db.execute("update observers set name = ? where ident = ?", (name, KEY.upper()))
    client = start(privacy=privacy)
    for place in [*PLACES, *(f"/api/packets/{one}" for one in hashes)]:
        text = client.get(place).text.lower()
        for secret in (KEY, KEY[:16], "shy", "hello", f"{LAT}"):
            if secret not in place.lower():
                assert secret not in text, (place, secret)


def test_without_hiding_the_same_node_does_show(mesh: Mesh, start: Start) -> None:
    hashes = everything(mesh, "shy")
    client = start()
    shown = "".join(client.get(place).text.lower() for place in [*PLACES, f"/api/packets/{hashes[0]}"])
    for secret in (KEY, "shy", "hello", f"{LAT}"):
        assert secret in shown, secret


def test_packets_of_a_hidden_node_keep_their_place_in_lists(mesh: Mesh, start: Start) -> None:
    hashes = everything(mesh, "shy")
    answer = start(privacy=BY_KEY).get("/api/packets").json()
    assert (answer["total"], {packet["hash"] for packet in answer["packets"]}) == (len(hashes), set(hashes))
    advert = next(packet for packet in answer["packets"] if packet["hash"] == hashes[0])
    assert json.loads(advert["decoded_json"]) == {"type": "ADVERT", "hidden": True}
    assert set(advert["raw_hex"][4:]) == {"0"}


def test_the_byte_map_of_a_hidden_packet_ends_before_its_payload(mesh: Mesh, start: Start) -> None:
    hidden = everything(mesh, "shy")[0]
    detail = start(privacy=BY_KEY).get(f"/api/packets/{hidden}").json()
    assert [field["name"] for field in detail["byte_map"]] == ["header", "path length", "hidden"]


def test_live_events_of_a_hidden_node_show_nothing(mesh: Mesh) -> None:
    everything(mesh, "shy")
    pool = ReadPool(str(mesh.path))
    clock = Clock(str(mesh.path))
    facts = FactsReader(pool, clock, BY_KEY).current()
    news = pool.read(lambda db: live.after(db, 0, limit=100))
    events = [event_of(one, row, facts, Decoder(key_ring(Settings()))) for one, row in news.receptions]
    pool.close()
    clock.close()
    text = b"".join(event.body for event in events).lower()
    assert len(events) == 6
    for secret in (KEY, KEY[:16], "shy", "hello"):
        assert secret.encode() not in text


def test_a_companions_position_is_rounded_in_every_form(mesh: Mesh, start: Start) -> None:
    wanted = mesh.advert(7, role=COMPANION, lat=LAT, lon=LON, name="walker")
    client = start()
    node = client.get(f"/api/nodes/{KEY}").json()["node"]
    assert (node["lat"], node["lon"]) == (47.12, -122.65)
    detail = client.get(f"/api/packets/{wanted}").json()
    for packet in (detail["packet"], client.get("/api/packets").json()["packets"][0]):
        decoded = json.loads(packet["decoded_json"])
        assert (decoded["lat"], decoded["lon"], decoded["positionRounded"]) == (47.12, -122.65, True)
        advert = decode(bytes.fromhex(packet["raw_hex"])).payload
        assert isinstance(advert, Advert)
        assert (advert.lat, advert.lon, advert.name) == (47.12, -122.65, "walker")
    assert detail["observations"][0]["raw_hex"] == detail["packet"]["raw_hex"]
    assert [field["value"] for field in detail["byte_map"] if field["name"] == "latitude"] == [47.12]


def test_the_exact_position_cannot_be_found_by_trying(mesh: Mesh, start: Start) -> None:
    """The packet hash and the signature are functions of it; with the signature shown, a guess could be checked."""
    wanted = mesh.advert(7, role=COMPANION, lat=LAT, lon=LON)
    packet = start().get(f"/api/packets/{wanted}").json()["packet"]
    advert = decode(bytes.fromhex(packet["raw_hex"])).payload
    assert isinstance(advert, Advert)
    assert advert.signature == bytes(64)
    assert "signature" not in json.loads(packet["decoded_json"])


def test_a_repeaters_position_is_exact(mesh: Mesh, start: Start) -> None:
    wanted = mesh.advert(7, role=REPEATER, lat=LAT, lon=LON)
    client = start()
    assert client.get(f"/api/nodes/{KEY}").json()["node"]["lat"] == LAT
    decoded = json.loads(client.get(f"/api/packets/{wanted}").json()["packet"]["decoded_json"])
    assert (decoded["lat"], "signature" in decoded) == (LAT, True)


@pytest.mark.parametrize(("decimals", "lat"), [(None, LAT), (0, 47.0), (1, 47.1), (6, LAT)])
def test_rounding_is_configurable(mesh: Mesh, start: Start, decimals: int | None, lat: float) -> None:
    mesh.advert(7, role=COMPANION, lat=LAT, lon=LON)
    client = start(privacy=Privacy(companion_decimals=decimals))
    assert client.get(f"/api/nodes/{KEY}").json()["node"]["lat"] == lat


def test_an_observer_on_a_companion_shows_its_rounded_position(mesh: Mesh, start: Start) -> None:
    mesh.advert(7, role=COMPANION, lat=LAT, lon=LON, by=KEY.upper())
    observer = start().get("/api/observers").json()["observers"][0]
    assert (observer["lat"], observer["nodeRole"]) == (47.12, "companion")


def test_a_node_that_takes_the_mark_off_its_name_shows_again(mesh: Mesh, start: Start) -> None:
    mesh.advert(7, name="shy 🚫", at=T0)
    client = start()
    assert client.get("/api/nodes").json()["total"] == 0
    mesh.advert(7, name="shy", at=T0 + 60_000)
    assert client.get("/api/nodes").json()["nodes"][0]["name"] == "shy"


def test_the_total_of_nodes_counts_what_is_shown(mesh: Mesh, start: Start) -> None:
    for number in range(5):
        mesh.advert(number + 1, name=f"n{number}")
    mesh.advert(7, name="shy")
    answer = start(privacy=BY_KEY).get("/api/nodes?limit=2").json()
    assert (answer["total"], len(answer["nodes"])) == (5, 2)


def test_who_sends_an_anonymous_request_is_not_shown_unless_the_operator_says_so(mesh: Mesh, start: Start) -> None:
    payload = encode.anon_request(encode.key_pair(seed(7)), pubkey(9), T0 // 1000, b"password")
    wanted = mesh.hear(encode.frame(FLOOD, ANON_REQ, payload, path=[b"\xaa"]))
    client = start()
    for path in ("/api/packets", f"/api/packets/{wanted}", "/api/packets?groupByHash=true&expand=observations"):
        text = client.get(path).text.lower()
        assert KEY not in text, path
        assert payload[33:].hex() not in text, "with it and the packet's hash the sender could be found by trying"
    detail = client.get(f"/api/packets/{wanted}").json()
    decoded = json.loads(detail["packet"]["decoded_json"])
    assert decoded == {"type": "ANON_REQ", "destHash": f"{pubkey(9)[0]:02x}", "senderHidden": True}
    assert bytes.fromhex(detail["packet"]["raw_hex"]).endswith(payload[:1] + bytes(len(payload) - 1))
    assert detail["byte_map"][-1]["name"] == "hidden"
    assert [field["name"] for field in detail["byte_map"]].count("hidden") == 1
    shown = start(privacy=Privacy(request_senders=True)).get(f"/api/packets/{wanted}").json()
    assert json.loads(shown["packet"]["decoded_json"])["ephemeralPubKey"] == KEY
    assert KEY in shown["packet"]["raw_hex"].lower()


def test_a_live_event_does_not_tell_who_sent_an_anonymous_request(mesh: Mesh) -> None:
    payload = encode.anon_request(encode.key_pair(seed(7)), pubkey(9), T0 // 1000, b"password")
    mesh.hear(encode.frame(FLOOD, ANON_REQ, payload))
    path = str(mesh.path)
    pool, clock = ReadPool(path, size=1), Clock(path)
    facts = FactsReader(pool, clock, Privacy()).current()
    news = pool.read(lambda db: live.after(db, 0, limit=10))
    (one, row), *_ = news.receptions
    body = event_of(one, row, facts, Decoder(key_ring(Settings()))).body.decode().lower()
    assert KEY not in body
    assert "senderhidden" in body
    pool.close()
    clock.close()
