"""REQ: a node asks another for something, sealed with their shared secret."""

from dataclasses import dataclass
from enum import IntEnum

from meshwire.keys import KeyRing
from meshwire.peer import ENVELOPE, describe
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout


class RequestType(IntEnum):
    """What is asked for, by the numbers that repeaters and sensors know."""

    STATUS = 1
    KEEP_ALIVE = 2
    TELEMETRY = 3
    ACCESS_LIST = 5
    NEIGHBOURS = 6
    OWNER_INFO = 7


@dataclass(frozen=True, slots=True)
class RequestPlain:
    """A decrypted request. sender, receiver: public keys. req_type: see RequestType. data: zero-padded."""

    sender: bytes
    receiver: bytes
    timestamp: int
    req_type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """dst, src: first byte of the receiver's and the sender's public key. plain: None unless a private key fits."""

    dst: int
    src: int
    mac: bytes
    ciphertext: bytes
    plain: RequestPlain | None

    def to_dict(self) -> dict[str, object]:
        return {"encrypted": describe(self.dst, self.src, self.mac, self.ciphertext)}


def read(raw: bytes, byte_map: ByteMap | None, _frame: bytes, keys: KeyRing, *_: object) -> Request:
    dst, src, mac, ciphertext = ENVELOPE.read(raw, byte_map)
    plain = _open(keys, dst, src, mac, ciphertext) if keys.key_pairs else None
    return _request(dst, src, mac, ciphertext, plain)


_request = quick(Request)
_PLAIN = Layout(("timestamp", "I"), ("type", "B"), tail="data")


def _open(keys: KeyRing, dst: int, src: int, mac: bytes, ciphertext: bytes) -> RequestPlain | None:
    for opened in keys.open_direct(dst, src, mac, ciphertext):
        timestamp, req_type, data = _PLAIN.read(opened.plain)
        return RequestPlain(opened.sender, opened.receiver, timestamp, req_type, data)
    return None
