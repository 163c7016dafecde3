"""Every quirk of the feeds, and every kind of bad input, as a row of a table."""

import json
from typing import Any

import pytest

from hopscope.ingest.envelope import (
    KEPT_BYTES,
    MAX_JSON_BYTES,
    Address,
    Feed,
    clean_text,
    number,
    parse_timestamp,
    parse_topic,
    ranged,
    read,
    rejected,
    shown_topic,
)
from hopscope.model import Direction, Ignored, Info, Message, Reason, Reception, Rejected, Stats, StatusReport

T0 = 1_790_000_000_000
KEY = "A3" * 32
TOPIC = f"meshcore/SEA/{KEY}/packets"
STATUS_TOPIC = f"meshcore/SEA/{KEY}/status"
ACK_FRAME = "0D04B891647EBB40BA70"

# As a real publisher writes it: every number a string, a naive local timestamp, its own idea of route and hash.
RECORD = {
    "origin": "KG7QIN R-Observer",
    "origin_id": KEY,
    "timestamp": "2026-03-21T15:35:31.354090",
    "type": "PACKET",
    "direction": "rx",
    "time": "22:35:36",
    "date": "21/3/2026",
    "len": "10",
    "packet_type": "3",
    "route": "D",
    "payload_len": "118",
    "raw": ACK_FRAME,
    "SNR": "11",
    "RSSI": "-49",
    "score": "996",
    "duration": "416",
    "hash": "C16BDED00FAA94FD",
}


def outcome(payload: object, *, topic: str = TOPIC, feed: Feed | None = None, **about: Any) -> Any:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read(Message("home", topic, data, T0, **about), feed or Feed("home"))


def test_a_real_record_is_a_reception() -> None:
    assert outcome(RECORD) == Reception(
        source="home",
        observer=KEY,
        observer_name="KG7QIN R-Observer",
        iata="SEA",
        heard_at=T0,
        published_at=1_774_107_331_354,
        clock_naive=True,
        frame=bytes.fromhex(ACK_FRAME),
        snr=11.0,
        rssi=-49,
        score=996,
        direction=Direction.HEARD,
    )


FIELDS = [
    # changes of the record, attribute, value
    ({"SNR": 11.25}, "snr", 11.25),
    ({"SNR": " -3.5 dB "}, "snr", -3.5),
    ({"SNR": None, "snr": "7"}, "snr", 7.0),
    ({"SNR": "Unknown"}, "snr", None),
    ({"SNR": ""}, "snr", None),
    ({"SNR": True}, "snr", None),
    ({"SNR": [1]}, "snr", None),
    ({"SNR": 40}, "snr", 40.0),
    ({"SNR": 40.25}, "snr", None),
    ({"SNR": "-41"}, "snr", None),
    ({"SNR": 10**30}, "snr", None),
    ({"SNR": "1e999"}, "snr", None),
    ({"RSSI": "-93 dBm"}, "rssi", -93),
    ({"RSSI": None, "rssi": -93}, "rssi", -93),
    ({"RSSI": -93.4}, "rssi", -93),
    ({"RSSI": -201}, "rssi", None),
    ({"RSSI": 21}, "rssi", None),
    ({"score": None, "Score": 12}, "score", 12),
    ({"score": 5000}, "score", None),
    ({"raw": ACK_FRAME.lower()}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"raw": "0x" + ACK_FRAME}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"raw": "0X" + ACK_FRAME + "\n"}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"raw": None, "data": ACK_FRAME}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"raw": None, "packet": ACK_FRAME}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"raw": None, "payload": ACK_FRAME}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"raw": None, "payload": {"decoded": 1}, "data": ACK_FRAME}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"direction": None}, "direction", Direction.HEARD),
    ({"direction": 7}, "direction", Direction.HEARD),
    ({"direction": "TX"}, "direction", Direction.SENT),
    ({"direction": "tx", "SNR": "0"}, "snr", None),
    ({"direction": "tx", "RSSI": "0"}, "rssi", None),
    ({"direction": "tx", "raw": None, "raw_packet_tx": ACK_FRAME}, "frame", bytes.fromhex(ACK_FRAME)),
    ({"timestamp": "2026-03-21T22:35:31Z"}, "published_at", 1_774_132_531_000),
    ({"timestamp": "2026-03-21T22:35:31Z"}, "clock_naive", False),
    ({"timestamp": "2026-03-21T15:35:31-07:00"}, "published_at", 1_774_132_531_000),
    ({"timestamp": "1970-01-01T00:00:00Z"}, "published_at", 0),
    ({"timestamp": "2090-01-01T00:00:00Z"}, "published_at", 3_786_912_000_000),
    ({"timestamp": 1774132531}, "published_at", 1_774_132_531_000),
    ({"timestamp": 1774132531354}, "published_at", 1_774_132_531_354),
    ({"timestamp": "yesterday"}, "published_at", None),
    ({"timestamp": "0001-01-01T00:00:00+23:59"}, "published_at", -62_135_683_140_000),
    ({"timestamp": -1}, "published_at", None),
    ({"timestamp": 10**30}, "published_at", None),
    ({"timestamp": {"a": 1}}, "published_at", None),
    ({"origin_id": KEY.lower()}, "observer", KEY),
    ({"origin_id": ""}, "observer", KEY),
    ({"origin_id": None}, "observer", KEY),
    ({"origin": None}, "observer_name", None),
    ({"origin": 12}, "observer_name", None),
    ({"origin": "<img src=x onerror=alert(1)>"}, "observer_name", "<img src=x onerror=alert(1)>"),
    ({"origin": "a\x00b\x1b[31mc\u202ed\u2028e"}, "observer_name", "ab[31mcde"),
    ({"origin": "x" * 5000}, "observer_name", "x" * 64),
    ({"origin": " \x00 "}, "observer_name", None),
    ({"hash": "0000000000000000", "path": "C2 -> E2", "route": "T"}, "frame", bytes.fromhex(ACK_FRAME)),
]


