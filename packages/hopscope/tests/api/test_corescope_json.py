"""`decoded_json` for every payload type, in the keys of CoreScope."""

import hashlib
from typing import Any

import pytest

from hopscope.api.corescope_json import decoded, hops_json, payload_json, role_name, type_name
from meshwire import PUBLIC_KEY, KeyRing, decode, encode

ANN, BOB = encode.key_pair(bytes(31) + b"\x01"), encode.key_pair(bytes(31) + b"\x02")
NOW = 1_790_000_000
KEYS = KeyRing.of(channels={"Public": PUBLIC_KEY})
OTHER_KEY = hashlib.sha256(b"other").digest()[:16]


def shown(kind: int, payload: bytes, *, route: int = 1, path: tuple[bytes, ...] = ()) -> dict[str, Any]:
    return payload_json(decode(encode.frame(route, kind, payload, path=path), keys=KEYS))


ADVERT = {"type", "pubKey", "timestamp", "timestampISO", "signature", "flags", "signatureValid"}
ANON = {"type", "destHash", "ephemeralPubKey", "mac", "encryptedData"}
MULTIPART = {"type", "remaining", "innerType", "innerTypeName", "innerPayload"}
INNER_ACK = {"innerAckCrc", "innerAckLen", "innerAckAttempt", "innerAckRand"}
FOUND = {"ctrlNodeType", "ctrlSNR", "ctrlTag", "ctrlPubKey"}
SEALED = {"type", "destHash", "srcHash", "mac", "encryptedData"}
CONTROL = {"type", "ctrlFlags", "ctrlZeroHop", "ctrlLength", "ctrlSubtype"}
GROUP = {"type", "channelHash", "channelHashHex", "decryptionStatus"}


@pytest.mark.parametrize(
    ("kind", "payload", "keys"),
    [
        (0, encode.request(ANN, BOB.public, NOW, 1), SEALED),
        (1, encode.response(ANN, BOB.public, NOW, b"x"), SEALED),
        (2, encode.direct_text(ANN, BOB.public, NOW, "hi"), SEALED),
        (3, encode.ack(b"\x01\x02\x03\x04"), {"type", "extraHash", "ackLen"}),
        (3, encode.ack(b"\x01\x02\x03\x04", b"\x05\x06"), {"type", "extraHash", "ackLen", "ackAttempt", "ackRand"}),
        (4, encode.advert(bytes(32), NOW, 2), ADVERT),
        (5, encode.group_text(OTHER_KEY, NOW, "Ann", "hi"), GROUP | {"mac", "encryptedData"}),
        (5, encode.group_text(PUBLIC_KEY, NOW, "Ann", "hi"), GROUP | {"channel", "sender", "text", "sender_timestamp"}),
        (5, encode.group_text(PUBLIC_KEY, NOW, None, "hi"), GROUP | {"channel", "text", "sender_timestamp"}),
        (6, encode.group_data(OTHER_KEY, 1, b"x"), GROUP | {"mac", "encryptedData"}),
        (6, encode.group_data(PUBLIC_KEY, 1, b"x"), GROUP | {"channel", "dataType", "dataLen", "decryptedBlob"}),
        (7, encode.anon_request(ANN, BOB.public, NOW, b"x"), ANON),
        (8, encode.path_return(ANN, BOB.public, [b"\xaa"]), {"type", "destHash", "srcHash", "mac", "pathData"}),
        (9, encode.trace(1, 2, 0, [b"\xaa"]), {"type", "tag", "authCode", "traceFlags", "pathData", "snrValues"}),
        (10, encode.multipart_ack(1, b"\x01\x02\x03\x04", b"\x05\x06"), MULTIPART | INNER_ACK),
        (10, b"\x15xyz", MULTIPART),
        (11, encode.control_discover_request(7, 4), CONTROL | {"ctrlFilter", "ctrlTag"}),
        (11, encode.control_discover_request(7, 4, since=NOW), CONTROL | {"ctrlFilter", "ctrlTag", "ctrlSince"}),
        (11, encode.control_discover_response(2, 1.5, 7, BOB.public), CONTROL | FOUND),
        (11, b"\x10abc", CONTROL),
        (12, b"abc", {"type", "raw"}),
        (15, b"\x7fabc", {"type", "rawLength", "raw", "firstByteTag"}),
    ],
)  # fmt: skip
def test_each_payload_has_the_keys_that_clients_read(kind: int, payload: bytes, keys: set[str]) -> None:
    assert set(shown(kind, payload)) == keys


