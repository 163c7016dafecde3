"""The frame around a payload: header byte, transport codes, path. Exactly as strict as the firmware's readFrom().

Knows nothing of payloads except that a TRACE's path is not made of hashes.
"""

from dataclasses import dataclass

from meshwire.enums import PayloadType, Route
from meshwire.errors import DecodeError
from meshwire.quick import quick
from meshwire.reader import ByteReader, Layout

MAX_PATH_SIZE = 64
MAX_PACKET_PAYLOAD = 184


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


# Route, payload type, transport codes, path length byte, path.
Header = tuple[Route, PayloadType, tuple[int, int] | None, int, Path]


def read_header(r: ByteReader) -> Header:
    """Read up to the payload and check everything the firmware checks before it looks into the payload."""
    first = r.peek("header")
    if first > 0x3F:
        raise DecodeError(_bad_version(first), at=0)
    route, payload_type, with_codes = _HEADERS[first]
    if with_codes:
        _, code, code2, path_len_byte = r.read(_HEAD_WITH_CODES)
        codes = (code, code2)
    else:
        _, path_len_byte = r.read(_HEAD)
        codes = None
    hash_size, count, size, problem = _PATHS[path_len_byte]
    if r.recording:
        r.note(f"{route.name} {payload_type.name} version 0", back=4 if with_codes else 2)
        r.note(f"{count} x {hash_size} byte{'s' if hash_size > 1 else ''}")
    if problem:
        raise DecodeError(problem, at=r.at - 1)
    at = r.at
    left = r.end - at - size
    if not 0 < left <= MAX_PACKET_PAYLOAD:
        raise _bad_size(left, size, r)
    if payload_type is _TRACE:
        r.decibels(size, "SNR")
        path = _path(hash_size, (), r.data[at : r.at])
    elif count:
        path = _path(hash_size, r.pieces(count, hash_size, "hop"), r.data[at : r.at])
    else:
        path = _NO_HOPS[hash_size]
    return route, payload_type, codes, path_len_byte, path


def _bad_version(first: int) -> str:
    if first == 0xFF:
        return "header 0xFF is the firmware's do-not-retransmit mark, never a frame"
    return f"payload version {first >> 6} is not known, only 0 is"


def _bad_size(left: int, path_size: int, r: ByteReader) -> DecodeError:
    if left < 0:
        return DecodeError(f"path needs {path_size} bytes, {r.left} left", at=r.at)
    if left == 0:
        return DecodeError("no payload", at=r.end)
    return DecodeError(f"payload of {left} bytes is over {MAX_PACKET_PAYLOAD}", at=r.at + path_size)


def _path_row(path_len_byte: int) -> tuple[int, int, int, str | None]:
    """Hash size, hops, bytes, and what is wrong with a path length byte."""
    hash_size, count = (path_len_byte >> 6) + 1, path_len_byte & 63
    size = hash_size * count
    if hash_size == 4:
        return hash_size, count, size, "path hash size 4 is reserved"
    if size > MAX_PATH_SIZE:
        return hash_size, count, size, f"path of {size} bytes is over {MAX_PATH_SIZE}"
    return hash_size, count, size, None


_path = quick(Path)
_TRACE = PayloadType.TRACE
_HEAD = Layout(("header", "B"), ("path length", "B"))
_HEAD_WITH_CODES = Layout(("header", "B"), ("transport code", "H"), ("transport code 2", "H"), ("path length", "B"))
_HEADERS = tuple(
    (Route(first & 3), PayloadType(first >> 2), Route(first & 3) in (Route.TRANSPORT_FLOOD, Route.TRANSPORT_DIRECT))
    for first in range(64)
)
_PATHS = tuple(_path_row(byte) for byte in range(256))
_NO_HOPS = tuple(Path(hash_size, (), b"") for hash_size in range(4))
