"""What a batch of records leaves in the database."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from hopscope.model import (
    AdvertFacts,
    ChannelFacts,
    Direction,
    Heard,
    Ignored,
    Info,
    PacketFacts,
    Reason,
    Reception,
    Rejected,
    SourceState,
    Stats,
    StatusReport,
)
from hopscope.store import connection, schema
from hopscope.store.errors import RecordRefused, StoreUnavailable, UnknownSource
from hopscope.store.writing import QUARANTINE_PER_REASON, Writer

T0 = 1_790_000_000_000
ALICE, BOB = "A1" * 32, "B0" * 32
NODE = bytes(range(32))


def packet(payload: bytes = b"one", *, path: bytes = b"", kind: int = 3, **changes: object) -> PacketFacts:
    """A flood with one-byte hops."""
    head = bytes([kind << 2 | 1])
    facts = PacketFacts(
        hash=hashlib.sha256(bytes([kind]) + payload).digest()[:8],
        type=kind,
        route=1,
        version=0,
        frame=head + bytes([len(path)]) + path + payload,
        head=head,
        path_len=len(path),
        path=path,
        payload_at=2 + len(path),
        hop_count=len(path),
        hash_size=1,
        region=None,
    )
    return replace(facts, **changes)


def heard(
    packet: PacketFacts,
    *,
    at: int = T0,
    by: str = ALICE,
    published: int | None = -1,
    source: str = "home",
    **changes: object,
) -> Heard:
    """A reception; its publisher's clock is right unless told otherwise."""
    reception = Reception(
        source=source,
        observer=by,
        observer_name=None,
        iata=None,
        heard_at=at,
        published_at=at if published == -1 else published,
        clock_naive=False,
        frame=packet.frame,
        snr=None,
        rssi=None,
        score=None,
    )
    return Heard(replace(reception, **changes), packet)


def advert(name: str = "n", *, clock: int = T0, size: int = 1, pubkey: bytes = NODE, **changes: object) -> PacketFacts:
    facts = AdvertFacts(pubkey=pubkey, advert_at=clock, name=name, role=2, lat_e6=None, lon_e6=None)
    payload = pubkey + clock.to_bytes(8, "big") + name.encode()
    return packet(payload, kind=4, hash_size=size, path_len=(size - 1) << 6, advert=replace(facts, **changes))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[apsw.Connection]:
    db = connection.open_writer(str(tmp_path / "mesh.db"))
    schema.prepare(db)
    yield db
    db.close()


@pytest.fixture
def writer(db: apsw.Connection) -> Writer:
    writer = Writer(db)
    writer.register_source("home", kind="mqtt", address="mqtt://127.0.0.1:1883")
    writer.register_source("away", kind="mqtt", address=None)
    return writer


Rows = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture
def rows(db: apsw.Connection) -> Rows:
    return lambda query: list(db.execute(query))


def test_a_reception_becomes_a_transmission_and_an_observation(writer: Writer, rows: Rows) -> None:
    frame = packet(b"hello", path=b"\xaa\xbb")
    done = writer.record([heard(frame, snr=-3.25, rssi=-90, score=640)])
    assert (done.receptions, done.transmissions, done.duplicates) == (1, 1, 0)
    assert rows(
        "select hash, first_seen, last_seen, observation_count, type, route, frame, payload_at,"
        " shown_id, shown_hops from transmissions"
    ) == [(frame.hash, T0, T0, 1, 3, 1, frame.frame, 4, 1, 2)]
    assert rows(
        "select transmission_id, heard_at, published_at, head, path_len, path, snr, rssi, score, direction"
        " from observations"
    ) == [(1, T0, T0, b"\x0d", 2, b"\xaa\xbb", -3.25, -90, 640, 0)]
    assert rows("select name, value from counters order by name") == [("observations", 1), ("transmissions", 1)]


def test_the_stored_reception_gives_back_its_frame(writer: Writer, rows: Rows) -> None:
    first, second = packet(path=b"\x01"), packet(path=b"\x01\x02\x03")
    writer.record([heard(first), heard(second, at=T0 + 400)])
    [(frame, payload_at)] = rows("select frame, payload_at from transmissions")
    for (head, path_len, path), expected in zip(
        rows("select head, path_len, path from observations"), (first, second), strict=True
    ):
        assert head + bytes([path_len]) + path + frame[payload_at:] == expected.frame