@pytest.mark.parametrize(("changes", "attribute", "value"), FIELDS)
def test_a_value_is_taken_or_dropped_and_the_record_is_used(
    changes: dict[str, object], attribute: str, value: object
) -> None:
    found = outcome(RECORD | changes)
    assert isinstance(found, Reception), found
    assert getattr(found, attribute) == value


REFUSED = [
    (b"", Reason.BAD_JSON),
    (b"\xff\xfe\x00garbage", Reason.BAD_JSON),
    (b'{"raw": "0D04', Reason.BAD_JSON),
    (b"null", Reason.BAD_JSON),
    (b"[1,2]", Reason.BAD_JSON),
    (b'"text"', Reason.BAD_JSON),
    (b"42", Reason.BAD_JSON),
    (b"[" * 10_000, Reason.BAD_JSON),
    (b'{"a":' * 1_500 + b"1" + b"}" * 1_500, Reason.BAD_JSON),
    (b"{" + b" " * MAX_JSON_BYTES + b"}", Reason.TOO_LARGE),
    (b"x" * 1_000_000, Reason.TOO_LARGE),
    ({}, Reason.NO_FRAME),
    (RECORD | {"raw": None}, Reason.NO_FRAME),
    (RECORD | {"raw": 7}, Reason.NO_FRAME),
    (RECORD | {"raw": ""}, Reason.NOT_HEX),
    (RECORD | {"raw": "0x"}, Reason.NOT_HEX),
    (RECORD | {"raw": "0D0"}, Reason.NOT_HEX),
    (RECORD | {"raw": "0D 04"}, Reason.NOT_HEX),
    (RECORD | {"raw": "٠١" * 4}, Reason.NOT_HEX),
    (RECORD | {"raw": "<script>"}, Reason.NOT_HEX),
    (RECORD | {"raw": "00" * 256}, Reason.FRAME_TOO_LONG),
    (RECORD | {"origin_id": "B0" * 32}, Reason.ORIGIN_MISMATCH),
    (RECORD | {"origin_id": "somebody"}, Reason.ORIGIN_MISMATCH),
    (RECORD | {"origin_id": "<b>x</b>"}, Reason.BAD_OBSERVER),
    (RECORD | {"direction": "tx", "len": "11"}, Reason.STALE_TX),
    (RECORD | {"direction": "tx", "packet_type": "4"}, Reason.STALE_TX),
    (RECORD | {"direction": "tx", "len": None}, Reason.STALE_TX),
]


@pytest.mark.parametrize(("payload", "reason"), REFUSED)
def test_a_record_that_cannot_be_used_says_why(payload: object, reason: Reason) -> None:
    found = outcome(payload)
    assert isinstance(found, Rejected), found
    assert (found.reason, found.source, found.at, found.topic) == (reason, "home", T0, TOPIC)
    assert found.detail
    assert len(found.record) <= KEPT_BYTES


