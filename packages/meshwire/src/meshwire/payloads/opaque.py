"""Payload types that have no meaning yet: kept, never guessed at."""

from dataclasses import dataclass

from meshwire.quick import quick
from meshwire.reader import ByteReader


@dataclass(frozen=True, slots=True)
class Opaque:
    """data: the whole payload."""

    data: bytes

    def to_dict(self) -> dict[str, object]:
        return {}


def read(r: ByteReader, *_: object) -> Opaque:
    return _opaque(r.rest("data"))


_opaque = quick(Opaque)
