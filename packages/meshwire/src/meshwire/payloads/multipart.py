"""MULTIPART: one of several packets that carry the same thing; today always an ACK sent more than once."""

from dataclasses import dataclass

from meshwire.enums import PayloadType
from meshwire.quick import quick
from meshwire.reader import ByteReader


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


def read(r: ByteReader, *_: object) -> Multipart:
    first = r.u8("remaining, inner type")
    remaining, inner = first >> 4, _TYPES[first & 15]
    if r.recording:
        r.note(f"{remaining} remaining, {inner.name}", "remaining, inner type")
    data = r.data[r.at : r.end]
    if inner is PayloadType.ACK and len(data) >= 4:
        return _multipart(remaining, inner, data, r.take(4, "CRC"), r.rest("extra"))
    return _multipart(remaining, inner, r.rest("data"), None, b"")


_multipart = quick(Multipart)
_TYPES = tuple(PayloadType(n) for n in range(16))
