"""The frame around a payload: header byte, transport codes, path. Exactly as strict as the firmware's readFrom().

Knows nothing of payloads except that a TRACE's path is not made of hashes.
"""

from dataclasses import dataclass

from meshwire.enums import PayloadType, Route
from meshwire.errors import DecodeError
from meshwire.quick import quick
from meshwire.reader import ByteReader, Layout, decibels, split

MAX_PATH_SIZE = 64
MAX_PACKET_PAYLOAD = 184


@dataclass(frozen=True, slots=True)
class Path:
    """The path field.

    hash_size: bytes per hop, 1 to 3, chosen by the originator and kept even with no hop. raw: the field's bytes.
    is_snr: on a TRACE the field holds one SNR byte per hop done so far instead of hashes; see `Trace.snr_db`.
    """

    hash_size: int
    raw: bytes
    is_snr: bool = False

    @property
    def hops(self) -> tuple[bytes, ...]:
        """Leading bytes of each forwarder's public key; always empty for TRACE.

        For floods in the order of travel: the last one is whom the observer heard. For direct packets: those to come.
        """
        return () if self.is_snr else split(self.raw, self.hash_size)


# Route, payload type, transport codes, path length byte, path.
Header = tuple[Route, PayloadType, tuple[int, int] | None, int, Path]


def read_header(r: ByteReader) -> Header:
    """Read up to the payload and check everything the firmware checks before it looks into the payload."""
    data, end = r.data, r.end
    if not end:
        raise DecodeError("header needs 1 byte, 0 left", at=0)
    first = data[0]
    if first > 0x3F:
        raise DecodeError(_bad_version(first), at=0)
    route, payload_type, with_codes = _HEADERS[first]
    codes = None
    r.at = 1
    if with_codes:
        codes = r.read(_CODES)
    path_at = r.at + 1
    if path_at > end:
        raise DecodeError("path length needs 1 byte, 0 left", at=end)
    path_len_byte = data[path_at - 1]
    hash_size, size, problem = _PATHS[path_len_byte]
    payload_at = path_at + size
    if problem or not 0 < end - payload_at <= MAX_PACKET_PAYLOAD:
        raise _bad_path_or_size(problem, path_at, payload_at, end)
    r.at = payload_at
    path = _path(hash_size, data[path_at:payload_at], payload_type is _TRACE) if size else _NO_HOPS[hash_size]
    if r.recording:
        _record(r, path_at, f"{route.name} {payload_type.name} version 0", path)
    return route, payload_type, codes, path_len_byte, path


def _bad_version(first: int) -> str:
    if first == 0xFF:
        return "header 0xFF is the firmware's do-not-retransmit mark, never a frame"
    return f"payload version {first >> 6} is not known, only 0 is"


def _bad_path_or_size(problem: str | None, path_at: int, payload_at: int, end: int) -> DecodeError:
    if problem:
        return DecodeError(problem, at=path_at - 1)
    if payload_at > end:
        return DecodeError(f"path needs {payload_at - path_at} bytes, {end - path_at} left", at=path_at)
    if payload_at == end:
        return DecodeError("no payload", at=end)
    return DecodeError(f"payload of {end - payload_at} bytes is over {MAX_PACKET_PAYLOAD}", at=payload_at)


def _record(r: ByteReader, path_at: int, header: str, path: Path) -> None:
    size = path.hash_size
    r.mark("header", 0, 1, header)
    r.mark("path length", path_at - 1, path_at, f"{len(path.raw) // size} x {size} byte{'s' if size > 1 else ''}")
    for number, hop in enumerate(path.hops):
        r.mark(f"hop {number + 1}", path_at + number * size, path_at + (number + 1) * size, hop)
    if path.is_snr:
        for number, snr in enumerate(decibels(path.raw)):
            r.mark(f"SNR {number + 1}", path_at + number, path_at + number + 1, snr)


def _path_row(path_len_byte: int) -> tuple[int, int, str | None]:
    """Hash size, bytes of the path, and what is wrong with a path length byte."""
    hash_size = (path_len_byte >> 6) + 1
    size = hash_size * (path_len_byte & 63)
    if hash_size == 4:
        return hash_size, size, "path hash size 4 is reserved"
    return hash_size, size, f"path of {size} bytes is over {MAX_PATH_SIZE}" if size > MAX_PATH_SIZE else None


_path = quick(Path)
_TRACE = PayloadType.TRACE
_CODES = Layout(("transport code", "H"), ("transport code 2", "H"))
_HEADERS = tuple(
    (Route(first & 3), PayloadType(first >> 2), Route(first & 3) in (Route.TRANSPORT_FLOOD, Route.TRANSPORT_DIRECT))
    for first in range(64)
)
_PATHS = tuple(_path_row(byte) for byte in range(256))
_NO_HOPS = tuple(Path(hash_size, b"") for hash_size in range(4))
