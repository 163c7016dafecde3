"""What one reception adds to the rollup tables. Pure sums; ingest and migrations add the same things.

A rollup row is a key and its increments; `writing.sql` holds the statements that apply them.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from hopscope.model import PacketFacts

HOUR_MS = 3_600_000


def hour_of(at: int) -> int:
    """The start of the hour, ms."""
    return at - at % HOUR_MS


@dataclass(slots=True)
class RollupSums:
    """Increments of one batch: traffic by (hour, observer, type), hash sizes by (hour, size), hops by (size, hop)."""

    observations: defaultdict[tuple[int, int, int], int] = field(default_factory=lambda: defaultdict(int))
    transmissions: defaultdict[tuple[int, int, int], int] = field(default_factory=lambda: defaultdict(int))
    hash_sizes: defaultdict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    hops: defaultdict[tuple[int, bytes], int] = field(default_factory=lambda: defaultdict(int))
    hop_seen: dict[tuple[int, bytes], int] = field(default_factory=dict)

    def add_observation(self, packet: PacketFacts, *, observer_id: int | None, heard_at: int) -> None:
        """One reception. Observer 0 stands for an unknown one."""
        hour = hour_of(heard_at)
        self.observations[hour, observer_id or 0, packet.type] += 1
        size = packet.hash_size
        if size is None:
            return
        self.hash_sizes[hour, size] += 1
        for hop in packet.hops:
            self.hops[size, hop] += 1
            self.hop_seen[size, hop] = max(heard_at, self.hop_seen.get((size, hop), heard_at))

    def add_transmission(self, kind: int, *, observer_id: int | None, heard_at: int, count: int = 1) -> None:
        """The first reception of a packet; with count -1, it turned out not to be the first."""
        self.transmissions[hour_of(heard_at), observer_id or 0, kind] += count

    def traffic_rows(self) -> list[tuple[int, int, int, int, int]]:
        """(hour, observer, type, observations, transmissions)."""
        keys = self.observations.keys() | self.transmissions.keys()
        return [(*key, self.observations.get(key, 0), self.transmissions.get(key, 0)) for key in keys]

    def hash_size_rows(self) -> list[tuple[int, int, int]]:
        """(hour, size, observations)."""
        return [(*key, count) for key, count in self.hash_sizes.items()]

    def hop_rows(self) -> list[tuple[int, bytes, int, int]]:
        """(size, hop, observations, last seen)."""
        return [(*key, count, self.hop_seen[key]) for key, count in self.hops.items()]
