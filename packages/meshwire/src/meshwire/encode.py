"""Build frames and payloads as a node would send them, for generators and round-trip tests.

The mirror of decoding: no I/O, no clock. Checks only what would make a frame that cannot exist.
"""

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from meshwire import crypto
from meshwire.crypto import transport_code
from meshwire.header import MAX_PACKET_PAYLOAD, MAX_PATH_SIZE
from meshwire.keys import KeyPair

__all__ = [
    "ack",
    "advert",
    "anon_request",
    "control_discover_request",
    "control_discover_response",
    "direct_text",
    "frame",
    "group_data",
    "group_text",
    "key_pair",
    "multipart_ack",
    "path_return",
    "request",
    "response",
    "trace",
    "transport_code",
]


def frame(
    route: int,
    payload_type: int,
    payload: bytes,
    *,
    path: Sequence[bytes] = (),
    hash_size: int = 1,
    transport_codes: tuple[int, int] | None = None,
    version: int = 0,
) -> bytes:
    """A whole frame. path: hops of hash_size bytes each; for TRACE, one SNR byte each.

    transport_codes: two uint16, needed exactly when the route is a TRANSPORT one (0 or 3).
    Raises ValueError for what no node can send.
    """
    if (transport_codes is not None) != (route in (0, 3)):
        raise ValueError("transport codes belong to TRANSPORT routes, and to no other")
    if any(len(hop) != hash_size for hop in path) or not 1 <= hash_size <= 3:
        raise ValueError("every hop must have hash_size bytes, 1 to 3")
    if len(path) > 63 or len(path) * hash_size > MAX_PATH_SIZE:
        raise ValueError(f"a path has at most 63 hops and {MAX_PATH_SIZE} bytes")
    if not 1 <= len(payload) <= MAX_PACKET_PAYLOAD:
        raise ValueError(f"a payload has 1 to {MAX_PACKET_PAYLOAD} bytes, not {len(payload)}")
    codes = b"".join(_u16(code) for code in transport_codes or ())
    head = bytes((version << 6 | payload_type << 2 | route,)) + codes
    return head + bytes(((hash_size - 1) << 6 | len(path),)) + b"".join(path) + payload


def key_pair(seed: bytes) -> KeyPair:
    """A node's keys from 32 random bytes: public key, and the private key in MeshCore's expanded form."""
    expanded = bytearray(hashlib.sha512(seed).digest())
    expanded[0] &= 248
    expanded[31] = expanded[31] & 63 | 64
    return KeyPair(_signing_key(seed).public_key().public_bytes_raw(), bytes(expanded))


def advert(
    signing_key: bytes | Ed25519PrivateKey,
    timestamp: int,
    role: int,
    *,
    name: str | bytes | None = None,
    lat: float | None = None,
    lon: float | None = None,
    feat1: int | None = None,
    feat2: int | None = None,
) -> bytes:
    """A signed ADVERT payload. signing_key: 32-byte seed or key object. lat, lon: degrees, both or none.

    The name is cut to fit 32 bytes of appdata, as old firmware does: by bytes.
    """
    flags, fields = role, b""
    if lat is not None and lon is not None:
        flags, fields = flags | 0x10, _i32(round(lat * 1e6)) + _i32(round(lon * 1e6))
    if feat1 is not None:
        flags, fields = flags | 0x20, fields + _u16(feat1)
    if feat2 is not None:
        flags, fields = flags | 0x40, fields + _u16(feat2)
    if name is not None:
        flags, fields = flags | 0x80, fields + (name.encode() if isinstance(name, str) else name)
    appdata = (bytes((flags,)) + fields)[:32]
    key = _signing_key(signing_key) if isinstance(signing_key, bytes) else signing_key
    head = key.public_key().public_bytes_raw() + _u32(timestamp)
    return head + key.sign(head + appdata) + appdata


def group_text(
    key: bytes, timestamp: int, sender: str | None, text: str, *, txt_type: int = 0, attempt: int = 0
) -> bytes:
    """A GRP_TXT payload for a channel key of 16 or 32 bytes; sender None sends the text alone."""
    said = text if sender is None else f"{sender}: {text}"
    plain = _u32(timestamp) + bytes((txt_type << 2 | attempt,)) + said.encode()
    return bytes((crypto.channel_hash(key),)) + crypto.seal(key, plain)