SAME = [
    pytest.param({}, id="redelivered at once"),
    pytest.param({"at": T0 + 86_400_000, "published": T0}, id="redelivered a day later"),
    pytest.param({"source": "away", "at": T0 + 900, "published": T0}, id="through another broker"),
    pytest.param({"published": None, "at": T0 + 5000}, id="without a timestamp, within five seconds"),
]
OTHER = [
    pytest.param({"published": T0 + 1}, id="another publisher timestamp"),
    pytest.param({"by": BOB}, id="another observer"),
    pytest.param({"published": None, "at": T0 + 5001}, id="without a timestamp, later than five seconds"),
]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
@pytest.mark.parametrize("again", SAME)
def test_the_same_reception_is_stored_once(
    writer: Writer, rows: Rows, again: dict[str, object], together: bool
) -> None:
    both = [heard(packet()), heard(packet(), **again)]
    for batch in [both] if together else [[both[0]], [both[1]]]:
        writer.record(batch)
    assert rows("select heard_at from observations") == [(T0,)]
    assert rows("select observation_count, last_seen from transmissions") == [(1, T0)]
    assert rows("select observation_count, last_seen from observers") == [(1, T0)]
    assert rows("select sum(observations), sum(transmissions) from traffic_hourly") == [(1, 1)]
    assert rows("select sum(records) from sources") == [(2,)]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
@pytest.mark.parametrize("again", OTHER)
def test_another_reception_is_another_row(writer: Writer, rows: Rows, again: dict[str, object], together: bool) -> None:
    both = [heard(packet()), heard(packet(), **again)]
    for batch in [both] if together else [[both[0]], [both[1]]]:
        writer.record(batch)
    assert rows("select count(*) from observations") == [(2,)]
    assert rows("select observation_count from transmissions") == [(2,)]


@pytest.mark.parametrize(
    "other",
    [packet(path=b"\x01"), packet(head=b"\x0f"), packet(path_len=0x40)],
    ids=["another path", "another header", "another hash size"],
)
def test_another_frame_of_the_packet_is_another_reception(writer: Writer, rows: Rows, other: PacketFacts) -> None:
    writer.record([heard(packet()), heard(other)])
    writer.record([heard(other), heard(packet())])
    assert rows("select count(*) from observations") == [(2,)]


def test_a_repeated_delivery_without_a_timestamp_is_recognised_within_the_hour(writer: Writer, rows: Rows) -> None:
    writer.record([heard(packet(), published=None)])
    writer.record([heard(packet(), published=None, at=T0 + 600_000, redelivered=True)])
    assert rows("select count(*) from observations") == [(1,)]
    writer.record([heard(packet(), published=None, at=T0 + 600_000)])
    assert rows("select count(*) from observations") == [(2,)]


def test_a_copy_fills_what_the_stored_reception_lacks(writer: Writer, db: apsw.Connection, rows: Rows) -> None:
    writer.record([heard(packet(), published=None, snr=5.0)])
    db.execute("update observations set head = null")  # as an import leaves it
    writer.record([heard(packet(), at=T0 + 3000, snr=7.0, rssi=-80)])
    assert rows("select heard_at, published_at, head, snr, rssi from observations") == [
        (T0, T0 + 3000, packet().head, 5.0, -80)
    ]


def test_lists_show_the_longest_path_and_then_the_first(writer: Writer, rows: Rows) -> None:
    paths = [b"\x01", b"\x01\x02", b"\x03\x04", b""]
    writer.record([heard(packet(path=path), at=T0 + n * 100) for n, path in enumerate(paths)])
    assert rows("select shown_id, shown_hops from transmissions") == [(2, 2)]
    writer.record([heard(packet(path=b"\x05\x06\x07"), at=T0 + 900)])
    assert rows("select shown_id, shown_hops from transmissions") == [(5, 3)]


