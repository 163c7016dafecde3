"""The frame around a payload: header byte, transport codes, path. Exactly as strict as the firmware's readFrom().

Knows nothing of payloads except that a TRACE's path is not made of hashes.
"""

from dataclasses import dataclass

from meshwire.enums import PayloadType, Route
from meshwire.errors import DecodeError
from meshwire.quick import quick
from meshwire.reader import ByteMap, decibels, split

MAX_PATH_SIZE = 64
MAX_PACKET_PAYLOAD = 184


@dataclass(frozen=True, slots=True)
class Path:
    """The path field.

    hash_size: bytes per hop, 1 to 3, chosen by the originator and kept even with no hop. hops: leading bytes of each
    forwarder's public key; for floods in the order of travel, the last one being whom the observer heard, for direct
    packets those still to come. raw: the field's bytes. On a TRACE they are one SNR byte per hop done so far instead
    of hashes (see `Trace.snr_db`), and hops is empty.
    """

    hash_size: int
    hops: tuple[bytes, ...]
    raw: bytes


def read_header(data: bytes, byte_map: ByteMap | None) -> tuple[Route, PayloadType, tuple[int, int] | None, int]:
    """Route, payload type, transport codes, and where the payload starts.

    Checks everything that the firmware checks before it looks into the payload; the path itself is split when
    somebody asks for it (`path_of`).
    """
    end = len(data)
    if not end:
        raise DecodeError("header needs 1 byte, 0 left", at=0)
    first = data[0]
    if first > 0x3F:
        raise DecodeError(_bad_version(first), at=0)
    route, payload_type, path_at = _HEADERS[first]
    if path_at >= end:
        raise _no_path_length(path_at, end)
    size, problem = _PATHS[data[path_at]]
    payload_at = path_at + 1 + size
    if problem or not 0 < end - payload_at <= MAX_PACKET_PAYLOAD:
        raise _bad_path_or_size(problem, path_at, payload_at, end)
    codes = None if path_at == 1 else (data[1] | data[2] << 8, data[3] | data[4] << 8)
    if byte_map is not None:
        _record(byte_map, data, path_at, codes)
    return route, payload_type, codes, payload_at


def path_of(data: bytes) -> Path:
    """The path of a frame whose header was read without error."""
    _, payload_type, path_at = _HEADERS[data[0]]
    hash_size, raw = (data[path_at] >> 6) + 1, path_bytes(data)
    return _path(hash_size, () if payload_type is PayloadType.TRACE else split(raw, hash_size), raw)


def path_bytes(data: bytes) -> bytes:
    """The path field's bytes of a frame whose header was read without error."""
    at = _HEADERS[data[0]][2]
    return data[at + 1 : at + 1 + _PATHS[data[at]][0]]


def path_len_of(data: bytes) -> int:
    """The path length byte of a frame whose header was read without error."""
    return data[_HEADERS[data[0]][2]]


def _bad_version(first: int) -> str:
    if first == 0xFF:
        return "header 0xFF is the firmware's do-not-retransmit mark, never a frame"
    return f"payload version {first >> 6} is not known, only 0 is"


def _no_path_length(path_at: int, end: int) -> DecodeError:
    if end < path_at:
        return DecodeError(f"transport codes need 4 bytes, {end - 1} left", at=1)
    return DecodeError("path length needs 1 byte, 0 left", at=end)


def _bad_path_or_size(problem: str | None, path_at: int, payload_at: int, end: int) -> DecodeError:
    if problem:
        return DecodeError(problem, at=path_at)
    if payload_at > end:
        return DecodeError(f"path needs {payload_at - path_at - 1} bytes, {end - path_at - 1} left", at=path_at + 1)
    if payload_at == end:
        return DecodeError("no payload", at=end)
    return DecodeError(f"payload of {end - payload_at} bytes is over {MAX_PACKET_PAYLOAD}", at=payload_at)


def _record(byte_map: ByteMap, data: bytes, path_at: int, codes: tuple[int, int] | None) -> None:
    route, payload_type, _ = _HEADERS[data[0]]
    path = path_of(data)
    size, at = path.hash_size, path_at + 1
    byte_map.mark("header", 0, 1, f"{route.name} {payload_type.name} version 0")
    if codes is not None:
        byte_map.mark("transport code", 1, 3, codes[0])
        byte_map.mark("transport code 2", 3, 5, codes[1])
    byte_map.mark("path length", path_at, at, f"{len(path.raw) // size} x {size} byte{'s' if size > 1 else ''}")
    for n, hop in enumerate(path.hops):
        byte_map.mark(f"hop {n + 1}", at + n * size, at + (n + 1) * size, hop)
    if payload_type is PayloadType.TRACE:
        for n, snr in enumerate(decibels(path.raw)):
            byte_map.mark(f"SNR {n + 1}", at + n, at + n + 1, snr)


def _path_row(path_len_byte: int) -> tuple[int, str | None]:
    """Bytes of the path, and what is wrong with a path length byte."""
    hash_size = (path_len_byte >> 6) + 1
    size = hash_size * (path_len_byte & 63)
    if hash_size == 4:
        return size, "path hash size 4 is reserved"
    return size, f"path of {size} bytes is over {MAX_PATH_SIZE}" if size > MAX_PATH_SIZE else None


_path = quick(Path)
_WITH_CODES = (Route.TRANSPORT_FLOOD, Route.TRANSPORT_DIRECT)
# By header byte, of version 0: route, payload type, where the path length byte stands.
_HEADERS = tuple(
    (Route(first & 3), PayloadType(first >> 2), 5 if Route(first & 3) in _WITH_CODES else 1) for first in range(64)
)
_PATHS = tuple(_path_row(byte) for byte in range(256))
