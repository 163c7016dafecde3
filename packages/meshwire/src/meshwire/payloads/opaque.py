"""Payload types that have no meaning yet: kept, never guessed at."""

from dataclasses import dataclass

from meshwire.quick import quick
from meshwire.reader import ByteMap


@dataclass(frozen=True, slots=True)
class Opaque:
    """data: the whole payload."""

    data: bytes

    def to_dict(self) -> dict[str, object]:
        return {}


def read(raw: bytes, byte_map: ByteMap | None, *_: object) -> Opaque:
    if byte_map is not None:
        byte_map.mark("data", 0, len(raw), raw)
    return _opaque(raw)


_opaque = quick(Opaque)
