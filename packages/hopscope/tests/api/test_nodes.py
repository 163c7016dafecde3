"""/api/nodes: the list, the search, one node."""

from collections.abc import Callable
from typing import Any

import pytest
from meshes import COMPANION, DAY, HOUR, MINUTE, REPEATER, ROOM, SENSOR, SOUTH, T0, Mesh, pubkey

Start = Callable[..., Any]


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [node["name"] for node in answer.json()["nodes"]]


@pytest.fixture
def client(mesh: Mesh, start: Start) -> Any:
    """Four nodes, heard in the order hill, inn, sensor, walker; the clock stands a day after."""
    mesh.advert(1, name="hill", role=REPEATER, at=T0)
    mesh.advert(2, name="Inn", role=ROOM, at=T0 + HOUR, by=SOUTH)
    mesh.advert(3, name="sensor", role=SENSOR, at=T0 + 2 * HOUR)
    mesh.advert(4, name="walker", role=COMPANION, at=T0 + 3 * HOUR)
    mesh.advert(4, name="walker", role=COMPANION, at=T0 + 4 * HOUR)
    client = start()
    object.__setattr__(client.app.state.context, "now_ms", lambda: T0 + DAY)
    return client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["walker", "sensor", "Inn", "hill"]),
        ("limit=2", ["walker", "sensor"]),
        ("limit=0", []),
        ("limit=2&offset=2", ["Inn", "hill"]),
        ("sortBy=name", ["hill", "Inn", "sensor", "walker"]),
        ("sortBy=packetCount&limit=1", ["walker"]),
        ("role=repeater", ["hill"]),
        ("region=PDX", ["Inn"]),
        ("region=XXX", []),
        ("search=IN", ["Inn"]),
        (f"search={pubkey(1).hex()[:6]}", ["hill"]),
        ("search=%25", []),
        ("lastHeard=6h", []),
        ("lastHeard=24h", ["walker", "sensor", "Inn", "hill"]),
        ("before=2026-09-21T15:13:20Z", ["Inn", "hill"]),
    ],
)
def test_the_list_selects_and_sorts(client: Any, query: str, expected: list[str]) -> None:
    assert names(client.get(f"/api/nodes?{query}")) == expected


def test_the_total_does_not_depend_on_the_page(client: Any) -> None:
    assert client.get("/api/nodes?limit=1").json()["total"] == 4
    assert client.get("/api/nodes?limit=1&role=room").json()["total"] == 1


def test_cursors_visit_every_node_once_though_times_are_equal(mesh: Mesh, start: Start) -> None:
    for number in range(1, 8):
        mesh.advert(number, name=f"n{number}", at=T0)
    client, seen, cursor = start(), [], ""
    while cursor is not None:
        answer = client.get(f"/api/nodes?limit=3{cursor and '&cursor='}{cursor}")
        seen += names(answer)
        cursor = answer.json()["next_cursor"]
    assert sorted(seen) == [f"n{number}" for number in range(1, 8)]


@pytest.mark.parametrize(
    "query",
    ["role=king", "sortBy=beauty", "lastHeard=1y", "before=never", "cursor=p.1.1", "limit=-1", "offset=1e9"],
)
def test_a_broken_query_is_refused(client: Any, query: str) -> None:
    answer = client.get(f"/api/nodes?{query}")
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


def test_a_node_is_found_by_the_beginning_of_its_key(client: Any) -> None:
    key = pubkey(1).hex()
    for prefix in (key, key[:8], key[:9].upper()):
        assert client.get(f"/api/nodes/{prefix}").json()["node"]["public_key"] == key


@pytest.mark.parametrize(("key", "status"), [("1234567", 400), ("xyzxyzxy", 400), ("00000000", 404), ("0" * 65, 400)])
def test_a_key_that_means_no_node(client: Any, key: str, status: int) -> None:
    answer = client.get(f"/api/nodes/{key}")
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_a_beginning_that_fits_two_keys_is_ambiguous(client: Any, mesh: Mesh) -> None:
    for end in (b"\x01", b"\x02"):
        mesh.db.execute("insert into nodes (pubkey, first_seen, last_seen) values (?, ?, ?)", (bytes(31) + end, T0, T0))
    assert client.get("/api/nodes/00000000").status_code == 409
    assert client.get(f"/api/nodes/{'0' * 63}1").status_code == 200


def test_a_node_lists_its_adverts_newest_first(client: Any) -> None:
    adverts = client.get(f"/api/nodes/{pubkey(4).hex()}").json()["recentAdverts"]
    assert [advert["first_seen"] for advert in adverts] == ["2026-09-21T18:13:20.000Z", "2026-09-21T17:13:20.000Z"]


def test_health_says_who_heard_a_node_and_how_well(client: Any, mesh: Mesh) -> None:
    mesh.advert(1, name="hill", at=T0, by=SOUTH, path=[b"\xaa", b"\xbb"])
    health = client.get(f"/api/nodes/{pubkey(1).hex()}/health").json()
    assert {(one["observer_name"], one["packetCount"]) for one in health["observers"]} == {
        ("North <b>tower</b>", 1),
        ("South", 1),
    }
    assert (health["stats"]["totalObservations"], health["stats"]["avgHops"], health["stats"]["avgSnr"]) == (2, 1, 7.25)


def test_sizes_of_path_hashes_are_listed_only_when_they_differ(client: Any, mesh: Mesh) -> None:
    key = pubkey(1).hex()
    assert "hash_sizes_seen" not in client.get(f"/api/nodes/{key}").json()["node"]
    mesh.db.execute("update nodes set hash_sizes = 6 where pubkey = ?", (pubkey(1),))
    node = client.get(f"/api/nodes/{key}").json()["node"]
    assert (node["hash_size_inconsistent"], node["hash_sizes_seen"]) == (True, [1, 2])


def test_search_finds_at_most_ten_and_nothing_for_nothing(client: Any, mesh: Mesh) -> None:
    for number in range(10, 25):
        mesh.advert(number, name=f"hill {number}", at=T0 + MINUTE)
    assert len(client.get("/api/nodes/search?q=hill").json()["nodes"]) == 10
    assert client.get("/api/nodes/search").json() == {"nodes": []}


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "é\u202e", "a" * 23, "' or 1=1 --"])
def test_names_from_the_air_are_text(mesh: Mesh, start: Start, name: str) -> None:
    mesh.advert(7, name=name)
    answer = start().get("/api/nodes")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.status_code == 200
