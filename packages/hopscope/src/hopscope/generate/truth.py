"""What a reader of the records must end up with: the fate of each record, summed up.

Pure: folds fates that the simulation stated; looks into no record. `to_json` is the truth file.
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Advert:
    """What a genuine advert says. `position` in 1e-6 degree."""

    pubkey: str  # 64 lower-case hex digits
    timestamp_s: int
    role: int
    name: str  # as sent, not cleaned
    position: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a stored packet must not be believed: flipped (bits changed on the way) or forged (never genuine)."""

    kind: str
    twin: str | None  # hash of the packet it is a copy of; None: of none


@dataclass(frozen=True, slots=True)
class Received:
    """A reception to be stored. The fields up to `published_ms` are its identity; hex is upper-case."""

    hash: str
    observer: str
    head: str  # header byte and transport codes
    path_len: int
    path: str
    published_ms: int
    direction: str  # rx | tx
    type: int
    snr: float | None  # None: the record says none, or the observer sent the packet itself
    rssi: int | None
    advert: Advert | None = None  # None: another type, or one that must make no node
    damage: Damage | None = None

    @property
    def identity(self) -> tuple[str, str, str, int, str, int]:
        """Two records with the same identity are one reception, whatever broker brought them, however often."""
        return (self.hash, self.observer, self.head, self.path_len, self.path, self.published_ms)


@dataclass(frozen=True, slots=True)
class Status:
    """A status record of this observer, to be taken."""

    observer: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that cannot be used; `reason` is a key of REASONS."""

    reason: str


Fate = Received | Status | Refused

REASONS = {  # the words of the reader's own reasons
    "bad_json": "the payload is not JSON, or no object",
    "too_large": "the record is longer than any real one",
    "no_frame": "a packet record without a frame",
    "not_hex": "the frame is not whole bytes in hex",
    "bad_frame": "the frame breaks a rule of the protocol",
    "origin_mismatch": "origin_id is not the key of the topic",
    "stale_tx": "a sent packet's record carries another frame",
}


@dataclass(slots=True)
class Truth:
    """The sum of fates, in the order of publishing."""

    parameters: dict[str, Any] = field(default_factory=dict)
    records: int = 0
    receptions: dict[tuple[str, str, str, int, str, int], tuple[Received, list[int]]] = field(default_factory=dict)
    statuses: list[tuple[int, str]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def add(self, fate: Fate) -> None:
        """Count the next record's fate."""
        number = self.records
        self.records += 1
        match fate:
            case Received():
                self.receptions.setdefault(fate.identity, (fate, []))[1].append(number)
            case Status():
                self.statuses.append((number, fate.observer))
            case Refused():
                self.refused.append((number, fate.reason))

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that must exist, by key, each as its newest genuine advert says."""
        adverts: dict[str, dict[str, Advert]] = {}
        for received, _ in self.receptions.values():
            if received.advert is not None:
                adverts.setdefault(received.advert.pubkey, {})[received.hash] = received.advert
        return [_node(by_hash) for _, by_hash in sorted(adverts.items())]

    def damaged(self) -> dict[str, Damage]:
        """Packets that are stored but must make no node, by hash."""
        return {received.hash: received.damage for received, _ in self.receptions.values() if received.damage}

    def observers(self) -> list[str]:
        """The observers that must exist, by key."""
        return sorted({key[1] for key in self.receptions} | {observer for _, observer in self.statuses})

    def totals(self) -> dict[str, int]:
        """The figures to compare first."""
        used = sum(len(numbers) for _, numbers in self.receptions.values())
        return {
            "records": self.records,
            "receptions": len(self.receptions),
            "duplicates": used - len(self.receptions),
            "transmissions": len({key[0] for key in self.receptions}),
            "damaged": len(self.damaged()),
            "statuses": len(self.statuses),
            "refused": len(self.refused),
            "observers": len(self.observers()),
            "nodes": len(self.nodes()),
        }

    def to_json(self) -> dict[str, Any]:
        """The truth file: every list in the order of publishing, record numbers counted from 0."""
        return {
            "format": FORMAT,
            "parameters": self.parameters,
            "totals": self.totals(),
            "receptions": [_reception(received, numbers) for received, numbers in self.receptions.values()],
            "statuses": [{"record": number, "observer": observer} for number, observer in self.statuses],
            "refused": [{"record": number, "reason": reason} for number, reason in self.refused],
            "refused_by_reason": dict(sorted(Counter(reason for _, reason in self.refused).items())),
            "damaged": [{"hash": name, "kind": d.kind, "twin": d.twin} for name, d in sorted(self.damaged().items())],
            "nodes": self.nodes(),
            "observers": self.observers(),
            "reasons": REASONS,
        }


def _reception(received: Received, numbers: list[int]) -> dict[str, Any]:
    row = asdict(received)
    del row["advert"], row["damage"]
    return {**row, "records": numbers}


def _node(by_hash: dict[str, Advert]) -> dict[str, Any]:
    newest = max(by_hash, key=lambda name: (by_hash[name].timestamp_s, name))
    advert = by_hash[newest]
    lat, lon = advert.position or (None, None)
    return {
        "pubkey": advert.pubkey,
        "advert_at_s": advert.timestamp_s,
        "name": advert.name,
        "role": advert.role,
        "lat_e6": lat,
        "lon_e6": lon,
        "adverts": len(by_hash),
    }
