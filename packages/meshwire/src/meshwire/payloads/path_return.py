"""PATH: the receiver of a flood tells its sender the way, sealed with their shared secret."""

from dataclasses import dataclass

from meshwire.keys import KeyRing
from meshwire.peer import ENVELOPE, describe
from meshwire.quick import quick
from meshwire.reader import ByteMap, split


@dataclass(frozen=True, slots=True)
class PathPlain:
    """A decrypted path. sender, receiver: public keys. hash_size: bytes per hop; hops: leading bytes of their keys.

    extra_type, extra: a payload type and its bytes (zero-padded) that travel along, such as an ACK; 15 when none.
    """

    sender: bytes
    receiver: bytes
    hash_size: int
    hops: tuple[bytes, ...]
    extra_type: int
    extra: bytes


@dataclass(frozen=True, slots=True)
class PathReturn:
    """dst, src: first byte of the receiver's and the sender's public key. plain: None unless a private key fits."""

    dst: int
    src: int
    mac: bytes
    ciphertext: bytes
    plain: PathPlain | None

    def to_dict(self) -> dict[str, object]:
        return {"encrypted": describe(self.dst, self.src, self.mac, self.ciphertext)}


def read(raw: bytes, byte_map: ByteMap | None, _frame: bytes, keys: KeyRing, *_: object) -> PathReturn:
    dst, src, mac, ciphertext = ENVELOPE.read(raw, byte_map)
    plain = _open(keys, dst, src, mac, ciphertext) if keys.key_pairs else None
    return _path_return(dst, src, mac, ciphertext, plain)


_path_return = quick(PathReturn)


def _open(keys: KeyRing, dst: int, src: int, mac: bytes, ciphertext: bytes) -> PathPlain | None:
    for opened in keys.open_direct(dst, src, mac, ciphertext):
        plain = opened.plain
        size = (plain[0] >> 6) + 1
        end = 1 + size * (plain[0] & 63)
        if size < 4 and end < len(plain):
            hops = split(plain[1:end], size)
            return PathPlain(opened.sender, opened.receiver, size, hops, plain[end] & 15, plain[end + 1 :])
        # A path longer than the plaintext means that the two MAC bytes fitted by chance.
    return None
