"""ACK: a checksum of the message that was received. No encryption, no signature."""

from dataclasses import dataclass

from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout


@dataclass(frozen=True, slots=True)
class Ack:
    """crc: 4 bytes of SHA-256 over the acknowledged text and its sender's key.

    extra: what follows; firmware 1.17 sends an attempt byte and a random byte, so that a repeated ACK is a new packet.
    """

    crc: bytes
    extra: bytes

    def to_dict(self) -> dict[str, object]:
        return {"ack": {"crc": self.crc.hex().upper(), "extra": self.extra.hex().upper()}}


def read(raw: bytes, byte_map: ByteMap | None, *_: object) -> Ack:
    crc, extra = _LAYOUT.read(raw, byte_map)
    return _ack(crc, extra)


_ack = quick(Ack)
_LAYOUT = Layout(("CRC", "4s"), tail="extra")
