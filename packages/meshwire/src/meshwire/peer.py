"""The sealed envelope that REQ, RESPONSE, TXT_MSG and PATH share: dst, src, MAC, ciphertext.

Reads and opens it; what the plaintext means is the payloads' business.
"""

from meshwire.reader import ByteReader, Layout


def read_envelope(r: ByteReader) -> tuple[int, int, bytes, bytes]:
    """dst, src (first byte of the receiver's and the sender's public key), MAC (2 bytes), ciphertext.

    Firmware takes any ciphertext of at least one byte; only whole blocks of 16 can be opened.
    """
    dst, src, mac = r.read(_HEAD)
    return dst, src, mac, r.rest("ciphertext", 1)


_HEAD = Layout(("destination", "B"), ("source", "B"), ("MAC", "2s"))


def describe(dst: int, src: int, mac: bytes, ciphertext: bytes) -> dict[str, object]:
    """An envelope's JSON form."""
    return {
        "dst": f"{dst:02X}",
        "src": f"{src:02X}",
        "mac": mac.hex().upper(),
        "ciphertext_len": len(ciphertext),
    }
