"""The few pieces of a frame that the simulation puts together itself, because it changes them hop by hop.

Whole payloads come from meshwire.encode.
"""

from meshwire import PayloadType, Route, encode, region_key

APPDATA_MAX = 32  # bytes of an advert's data that firmware reads and signs
TEXT_MAX = 155  # bytes of "Sender: words" that fit a group text


def head(route: Route, kind: PayloadType, codes: bytes = b"") -> bytes:
    """Header byte and, for the transport routes, the four bytes of transport codes."""
    return bytes([kind << 2 | route]) + codes


def path_len(count: int, size: int) -> int:
    """The encoded path length byte: hops in bits 0-5, bytes per hop minus one in bits 6-7."""
    return (size - 1) << 6 | count


def region_codes(region: str, kind: PayloadType, payload: bytes) -> bytes:
    """Transport codes of a flood scoped to "#region": its code and a reserved zero."""
    return encode.transport_code(region_key(region), kind, payload).to_bytes(2, "little") + b"\0\0"


def fit_name(name: str, *, located: bool) -> str:
    """The part of a name that an advert has room for, cut at a character boundary as firmware 1.17 does."""
    return cut(name, APPDATA_MAX - 1 - (8 if located else 0))


def cut(text: str, size: int) -> str:
    """At most `size` bytes of UTF-8, whole characters only."""
    return text.encode()[:size].decode(errors="ignore")
