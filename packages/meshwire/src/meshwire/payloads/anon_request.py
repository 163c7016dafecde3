"""ANON_REQ: a request (mostly a login) to a node that may not know the sender, whose public key comes along."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.peer import read_ciphertext
from meshwire.reader import ByteReader


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


def read(r: ByteReader, keys: KeyRing, *, verify: bool) -> AnonRequest:
    dst, sender, mac = r.u8("destination"), r.take(32, "sender's public key"), r.take(2, "MAC")
    ciphertext = read_ciphertext(r)
    plain = _open(keys, dst, sender, mac, ciphertext) if keys.key_pairs else None
    return AnonRequest(dst, sender, mac, ciphertext, plain)


def _open(keys: KeyRing, dst: int, sender: bytes, mac: bytes, ciphertext: bytes) -> AnonPlain | None:
    for opened in keys.open_anonymous(dst, sender, mac, ciphertext):
        p = ByteReader(opened.plain)
        return AnonPlain(opened.receiver, p.u32("timestamp"), p.rest("data"))
    return None