def group_data(key: bytes, data_type: int, data: bytes) -> bytes:
    """A GRP_DATA payload for a channel key of 16 or 32 bytes."""
    return bytes((crypto.channel_hash(key),)) + crypto.seal(key, _u16(data_type) + bytes((len(data),)) + data)


def direct_text(
    sender: KeyPair,
    receiver: bytes,
    timestamp: int,
    text: str,
    *,
    txt_type: int = 0,
    attempt: int = 0,
    signer: bytes = b"",
) -> bytes:
    """A TXT_MSG payload. signer: 4 bytes, only with txt_type 2. An attempt above 3 goes behind the text, as in 1.17."""
    late = bytes((0, attempt)) if attempt > 3 else b""
    plain = _u32(timestamp) + bytes((txt_type << 2 | attempt & 3,)) + signer + text.encode() + late
    return _sealed(sender, receiver, plain)


def request(sender: KeyPair, receiver: bytes, timestamp: int, req_type: int, data: bytes = b"") -> bytes:
    """A REQ payload."""
    return _sealed(sender, receiver, _u32(timestamp) + bytes((req_type,)) + data)


def response(sender: KeyPair, receiver: bytes, tag: int, data: bytes) -> bytes:
    """A RESPONSE payload; tag is the request's timestamp."""
    return _sealed(sender, receiver, _u32(tag) + data)


def path_return(
    sender: KeyPair,
    receiver: bytes,
    path: Sequence[bytes],
    *,
    hash_size: int = 1,
    extra_type: int = 15,
    extra: bytes = b"",
) -> bytes:
    """A PATH payload that tells the receiver the way to the sender."""
    plain = bytes(((hash_size - 1) << 6 | len(path),)) + b"".join(path) + bytes((extra_type,)) + extra
    return _sealed(sender, receiver, plain)


def anon_request(sender: KeyPair, receiver: bytes, timestamp: int, data: bytes) -> bytes:
    """An ANON_REQ payload."""
    secret = _secret(sender, receiver)
    return receiver[:1] + sender.public + crypto.seal(secret, _u32(timestamp) + data)


def ack(crc: bytes, extra: bytes = b"") -> bytes:
    """An ACK payload: 4 bytes, and from firmware 1.17 two more."""
    return crc + extra


def multipart_ack(remaining: int, crc: bytes, extra: bytes = b"") -> bytes:
    """A MULTIPART payload with an ACK inside."""
    return bytes((remaining << 4 | 3,)) + crc + extra


def trace(tag: int, auth_code: int, flags: int, hops: Sequence[bytes]) -> bytes:
    """A TRACE payload. hops: node hashes of 1 << (flags & 3) bytes each."""
    return _u32(tag) + _u32(auth_code) + bytes((flags,)) + b"".join(hops)


def control_discover_request(
    tag: int, type_filter: int, *, prefix_only: bool = False, since: int | None = None
) -> bytes:
    """A CONTROL payload that asks neighbours whose role's bit is in type_filter to answer."""
    head = bytes((0x80 | prefix_only, type_filter)) + _u32(tag)
    return head if since is None else head + _u32(since)


def control_discover_response(role: int, snr_db: float, tag: int, pubkey: bytes) -> bytes:
    """A CONTROL payload that answers; pubkey is 32 bytes or its first 8."""
    return bytes((0x90 | role, round(snr_db * 4) & 0xFF)) + _u32(tag) + pubkey


def _sealed(sender: KeyPair, receiver: bytes, plain: bytes) -> bytes:
    return receiver[:1] + sender.public[:1] + crypto.seal(_secret(sender, receiver), plain)


def _secret(sender: KeyPair, receiver: bytes) -> bytes:
    secret = crypto.shared_secret(sender.private, receiver)
    if secret is None:
        raise ValueError("the receiver's public key is a low-order point: no secret can come from it")
    return secret


def _signing_key(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _i32(value: int) -> bytes:
    return value.to_bytes(4, "little", signed=True)
