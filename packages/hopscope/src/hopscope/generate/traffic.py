"""What the nodes of the mesh send: adverts, talk, requests, traces, noise, and what an attacker adds.

Decides what is sent by whom; `radio` says who hears it. Payloads for peers are opaque, as they are to any observer.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hopscope.generate import frames, radio
from hopscope.generate.mesh import Mesh, Node, Role
from hopscope.generate.truth import Advert, Damage
from meshwire import PUBLIC_KEY, Route, encode, hashtag_key
from meshwire import PayloadType as Type

PRIVATE_CHANNEL_NAME = "Stammtisch"  # nobody else has its key
REGION = "#tirol"
SCOPED_SHARE = 0.25  # of floods
HASHTAG_CHANNELS = ("#test", "#bot")

Leg = tuple[int, int, bytes]  # sender, path_len, path


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet on its way: a flood when `legs` is None, else transmitted leg by leg."""

    kind: Type
    payload: bytes
    sender: int
    head: bytes
    hash_size: int = 1
    legs: tuple[Leg, ...] | None = None
    advert: Advert | None = None
    damage: Damage | None = None


class Traffic:
    """An endless source of packets; deterministic for its random generator."""

    def __init__(self, mesh: Mesh, rng: random.Random, seed: int) -> None:
        self._mesh, self._rng = mesh, rng
        self._people = [node for node in mesh.nodes if node.place.role is Role.COMPANION]
        self._silent = list(mesh.nodes) * 3  # floods of adverts to come early; some are heard by no observer
        self._answers: deque[Packet] = deque()  # at most two per packet sent, and each is sent before the next is drawn
        self._clocks: dict[int, int] = {}
        self._now_s = 0
        self._private_key = hashtag_key(f"{seed}/{PRIVATE_CHANNEL_NAME}")

    def next(self, now_s: int) -> Packet:
        """The next packet sent at about this Unix time. Every node advertises early on."""
        self._now_s = now_s
        if self._answers:
            return self._answers.popleft()
        if self._silent and self._rng.random() < 0.5:
            return self._genuine_advert(self._silent.pop(self._rng.randrange(len(self._silent))), flood=True)
        send = self._rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
        return send(self)

    def advert(self) -> Packet:
        return self._genuine_advert(self._rng.choice(self._mesh.nodes))

    def forged_advert(self) -> Packet:
        """An advert that claims a node's key, or a new one, without being able to sign for it."""
        sender, victim = self._rng.sample(self._mesh.nodes, 2)
        pubkey = victim.pubkey if self._rng.random() < 0.5 else self._rng.randbytes(32)
        name = frames.fit_name(victim.place.name + " 2", located=True)
        payload = _advert(sender.key, self._stamp(victim) + 3600, Role.REPEATER, name, victim.position)
        return self._flood(sender, Type.ADVERT, pubkey + payload[32:], damage=Damage("forged", None))

    def channel_message(self) -> Packet:
        sender = self._rng.choice(self._people)
        key, texts = self._rng.choices(
            (
                (PUBLIC_KEY, PUBLIC_TEXTS),
                (hashtag_key("#test"), TEST_TEXTS),
                (hashtag_key("#bot"), BOT_TEXTS),
                (self._private_key, PUBLIC_TEXTS),
            ),
            (5, 3, 1, 1),
        )[0]
        text = self._rng.choice(texts).format(
            name=self._rng.choice(self._people).place.name, n=self._rng.randrange(100), place=self._place()
        )
        stamp = self._stamp(sender)
        said = frames.cut(f"{sender.place.name}: {text}", frames.TEXT_MAX)
        return self._flood(sender, Type.GRP_TXT, encode.group_text(key, stamp, None, said))

    def direct_message(self) -> Packet:
        """A text for one peer, along a known route or flooded; the peer acknowledges."""
        sender, target = self._rng.sample(self._people, 2)
        message = self._peer(Type.TXT_MSG, sender, target, blocks=self._rng.randint(1, 6))
        size = 6 if self._rng.random() < 0.5 else 4  # firmware 1.17 added two bytes
        self._answers.append(self._routed(Type.ACK, target, sender, self._rng.randbytes(size)))
        return message

    def request(self) -> Packet:
        """A companion asks a repeater, a room or a sensor; the answer comes the same way."""
        sender = self._rng.choice(self._people)
        target = self._rng.choice([node for node in self._mesh.nodes if node.place.role is not Role.COMPANION])
        self._answers.append(self._peer(Type.RESPONSE, target, sender, blocks=self._rng.randint(1, 5)))
        return self._peer(Type.REQ, sender, target, blocks=1)

    def path_return(self) -> Packet:
        sender, target = self._rng.sample(self._mesh.nodes, 2)
        return self._flood(sender, Type.PATH, self._envelope(sender, target) + self._rng.randbytes(32))

    def login(self) -> Packet:
        sender = self._rng.choice(self._people)
        target = self._rng.choice([node for node in self._mesh.nodes if node.forwards])
        payload = target.pubkey[:1] + sender.pubkey + self._rng.randbytes(2 + 16)
        return self._flood(sender, Type.ANON_REQ, payload)

    def trace(self) -> Packet:
        """A trace along a route and back; its path holds the SNR of each hop so far, not hashes."""
        sender, target = self._rng.sample(self._mesh.nodes, 2)
        between = radio.route(self._mesh, sender.index, target.index) or ()
        way = (*between, target.index, *reversed(between))[:16]
        payload = self._rng.randbytes(8) + b"\0" + b"".join(self._mesh.nodes[index].pubkey[:1] for index in way)
        signals = bytes(self._rng.randrange(-30, 50) & 0xFF for _ in way)
        senders = (sender.index, *way)
        legs = tuple((node, number, signals[:number]) for number, node in enumerate(senders[: len(way)]))
        return Packet(Type.TRACE, payload, sender.index, frames.head(Route.DIRECT, Type.TRACE), legs=legs)

    def discover(self) -> Packet:
        """A node asks who is around; one neighbour answers with the SNR it heard the question with."""
        sender = self._rng.choice(self._mesh.nodes)
        tag = self._rng.randbytes(4)
        if self._mesh.links[sender.index]:
            index, snr = self._rng.choice(self._mesh.links[sender.index][:4])
            other = self._mesh.nodes[index]
            heard = round(snr * 4) & 0xFF
            answer = bytes([0x90 | other.place.role, heard]) + tag + other.pubkey
            self._answers.append(self._zero_hop(other, Type.CONTROL, answer))
        return self._zero_hop(sender, Type.CONTROL, b"\x80\x0c" + tag)

    def noise(self) -> Packet:
        """What telemetry and experiments put on the air: data for a channel, acknowledgements in parts, raw bytes."""
        sender = self._rng.choice(self._mesh.nodes)
        kind = self._rng.choice((Type.GRP_DATA, Type.GRP_DATA, Type.MULTIPART, Type.RAW_CUSTOM))
        if kind is Type.GRP_DATA:
            return self._flood(sender, kind, self._rng.randbytes(3 + 16 * self._rng.randint(1, 3)))
        if kind is Type.MULTIPART:
            payload = bytes([self._rng.randrange(3) << 4 | Type.ACK]) + self._rng.randbytes(4)
            return self._routed(kind, sender, self._rng.choice(self._people), payload)
        return self._zero_hop(sender, kind, self._rng.randbytes(self._rng.randint(4, 40)))

    def _genuine_advert(self, node: Node, *, flood: bool = False) -> Packet:
        stamp = self._stamp(node)
        position = node.position if node.place.located else None
        name = frames.fit_name(node.place.name, located=position is not None)
        payload = _advert(node.key, stamp, node.place.role, name, position)
        said = Advert(node.pubkey.hex(), stamp, node.place.role, name, position)
        if not flood and self._rng.random() < 0.2:
            return self._zero_hop(node, Type.ADVERT, payload, advert=said)
        return self._flood(node, Type.ADVERT, payload, advert=said)

    def _peer(self, kind: Type, sender: Node, target: Node, *, blocks: int) -> Packet:
        payload = self._envelope(sender, target) + self._rng.randbytes(16 * blocks)
        if self._rng.random() < 0.4:
            return self._flood(sender, kind, payload)
        return self._routed(kind, sender, target, payload)

    def _envelope(self, sender: Node, target: Node) -> bytes:
        return target.pubkey[:1] + sender.pubkey[:1] + self._rng.randbytes(2)

    def _flood(
        self, sender: Node, kind: Type, payload: bytes, *, advert: Advert | None = None, damage: Damage | None = None
    ) -> Packet:
        head = frames.head(Route.FLOOD, kind)
        if self._rng.random() < SCOPED_SHARE:
            head = frames.head(Route.TRANSPORT_FLOOD, kind, frames.region_codes(REGION, kind, payload))
        size = sender.place.hash_size
        return Packet(kind, payload, sender.index, head, size, None, advert, damage)

    def _routed(self, kind: Type, sender: Node, target: Node, payload: bytes) -> Packet:
        between = radio.route(self._mesh, sender.index, target.index)
        size = sender.place.hash_size
        if between is None:
            return self._flood(sender, kind, payload)
        hops = [self._mesh.nodes[index].pubkey[:size] for index in between]
        legs = tuple(
            (node, frames.path_len(len(hops) - number, size), b"".join(hops[number:]))
            for number, node in enumerate((sender.index, *between))
        )
        return Packet(kind, payload, sender.index, frames.head(Route.DIRECT, kind), size, legs)

    def _zero_hop(self, sender: Node, kind: Type, payload: bytes, *, advert: Advert | None = None) -> Packet:
        size = sender.place.hash_size
        legs = ((sender.index, frames.path_len(0, size), b""),)
        return Packet(kind, payload, sender.index, frames.head(Route.DIRECT, kind), size, legs, advert)

    def _place(self) -> str:
        return self._rng.choice(self._mesh.nodes).place.name

    def _stamp(self, node: Node) -> int:
        """The node's clock, later for each packet: two adverts of one second would be one packet."""
        stamp = max(self._now_s, self._clocks.get(node.index, 0) + 1)
        self._clocks[node.index] = stamp
        return stamp


