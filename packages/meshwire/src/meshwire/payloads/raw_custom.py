"""RAW_CUSTOM: bytes that only the application which sent them understands."""

from dataclasses import dataclass

from meshwire.quick import quick
from meshwire.reader import ByteMap


@dataclass(frozen=True, slots=True)
class RawCustom:
    """data: the whole payload."""

    data: bytes

    def to_dict(self) -> dict[str, object]:
        return {}


def read(raw: bytes, byte_map: ByteMap | None, *_: object) -> RawCustom:
    if byte_map is not None:
        byte_map.mark("data", 0, len(raw), raw)
    return _raw_custom(raw)


_raw_custom = quick(RawCustom)
