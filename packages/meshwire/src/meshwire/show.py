"""A packet as readable text: what it says, then its byte map.

Pure: returns text, decides nothing about where it goes. Never shows a private key.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum

from meshwire.enums import PayloadType
from meshwire.packet import Packet
from meshwire.text import clean_name

_COLOURS = (36, 33, 32, 35, 34)  # cyan, yellow, green, magenta, blue: readable on dark and light
_BYTES_SHOWN = 16  # per line of the byte map, so that a line fits 100 columns
_DIM = 2


def show(packet: Packet, *, colour: bool) -> str:
    """Several lines of text. The packet must have been decoded with spans=True for the byte map to appear.

    colour: mark the parts of the byte map with ANSI colours.
    """
    return "\n".join([*_summary(packet), "", *_byte_map(packet, colour=colour)])


def _summary(packet: Packet) -> Iterator[str]:
    path = packet.path
    yield f"{packet.payload_type.name} by {packet.route.name}, {len(packet.frame)} bytes"
    yield f"  hash: {packet.hash.hex().upper()}"
    if packet.transport_codes is not None:
        yield f"  transport codes: {packet.transport_codes[0]:04X} {packet.transport_codes[1]:04X}"
        yield f"  region: {packet.region or 'unknown'}"
    hops = " ".join(hop.hex().upper() for hop in path.hops)
    if packet.payload_type is not PayloadType.TRACE:
        yield f"  path: {hops or 'no hops'} ({path.hash_size}-byte hashes)"
    yield from _fields(packet.payload, "  ")


def _fields(value: object, indent: str) -> Iterator[str]:
    for field in fields(value) if is_dataclass(value) else ():
        # A channel's key has no place on a screen; raw text is beside its cleaned form in the byte map.
        if not field.repr or field.name.endswith(("_raw", "_e6")) or field.name == "appdata":
            continue
        inner = getattr(value, field.name)
        if is_dataclass(inner):
            yield f"{indent}{field.name}:"
            yield from _fields(inner, indent + "  ")
        elif inner is not None and inner not in (b"", ()):
            name = field.name.replace("_", " ")
            yield f"{indent}{name}: {_meaning(name, inner)}"


def _meaning(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, (bool, Enum)):
        if name in _HEX_FIELDS:
            return f"0x{value:0{_HEX_FIELDS[name]}X}"
        if name == "timestamp":
            return f"{value} ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC)"
    return _text(value)


_HEX_FIELDS = {
    **dict.fromkeys(("channel hash", "dst", "src", "destination", "source", "flags"), 2),
    **dict.fromkeys(("transport code", "transport code 2", "data type"), 4),
    **dict.fromkeys(("tag", "auth code"), 8),
}


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return " ".join(_text(one) for one in value)
    return clean_name(value.encode()) if isinstance(value, str) else str(value)


def _byte_map(packet: Packet, *, colour: bool) -> Iterator[str]:
    width = max((len(span.name) for span in packet.spans), default=0)
    for number, span in enumerate(packet.spans):
        raw = packet.frame[span.start : span.end]
        for at in range(0, len(raw), _BYTES_SHOWN):
            piece = raw[at : at + _BYTES_SHOWN].hex(" ")
            tint = _COLOURS[number % len(_COLOURS)]
            name = span.name if at == 0 else ""
            value = _meaning(span.name, span.value) if at == 0 and not isinstance(span.value, bytes) else ""
            cells = (
                _paint(f"{span.start + at:4d}", _DIM, on=colour),
                _paint(f"{piece:<{3 * _BYTES_SHOWN}}", tint, on=colour),
                _paint(f"{name:<{width}}", tint, on=colour),
                value,
            )
            yield "  ".join(cells).rstrip()


def _paint(text: str, code: int, *, on: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if on else text