def test_an_earlier_reception_becomes_the_first(writer: Writer, rows: Rows) -> None:
    hour = 3_600_000
    at = T0 - T0 % hour + 10
    writer.record([heard(packet(path=b"\x01"), at=at, by=BOB)])
    writer.record([heard(packet(), at=at - 20)])
    assert rows("select first_seen, last_seen, frame, payload_at from transmissions") == [
        (at - 20, at, packet().frame, 2)
    ]
    assert rows("select hour, observer_id, observations, transmissions from traffic_hourly order by hour") == [
        (at - 10 - hour, 2, 1, 1),
        (at - 10, 1, 1, 0),
    ]


def test_rollups_count_receptions_hash_sizes_and_hops(writer: Writer, rows: Rows) -> None:
    two_bytes = packet(b"two", path=b"\x01\x02\x03\x04", path_len=0x42, hop_count=2, hash_size=2)
    trace = packet(b"trace", path=b"\x28\x30", kind=9, hash_size=None)
    writer.record([heard(packet(path=b"\x01\x02\x01")), heard(two_bytes), heard(trace)])
    writer.record([heard(packet(path=b"\x01"), by=BOB, at=T0 + 50)])
    assert rows("select hash_size, observations from hash_sizes_hourly order by 1") == [(1, 2), (2, 1)]
    assert rows("select hash_size, hop, observations, last_seen from hops order by 1, 2") == [
        (1, b"\x01", 2, T0 + 50),
        (1, b"\x02", 1, T0),
        (2, b"\x01\x02", 1, T0),
        (2, b"\x03\x04", 1, T0),
    ]
    assert rows("select observer_id, type, observations, transmissions from traffic_hourly order by 1, 2") == [
        (1, 3, 2, 2),
        (1, 9, 1, 1),
        (2, 3, 1, 0),
    ]


def test_only_the_newest_advert_describes_its_node(writer: Writer, rows: Rows) -> None:
    writer.record([heard(advert("new", clock=T0)), heard(advert("old", clock=T0 - 1000), at=T0 + 500)])
    assert rows("select name, advert_at, last_seen, advert_count, verified from nodes") == [("new", T0, T0 + 500, 2, 1)]
    assert rows("select node_id from transmissions") == [(1,), (1,)]


def test_a_repeat_of_an_advert_refreshes_its_node_only(writer: Writer, rows: Rows) -> None:
    writer.record([heard(advert())])
    writer.record([heard(advert(), by=BOB, at=T0 + 700)])
    assert rows("select first_seen, last_seen, advert_count from nodes") == [(T0, T0 + 700, 1)]


def test_a_clock_far_ahead_never_blocks_a_node(writer: Writer, rows: Rows) -> None:
    year_2090 = 3_786_912_000_000
    writer.record([heard(advert("ahead", clock=year_2090))])
    assert rows("select name from nodes") == [("ahead",)]
    writer.record([heard(advert("right", clock=T0), at=T0 + 1000)])
    assert rows("select name, advert_at from nodes") == [("right", T0)]
    writer.record([heard(advert("ahead again", clock=year_2090 + 1000), at=T0 + 2000)])
    assert rows("select name, last_seen from nodes") == [("right", T0 + 2000)]


def test_hash_sizes_of_adverts_are_remembered(writer: Writer, rows: Rows) -> None:
    writer.record([heard(advert(clock=T0, size=1)), heard(advert(clock=T0 + 1, size=3))])
    assert rows("select hash_sizes, hash_size from nodes") == [(0b1010, 3)]


def test_a_packet_without_a_verified_advert_makes_no_node(writer: Writer, rows: Rows) -> None:
    writer.record([heard(replace(advert(), advert=None))])
    assert rows("select count(*) from nodes") == [(0,)]
    assert rows("select node_id from transmissions") == [(None,)]


def test_channels_count_messages_not_receptions(writer: Writer, rows: Rows) -> None:
    public = ChannelFacts("Public", 0x11, encrypted=False)
    first, second = (packet(text, kind=5, channel=public) for text in (b"first", b"second"))
    writer.record([heard(first), heard(second, at=T0 + 10), heard(first, by=BOB, at=T0 + 20)])
    writer.record([heard(packet(b"?", kind=5, channel=ChannelFacts("enc_D9", 0xD9, encrypted=True)))])
    assert rows("select name, hash, encrypted, message_count, last_message_id, last_seen from channels") == [
        ("Public", 0x11, 0, 2, 2, T0 + 10),
        ("enc_D9", 0xD9, 1, 1, 3, T0),
    ]
    assert rows("select channel_id from transmissions") == [(1,), (1,), (2,)]


