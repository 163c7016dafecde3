"""The sealed envelope that REQ, RESPONSE, TXT_MSG and PATH share: dst, src, MAC, ciphertext.

Reads and opens it; what the plaintext means is the payloads' business.
"""

from typing import NamedTuple

from meshwire.reader import ByteReader


class Envelope(NamedTuple):
    """dst, src: first byte of the receiver's and the sender's public key. mac: 2 bytes. ciphertext: as sent."""

    dst: int
    src: int
    mac: bytes
    ciphertext: bytes


def read_envelope(r: ByteReader) -> Envelope:
    """Firmware takes any ciphertext of at least one byte; only whole blocks of 16 can be opened."""
    return Envelope(r.u8("destination"), r.u8("source"), r.take(2, "MAC"), read_ciphertext(r))


def read_ciphertext(r: ByteReader) -> bytes:
    """The rest of the payload, at least one byte."""
    return r.take(max(r.left, 1), "ciphertext")


def describe(dst: int, src: int, mac: bytes, ciphertext: bytes) -> dict[str, object]:
    """An envelope's JSON form."""
    return {
        "dst": f"{dst:02X}",
        "src": f"{src:02X}",
        "mac": mac.hex().upper(),
        "ciphertext_len": len(ciphertext),
    }
