"""The frame around a payload: header byte, transport codes, path. Exactly as strict as the firmware's readFrom().

Knows nothing of payloads except that a TRACE's path is not made of hashes.
"""

from dataclasses import dataclass

from meshwire.enums import PayloadType, Route
from meshwire.errors import DecodeError
from meshwire.reader import ByteReader

MAX_PATH_SIZE = 64
MAX_PACKET_PAYLOAD = 184

ROUTES = tuple(Route(n) for n in range(4))
TYPES = tuple(PayloadType(n) for n in range(16))
_WITH_CODES = (Route.TRANSPORT_FLOOD, Route.TRANSPORT_DIRECT)


@dataclass(frozen=True, slots=True)
class Path:
    """The path field.

    hash_size: bytes per hop, 1 to 3, chosen by the originator and kept even with no hop. hops: leading bytes of each
    forwarder's public key, for floods in the order of travel, for direct packets those still to come; always empty for
    TRACE, whose `raw` holds one SNR byte per hop instead (see `Trace.snr_db`). raw: the field's bytes.
    """

    hash_size: int
    hops: tuple[bytes, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What precedes the payload; the reader stands at the payload's first byte."""

    route: Route
    payload_type: PayloadType
    version: int
    transport_codes: tuple[int, int] | None
    path_len_byte: int
    path: Path


def read_header(r: ByteReader) -> Header:
    """Read up to the payload and check everything the firmware checks before it looks into the payload."""
    first = r.u8("header")
    route, payload_type, version = ROUTES[first & 3], TYPES[first >> 2 & 15], first >> 6
    if r.recording:
        r.note(f"{route.name} {payload_type.name} version {version}")
    if version:
        raise DecodeError(_bad_version(first, version), at=0)
    codes = (r.u16("transport code"), r.u16("transport code 2")) if route in _WITH_CODES else None
    path_len_byte = r.u8("path length")
    path = _read_path(r, path_len_byte, payload_type)
    size = r.end - r.at
    if size == 0:
        raise DecodeError("no payload", at=r.at)
    if size > MAX_PACKET_PAYLOAD:
        raise DecodeError(f"payload of {size} bytes is over {MAX_PACKET_PAYLOAD}", at=r.at)
    return Header(route, payload_type, version, codes, path_len_byte, path)


def _bad_version(first: int, version: int) -> str:
    if first == 0xFF:
        return "header 0xFF is the firmware's do-not-retransmit mark, never a frame"
    return f"payload version {version} is not known, only 0 is"


def _read_path(r: ByteReader, path_len_byte: int, payload_type: PayloadType) -> Path:
    count, hash_size = path_len_byte & 63, (path_len_byte >> 6) + 1
    size = count * hash_size
    if r.recording:
        r.note(f"{count} x {hash_size} byte{'s' if hash_size > 1 else ''}")
    if hash_size == 4:
        raise DecodeError("path hash size 4 is reserved", at=r.at - 1)
    if size > MAX_PATH_SIZE:
        raise DecodeError(f"path of {size} bytes is over {MAX_PATH_SIZE}", at=r.at - 1)
    if size > r.end - r.at:
        raise DecodeError(f"path needs {size} bytes, {r.end - r.at} left", at=r.at)
    if payload_type is PayloadType.TRACE:
        return Path(hash_size, (), _snr_bytes(r, size))
    if not count:
        return _NO_HOPS[hash_size]
    if r.recording:
        hops = tuple(r.take(hash_size, f"hop {n}") for n in range(1, count + 1))
        return Path(hash_size, hops, b"".join(hops))
    raw = r.take(size, "path")
    return Path(hash_size, tuple([raw[n : n + hash_size] for n in range(0, size, hash_size)]), raw)


_NO_HOPS = tuple(Path(hash_size, (), b"") for hash_size in range(4))


def _snr_bytes(r: ByteReader, size: int) -> bytes:
    if not r.recording:
        return r.take(size, "SNR path")
    start = r.at
    for n in range(1, size + 1):
        r.quarter_db(f"SNR {n}")
    return r.data[start : r.at]
