"""Put MeshCore frames together: the few kinds that the simulated mesh sends.

Sources: MeshCore docs/packet_format.md, docs/payloads.md and src/Packet.cpp. Decodes nothing; meshwire does.
"""

import hashlib
import hmac
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

APPDATA_MAX = 32  # bytes of an advert's data that firmware reads and signs
PUBLIC_CHANNEL_KEY = bytes.fromhex("8b3387e9c5cdea6ac9e5edbaa115cd72")  # published in MeshCore docs/faq.md
E6 = 1_000_000


class Route(IntEnum):
    """Bits 0-1 of the header byte."""

    TRANSPORT_FLOOD = 0
    FLOOD = 1
    DIRECT = 2
    TRANSPORT_DIRECT = 3


class Type(IntEnum):
    """Bits 2-5 of the header byte."""

    REQ = 0
    RESPONSE = 1
    TXT_MSG = 2
    ACK = 3
    ADVERT = 4
    GRP_TXT = 5
    GRP_DATA = 6
    ANON_REQ = 7
    PATH = 8
    TRACE = 9
    MULTIPART = 10
    CONTROL = 11
    RAW_CUSTOM = 15


def hashtag_key(name: str) -> bytes:
    """Key of a hashtag channel or a region scope, "#" included: the first 16 bytes of the name's SHA-256."""
    return hashlib.sha256(name.encode()).digest()[:16]


def head(route: Route, kind: Type, codes: bytes = b"") -> bytes:
    """Header byte and, for the transport routes, the four bytes of transport codes."""
    return bytes([kind << 2 | route]) + codes


def path_len(count: int, size: int) -> int:
    """The encoded path length byte: hops in bits 0-5, bytes per hop minus one in bits 6-7."""
    return (size - 1) << 6 | count


def packet_hash(kind: int, payload: bytes, trace_path_len: int = 0) -> bytes:
    """The firmware's packet hash, 8 bytes; a TRACE includes its path length."""
    extra = trace_path_len.to_bytes(2, "little") if kind == Type.TRACE else b""
    return hashlib.sha256(bytes([kind]) + extra + payload).digest()[:8]


def region_codes(region: str, kind: Type, payload: bytes) -> bytes:
    """Transport codes of a flood scoped to "#region": its code and a reserved zero."""
    code = int.from_bytes(hmac.digest(hashtag_key(region), bytes([kind]) + payload, "sha256")[:2], "little")
    return min(max(code, 1), 0xFFFE).to_bytes(2, "little") + b"\0\0"


def appdata(role: int, name: str, position: tuple[int, int] | None) -> bytes:
    """What an advert says about its node; `position` is (latitude, longitude) in 1e-6 degree.

    The name is cut at a character boundary so that all fits what firmware reads.
    """
    where = b"" if position is None else b"".join(v.to_bytes(4, "little", signed=True) for v in position)
    flags = role | (0x10 if where else 0) | 0x80
    room = APPDATA_MAX - 1 - len(where)
    return bytes([flags]) + where + name.encode()[:room].decode(errors="ignore").encode()


def advert(key: Ed25519PrivateKey, pubkey: bytes, at_s: int, data: bytes) -> bytes:
    """A signed ADVERT payload."""
    stamp = at_s.to_bytes(4, "little")
    return pubkey + stamp + key.sign(pubkey + stamp + data) + data


def group_text(key: bytes, at_s: int, text: str) -> bytes:
    """A GRP_TXT payload: `text` ("Sender: words") encrypted for the channel with this 16-byte key."""
    plain = at_s.to_bytes(4, "little") + b"\0" + text.encode()[:155].decode(errors="ignore").encode()
    plain += bytes(-len(plain) % 16)
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # the protocol's own choice
    ciphertext = encryptor.update(plain) + encryptor.finalize()
    mac = hmac.digest(key + bytes(16), ciphertext, "sha256")[:2]
    return hashlib.sha256(key).digest()[:1] + mac + ciphertext
