"""The sealed envelope that REQ, RESPONSE, TXT_MSG and PATH share: dst, src, MAC, ciphertext.

Owns its layout and JSON form; what the plaintext means is the payloads' business.
"""

from meshwire.reader import Layout

# Firmware takes any ciphertext of at least one byte; only whole blocks of 16 can be opened.
ENVELOPE = Layout(("destination", "B"), ("source", "B"), ("MAC", "2s"), tail="ciphertext", tail_min=1)


def describe(dst: int, src: int, mac: bytes, ciphertext: bytes) -> dict[str, object]:
    """An envelope's JSON form."""
    return {
        "dst": f"{dst:02X}",
        "src": f"{src:02X}",
        "mac": mac.hex().upper(),
        "ciphertext_len": len(ciphertext),
    }
