"""The simulation: packets become receptions, receptions become records in the order of publishing, each with its fate.

Deterministic for seed, pace and number of brokers. Publishes nothing itself.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hopscope.generate import captured, mesh, publishers, radio, refused
from hopscope.generate.mesh import Node
from hopscope.generate.pace import Pace
from hopscope.generate.radio import Heard
from hopscope.generate.traffic import Packet, Traffic
from hopscope.generate.truth import Advert, Damage, Fate, Received, Refused, Status
from meshwire import PayloadType as Type
from meshwire import packet_hash

# Shares of what is drawn next; the rest are packets of the mesh, each heard about nine times.
STATUS_SHARE, REFUSED_SHARE, CAPTURED_SHARE = 0.12, 0.05, 0.08
DAMAGE_SHARE = 0.06  # of floods that a relay damages on the way
LATE_FLIPS = 0.83  # of damaged copies have their flipped bits in the last tenth, as measured on a large feed
REDELIVERED_SHARE = 0.015
DAMAGEABLE = (Type.ADVERT, Type.GRP_TXT, Type.TXT_MSG, Type.REQ)
LEAD_S = 1.5  # so much traffic is under way at once, so that packets interleave


@dataclass(frozen=True, slots=True)
class Record:
    """One message for a broker, published at `at_ms` (UTC), and what must become of it."""

    index: int
    at_ms: int
    broker: int
    topic: str
    payload: bytes
    fate: Fate


@dataclass(frozen=True, slots=True)
class _Air:
    """A frame that an observer heard and has yet to write down."""

    frame: bytes
    hash: bytes
    head: bytes
    type: int
    heard: Heard
    advert: Advert | None
    damage: Damage | None


@dataclass(frozen=True, slots=True)
class _Copy:
    """A record that comes once more."""

    broker: int
    topic: str
    payload: bytes
    fate: Fate


@dataclass(frozen=True, slots=True)
class _Status:
    observer: int


@dataclass(frozen=True, slots=True)
class _Refused:
    observer: int


_Item = _Air | _Copy | _Status | _Refused


class Simulation:
    """Iterating yields records for ever; take as many as wanted."""

    def __init__(self, seed: int, pace: Pace, *, brokers: int = 2, with_captured: bool = True) -> None:
        if brokers < 1:
            raise ValueError("a simulation needs at least one broker")
        self.mesh = mesh.build(seed)
        self._pace, self._brokers = pace, brokers
        self._rng = random.Random(f"{seed}/traffic")
        self._traffic = Traffic(self.mesh, self._rng, seed)
        self._captured = captured.load() if with_captured else ()
        self._due: list[tuple[float, int, _Item]] = []
        self._pushed = self._index = 0
        self._last_rx: dict[int, bytes] = {}
        self._packets: dict[int, int] = {}
        self._online = {node.index: True for node in self.mesh.observers}

    def __iter__(self) -> Iterator[Record]:
        lead = max(3, round(self._pace.rate * LEAD_S))
        while True:
            while len(self._due) < lead:
                self._draw()
            _, _, item = heapq.heappop(self._due)
            yield self._publish(item)
            self._index += 1

    def _draw(self) -> None:
        roll = self._rng.random()
        if roll < STATUS_SHARE:
            self._push(0.0, _Status(self._an_observer().index))
        elif roll < STATUS_SHARE + REFUSED_SHARE:
            self._push(0.0, _Refused(self._an_observer().index))
        elif roll < STATUS_SHARE + REFUSED_SHARE + CAPTURED_SHARE and self._captured:
            self._hear_captured()
        else:
            self._send(self._traffic.next(self._pace.at_ms(self._index) // 1000))

    def _send(self, packet: Packet) -> None:
        if packet.legs is not None:
            self._hear(packet, radio.direct(self.mesh, self._rng, packet.legs))
            return
        flood = radio.flood(self.mesh, self._rng, radio.Hop(packet.sender, b"", packet.hash_size))
        self._hear(packet, flood.heard)
        if packet.kind in DAMAGEABLE and packet.damage is None and self._rng.random() < DAMAGE_SHARE:
            relay = self._rng.choice(flood.hops[1:] or flood.hops)
            twin = packet_hash(packet.kind, packet.payload, 0).hex().upper()
            payload = flip(self._rng, packet.payload)
            damaged = replace(packet, payload=payload, advert=None, damage=Damage("flipped", twin))
            self._hear(damaged, radio.flood(self.mesh, self._rng, relay).heard)

    def _hear(self, packet: Packet, receptions: tuple[Heard, ...]) -> None:
        for heard in receptions:
            frame = packet.head + bytes([heard.path_len]) + heard.path + packet.payload
            name = packet_hash(packet.kind, packet.payload, heard.path_len)
            air = _Air(frame, name, packet.head, packet.kind, heard, packet.advert, packet.damage)
            self._push(heard.after_s, air)

    def _hear_captured(self) -> None:
        """Frames from elsewhere turn up at one to three observers, as captured."""
        found = self._rng.choice(self._captured)
        observers = self.mesh.observers
        for observer in self._rng.sample(observers, self._rng.randint(1, 3)):
            snr = round(self._rng.uniform(-8, 10) * 4) / 4
            heard = Heard(0.0, observer.index, found.path_len, found.path, snr, radio.rssi(snr))
            kind = found.frame[0] >> 2 & 15
            self._push(0.2, _Air(found.frame, found.hash, found.head, kind, heard, found.advert, found.damage))

    def _publish(self, item: _Item) -> Record:
        match item:
            case _Copy():
                return self._record(item.broker, item.topic, item.payload, item.fate)
            case _Status():
                return self._publish_status(self.mesh.nodes[item.observer])
            case _Refused():
                observer = self.mesh.nodes[item.observer]
                bad = refused.make(self._rng, observer, self._now_ms())
                return self._record(self._home(observer)[0], bad.topic, bad.payload, Refused(bad.reason))
            case _Air():
                return self._publish_reception(item)

    def _publish_reception(self, air: _Air) -> Record:
        observer = self.mesh.nodes[air.heard.observer]
        at_ms = self._now_ms() - self._rng.randint(5, 400)
        self._packets[observer.index] = self._packets.get(observer.index, 0) + 1
        stale = self._stale_frame(observer, air)
        written = publishers.packet_record(observer, air.frame, air.hash, air.heard, at_ms, raw=stale)
        if not air.heard.sent:
            self._last_rx[observer.index] = air.frame
        fate = self._fate(observer, air, written.published_ms, stale=stale is not None)
        topic = publishers.topic(observer, "packets")
        home = self._home(observer)
        for broker in home[1:]:
            self._push(self._rng.uniform(0.02, 0.8), _Copy(broker, topic, written.payload, fate))
        if self._rng.random() < REDELIVERED_SHARE:
            self._push(self._rng.uniform(0.1, 20), _Copy(home[0], topic, written.payload, fate))
        return self._record(home[0], topic, written.payload, fate)

    def _fate(self, observer: Node, air: _Air, published_ms: int, *, stale: bool) -> Fate:
        if stale:
            return Refused("stale_tx")
        if not air.hash:
            return Refused("bad_frame")
        silent = air.heard.sent or publishers.says_no_signal(observer, air.heard)
        return Received(
            hash=air.hash.hex().upper(),
            observer=observer.ident,
            head=air.head.hex().upper(),
            path_len=air.heard.path_len,
            path=air.heard.path.hex().upper(),
            published_ms=published_ms,
            direction="tx" if air.heard.sent else "rx",
            type=air.type,
            snr=None if silent else air.heard.snr,
            rssi=None if silent else air.heard.rssi,
            advert=air.advert,
            damage=air.damage,
        )

    def _stale_frame(self, observer: Node, air: _Air) -> bytes | None:
        """The frame received before, where a publisher repeats it in the record of a packet it sent."""
        if not (air.heard.sent and publishers.style_of(observer).stale_sent_raw):
            return None
        last = self._last_rx.get(observer.index)
        if last is None or (len(last) == len(air.frame) and last[0] >> 2 & 15 == air.type):
            return None  # nothing in the record would tell
        return last

    def _publish_status(self, observer: Node) -> Record:
        online = not self._online[observer.index] or self._rng.random() > 0.05
        self._online[observer.index] = online
        payload = publishers.status_record(
            observer,
            self._now_ms() - self._rng.randint(5, 400),
            online=online,
            uptime_s=3600 * (observer.index + 1) + self._index,
            packets=self._packets.get(observer.index, 0),
        )
        topic = publishers.topic(observer, "status")
        home = self._home(observer)
        for broker in home[1:]:
            self._push(0.1, _Copy(broker, topic, payload, Status(observer.ident)))
        return self._record(home[0], topic, payload, Status(observer.ident))

    def _home(self, observer: Node) -> tuple[int, ...]:
        """The brokers an observer publishes to: its own, and every fourth observer another one as well."""
        number = self.mesh.observers.index(observer)
        first = number % self._brokers
        other = (number + 1) % self._brokers
        return (first, other) if number % 4 == 0 and other != first else (first,)

    def _an_observer(self) -> Node:
        return self._rng.choice(self.mesh.observers)

    def _now_ms(self) -> int:
        return self._pace.at_ms(self._index)

    def _push(self, after_s: float, item: _Item) -> None:
        heapq.heappush(self._due, (self._index + after_s * self._pace.rate, self._pushed, item))
        self._pushed += 1

    def _record(self, broker: int, topic: str, payload: bytes, fate: Fate) -> Record:
        return Record(self._index, self._now_ms(), broker, topic, payload, fate)


def flip(rng: random.Random, payload: bytes) -> bytes:
    """The payload with one or two bits flipped, mostly in its last tenth."""
    bits = len(payload) * 8
    first = bits - max(8, bits // 10) if rng.random() < LATE_FLIPS else 0
    damaged = int.from_bytes(payload, "little")
    for bit in rng.sample(range(first, bits), rng.randint(1, 2)):
        damaged ^= 1 << bit
    return damaged.to_bytes(len(payload), "little")
