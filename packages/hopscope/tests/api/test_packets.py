"""/api/packets: pages, filters, single packets."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from meshes import (
    CONTROL,
    DAY,
    HOUR,
    MINUTE,
    NORTH,
    SECOND,
    SOUTH,
    T0,
    TRACE,
    Mesh,
    pubkey,
)

from meshwire import encode

Start = Callable[..., Any]


def hashes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [packet["hash"] for packet in answer.json()["packets"]]


def test_the_newest_packet_comes_first(mesh: Mesh, start: Start) -> None:
    first = mesh.ack(1, at=T0)
    second = mesh.ack(2, at=T0 + SECOND)
    assert hashes(start().get("/api/packets")) == [second, first]


def test_order_asc_turns_the_list_around(mesh: Mesh, start: Start) -> None:
    first, second = mesh.ack(1, at=T0), mesh.ack(2, at=T0 + SECOND)
    assert hashes(start().get("/api/packets?order=ASC")) == [first, second]


def test_cursors_visit_every_packet_once_though_times_are_equal(mesh: Mesh, start: Start) -> None:
    made = [mesh.ack(n, at=T0 + n // 4) for n in range(13)]
    client = start()
    for shape in ("", "&groupByHash=true", "&order=asc", "&type=ACK"):
        seen: list[str] = []
        cursor = ""
        while True:
            answer = client.get(f"/api/packets?limit=4{shape}{cursor}")
            seen += hashes(answer)
            if answer.json()["next_cursor"] is None:
                break
            cursor = f"&cursor={answer.json()['next_cursor']}"
        assert len(seen) == len(made), shape
        assert set(seen) == set(made), shape


def test_a_packet_that_arrives_between_two_pages_shifts_nothing(mesh: Mesh, start: Start) -> None:
    made = [mesh.ack(n, at=T0 + n) for n in range(4)]
    client = start()
    page = client.get("/api/packets?limit=2").json()
    mesh.ack(99, at=T0 + HOUR)
    assert hashes(client.get(f"/api/packets?limit=2&cursor={page['next_cursor']}")) == [made[1], made[0]]


def test_offset_skips_rows_and_the_total_is_exact(mesh: Mesh, start: Start) -> None:
    made = [mesh.ack(n, at=T0 + n) for n in range(5)]
    answer = start().get("/api/packets?limit=2&offset=3").json()
    assert [packet["hash"] for packet in answer["packets"]] == [made[1], made[0]]
    assert (answer["total"], answer["total_exact"], answer["limit"], answer["offset"]) == (5, True, 2, 3)


def test_grouped_packets_are_ordered_by_their_newest_reception(mesh: Mesh, start: Start) -> None:
    old = mesh.ack(1, at=T0)
    new = mesh.ack(2, at=T0 + MINUTE)
    mesh.ack(1, at=T0 + 2 * MINUTE, by=SOUTH, path=[b"\xaa", b"\xbb"])
    answer = start().get("/api/packets?groupByHash=true")
    assert hashes(answer) == [old, new]
    group = answer.json()["packets"][0]
    assert (group["count"], group["observer_count"], group["latest"]) == (2, 2, "2026-09-21T14:15:20.000Z")


def test_display_fields_come_from_the_reception_with_the_longest_path(mesh: Mesh, start: Start) -> None:
    mesh.ack(1, at=T0, by=NORTH)
    mesh.ack(1, at=T0 + SECOND, by=SOUTH, path=[b"\xaa", b"\xbb"])
    packet = start().get("/api/packets").json()["packets"][0]
    assert (packet["observer_id"], packet["path_json"]) == (SOUTH, '["AA","BB"]')


def test_a_last_seen_that_is_not_computed_yet_hides_nothing(mesh: Mesh, start: Start) -> None:
    middle = mesh.ack(2, at=T0 + SECOND)
    first, last = mesh.ack(1, at=T0), mesh.ack(3, at=T0 + 2 * SECOND)
    mesh.db.execute("update transmissions set last_seen = 0 where hash = ?", (bytes.fromhex(middle),))
    client = start()
    assert hashes(client.get("/api/packets?groupByHash=true")) == [last, middle, first]
    assert hashes(client.get("/api/packets")) == [last, middle, first]


@pytest.mark.parametrize("grouped", ["", "&groupByHash=true"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=4", ["advert"]),
        ("type=ADVERT", ["advert"]),
        ("type=9", []),
        ("route=1", ["text", "advert"]),
        ("route=DIRECT", ["ack"]),
        ("region=PDX", ["text"]),
        ("region=pdx,SEA", ["text", "ack", "advert"]),
        ("region=XXX", []),
        (f"observer={NORTH.lower()}", ["ack", "advert"]),
        ("observer=nobody", []),
        (f"node={pubkey(7).hex()}", ["advert"]),
        (f"node={pubkey(7).hex()[:8].upper()}", ["advert"]),
        ("node=hill", ["advert"]),
        ("node=nobody", []),
        (f"nodes={pubkey(7).hex()},{pubkey(8).hex()}", ["advert"]),
        ("channel=Public", ["text"]),
        ("channel=%23nowhere", []),
        ("channel=Public&type=4", []),
        (f"channel=Public&observer={SOUTH}", ["text"]),
        ("since=2026-09-21T14:13:21Z", ["text", "ack"]),
        ("until=2026-09-21T14:13:21Z", ["ack", "advert"]),
        ("since=2026-09-21T14:13:21.000Z&until=2026-09-21T14:13:21.000Z", ["ack"]),
    ],
)
def test_filters_select(mesh: Mesh, start: Start, query: str, expected: list[str], grouped: str) -> None:
    made = {
        "advert": mesh.advert(7, name="hill", at=T0),
        "ack": mesh.ack(1, at=T0 + SECOND, route=2),
        "text": mesh.say("hello", at=T0 + 2 * SECOND, by=SOUTH),
    }
    answer = start().get(f"/api/packets?{query}{grouped}")
    assert hashes(answer) == [made[name] for name in expected]
    assert answer.json()["total"] == len(expected)


def test_the_hash_filter_finds_one_packet(mesh: Mesh, start: Start) -> None:
    wanted = mesh.ack(1)
    mesh.ack(2)
    client = start()
    assert hashes(client.get(f"/api/packets?hash={wanted.upper()}")) == [wanted]
    assert hashes(client.get("/api/packets?hash=0123456789abcdef")) == []


def test_expand_lists_the_receptions_of_each_packet(mesh: Mesh, start: Start) -> None:
    mesh.ack(1, at=T0)
    mesh.ack(1, at=T0 + SECOND, by=SOUTH)
    client = start()
    packet = client.get("/api/packets?expand=observations").json()["packets"][0]
    assert [one["observer_id"] for one in packet["observations"]] == [NORTH, SOUTH]
    assert "observations" not in client.get("/api/packets").json()["packets"][0]


def test_a_packet_is_found_by_id_and_by_hash(mesh: Mesh, start: Start) -> None:
    wanted = mesh.say("hello <script>alert(1)</script>")
    client = start()
    by_hash = client.get(f"/api/packets/{wanted}").json()
    by_id = client.get(f"/api/packets/{by_hash['packet']['id']}").json()
    assert by_id == by_hash
    assert by_hash["decoded"]["payload"]["text"] == "Ann: hello <script>alert(1)</script>"
    assert by_hash["observations"][0]["raw_hex"] == by_hash["packet"]["raw_hex"]


def test_a_hash_of_decimal_digits_alone_is_a_hash_first(mesh: Mesh, start: Start) -> None:
    digits = "1234567812345678"
    found = mesh.ack(1)
    mesh.db.execute("update transmissions set hash = ? where hash = ?", (bytes.fromhex(digits), bytes.fromhex(found)))
    client = start()
    assert client.get(f"/api/packets/{digits}").json()["packet"]["hash"] == digits
    assert client.get("/api/packets/8765432187654321").status_code == 404


def test_the_byte_map_covers_the_frame(mesh: Mesh, start: Start) -> None:
    wanted = mesh.advert(7, name="hill", lat=47.5, lon=-122.25, path=[b"\xaa"])
    detail = start().get(f"/api/packets/{wanted}").json()
    spans = [(field["start"], field["end"]) for field in detail["byte_map"]]
    assert spans[0][0] == 0
    assert spans[-1][1] == len(detail["packet"]["raw_hex"]) // 2
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))


def test_the_path_of_a_trace_is_its_route(mesh: Mesh, start: Start) -> None:
    payload = encode.trace(1, 2, 0, [b"\x11", b"\x22", b"\x33"])
    wanted = mesh.hear(encode.frame(2, TRACE, payload, path=[b"\x20", b"\xf0"]))
    detail = start().get(f"/api/packets/{wanted}").json()
    assert detail["path"] == ["11", "22", "33"]
    assert detail["decoded"]["path"]["hopsCompleted"] == 2
    assert json.loads(detail["packet"]["decoded_json"])["snrValues"] == [8.0, -4.0]


def test_an_unknown_packet_is_not_found(mesh: Mesh, start: Start) -> None:
    client = start()
    for key in ("0123456789abcdef", "7"):
        answer = client.get(f"/api/packets/{key}")
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})


def test_receptions_are_found_by_many_hashes(mesh: Mesh, start: Start) -> None:
    first, second = mesh.ack(1), mesh.ack(2, by=SOUTH)
    answer = start().post("/api/packets/observations", json={"hashes": [first, second, "0" * 16]})
    assert answer.status_code == 200
    assert {key: len(rows) for key, rows in answer.json()["results"].items()} == {first: 1, second: 1}


def test_more_than_200_hashes_are_refused(mesh: Mesh, start: Start) -> None:
    assert start().post("/api/packets/observations", json={"hashes": ["0" * 16] * 201}).status_code == 400


def test_the_timeline_needs_a_beginning(mesh: Mesh, start: Start) -> None:
    mesh.ack(1, at=T0)
    mesh.ack(2, at=T0 + DAY)
    client = start()
    assert client.get("/api/packets/timestamps").json() == {"error": "since required"}
    assert client.get("/api/packets/timestamps?since=2026-09-22T00:00:00Z").json() == ["2026-09-22T14:13:20.000Z"]


def test_an_unchanged_list_is_not_sent_again(mesh: Mesh, start: Start) -> None:
    mesh.ack(1)
    client = start()
    first = client.get("/api/packets")
    again = client.get("/api/packets", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    mesh.ack(2)
    assert client.get("/api/packets", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=9223372036854775808",
        "limit=many",
        "offset=99999999999999999999999",
        "type=ADVERTS",
        "type=16",
        "route=4",
        "order=sideways",
        "groupByHash=maybe",
        "expand=everything",
        "hash=xyz",
        "since=yesterday",
        "since=9999999-01-01",
        "until=%F0%9F%98%80",
        "cursor=p.1",
        "cursor=g.1.1",
        "cursor=p.99999999999999999999.1",
        "cursor=%27;drop",
        "observer=%00",
        "node=a%00b",
    ],
)
def test_a_broken_query_is_refused_with_one_line(mesh: Mesh, start: Start, query: str) -> None:
    answer = start().get(f"/api/packets?{query}")
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"error"}


def test_a_huge_limit_is_cut_to_the_maximum(mesh: Mesh, start: Start) -> None:
    assert start().get("/api/packets?limit=9223372036854775807").json()["limit"] == 10_000


def test_a_discovery_answer_shows_its_fields(mesh: Mesh, start: Start) -> None:
    payload = encode.control_discover_response(2, 5.5, 77, pubkey(3))
    wanted = mesh.hear(encode.frame(2, CONTROL, payload))
    decoded = start().get(f"/api/packets/{wanted}").json()["decoded"]["payload"]
    assert (decoded["ctrlSubtype"], decoded["ctrlSNR"], decoded["ctrlPubKey"]) == (
        "DISCOVER_RESP",
        5.5,
        pubkey(3).hex(),
    )


def test_a_frame_that_no_longer_decodes_says_so_instead_of_failing(mesh: Mesh, start: Start) -> None:
    wanted = mesh.ack(1)
    mesh.db.execute("update transmissions set frame = x'0dff'")
    client = start()
    assert "error" in json.loads(client.get("/api/packets").json()["packets"][0]["decoded_json"])
    assert client.get(f"/api/packets/{wanted}").status_code == 200