def status(at: int = T0, **changes: object) -> StatusReport:
    report = StatusReport(
        source="home",
        observer=ALICE,
        observer_name="Alice",
        iata="AMS",
        at=at,
        published_at=at,
        clock_naive=False,
        status="online",
        info=Info("T-Beam", "1.17", "2.0", "869.618,62.5,8,8"),
        stats=Stats(battery_mv=4100, uptime_s=60, noise_floor=-110.5, packets_received=7),
    )
    return replace(report, **changes)


def test_a_status_describes_its_observer(writer: Writer, rows: Rows) -> None:
    writer.record([status()])
    writer.record([status(T0 + 1000, status="offline", info=None, stats=None)])
    assert rows(
        "select name, iata, status, status_at, model, firmware, radio, battery_mv, noise_floor, last_packet_at"
        " from observers"
    ) == [("Alice", "AMS", "offline", T0 + 1000, "T-Beam", "1.17", "869.618,62.5,8,8", 4100, -110.5, None)]


def test_metrics_are_one_sample_per_five_minutes(writer: Writer, rows: Rows) -> None:
    at = T0 - T0 % 300_000
    writer.record([status(at + 1), status(at + 2, stats=Stats(battery_mv=1, rx_air_s=9)), status(at + 300_000)])
    assert rows("select at, battery_mv, rx_air_s from observer_metrics") == [(at, 4100, 9), (at + 300_000, 4100, None)]


def test_a_retained_status_is_no_measurement(writer: Writer, rows: Rows) -> None:
    writer.record([status(T0 - 999, published_at=T0 - 999, retained=True)])
    assert rows("select last_seen, clock_skew_ms from observers") == [(T0 - 999, None)]
    assert rows("select count(*) from observer_metrics") == [(0,)]


def test_the_publisher_clock_is_kept_apart(writer: Writer, rows: Rows) -> None:
    writer.record([heard(packet(), published=T0 - 7_200_000, clock_naive=True)])
    assert rows("select clock_skew_ms, clock_naive_at, last_packet_at from observers") == [(-7_200_000, T0, T0)]
    assert rows("select first_seen from transmissions") == [(T0,)]


def test_an_observer_that_sends_is_stored_as_such(writer: Writer, rows: Rows) -> None:
    writer.record([heard(packet(), direction=Direction.SENT)])
    assert rows("select direction from observations") == [(1,)]


def refused(record: bytes = b"{", *, at: int = T0, **changes: object) -> Rejected:
    return replace(Rejected("home", at, Reason.BAD_JSON, "not JSON", "meshcore/AMS/X/packets", record), **changes)


def test_a_refused_record_is_counted_and_kept(writer: Writer, rows: Rows) -> None:
    writer.record([refused(b"x" * 9000), Ignored("home", T0, Reason.UNUSED_TOPIC)])
    assert rows("select at, reason, detail, topic, length(record) from quarantine") == [
        (T0, "bad_json", "not JSON", "meshcore/AMS/X/packets", 4096)
    ]
    assert rows("select reason, count, last_at from reject_counts order by 1") == [
        ("bad_json", 1, T0),
        ("unused_topic", 1, T0),
    ]


def test_the_quarantine_is_bounded_per_reason_and_the_count_is_not(writer: Writer, rows: Rows) -> None:
    other = refused(b"other", reason=Reason.NOT_HEX)
    writer.record([other, *(refused(b"%d" % n) for n in range(QUARANTINE_PER_REASON + 5))])
    writer.record([refused(b"last")])
    assert rows("select reason, count(*) from quarantine group by 1 order by 1") == [
        ("bad_json", QUARANTINE_PER_REASON),
        ("not_hex", 1),
    ]
    assert rows("select record from quarantine order by id desc limit 1") == [(b"last",)]
    assert rows("select count from reject_counts where reason = 'bad_json'") == [(QUARANTINE_PER_REASON + 6,)]


def test_a_refused_record_that_the_broker_repeats_is_counted_once(writer: Writer, rows: Rows) -> None:
    writer.record([refused()])
    writer.record([refused(redelivered=True), refused(b"another", redelivered=True)])
    assert rows("select count from reject_counts") == [(2,)]