LENIENT = [
    (b'{"raw":"%s","SNR":NaN,"RSSI":-Infinity}', "snr", None),
    (b'{"raw":"%s","RSSI":' + b"9" * 5000 + b"}", "rssi", None),
    (b'{"raw":"%s","score":1e400}', "score", None),
    (b'{"raw":"%s","origin":"caf\xe9 \xf0\x9f"}', "observer_name", "caf\ufffd \ufffd"),
    (b'{"raw":"%s","origin":"\\ud800x"}', "observer_name", "?x"),
    (b'\xef\xbb\xbf{"raw":"%s","origin":"bom"}', "observer_name", "bom"),
    (b'{"raw":"%s","origin":"tab\tnewline"}', "observer_name", "tabnewline"),
]


@pytest.mark.parametrize(("payload", "attribute", "value"), LENIENT)
def test_what_json_forbids_is_read_where_it_can_be(payload: bytes, attribute: str, value: object) -> None:
    found = outcome(payload.replace(b"%s", ACK_FRAME.encode()))
    assert isinstance(found, Reception), found
    assert getattr(found, attribute) == value


TOPICS = [
    (f"meshcore/SEA/{KEY}/packets", Address("packets", KEY, "SEA")),
    (f"meshcore/sea/{KEY}/status", Address("status", KEY, "SEA")),
    (f"meshcore/test/{KEY}/packets", Address("packets", KEY, "TEST")),
    (f"meshcore/XXX/{KEY}/packets", Address("packets", KEY, None)),
    (f"meshcore/<b>/{KEY}/packets", Address("packets", KEY, None)),
    (f"other/prefix/SEA/{KEY}/packets", Address("packets", KEY, "SEA")),
    ("meshcore/packets", Address("packets", None, None)),
    ("meshcore/status", Address("status", None, None)),
    (f"meshrank/uplink/secret/{KEY}/packets", Address("packets", KEY, None)),
    (f"meshcore/client/{KEY}/packets", None),
    (f"meshcore/SEA/{KEY}/serial/commands", None),
    (f"meshcore/SEA/{KEY}/serial/responses", None),
    ("meshcore/message/channel/1", None),
    ("packets", None),
    ("", None),
]


@pytest.mark.parametrize(("topic", "address"), TOPICS)
def test_a_topic_says_who_and_where(topic: str, address: Address | None) -> None:
    assert parse_topic(topic) == address


@pytest.mark.parametrize(
    "topic",
    [
        f"meshcore/SEA/{KEY}/internal",
        f"meshcore/SEA/{KEY}/serial/commands",
        f"meshcore/SEA/{KEY}/serial/packets",
        f"meshcore/SEA/{KEY}/debug",
        f"meshcore/SEA/{KEY}/neighbors",
        f"meshcore/client/{KEY}/packets",
        "meshcore/message/channel/0",
        "meshcore/message/direct/packets",
        "meshcore/advertisement",
        "meshcore/events/connection",
        "$SYS/broker/clients/connected",
        "",
    ],
)
def test_private_and_other_topics_are_never_used(topic: str) -> None:
    assert outcome(RECORD, topic=topic) == Ignored("home", T0, Reason.UNUSED_TOPIC)


def test_a_flat_topic_takes_the_observer_from_the_record() -> None:
    flat = outcome(RECORD, topic="meshcore/packets", feed=Feed("home", region="lhr"))
    assert (flat.observer, flat.iata) == (KEY, "LHR")
    assert outcome(RECORD | {"region": "ams"}, topic="meshcore/packets").iata == "AMS"
    assert outcome(RECORD | {"origin_id": None}, topic="meshcore/packets").reason is Reason.NO_OBSERVER


def test_a_bridge_without_a_key_is_known_by_its_word() -> None:
    found = outcome({"raw": ACK_FRAME}, topic="meshcore/SEA/home-assistant/packets")
    assert found.observer == "home-assistant"
    assert outcome({"raw": ACK_FRAME}, topic="meshcore/SEA/two words/packets").reason is Reason.BAD_OBSERVER


def test_regions_are_kept_or_passed_over() -> None:
    assert isinstance(outcome(RECORD, feed=Feed("home", regions=frozenset({"SEA"}))), Reception)
    assert outcome(RECORD, feed=Feed("home", regions=frozenset({"AMS"}))).reason is Reason.OTHER_REGION


