"""/api/observers, /api/mqtt/status, /api/stats, /api/analytics: what is counted and who published it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meshes import COMPANION, DAY, HOUR, MINUTE, NORTH, REPEATER, SOUTH, T0, Mesh, pubkey

from hopscope.api.counted import count
from hopscope.store.lock import WriterLock

Start = Callable[..., Any]


def at(client: Any, now_ms: int) -> Any:
    """The client of a server whose clock stands."""
    object.__setattr__(client.app.state.context, "now_ms", lambda: now_ms)
    return client


def test_an_observer_is_found_in_any_case_of_letters(mesh: Mesh, start: Start) -> None:
    mesh.ack(1)
    client = start()
    for ident in (NORTH, NORTH.lower()):
        assert client.get(f"/api/observers/{ident}").json()["id"] == NORTH
    answer = client.get("/api/observers/nobody")
    assert (answer.status_code, answer.json()) == (404, {"error": "Observer not found"})


def test_receptions_of_the_last_hour_are_counted_per_observer(mesh: Mesh, start: Start) -> None:
    mesh.ack(1, at=T0)
    mesh.ack(2, at=T0 + HOUR)
    mesh.ack(3, at=T0 + HOUR, by=SOUTH)
    mesh.ack(4, at=T0 + HOUR + MINUTE, by=SOUTH)
    observers = at(start(), T0 + HOUR + 2 * MINUTE).get("/api/observers").json()["observers"]
    assert {one["name"]: one["packetsLastHour"] for one in observers} == {"North <b>tower</b>": 1, "South": 2}


def test_an_observer_has_the_position_of_the_node_with_its_key(mesh: Mesh, start: Start) -> None:
    key = pubkey(7).hex().upper()
    mesh.advert(7, role=REPEATER, lat=47.5, lon=-122.25, by=key)
    observer = start().get(f"/api/observers/{key}").json()
    assert (observer["lat"], observer["lon"], observer["nodeRole"]) == (47.5, -122.25, "repeater")


def test_samples_are_thinned_to_the_newest_of_each_step(mesh: Mesh, start: Start) -> None:
    for number in range(4):
        mesh.status(at=T0 + number * 20 * MINUTE, noise_floor=-100.0 - number)
    client = at(start(), T0 + 2 * HOUR)
    samples = client.get(f"/api/observers/{NORTH}/metrics").json()["metrics"]
    assert [sample["noise_floor"] for sample in samples] == [-100.0, -101.0, -102.0, -103.0]
    hourly = client.get(f"/api/observers/{NORTH}/metrics?resolution=1h").json()["metrics"]
    assert [sample["noise_floor"] for sample in hourly] == [-102.0, -103.0]
    assert client.get(f"/api/observers/{NORTH}/metrics?resolution=1w").status_code == 400


def test_broker_status_tells_what_the_writer_wrote_while_it_lives(mesh: Mesh, start: Start, database: Path) -> None:
    client = start()
    assert client.get("/api/mqtt/status").json()["sources"][0]["connected"] is False
    mesh.source_connected(at=T0)
    assert client.get("/api/mqtt/status").json()["sources"][0]["connected"] is False, "no writer holds it"
    with WriterLock.acquire(str(database)):
        source = start().get("/api/mqtt/status").json()["sources"][0]
    assert source["connected"] is True
    source = client.get("/api/mqtt/status").json()["sources"][0]
    assert (source["lastConnectUnix"], source["connectCount"]) == (T0 // 1000, 1)


def test_imports_are_no_live_sources(mesh: Mesh, start: Start) -> None:
    assert [one["name"] for one in start().get("/api/mqtt/status").json()["sources"]] == ["demo"]


@pytest.mark.parametrize(
    ("age", "hour", "day"), [(0, 1, 1), (HOUR - MINUTE, 1, 1), (2 * HOUR, 0, 1), (DAY + HOUR, 0, 0)]
)
def test_recent_receptions_are_counted_exactly(mesh: Mesh, age: int, hour: int, day: int) -> None:
    mesh.ack(1, at=T0)
    counted = count(mesh.db, T0 + age)
    assert (counted.last_hour, counted.last_day) == (hour, day)


def test_totals_come_from_counters(mesh: Mesh, start: Start) -> None:
    mesh.advert(1, role=REPEATER)
    mesh.advert(2, role=COMPANION)
    mesh.ack(1)
    mesh.ack(1, by=SOUTH)
    stats = start().get("/api/stats").json()
    assert (stats["totalTransmissions"], stats["totalObservations"]) == (3, 4)
    assert (stats["totalNodesAllTime"], stats["totalObservers"]) == (2, 2)


def test_hash_sizes_are_counted_and_hops_named_only_when_one_node_fits(mesh: Mesh, start: Start) -> None:
    mesh.advert(1, name="hill", role=REPEATER)
    mesh.advert(2, name="walker", role=COMPANION)
    hill, walker = pubkey(1)[:1], pubkey(2)[:1]
    mesh.ack(1, path=[hill, walker])
    mesh.ack(2, path=[hill])
    answer = at(start(), T0 + HOUR).get("/api/analytics/hash-sizes").json()
    assert (answer["total"], answer["distribution"]) == (4, {"1": 4, "2": 0, "3": 0})
    assert answer["hourly"] == [{"hour": "2026-09-21T14:00:00Z", "1": 4, "2": 0, "3": 0}]
    assert [(hop["hex"], hop["count"], hop["name"]) for hop in answer["topHops"]] == [
        (hill.hex().upper(), 2, "hill"),
        (walker.hex().upper(), 1, None),
    ]


def test_a_window_bounds_the_distribution(mesh: Mesh, start: Start) -> None:
    mesh.ack(1, at=T0)
    mesh.ack(2, at=T0 + 3 * HOUR)
    client = at(start(), T0 + 3 * HOUR + MINUTE)
    assert client.get("/api/analytics/hash-sizes?window=1h").json()["total"] == 1
    assert client.get("/api/analytics/hash-sizes?window=24h").json()["total"] == 2
    assert client.get("/api/analytics/hash-sizes?window=1y").status_code == 400
    assert client.get("/api/analytics/hash-sizes?region=SEA").status_code == 400


def test_figures_for_prometheus(mesh: Mesh, start: Start) -> None:
    mesh.ack(1)
    client = start()
    client.get("/api/packets/1")
    text = client.get("/metrics").text
    assert 'hopscope_answer_seconds_count{endpoint="/api/packets/{key}"} 1.0' in text
    assert "hopscope_transmissions_total 1.0" in text
    assert "hopscope_database_up 1.0" in text


def test_figures_without_a_database_say_so(start: Start) -> None:
    assert "hopscope_database_up 0.0" in start().get("/metrics").text


def test_an_installation_without_any_source_says_so(mesh: Mesh, start: Start) -> None:
    mesh.db.execute("delete from sources")
    client = start(title="Puget", region_labels=(("PDX", "Portland"),), api_key="a-long-operator-key-7391")
    config = client.get("/api/config/client").json()
    assert (config["hasSources"], config["title"], config["operator"]) == (False, "Puget", True)
    assert config["regions"] == [{"code": "PDX", "label": "Portland"}]


def test_regions_are_the_configured_ones_and_those_that_observers_brought(mesh: Mesh, start: Start) -> None:
    mesh.ack(1)
    regions = start(region_labels=(("PDX", "Portland"),)).get("/api/config/regions").json()
    assert regions == {"PDX": "Portland", "SEA": "SEA"}


def test_decoding_a_frame_says_where_it_breaks(mesh: Mesh, start: Start) -> None:
    client = start()
    good = client.post("/api/decode", json={"hex": " 0x0D04B891 647EBB40BA70\n"})
    assert good.json()["decoded"]["path"]["hops"] == ["B8", "91", "64", "7E"]
    bad = client.post("/api/decode", json={"hex": "0D04B8"})
    assert (bad.status_code, set(bad.json())) == (400, {"error", "at"})
    for text, problem in (("", "hex is required"), ("0g", "hex: expected whole bytes as hex digits")):
        answer = client.post("/api/decode", json={"hex": text})
        assert (answer.status_code, answer.json()) == (400, {"error": problem})
