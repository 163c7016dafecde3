"""MULTIPART: one of several packets that carry the same thing; today always an ACK sent more than once."""

from dataclasses import dataclass

from meshwire.enums import PayloadType
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout


@dataclass(frozen=True, slots=True)
class Multipart:
    """remaining: packets of the sequence still to come, 0 to 15. inner_type: what is inside; data: its bytes.

    crc: the inner ACK's 4 bytes, None when the inner type is another or too short; extra: what follows the CRC.
    """

    remaining: int
    inner_type: PayloadType
    data: bytes
    crc: bytes | None
    extra: bytes

    def to_dict(self) -> dict[str, object]:
        found: dict[str, object] = {"remaining": self.remaining, "inner_type": self.inner_type.name}
        if self.crc is not None:
            found["crc"] = self.crc.hex().upper()
        return {"multipart": found}


def read(raw: bytes, byte_map: ByteMap | None, *_: object) -> Multipart:
    remaining, inner = raw[0] >> 4, _TYPES[raw[0] & 15]
    crc, extra, data = None, b"", raw[1:]
    if inner is PayloadType.ACK and len(raw) >= _ACK.size:
        _, crc, extra = _ACK.read(raw, byte_map)
    else:
        _OTHER.read(raw, byte_map)
    if byte_map is not None:
        byte_map.note(_FIRST[0], f"{remaining} remaining, {inner.name}")
    return _multipart(remaining, inner, data, crc, extra)


_multipart = quick(Multipart)
_TYPES = tuple(PayloadType(n) for n in range(16))
_FIRST = ("remaining, inner type", "B")
_ACK = Layout(_FIRST, ("CRC", "4s"), tail="extra")
_OTHER = Layout(_FIRST, tail="data")
