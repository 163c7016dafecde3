"""The simulated mesh is deterministic, plausible, and its truth is what the records themselves say."""

import itertools
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from recount import recount

import meshwire
from hopscope.generate import Pace, Record, Simulation, Truth, mesh, radio
from hopscope.generate.output import write_record, write_truth
from hopscope.generate.traffic import PUBLIC_TEXTS
from hopscope.generate.truth import REASONS, Received, Refused

START = 1_750_000_000_000


def take(count: int, seed: int = 1, *, rate: float = 100.0, brokers: int = 2) -> tuple[list[Record], Truth]:
    records = list(itertools.islice(Simulation(seed, Pace(START, rate), brokers=brokers), count))
    truth = Truth()
    for record in records:
        truth.add(record.fate)
    return records, truth


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert take(2000)[0] == take(2000)[0]
    assert take(200, seed=1)[0] != take(200, seed=2)[0]


@pytest.mark.parametrize(("seed", "brokers", "rate"), [(1, 2, 100.0), (7, 1, 3.0), (42, 3, 2000.0)])
def test_the_truth_is_what_the_records_themselves_say(seed: int, brokers: int, rate: float) -> None:
    records, truth = take(6000, seed, rate=rate, brokers=brokers)
    found = recount((record.topic, record.payload) for record in records)
    assert found["receptions"] == {identity: numbers for identity, (_, numbers) in truth.receptions.items()}
    assert found["refused"] == dict(truth.refused)
    assert found["statuses"] == len(truth.statuses)
    nodes = {node["pubkey"]: (node["advert_at_s"], node["adverts"]) for node in truth.nodes()}
    assert nodes == {key: (max(by_hash.values()), len(by_hash)) for key, by_hash in found["adverts"].items()}


def test_every_record_has_one_fate() -> None:
    _, truth = take(5000)
    totals = truth.totals()
    used = totals["receptions"] + totals["duplicates"] + totals["statuses"] + totals["refused"]
    assert used == totals["records"] == 5000


def test_every_kind_of_trouble_occurs() -> None:
    records, truth = take(10_000)
    assert set(dict(truth.refused).values()) == set(REASONS)
    assert {damage.kind for damage in truth.damaged().values()} == {"flipped", "forged"}
    assert all(damage.twin for damage in truth.damaged().values() if damage.kind == "flipped")
    assert truth.totals()["duplicates"] > 100
    fields = [json.loads(r.payload) for r in records if isinstance(r.fate, Received)]
    assert {type(f["len"]) for f in fields} == {str, int}
    assert any("SNR" not in f and "snr" not in f for f in fields)
    assert any(not f["timestamp"].endswith("Z") for f in fields)


def test_damaged_and_forged_packets_make_no_node() -> None:
    _, truth = take(10_000)
    assert all(received.advert is None for received, _ in truth.receptions.values() if received.damage)


def test_every_node_of_the_mesh_exists_soon() -> None:
    records, truth = take(3000)
    wanted = {node.pubkey.hex() for node in mesh.build(1).nodes}
    missing = wanted - {node["pubkey"] for node in truth.nodes()}
    assert len(missing) <= 2, "a node whose adverts no observer heard yet"
    assert len(records) == 3000


def test_one_observer_hears_a_packet_over_several_paths_of_all_three_sizes() -> None:
    _, truth = take(5000)
    pairs = Counter((name, observer) for name, observer, *_ in truth.receptions)
    assert max(pairs.values()) > 1
    sizes = {identity[3] >> 6 for identity in truth.receptions if identity[4]}
    assert sizes == {0, 1, 2}


def test_a_flood_grows_by_the_forwarders_hash() -> None:
    net = mesh.build(1)
    flood = radio.flood(net, random.Random(1), radio.Hop(19, b"", 2))
    known = {b"": 0}
    for hop in flood.hops:
        assert hop.path[:-2] in known, "its path is that of an earlier transmission and its own hash"
        assert not hop.path or hop.path[-2:] == net.nodes[hop.node].pubkey[:2]
        known[hop.path] = 1
    assert len(flood.hops) > 3


def test_signal_falls_with_distance() -> None:
    net = mesh.build(1)
    near, far = net.links[0][0], net.links[0][-1]
    assert near[1] > far[1]
    a, b, c = net.nodes[0].position, net.nodes[near[0]].position, net.nodes[far[0]].position
    assert mesh.distance_km(a, b) < mesh.distance_km(a, c)


def test_records_come_at_the_pace_and_their_clocks_agree_with_it() -> None:
    records, _ = take(500, rate=50)
    assert [record.at_ms for record in records[:3]] == [START, START + 20, START + 40]
    for record in records:
        if isinstance(record.fate, Received):
            naive_h = (0, 2)  # of the publishers that write local time
            skews = [record.fate.published_ms - record.at_ms - h * 3_600_000 for h in naive_h]
            assert min(abs(skew) for skew in skews) < 120_000


def test_a_backlog_lies_before_the_start() -> None:
    pace = Pace(START, 2.0, backlog=10, backlog_ms=60_000)
    times = [pace.at_ms(index) for index in range(13)]
    assert times[0] == START - 60_000
    assert times[10:] == [START, START + 500, START + 1000]
    assert times == sorted(times)


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pace(START, 0)


def test_a_single_broker_gets_everything() -> None:
    records, _ = take(1000, brokers=1)
    assert {record.broker for record in records} == {0}


def test_refused_records_name_their_reason() -> None:
    records, _ = take(5000)
    assert {r.fate.reason for r in records if isinstance(r.fate, Refused)} <= set(REASONS)


def test_a_hostile_text_and_hostile_names_are_among_the_traffic() -> None:
    assert any("<img" in text for text in PUBLIC_TEXTS)
    names = [place.name for place in mesh.PLACES]
    assert any("<b>" in name for name in names)
    assert any("\u202e" in name for name in names)
    assert 25 <= len(names) <= 40


def test_files_hold_every_record_and_the_truth(tmp_path: Path) -> None:
    records, truth = take(800)
    with (tmp_path / "records.jsonl").open("wb") as file:
        for record in records:
            write_record(file, record)
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    back = [line["payload"].encode() if "payload" in line else bytes.fromhex(line["payload_hex"]) for line in lines]
    assert back == [record.payload for record in records]
    write_truth(tmp_path / "truth.json", truth)
    written = json.loads((tmp_path / "truth.json").read_text())
    assert written["totals"] == truth.totals()
    assert sum(len(row["records"]) for row in written["receptions"]) == (
        written["totals"]["receptions"] + written["totals"]["duplicates"]
    )


def test_meshwire_reads_every_stored_frame_as_the_truth_says() -> None:
    records, _ = take(4000)
    keys = meshwire.KeyRing.of(channels=("Public", "#test", "#bot"))
    opened = 0
    for record in records:
        if isinstance(fate := record.fate, Received):
            fields = json.loads(record.payload)
            packet = meshwire.decode(bytes.fromhex(fields["raw"].removeprefix("0x")), keys=keys)
            assert packet.hash.hex().upper() == fate.hash
            if isinstance(packet.payload, meshwire.Advert):
                assert bool(packet.payload.signature_valid) == (fate.advert is not None)
            if isinstance(packet.payload, meshwire.GroupText):
                opened += packet.payload.message is not None
    assert opened > 100
