"""What is kept from strangers: nodes that ask for it, exact positions of companions, who logs into which node. Pure.

A hidden node's packets stay in lists (so that pages and counts are stable), but nothing of their payload is shown:
neither decoded nor as bytes. A companion's advert is shown with its position rounded, in the decoded fields and in the
bytes alike; its signature is blanked too, because with it the exact position could be found by trying. Of an anonymous
request only the addressee stays, because with the rest and the packet's hash its sender could be found by trying.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hopscope.config.settings import Privacy

COMPANION = 1
E6 = 6  # positions are stored in 1e-6 degree
SIGNATURE = slice(36, 100)  # of an advert's payload, after the key (32) and the timestamp (4)
ADDRESSEE = 1  # byte of an anonymous request's payload: the hash of whom it is for
POSITION = slice(101, 109)  # after the flags byte: latitude and longitude, int32 little-endian


@dataclass(frozen=True, slots=True)
class Veil:
    """Who is hidden now. `epoch` differs between two veils that differ, so that decoded packets can be kept by it."""

    markers: tuple[str, ...] = ()
    keys: frozenset[bytes] = frozenset()
    names: frozenset[str] = frozenset()  # of the hidden nodes, to recognise them as senders of messages
    decimals: int | None = None
    senders: bool = False  # whether those of anonymous requests are shown
    epoch: int = 0

    def hides_key(self, pubkey: bytes | None) -> bool:
        """Whether a node with this key, or with a key beginning so (8 bytes or more), is hidden."""
        if pubkey is None:
            return False
        if len(pubkey) == 32:
            return pubkey in self.keys
        return len(pubkey) >= 8 and any(key.startswith(pubkey) for key in self.keys)

    def hides_name(self, name: str | None) -> bool:
        """Whether a name holds a hide marker or is a hidden node's name."""
        return name is not None and (name in self.names or any(marker in name for marker in self.markers))

    def hides_ident(self, ident: str, name: str | None) -> bool:
        """Whether an observer is hidden: by its name, or because its key is a hidden node's."""
        return self.hides_name(name) or (len(ident) == 64 and ident.lower() in {key.hex() for key in self.keys})

    def position(self, role: int, lat_e6: int | None, lon_e6: int | None) -> tuple[int, int] | None:
        """The position to show, 1e-6 degree; None: there is none."""
        if lat_e6 is None or lon_e6 is None:
            return None
        if role != COMPANION or self.decimals is None:
            return lat_e6, lon_e6
        return round(lat_e6, self.decimals - E6), round(lon_e6, self.decimals - E6)

    def rounds(self, role: int, lat_e6: int | None) -> bool:
        """Whether an advert of this role with a position is shown rounded."""
        return role == COMPANION and self.decimals is not None and lat_e6 is not None


def veil_of(privacy: Privacy, hidden: Mapping[bytes, str | None], *, previous: Veil) -> Veil:
    """The veil for the configured keys and markers; `hidden` are the known nodes they hide now, key and name."""
    made = Veil(
        markers=privacy.hidden_markers,
        keys=privacy.hidden_keys | hidden.keys(),
        names=frozenset(name for name in hidden.values() if name),
        decimals=privacy.companion_decimals,
        senders=privacy.request_senders,
        epoch=previous.epoch,
    )
    if made == previous:
        return previous
    return replace(made, epoch=previous.epoch + 1)


def blank(payload: bytes, *, after: int = 0) -> bytes:
    """A payload of which only the length is shown, and the first `after` bytes."""
    return payload[:after] + bytes(len(payload) - after)


def round_advert(payload: bytes, position: tuple[int, int]) -> bytes:
    """An advert's payload with another position and without its signature."""
    shown = bytearray(payload)
    shown[SIGNATURE] = bytes(SIGNATURE.stop - SIGNATURE.start)
    shown[POSITION] = struct.pack("<ii", *position)
    return bytes(shown)
