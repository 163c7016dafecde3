"""RESPONSE: the answer to a request or a login, sealed with the two nodes' shared secret."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.peer import describe, read_envelope
from meshwire.reader import ByteReader


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


def read(r: ByteReader, keys: KeyRing, *, verify: bool) -> Response:
    dst, src, mac, ciphertext = read_envelope(r)
    return Response(dst, src, mac, ciphertext, _open(keys, dst, src, mac, ciphertext) if keys.key_pairs else None)


def _open(keys: KeyRing, dst: int, src: int, mac: bytes, ciphertext: bytes) -> ResponsePlain | None:
    for opened in keys.open_direct(dst, src, mac, ciphertext):
        p = ByteReader(opened.plain)
        return ResponsePlain(opened.sender, opened.receiver, p.u32("tag"), p.rest("data"))
    return None
