"""RESPONSE: the answer to a request or a login, sealed with the two nodes' shared secret."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.peer import ENVELOPE, describe
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout


@dataclass(frozen=True, slots=True)
class ResponsePlain:
    """A decrypted answer. sender, receiver: public keys. tag: the request's timestamp. data: zero-padded."""

    sender: bytes
    receiver: bytes
    tag: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """dst, src: first byte of the receiver's and the sender's public key. plain: None unless a private key fits."""

    dst: int
    src: int
    mac: bytes
    ciphertext: bytes
    plain: ResponsePlain | None

    def to_dict(self) -> dict[str, object]:
        return {"encrypted": describe(self.dst, self.src, self.mac, self.ciphertext)}


def read(raw: bytes, byte_map: ByteMap | None, _frame: bytes, keys: KeyRing, *_: object) -> Response:
    dst, src, mac, ciphertext = ENVELOPE.read(raw, byte_map)
    plain = _open(keys, dst, src, mac, ciphertext) if keys.key_pairs else None
    return _response(dst, src, mac, ciphertext, plain)


_response = quick(Response)
_PLAIN = Layout(("tag", "I"), tail="data")


def _open(keys: KeyRing, dst: int, src: int, mac: bytes, ciphertext: bytes) -> ResponsePlain | None:
    for opened in keys.open_direct(dst, src, mac, ciphertext):
        tag, data = _PLAIN.read(opened.plain)
        return ResponsePlain(opened.sender, opened.receiver, tag, data)
    return None