def test_a_blocked_observer_is_refused() -> None:
    assert outcome(RECORD, feed=Feed("home", blocked=frozenset({KEY}))).reason is Reason.BLOCKED_OBSERVER


def test_an_upload_token_is_not_kept() -> None:
    assert shown_topic(f"meshrank/uplink/s3cret/{KEY}/packets") == f"meshrank/uplink/***/{KEY}/packets"
    assert shown_topic("a\nb" + "c" * 999) == "ab" + "c" * 254


def test_a_packet_that_the_broker_retained_needs_its_own_time() -> None:
    assert isinstance(outcome(RECORD, retained=True), Reception)
    assert outcome(RECORD | {"timestamp": None}, retained=True).reason is Reason.RETAINED


STATUS = {
    "status": "online",
    "timestamp": "2026-03-21T22:35:31Z",
    "origin": "Obs",
    "origin_id": KEY,
    "model": "T-Beam",
    "firmware_version": "1.17.1",
    "client_version": "meshcoretomqtt/1.1",
    "radio": "910.525,62.5,7,5",
    "stats": {
        "battery_mv": "4100",
        "uptime_secs": 3600,
        "noise_floor": "-110",
        "tx_air_secs": 1,
        "rx_air_secs": 2,
        "recv_errors": 3,
        "packets_sent": 4,
        "packets_received": 5,
        "internal_heap": 6,
    },
}


def test_a_status_record_is_a_report() -> None:
    assert outcome(STATUS, topic=STATUS_TOPIC) == StatusReport(
        source="home",
        observer=KEY,
        observer_name="Obs",
        iata="SEA",
        at=T0,
        published_at=1_774_132_531_000,
        clock_naive=False,
        status="online",
        info=Info("T-Beam", "1.17.1", "meshcoretomqtt/1.1", "910.525,62.5,7,5"),
        stats=Stats(4100, 3600, -110.0, 1, 2, 3, 4, 5),
    )


def test_a_status_with_other_spellings_is_read_too() -> None:
    flat = {"status": "OFFLINE", "firmware": "1.9", "clientVersion": "2", "packets_recv": 9, "noise_floor": -99}
    found = outcome(flat, topic=STATUS_TOPIC)
    assert (found.status, found.info, found.stats) == (
        "offline",
        Info(firmware="1.9", client_version="2"),
        Stats(noise_floor=-99.0, packets_received=9),
    )


@pytest.mark.parametrize("stats", [None, [], "x", {"battery_mv": -1, "uptime_secs": "soon", "noise_floor": 10**40}])
def test_a_status_without_usable_values_says_none(stats: object) -> None:
    found = outcome({"status": "resting", "stats": stats}, topic=STATUS_TOPIC)
    assert (found.status, found.info, found.stats) == (None, None, None)


def test_a_retained_status_is_as_old_as_it_says() -> None:
    assert outcome(STATUS, topic=STATUS_TOPIC, retained=True).at == 1_774_132_531_000
    assert outcome(STATUS | {"timestamp": "2090-01-01T00:00:00Z"}, topic=STATUS_TOPIC, retained=True).at == T0
    assert outcome(STATUS | {"timestamp": None}, topic=STATUS_TOPIC, retained=True).reason is Reason.RETAINED


def test_text_that_can_be_stored() -> None:
    assert clean_text("\ud800") == "?"
    assert clean_text("👩\u200d🚀 e\u0301") == "👩\u200d🚀 e\u0301"
    assert clean_text(b"bytes") is None


def test_numbers() -> None:
    assert [number(x) for x in ("12", "+.5", "1_000", "0x10", "", "-", "12 34", "9" * 99, float("nan"))] == [
        12.0,
        0.5,
        *[None] * 7,
    ]
    assert (ranged(5, 5, 6), ranged(6.001, 5, 6)) == (5.0, None)


def test_a_timestamp_of_any_shape_never_raises() -> None:
    for value in ("", "T", "2026", "2026-W01-1", "2026-13-01", "9999-12-31T23:59:59.999999-23:59", "١٩٧٠-٠١-٠١", b"x"):
        parse_timestamp(value)


def test_a_rejected_record_is_cut() -> None:
    kept = rejected(Message("home", TOPIC, b"x" * 9000, T0), Reason.BAD_JSON, "why")
    assert len(kept.record) == KEPT_BYTES
