"""The frame: exactly the firmware's limits, one step inside and one step outside."""

import pytest

from meshwire import DecodeError, PayloadType, Route, decode

ACK = bytes.fromhex("0D00") + b"\x01\x02\x03\x04"


def rejected(frame: bytes) -> tuple[str, int]:
    with pytest.raises(DecodeError) as caught:
        decode(frame)
    return caught.value.problem, caught.value.at


def raw_custom(path_len: int, path: bytes = b"", payload: bytes = b"x", *, header: int = 0x3E) -> bytes:
    return bytes((header, path_len)) + path + payload


@pytest.mark.parametrize(
    ("frame", "problem", "at"),
    [
        (b"", "header needs 1 byte, 0 left", 0),
        (b"\x15", "path length needs 1 byte, 0 left", 1),
        (b"\x14\x00\x00\x00", "transport codes need 4 bytes, 3 left", 1),
        (b"\x14\x00\x00\x00\x00", "path length needs 1 byte, 0 left", 5),
        (b"\x15\x0a", "path needs 10 bytes, 0 left", 2),
        (b"\x15\x02ab", "no payload", 4),
        (b"\x15\xc1\xff\x00", "path hash size 4 is reserved", 1),
        (b"\x15\xc0\x00", "path hash size 4 is reserved", 1),
        (b"\x51\x00" + bytes(100), "payload version 1 is not known, only 0 is", 0),
        (b"\x91\x00" + bytes(100), "payload version 2 is not known, only 0 is", 0),
        (b"\xff\x00" + bytes(100), "header 0xFF is the firmware's do-not-retransmit mark, never a frame", 0),
    ],
)
def test_a_broken_frame_is_rejected_where_it_breaks(frame: bytes, problem: str, at: int) -> None:
    assert rejected(frame) == (problem, at)


@pytest.mark.parametrize(("path_len", "size"), [(63, 63), (0x40 | 32, 64), (0x80 | 21, 63)])
def test_the_longest_path_of_each_hash_size_is_accepted(path_len: int, size: int) -> None:
    packet = decode(raw_custom(path_len, bytes(size)))
    assert len(packet.path.raw) == size
    assert len(packet.path.hops) == path_len & 63


@pytest.mark.parametrize(("path_len", "size"), [(0x40 | 33, 66), (0x80 | 22, 66), (0x80 | 63, 189)])
def test_a_path_over_64_bytes_is_rejected_even_when_its_bytes_are_there(path_len: int, size: int) -> None:
    assert rejected(raw_custom(path_len, bytes(size))) == (f"path of {size} bytes is over 64", 1)


def test_a_payload_of_184_bytes_is_accepted_and_185_are_rejected() -> None:
    assert len(decode(raw_custom(0, payload=bytes(184))).payload_raw) == 184
    assert rejected(raw_custom(1, b"p", payload=bytes(185))) == ("payload of 185 bytes is over 184", 3)


def test_the_longest_possible_frame_is_accepted() -> None:
    frame = b"\x3c" + bytes(4) + b"\x60" + bytes(64) + bytes(184)
    packet = decode(frame)
    assert (packet.route, packet.payload_type) == (Route.TRANSPORT_FLOOD, PayloadType.RAW_CUSTOM)
    assert packet.payload_at == 70


@pytest.mark.parametrize("path_len", [0x00, 0x40, 0x80])
def test_the_hash_size_is_kept_when_there_is_no_hop(path_len: int) -> None:
    assert decode(raw_custom(path_len)).path.hash_size == (path_len >> 6) + 1


def test_hops_are_split_by_hash_size() -> None:
    assert decode(raw_custom(0x82, b"abcdef")).path.hops == (b"abc", b"def")


@pytest.mark.parametrize("route", list(Route))
def test_transport_codes_come_with_transport_routes_only(route: Route) -> None:
    with_codes = route in (Route.TRANSPORT_FLOOD, Route.TRANSPORT_DIRECT)
    codes = b"\x97\x48\x01\x00" if with_codes else b""
    packet = decode(bytes((0x3C | route,)) + codes + b"\x00x")
    assert packet.route is route
    assert packet.transport_codes == ((0x4897, 1) if with_codes else None)
    assert packet.payload_raw == b"x"


@pytest.mark.parametrize("kind", [12, 13, 14])
def test_a_type_without_meaning_is_kept_opaque(kind: int) -> None:
    packet = decode(bytes((kind << 2 | 1, 0)) + b"whatever")
    assert packet.payload_type.name == f"RESERVED_{kind}"
    assert packet.payload.data == b"whatever"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "smallest"),
    [
        (PayloadType.REQ, 5),
        (PayloadType.RESPONSE, 5),
        (PayloadType.TXT_MSG, 5),
        (PayloadType.PATH, 5),
        (PayloadType.ACK, 4),
        (PayloadType.ADVERT, 100),
        (PayloadType.GRP_TXT, 4),
        (PayloadType.GRP_DATA, 4),
        (PayloadType.ANON_REQ, 36),
        (PayloadType.TRACE, 9),
        (PayloadType.MULTIPART, 1),
        (PayloadType.CONTROL, 1),
        (PayloadType.RAW_CUSTOM, 1),
    ],
)
def test_a_payload_is_accepted_from_the_size_that_firmware_needs(kind: PayloadType, smallest: int) -> None:
    head = bytes((kind << 2 | 2, 0))
    assert decode(head + bytes(smallest)).payload_type is kind
    with pytest.raises(DecodeError):
        decode(head + bytes(smallest - 1))
