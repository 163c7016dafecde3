"""When two records speak of the same reception. Pure; `writing` finds the candidates, this decides.

The same transmission and the same observer are given; frames differ in head and path only, the rest is the hash.
"""

from dataclasses import dataclass

WINDOW_MS = 5_000  # two brokers bring one record well within this; the same frame is not on the air twice so soon
REDELIVERY_WINDOW_MS = 3_600_000  # a broker repeats what it got no acknowledgement for: an hour outlasts a restart


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
