"""RESPONSE: the answer to a request or a login, sealed with the two nodes' shared secret."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.peer import ENVELOPE, describe
from meshwire.quick import quick
from meshwire.reader import ByteReader, Layout


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


def read(r: ByteReader, _path: bytes, keys: KeyRing, *_: object) -> Response:
    dst, src, mac, ciphertext = r.read_all(ENVELOPE)
    plain = _open(keys, dst, src, mac, ciphertext) if keys.key_pairs else None
    return _response(dst, src, mac, ciphertext, plain)


_response = quick(Response)
_PLAIN = Layout(("tag", "I"))


def _open(keys: KeyRing, dst: int, src: int, mac: bytes, ciphertext: bytes) -> ResponsePlain | None:
    for opened in keys.open_direct(dst, src, mac, ciphertext):
        p = ByteReader(opened.plain)
        (tag,) = p.read(_PLAIN)
        return ResponsePlain(opened.sender, opened.receiver, tag, p.rest("data"))
    return None
