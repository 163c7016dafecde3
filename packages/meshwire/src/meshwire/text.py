"""Text from the air: its layout inside a decrypted message, and how it is made fit to be shown.

Escapes nothing: whoever shows the text as HTML still has to treat it as text.
"""

from dataclasses import dataclass

from meshwire.enums import TextType
from meshwire.reader import Layout

# Directional marks, embeddings, overrides and isolates can make a name look like another one; U+2028/2029 break
# lines where nobody expects it; U+FEFF is a byte order mark. ZWJ (U+200D) and variation selectors stay: emoji use them.
_BIDI = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_SEPARATORS = [0x2028, 0x2029, 0xFEFF]
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_SURROGATES = range(0xD800, 0xE000)
_UNFIT: dict[int, None] = dict.fromkeys([*_CONTROLS, *_BIDI, *_SEPARATORS, *_SURROGATES])
_UNFIT_IN_TEXT = {code: None for code in _UNFIT if code not in (0x09, 0x0A)}


def clean_name(raw: bytes) -> str:
    """A node's name for display: UTF-8 with U+FFFD for what is broken, without control and direction characters."""
    name = raw.decode("utf-8", "replace")
    # Nothing unfit is printable, and asking is five times cheaper than translating.
    return name if name.isprintable() else name.translate(_UNFIT)


def clean_text(raw: bytes) -> str:
    """A message for display: as `clean_name`, but tabs and line feeds stay."""
    return raw.decode("utf-8", "replace").translate(_UNFIT_IN_TEXT)


@dataclass(frozen=True, slots=True)
class TextBody:
    """What a decrypted text says. timestamp: Unix seconds by the sender's clock. attempt: 0 for the first sending.

    signer: first 4 bytes of the author's public key when a room server passes on a post, else None.
    raw: the text's bytes up to the first NUL.
    """

    timestamp: int
    txt_type: int
    attempt: int
    signer: bytes | None
    raw: bytes


def read_text(plain: bytes) -> TextBody | None:
    """Layout of a decrypted text, or None when it cannot be one: then the two MAC bytes fitted by chance."""
    timestamp, flags, text = _TEXT.read(plain)
    if flags >> 2 not in _KNOWN_TYPES:
        return None
    signer = None
    if flags >> 2 == TextType.SIGNED_PLAIN:
        signer, text = text[:4], text[4:]
    raw, _, behind = text.partition(b"\0")
    if not _is_text(raw):
        return None
    # Since firmware 1.17 an attempt above 3 no longer fits its two bits and follows the text's NUL.
    attempt = behind[0] if behind and behind[0] else flags & 3
    return TextBody(timestamp, flags >> 2, attempt, signer, raw)


_TEXT = Layout(("timestamp", "I"), ("flags", "B"), tail="text")
_KNOWN_TYPES = frozenset(TextType)


def _is_text(raw: bytes) -> bool:
    """Whether bytes are plausible UTF-8: at most one broken character, and one more per 16 bytes.

    Senders cut names and texts by bytes, so real messages have broken characters; random bytes have one in every two.
    """
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace").count("\ufffd") <= 1 + len(raw) // 16
    return True