def test_an_advert_with_everything() -> None:
    advert = shown(4, encode.advert(bytes(32), NOW, 1, name="hill", lat=47.5, lon=-122.25, feat1=7, feat2=9))
    assert advert["flags"] == {
        "raw": 0xF1, "type": 1, "chat": True, "repeater": False, "room": False, "sensor": False,
        "hasLocation": True, "hasFeat1": True, "hasFeat2": True, "hasName": True,
    }  # fmt: skip
    assert (advert["lat"], advert["lon"], advert["feat1"], advert["feat2"]) == (47.5, -122.25, 7, 9)
    assert (advert["name"], advert["timestampISO"], advert["signatureValid"]) == ("hill", "2026-09-21T14:13:20Z", True)


def test_a_decrypted_message_is_a_chan_with_the_whole_text() -> None:
    message = shown(5, encode.group_text(PUBLIC_KEY, NOW, "Ann", "hi: there"))
    assert (message["type"], message["channel"], message["channelHashHex"]) == ("CHAN", "Public", "11")
    assert (message["sender"], message["text"], message["sender_timestamp"]) == ("Ann", "Ann: hi: there", NOW)


def test_checksums_are_written_as_little_endian_numbers() -> None:
    assert shown(3, encode.ack(bytes.fromhex("bb40ba70")))["extraHash"] == "70ba40bb"


def test_a_discovery_shows_its_flags_byte() -> None:
    assert shown(11, encode.control_discover_request(7, 4, prefix_only=True))["ctrlFlags"] == "81"
    assert shown(11, encode.control_discover_response(2, 1.5, 7, BOB.public))["ctrlFlags"] == "92"
    assert shown(11, b"\x10abc")["ctrlZeroHop"] is False


def test_a_scoped_packet_shows_its_transport_codes_in_wire_order() -> None:
    frame = encode.frame(0, 3, encode.ack(b"abcd"), transport_codes=(0x1234, 0))
    assert decoded(decode(frame))["transportCodes"] == {"code1": "3412", "code2": "0000"}


def test_a_frame_without_scope_has_null_transport_codes() -> None:
    found = decoded(decode(encode.frame(1, 3, encode.ack(b"abcd"), path=[b"\xaa"])))
    assert found["transportCodes"] is None
    assert found["header"] == {
        "routeType": 1, "routeTypeName": "FLOOD", "payloadType": 3, "payloadTypeName": "ACK", "payloadVersion": 0,
    }  # fmt: skip
    assert found["path"] == {"hashSize": 1, "hashCount": 1, "hops": ["AA"]}


def test_names_of_numbers() -> None:
    assert [type_name(number) for number in (0, 4, 12, 15, 99)] == ["REQ", "ADVERT", "UNKNOWN", "RAW_CUSTOM", "UNKNOWN"]
    assert [role_name(number) for number in (0, 1, 2, 3, 4, 7)] == [
        "none", "companion", "repeater", "room", "sensor", "type-7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path_len", "path", "hops"),
    [(0, b"", []), (2, b"\xaa\xbb", ["AA", "BB"]), (0x42, b"\x01\x02\x03\x04", ["0102", "0304"]), (0x80, b"", [])],
)
def test_hops_of_a_stored_path(path_len: int, path: bytes, hops: list[str]) -> None:
    assert hops_json(path_len, path) == hops
