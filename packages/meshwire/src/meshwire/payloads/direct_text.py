"""TXT_MSG: a text from one node to another, sealed with their shared secret."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.peer import ENVELOPE, describe
from meshwire.quick import quick
from meshwire.reader import ByteMap
from meshwire.text import clean_text, read_text


@dataclass(frozen=True, slots=True)
class DirectMessage:
    """A decrypted text. sender, receiver: public keys, 32 bytes. timestamp: Unix seconds by the sender's clock.

    signer: first 4 bytes of the author's key when a room server passes on a post. text_raw: the bytes of text.
    """

    sender: bytes
    receiver: bytes
    timestamp: int
    txt_type: int
    attempt: int
    signer: bytes | None
    text: str
    text_raw: bytes


@dataclass(frozen=True, slots=True)
class DirectText:
    """dst, src: first byte of the receiver's and the sender's public key. plain: None unless a private key fits."""

    dst: int
    src: int
    mac: bytes
    ciphertext: bytes
    plain: DirectMessage | None

    def to_dict(self) -> dict[str, object]:
        found: dict[str, object] = {"encrypted": describe(self.dst, self.src, self.mac, self.ciphertext)}
        if self.plain is not None:
            found["dm"] = {
                "sender_pubkey": self.plain.sender.hex(),
                "receiver_pubkey": self.plain.receiver.hex(),
                "text": self.plain.text,
            }
        return found


def read(raw: bytes, byte_map: ByteMap | None, _frame: bytes, keys: KeyRing, *_: object) -> DirectText:
    dst, src, mac, ciphertext = ENVELOPE.read(raw, byte_map)
    plain = _open(keys, dst, src, mac, ciphertext) if keys.key_pairs else None
    return _direct_text(dst, src, mac, ciphertext, plain)


_direct_text = quick(DirectText)


def _open(keys: KeyRing, dst: int, src: int, mac: bytes, ciphertext: bytes) -> DirectMessage | None:
    for opened in keys.open_direct(dst, src, mac, ciphertext):
        body = read_text(opened.plain)
        if body is not None:
            return DirectMessage(
                opened.sender,
                opened.receiver,
                body.timestamp,
                body.txt_type,
                body.attempt,
                body.signer,
                clean_text(body.raw),
                body.raw,
            )
    return None
