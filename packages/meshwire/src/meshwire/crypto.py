"""MeshCore's cryptography: AES-128-ECB, truncated HMAC-SHA256, Ed25519, X25519 over Ed25519 keys, key derivation.

Pure functions of bytes; knows no packet.
"""

import hashlib
import hmac
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK = 16  # CIPHER_BLOCK_SIZE
MAC_SIZE = 2  # CIPHER_MAC_SIZE
_P = 2**255 - 19


def packet_hash(payload_type: int, payload: bytes, path_len_byte: int) -> bytes:
    """The firmware's packet hash, 8 bytes: the same for every copy of a packet, whatever its route and path.

    SHA-256 over type and payload; for TRACE (9) the path length byte, as uint16, comes between them, so that each
    hop of one trace has its own hash.
    """
    prefix = _TYPE_BYTE[payload_type]
    if prefix is _TRACE:
        prefix = bytes((payload_type, path_len_byte, 0))
    return _sha256(prefix + payload).digest()[:8]


_sha256 = hashlib.sha256
_TYPE_BYTE = tuple(bytes((n,)) for n in range(256))
_TRACE = _TYPE_BYTE[9]


def hashtag_key(name: str) -> bytes:
    """Key of a hashtag channel, 16 bytes: SHA-256 of the name as typed, its '#' included (added when missing)."""
    return hashlib.sha256(_hashtag(name).encode()).digest()[:16]


def region_key(name: str) -> bytes:
    """Scope key of a public region, 16 bytes, derived like a hashtag channel's.

    Raises ValueError for a name that starts with '$': such a region has a secret key, not a derived one.
    """
    if name.startswith("$"):
        raise ValueError(f"region {name!r} is private: its key cannot be derived from its name")
    return hashtag_key(name)


def _hashtag(name: str) -> str:
    return name if name.startswith("#") else f"#{name}"


def channel_hash(key: bytes) -> int:
    """The byte that names a channel on the air: the first of SHA-256 over its 16 or 32 key bytes."""
    return hashlib.sha256(key).digest()[0]


def transport_code(key: bytes, payload_type: int, payload: bytes) -> int:
    """Transport code of a region for one payload, uint16; never 0 or 0xFFFF, which are reserved."""
    digest = hmac.digest(key, _TYPE_BYTE[payload_type] + payload, "sha256")
    return min(max(digest[0] | digest[1] << 8, 1), 0xFFFE)


def mac(secret: bytes, ciphertext: bytes) -> bytes:
    """The two MAC bytes before a ciphertext."""
    return hmac.digest(secret, ciphertext, "sha256")[:MAC_SIZE]


def open_sealed(secret: bytes, tag: bytes, ciphertext: bytes) -> bytes | None:
    """Plaintext (zero-padded to 16) of a sealed part, or None when it is not ours or not whole blocks."""
    if not ciphertext or len(ciphertext) % BLOCK or mac(secret, ciphertext) != tag:
        return None
    return _cipher(secret[:16]).decryptor().update(ciphertext)


def seal(secret: bytes, plaintext: bytes) -> bytes:
    """MAC and ciphertext of a plaintext, as the firmware sends it (zero-padded, encrypt then MAC)."""
    padded = plaintext + bytes(-len(plaintext) % BLOCK)
    ciphertext = _cipher(secret[:16]).encryptor().update(padded)
    return mac(secret, ciphertext) + ciphertext


@lru_cache(maxsize=1024)
def _cipher(key: bytes) -> Cipher[ECB]:
    return Cipher(AES(key), ECB())


def verify_signature(pubkey: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature is right; a public key that is no curve point verifies nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(pubkey).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def shared_secret(private: bytes, peer: bytes) -> bytes | None:
    """Secret of two nodes, 32 bytes, from one's private key (expanded, 64 bytes) and the other's public key.

    None when the peer's key is a low-order point: no secret can come from it, only a forger sends it.
    """
    try:
        return X25519PrivateKey.from_private_bytes(private[:32]).exchange(
            X25519PublicKey.from_public_bytes(montgomery(peer))
        )
    except ValueError:
        return None


def x25519_public(private: bytes) -> bytes:
    """Montgomery form of the public key that belongs to an expanded private key."""
    return X25519PrivateKey.from_private_bytes(private[:32]).public_key().public_bytes_raw()


def montgomery(pubkey: bytes) -> bytes:
    """Montgomery u of an Ed25519 public key: (1 + y) / (1 - y), with 0 for the point where that has no value."""
    y = (int.from_bytes(pubkey, "little") & ((1 << 255) - 1)) % _P
    u = (1 + y) * pow(1 - y, _P - 2, _P) % _P
    return u.to_bytes(32, "little")