def test_what_follows_a_new_record_in_the_repeats_is_new_however_familiar(writer: Writer, rows: Rows) -> None:
    writer.record([refused(b"null"), heard(packet(), published=None)])
    later = T0 + 60_000
    new = heard(packet(b"new"), at=later, redelivered=True)
    writer.record([refused(b"null", redelivered=True), new])
    writer.record([refused(b"null", redelivered=True), heard(packet(), published=None, at=later, redelivered=True)])
    assert rows("select count from reject_counts") == [(2,)]
    assert rows("select count(*) from observations") == [(3,)]
    writer.record([refused(b"fresh"), refused(b"null", redelivered=True)])
    assert rows("select count from reject_counts") == [(3,)]


def test_a_failed_batch_leaves_nothing(writer: Writer, rows: Rows) -> None:
    with pytest.raises(RecordRefused):
        writer.record([heard(packet(), by=BOB), heard(packet(b"two"), rssi=2**70)])
    for table in ("transmissions", "observations", "observers", "traffic_hourly", "hops"):
        assert rows(f"select count(*) from {table}") == [(0,)]
    assert rows("select sum(value) from counters") == [(0,)]
    writer.record([heard(packet(), by=BOB)])
    assert rows("select id from transmissions union all select id from observations") == [(1,), (1,)]


def test_an_unknown_source_is_a_defect_and_stores_nothing(writer: Writer, rows: Rows) -> None:
    with pytest.raises(UnknownSource):
        writer.record([heard(packet()), heard(packet(), source="nobody")])
    assert rows("select count(*) from observations") == [(0,)]


def test_a_database_that_another_holds_is_unavailable(writer: Writer, db: apsw.Connection, tmp_path: Path) -> None:
    other = connection.open_writer(str(tmp_path / "mesh.db"))
    db.set_busy_timeout(1)
    with connection.transaction(other), pytest.raises(StoreUnavailable):
        writer.record([heard(packet())])
    other.close()
    assert writer.record([heard(packet())]).receptions == 1
    assert writer.ingest.stats().failures == 1


def test_a_full_disk_is_unavailable_and_loses_nothing(writer: Writer, db: apsw.Connection, rows: Rows) -> None:
    db.pragma("max_page_count", db.pragma("page_count"))
    big = [heard(packet(bytes([n]) * 180), at=T0 + n) for n in range(200)]
    with pytest.raises(StoreUnavailable):
        writer.record(big)
    db.pragma("max_page_count", 1_000_000)
    assert writer.record(big).receptions == 200
    assert rows("select count(*) from observations") == [(200,)]


def test_source_states_count_over_restarts(writer: Writer, db: apsw.Connection, rows: Rows) -> None:
    up = SourceState(
        "home", connected=True, connected_at=T0, disconnected_at=None, connects=1, disconnects=0, last_error=None
    )
    writer.save_status([up], [writer.ingest.stats()], now_ms=T0)
    writer.save_status(
        [replace(up, connected=False, disconnected_at=T0 + 5, disconnects=1, last_error="lost")], [], now_ms=T0 + 5
    )
    again = Writer(db)
    again.forget_connections()
    again.save_status([replace(up, connected_at=T0 + 9)], [], now_ms=T0 + 9)
    assert rows(
        "select connected, connected_at, disconnected_at, connects, disconnects, last_error"
        " from sources where name = 'home'"
    ) == [(1, T0 + 9, T0 + 5, 2, 1, None)]
    assert rows("select component, at, turns from writer_stats") == [("ingest", T0, 0)]


@pytest.mark.parametrize(
    "name", ["copies_with_timestamp", "copies_without_timestamp", "transmission", "first_observer"]
)
def test_looking_for_a_copy_seeks_and_never_scans(db: apsw.Connection, name: str) -> None:
    statement = connection.sql("writing")[name]
    values = dict.fromkeys(re.findall(r":(\w+)", statement)) or (None,)
    steps = [row[3] for row in db.execute("explain query plan " + statement, values)]
    assert any("SEARCH" in step for step in steps)
    assert not any("SCAN" in step for step in steps)
