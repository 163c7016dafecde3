"""RAW_CUSTOM: bytes that only the application which sent them understands."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.reader import ByteReader


@dataclass(frozen=True, slots=True)
class RawCustom:
    """data: the whole payload."""

    data: bytes

    def to_dict(self) -> dict[str, object]:
        return {}


def read(r: ByteReader, keys: KeyRing, *, verify: bool) -> RawCustom:
    return RawCustom(r.rest("data"))
