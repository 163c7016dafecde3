"""What an observer is known by, and when two records speak of the same reception. Pure; finds no candidates.

For the latter the same transmission and observer are given; frames differ in head and path only, the rest is the hash.
"""

import re
from dataclasses import dataclass

WINDOW_MS = 5_000  # two brokers bring one record well within this; the same frame is not on the air twice so soon
REDELIVERY_WINDOW_MS = 3_600_000  # a broker repeats what it got no acknowledgement for: an hour outlasts a restart

_KEY = re.compile(r"[0-9A-Fa-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def observer_ident(text: str) -> str | None:
    """A key as 64 upper-case hex digits, the plain word of a bridge without a key as it is; None for anything else."""
    if _KEY.fullmatch(text):
        return text.upper()
    return text if _WORD.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Copy:
    """What tells one reception of a transmission by an observer from another."""

    published_at: int | None  # the publisher's own clock
    heard_at: int
    head: bytes | None  # None: imported without its frame
    path_len: int
    path: bytes


def window_ms(*, repeated: bool) -> int:
    """How far apart by our clock two copies without a publisher's timestamp may be, in ms."""
    return REDELIVERY_WINDOW_MS if repeated else WINDOW_MS


def same_reception(stored: Copy, new: Copy, *, repeated: bool = False) -> bool:
    """True when `new` is the reception that is stored: same frame (as far as known) and the publisher's own timestamp.

    Where one of the two has no timestamp, our clock decides; where one has no head (an import), the path does.
    """
    if stored.path_len != new.path_len or stored.path != new.path:
        return False
    if stored.head is not None and new.head is not None and stored.head != new.head:
        return False
    if stored.published_at is not None and new.published_at is not None:
        return stored.published_at == new.published_at
    both_without = stored.published_at is None and new.published_at is None
    return abs(stored.heard_at - new.heard_at) <= window_ms(repeated=repeated and both_without)
