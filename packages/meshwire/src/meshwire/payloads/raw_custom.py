"""RAW_CUSTOM: bytes that only the application which sent them understands."""

from dataclasses import dataclass

from meshwire.quick import quick
from meshwire.reader import ByteReader


@dataclass(frozen=True, slots=True)
class RawCustom:
    """data: the whole payload."""

    data: bytes

    def to_dict(self) -> dict[str, object]:
        return {}


def read(r: ByteReader, *_: object) -> RawCustom:
    return _raw_custom(r.rest("data"))


_raw_custom = quick(RawCustom)
