"""Transmissions and observations during one transaction: recognise copies, collect new rows, write them at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from hopscope.model import Heard, PacketFacts, Reception
from hopscope.store.identity import WINDOW_MS, Copy, same_reception, window_ms
from hopscope.store.rollups import RollupSums
from hopscope.store.rows import Channels, Nodes, Observers, Value, write_all
from hopscope.store.upserts import ObserverRow, advertised, heard_by


@dataclass(slots=True)
class _Transmission:
    """What of a transmission changes with its receptions."""

    id: int
    type: int
    first_seen: int
    last_seen: int
    observation_count: int
    shown_id: int | None
    shown_hops: int


@dataclass(slots=True)
class _New:
    """A packet first heard in this batch."""

    row: _Transmission
    packet: PacketFacts  # of its first reception
    node_id: int | None
    channel_id: int | None


_Pair = tuple[int, int]  # transmission id, observer id


class Receptions:
    """The receptions of one batch."""

    def __init__(
        self,
        db: apsw.Connection,
        statements: dict[str, str],
        observers: Observers,
        nodes: Nodes,
        channels: Channels,
    ) -> None:
        self._db, self._sql = db, statements
        self._observers, self._nodes, self._channels = observers, nodes, channels
        newest = db.execute(statements["newest_ids"]).fetchone()
        assert newest is not None  # an aggregate has a row
        self._transmission_id, self._observation_id = newest
        self._known: dict[bytes, _Transmission] = {}
        self._new: dict[int, _New] = {}
        self._earlier: dict[int, PacketFacts] = {}
        self._copies: dict[_Pair, list[tuple[int, Copy]]] = {}
        self._observations: list[tuple[Value, ...]] = []
        self._completions: list[tuple[Value, ...]] = []
        self._sums = RollupSums()
        self._first_observers: dict[int, int | None] = {}

    @property
    def new_transmissions(self) -> int:
        """Packets that were not known before this batch."""
        return len(self._new)

    def add(self, heard: Heard, source_id: int, *, repeated: bool) -> bool:
        """Take in one reception. True: it was known already, and nothing but what it lacked is changed.

        repeated: its broker repeats what we may have stored without acknowledging it.
        """
        reception, packet = heard.reception, heard.packet
        observer = self._observers.get(reception.observer, reception.heard_at)
        row = self._known.get(packet.hash) or self._load(packet.hash)
        if row is not None:
            known = self._find_copy((row.id, observer.id), heard, repeated=repeated)
            if known is not None:
                self._completions.append(_completion(known, heard))
                return True
        if row is None:
            row = self._start(packet, observer, reception.heard_at)
        elif reception.heard_at < row.first_seen:
            self._move_first(row, packet, observer, reception.heard_at)
        self._observe(row, heard, observer, source_id)
        return False

    def write(self) -> None:
        """Everything collected; nodes and channels first, because transmissions name them."""
        self._nodes.write()
        self._channels.write()
        self._write("insert_transmission", [_transmission_values(new) for new in self._new.values()])
        self._write_changed()
        self._write("insert_observation", self._observations)
        self._write("complete_observation", self._completions)
        self._write("add_traffic", self._sums.traffic_rows())
        self._write("add_hash_sizes", self._sums.hash_size_rows())
        self._write("add_hops", self._sums.hop_rows())
        counts = {"transmissions": len(self._new), "observations": len(self._observations)}
        self._write("add_counter", [(name, count) for name, count in counts.items() if count])

    def _load(self, digest: bytes) -> _Transmission | None:
        found = self._db.execute(self._sql["transmission"], (digest,)).fetchone()
        if found is None:
            return None
        row = self._known[digest] = _Transmission(*found)
        return row

    def _start(self, packet: PacketFacts, observer: ObserverRow, at: int) -> _Transmission:
        """A packet nobody heard before."""
        self._transmission_id += 1
        row = _Transmission(self._transmission_id, packet.type, at, at, 0, None, -1)
        node_id = channel_id = None
        if packet.advert is not None:
            node_id = self._nodes.get(packet.advert.pubkey, at).id
        if packet.channel is not None:
            channel = self._channels.get(packet.channel)
            channel_id = channel.id
            channel.message_count += 1
            if at >= channel.last_seen:
                channel.last_message_id, channel.last_seen = row.id, at
        self._known[packet.hash] = row
        self._new[row.id] = _New(row, packet, node_id, channel_id)
        self._sums.add_transmission(packet.type, observer_id=observer.id, heard_at=at)
        self._first_observers[row.id] = observer.id
        return row

    def _move_first(self, row: _Transmission, packet: PacketFacts, observer: ObserverRow, at: int) -> None:
        """This reception is earlier than the first known one (our clock was set back, or history comes in)."""
        if row.id not in self._first_observers:
            self._first_observers[row.id] = self._db.execute(self._sql["first_observer"], (row.id,)).get
        before = self._first_observers[row.id]
        self._sums.add_transmission(row.type, observer_id=before, heard_at=row.first_seen, count=-1)
        self._sums.add_transmission(row.type, observer_id=observer.id, heard_at=at)
        self._first_observers[row.id] = observer.id
        row.first_seen = at
        if row.id in self._new:
            self._new[row.id].packet = packet
        else:
            self._earlier[row.id] = packet

    def _observe(self, row: _Transmission, heard: Heard, observer: ObserverRow, source_id: int) -> None:
        reception, packet = heard.reception, heard.packet
        self._observation_id += 1
        if packet.advert is not None:
            node = self._nodes.get(packet.advert.pubkey, reception.heard_at)
            advertised(node, packet, reception.heard_at, first=row.id in self._new and row.observation_count == 0)
        row.last_seen = max(row.last_seen, reception.heard_at)
        row.observation_count += 1
        if packet.hop_count > row.shown_hops:
            row.shown_id, row.shown_hops = self._observation_id, packet.hop_count
        heard_by(observer, heard)
        self._sums.add_observation(packet, observer_id=observer.id, heard_at=reception.heard_at)
        copies = self._copies.setdefault((row.id, observer.id), [])
        copies.append((self._observation_id, _copy(reception, packet)))
        self._observations.append(
            (
                self._observation_id,
                row.id,
                observer.id,
                source_id,
                reception.heard_at,
                reception.published_at,
                packet.head,
                packet.path_len,
                packet.path,
                reception.snr,
                reception.rssi,
                reception.score,
                int(reception.direction),
            )
        )

    def _find_copy(self, pair: _Pair, heard: Heard, *, repeated: bool) -> int | None:
        """The id of the observation that this reception is a copy of."""
        new = _copy(heard.reception, heard.packet)
        candidates = self._copies.get(pair, [])
        if pair[0] not in self._new:
            candidates = [*self._stored_copies(pair, new, repeated=repeated), *candidates]
        for known, stored in candidates:
            if same_reception(stored, new, repeated=repeated):
                return known
        return None

    def _stored_copies(self, pair: _Pair, new: Copy, *, repeated: bool) -> list[tuple[int, Copy]]:
        wide = window_ms(repeated=repeated)
        values = {
            "transmission_id": pair[0],
            "observer_id": pair[1],
            "published_at": new.published_at,
            "after": new.heard_at - WINDOW_MS,
            "before": new.heard_at + WINDOW_MS,
            "first": new.heard_at - wide,
            "last": new.heard_at + wide,
        }
        name = "copies_without_timestamp" if new.published_at is None else "copies_with_timestamp"
        return [(row[0], Copy(*row[1:])) for row in self._db.execute(self._sql[name], values)]

    def _write_changed(self) -> None:
        """Transmissions that were stored before this batch."""
        changed = [row for row in self._known.values() if row.id not in self._new]
        values = [(row.id, row.last_seen, row.observation_count, row.shown_id, row.shown_hops) for row in changed]
        self._write("update_transmission", values)
        self._write(
            "update_first_reception",
            [
                (row.id, row.first_seen, packet.route, packet.frame, packet.payload_at, packet.region)
                for row in changed
                if (packet := self._earlier.get(row.id))
            ],
        )

    def _write(self, name: str, rows: Sequence[Sequence[Value]]) -> None:
        write_all(self._db, self._sql[name], rows)


def _copy(reception: Reception, packet: PacketFacts) -> Copy:
    return Copy(reception.published_at, reception.heard_at, packet.head, packet.path_len, packet.path)


def _completion(known: int, heard: Heard) -> tuple[Value, ...]:
    reception = heard.reception
    return known, heard.packet.head, reception.published_at, reception.snr, reception.rssi, reception.score


def _transmission_values(new: _New) -> tuple[Value, ...]:
    row, packet = new.row, new.packet
    return (
        row.id,
        packet.hash,
        row.first_seen,
        row.last_seen,
        row.observation_count,
        packet.type,
        packet.route,
        packet.version,
        packet.frame,
        packet.payload_at,
        row.shown_id,
        row.shown_hops,
        new.node_id,
        new.channel_id,
        packet.region,
    )
