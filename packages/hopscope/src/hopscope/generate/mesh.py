"""The simulated mesh: who takes part, where, with which key, and how well each hears the others.

The places are real valleys and summits of Tyrol; the people and devices are invented. Sends nothing.
"""

import hashlib
import math
import random
from dataclasses import dataclass
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HEARABLE_DB = -10.0  # weaker links are left out: about the demodulation limit of SF8
VALLEY_DB, SUMMIT_DB, HAND_DB = 3.0, 8.0, 0.0  # what the place of an antenna adds to a link
KM_PER_DEGREE = 111.2


class Role(IntEnum):
    """Low nibble of an advert's flags."""

    COMPANION = 1
    REPEATER = 2
    ROOM = 3
    SENSOR = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A node to be: what it is called and where it stands."""

    name: str
    role: Role
    lat: float
    lon: float
    gain_db: float = HAND_DB
    hash_size: int = 1  # bytes per hop of the floods it starts
    style: str | None = None  # how it publishes (a name of publishers.STYLES); None: it is no observer
    iata: str = "INN"
    located: bool = True  # False: its adverts carry no position


@dataclass(frozen=True, slots=True)
class Node:
    """A node with its keys. `position` is (latitude, longitude) in 1e-6 degree."""

    index: int
    place: Place
    key: Ed25519PrivateKey
    pubkey: bytes
    position: tuple[int, int]

    @property
    def forwards(self) -> bool:
        """Only repeaters and room servers repeat floods."""
        return self.place.role in (Role.REPEATER, Role.ROOM)

    @property
    def ident(self) -> str:
        """The key as topics and records spell it."""
        return self.pubkey.hex().upper()


@dataclass(frozen=True, slots=True)
class Mesh:
    """All nodes, and per node the others that may hear it: (node index, mean SNR in dB), nearest first."""

    nodes: tuple[Node, ...]
    links: tuple[tuple[tuple[int, float], ...], ...]

    @property
    def observers(self) -> tuple[Node, ...]:
        """The nodes that publish what they hear."""
        return tuple(node for node in self.nodes if node.place.style)


def build(seed: int) -> Mesh:
    """The mesh of this seed: the same places, other keys and slightly other positions for another seed."""
    rng = random.Random(f"{seed}/mesh")
    nodes = tuple(_node(seed, index, place, rng) for index, place in enumerate(PLACES))
    return Mesh(nodes, tuple(_heard_by(node, nodes) for node in nodes))


def _node(seed: int, index: int, place: Place, rng: random.Random) -> Node:
    for attempt in range(100):  # firmware refuses keys that start with 00 or FF: they mean "none" in a path
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"{seed}/{index}/{attempt}".encode()).digest())
        pubkey = key.public_key().public_bytes_raw()
        if pubkey[0] not in (0x00, 0xFF):
            break
    spread = 0.001 if place.gain_db == SUMMIT_DB else 0.008
    lat, lon = (round((v + rng.uniform(-spread, spread)) * 1_000_000) for v in (place.lat, place.lon))
    return Node(index, place, key, pubkey, (lat, lon))


def _heard_by(sender: Node, nodes: tuple[Node, ...]) -> tuple[tuple[int, float], ...]:
    found = [(node.index, mean_snr(sender, node)) for node in nodes if node is not sender]
    return tuple(sorted((link for link in found if link[1] > HEARABLE_DB - 3), key=lambda link: -link[1]))


def mean_snr(a: Node, b: Node) -> float:
    """Mean SNR in dB between two nodes: 7 dB at 2 km, 25 dB less per decade of distance, plus the antennas' places."""
    km = max(distance_km(a.position, b.position), 0.3)
    return min(7.0 + a.place.gain_db + b.place.gain_db - 25.0 * math.log10(km / 2.0), 13.0)


def distance_km(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Distance of two positions (1e-6 degree) on a plane; good to a percent over a region."""
    dy = (a[0] - b[0]) / 1e6 * KM_PER_DEGREE
    dx = (a[1] - b[1]) / 1e6 * KM_PER_DEGREE * math.cos(math.radians(a[0] / 1e6))
    return math.hypot(dx, dy)


_C, _R, _M, _S = Role.COMPANION, Role.REPEATER, Role.ROOM, Role.SENSOR
PLACES = (
    Place("Hafelekar RPT 🏔️", _R, 47.312, 11.383, SUMMIT_DB, style="meshcoretomqtt"),
    Place("Patscherkofel", _R, 47.209, 11.461, SUMMIT_DB, 2),
    Place("Glungezer-2", _R, 47.209, 11.527, SUMMIT_DB),
    Place("Kellerjoch 🦉", _R, 47.318, 11.767, SUMMIT_DB, style="packet-capture"),
    Place("Hohe Salve", _R, 47.466, 12.205, SUMMIT_DB, 3),
    Place("Kitzbüheler Horn", _R, 47.476, 12.430, SUMMIT_DB, style="firmware"),
    Place("Zugspitze 2962m", _R, 47.421, 10.985, SUMMIT_DB, iata="MUC"),
    Place("Wank", _R, 47.507, 11.142, SUMMIT_DB, style="meshcoretomqtt", iata="MUC"),
    Place("Sattelberg", _R, 47.014, 11.478, SUMMIT_DB),
    Place("Ahorn Mayrhofen", _R, 47.143, 11.905, SUMMIT_DB, 2),
    Place("Venet Landeck", _R, 47.150, 10.610, SUMMIT_DB),
    Place("Telfs Ost", _R, 47.307, 11.082, VALLEY_DB),
    Place("Innsbruck West", _R, 47.262, 11.360, VALLEY_DB, 2, style="limited"),
    Place("Kufstein Festung", _R, 47.583, 12.169, VALLEY_DB),
    Place("Schwaz Raum", _M, 47.347, 11.708, VALLEY_DB),
    Place("BBS Innsbruck", _M, 47.268, 11.400, VALLEY_DB, 3),
    Place("Wetter Axams", _S, 47.231, 11.280),
    Place("Pegel Inn/Hall", _S, 47.281, 11.507, VALLEY_DB),
    Place("Lawine Stubai ❄️", _S, 47.110, 11.310, VALLEY_DB),
    Place("Lena 📟", _C, 47.270, 11.395, style="bridge"),
    Place("jonas-t1000", _C, 47.275, 11.420, hash_size=2),
    Place("<b>Hall</b> & Söhne", _C, 47.283, 11.510),
    Place("\u202eevil\u202c Zirl", _C, 47.273, 11.241),
    Place("Walli", _C, 47.347, 11.712, hash_size=2),
    Place("Ötztal Max 🚲", _C, 47.204, 10.896),
    Place("OE7 Wipptal", _C, 47.128, 11.452, style="packet-capture"),
    Place("Resi unterwegs", _C, 47.392, 11.772, hash_size=3, located=False),
    Place("Seefeld Toni", _C, 47.330, 11.187),
    Place("Mittenwald DL1", _C, 47.442, 11.262, iata="MUC"),
    Place("Garmisch 🍺", _C, 47.492, 11.095, iata="MUC"),
    Place("Wörgl Karin", _C, 47.489, 12.066, style="firmware"),
    Place("Rattenberg", _C, 47.438, 11.893),
    Place("Kitz Flo 🎿", _C, 47.447, 12.392, hash_size=2),
    Place("Achensee Boot ⛵", _C, 47.438, 11.698),
)