def _advert(key: Ed25519PrivateKey, stamp: int, role: Role, name: str, position: tuple[int, int] | None) -> bytes:
    lat, lon = (None, None) if position is None else (position[0] / 1e6, position[1] / 1e6)
    return encode.advert(key, stamp, role, name=name, lat=lat, lon=lon)


# What is sent, by weight. About one packet in five is an advert, as measured on a city's mesh.
KINDS: tuple[tuple[Callable[[Traffic], Packet], float], ...] = (
    (Traffic.advert, 17),
    (Traffic.forged_advert, 1.5),
    (Traffic.channel_message, 26),
    (Traffic.direct_message, 13),
    (Traffic.request, 9),
    (Traffic.path_return, 5),
    (Traffic.login, 2),
    (Traffic.trace, 6),
    (Traffic.discover, 5),
    (Traffic.noise, 5),
)

PUBLIC_TEXTS = (
    "Servus beinand!",
    "anyone near {place}? 73",
    "Föhn today, links are great 🌬️",
    "@[{name}] copy, {n} % battery left",
    "{place} is back after the storm ⚡",
    "new antenna on the roof, how do I come in?",
    "Gute Nacht aus dem Tal 🌙",
    "<img src=x onerror=alert({n})> just testing",
    "heading up to {place}, listening",
    "wer hört mich? QRV bis {n} Uhr",
    "\u202eedoc live\u202c",
)
TEST_TEXTS = ("test", "test {n}", "ping", "pong @[{name}]", "path check {n} via {place}", "🧪", "ack?")
BOT_TEXTS = ("!wx", "!path", "!ping {n}", "@[{name}] SNR {n}.25 dB, 3 hops", "!help")
