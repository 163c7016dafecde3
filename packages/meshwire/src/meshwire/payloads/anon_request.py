"""ANON_REQ: a request (mostly a login) to a node that may not know the sender, whose public key comes along."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.quick import quick
from meshwire.reader import ByteMap, Layout


@dataclass(frozen=True, slots=True)
class AnonPlain:
    """A decrypted request. receiver: public key. data: zero-padded, for a login [sync-since] and the password."""

    receiver: bytes
    timestamp: int
    data: bytes


@dataclass(frozen=True, slots=True)
class AnonRequest:
    """dst: first byte of the receiver's key. sender: public key, 32 bytes, which nothing proves to an outsider.

    plain: None unless a private key fits.
    """

    dst: int
    sender: bytes
    mac: bytes
    ciphertext: bytes
    plain: AnonPlain | None

    def to_dict(self) -> dict[str, object]:
        return {
            "anon_req": {
                "dst": f"{self.dst:02X}",
                "sender_pubkey": self.sender.hex(),
                "mac": self.mac.hex().upper(),
                "ciphertext_len": len(self.ciphertext),
            }
        }


def read(raw: bytes, byte_map: ByteMap | None, _frame: bytes, keys: KeyRing, *_: object) -> AnonRequest:
    dst, sender, mac, ciphertext = _LAYOUT.read(raw, byte_map)
    plain = _open(keys, dst, sender, mac, ciphertext) if keys.key_pairs else None
    return _anon_request(dst, sender, mac, ciphertext, plain)


_anon_request = quick(AnonRequest)
_LAYOUT = Layout(("destination", "B"), ("sender's public key", "32s"), ("MAC", "2s"), tail="ciphertext", tail_min=1)
_PLAIN = Layout(("timestamp", "I"), tail="data")


def _open(keys: KeyRing, dst: int, sender: bytes, mac: bytes, ciphertext: bytes) -> AnonPlain | None:
    for opened in keys.open_anonymous(dst, sender, mac, ciphertext):
        timestamp, data = _PLAIN.read(opened.plain)
        return AnonPlain(opened.receiver, timestamp, data)
    return None
