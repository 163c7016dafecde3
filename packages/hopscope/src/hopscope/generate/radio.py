"""How one packet travels: who forwards it with which path, and what each observer hears of it.

A model good enough to give growing paths, several receptions per observer and signal by distance; no physics.
"""

import heapq
import random
from dataclasses import dataclass

from hopscope.generate.frames import path_len
from hopscope.generate.mesh import HEARABLE_DB, Mesh

FADING_DB = 2.5
COLLISION = 0.25  # share of receptions lost to other traffic
HEARD_SHARE = 0.3  # of what an observer could hear, what it publishes: its queue and its link lose the rest
SENT_SHARE = 0.1  # of its own transmissions, what an observer publishes; most programs publish none
NOISE_DBM = -113.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One transmission at one observer, `after_s` the first. `sent` marks the observer's own transmission."""

    after_s: float
    observer: int
    path_len: int
    path: bytes
    snr: float
    rssi: int
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """A transmission on the way: who sends, with which path so far."""

    node: int
    path: bytes
    size: int  # bytes per hop

    @property
    def path_len(self) -> int:
        return path_len(len(self.path) // self.size, self.size)


@dataclass(frozen=True, slots=True)
class Flood:
    """What a flood left behind."""

    heard: tuple[Heard, ...]
    hops: tuple[Hop, ...]  # every transmission, the originator's first


def flood(mesh: Mesh, rng: random.Random, start: Hop) -> Flood:
    """Let every repeater that hears the packet repeat it once, its own hash appended."""
    heard: list[Heard] = []
    hops: list[Hop] = []
    reached = {start.node}
    queue: list[tuple[float, int, Hop]] = [(0.0, 0, start)]
    while queue:
        at_s, _, hop = heapq.heappop(queue)
        hops.append(hop)
        sender = mesh.nodes[hop.node]
        if sender.place.style and hop is not start and rng.random() < SENT_SHARE:
            heard.append(Heard(at_s, hop.node, hop.path_len, hop.path, 0.0, 0, sent=True))
        for index, snr in _receptions(mesh, rng, hop.node):
            node = mesh.nodes[index]
            if node.place.style and rng.random() < HEARD_SHARE:
                heard.append(_heard(at_s + rng.uniform(0.2, 0.5), index, hop, snr))
            if node.forwards and index not in reached and len(hop.path) + hop.size <= 64:
                reached.add(index)
                onward = Hop(index, hop.path + node.pubkey[: hop.size], hop.size)
                heapq.heappush(queue, (at_s + rng.uniform(0.4, 1.6), len(reached), onward))
    return Flood(tuple(heard), tuple(hops))


def direct(mesh: Mesh, rng: random.Random, legs: tuple[tuple[int, int, bytes], ...]) -> tuple[Heard, ...]:
    """What observers hear of a routed packet: `legs` are (sender, path_len, path) in the order of transmission."""
    heard: list[Heard] = []
    for number, (sender, length, path) in enumerate(legs):
        for index, snr in _receptions(mesh, rng, sender):
            if mesh.nodes[index].place.style and rng.random() < HEARD_SHARE:
                quarter = round(snr * 4) / 4
                heard.append(Heard(number * 0.7, index, length, path, quarter, rssi(snr)))
    return tuple(heard)


def route(mesh: Mesh, sender: int, target: int) -> tuple[int, ...] | None:
    """The forwarders between two nodes with the fewest hops; None when there is no way."""
    came_from: dict[int, int] = {sender: sender}
    queue = [sender]
    for index in queue:
        for neighbour, snr in mesh.links[index]:
            if neighbour in came_from or snr < HEARABLE_DB:
                continue
            came_from[neighbour] = index
            if neighbour == target:
                return _walk_back(came_from, sender, target)
            if mesh.nodes[neighbour].forwards:
                queue.append(neighbour)
    return None


def rssi(snr: float) -> int:
    """Signal strength in dBm that goes with an SNR over a quiet band's noise."""
    return round(NOISE_DBM + max(snr, 0.0) * 1.6 + snr)


def _receptions(mesh: Mesh, rng: random.Random, sender: int) -> list[tuple[int, float]]:
    found = []
    for index, mean in mesh.links[sender]:
        snr = min(rng.gauss(mean, FADING_DB), 14.0)
        if snr > HEARABLE_DB and rng.random() > COLLISION:
            found.append((index, snr))
    return found


def _heard(at_s: float, observer: int, hop: Hop, snr: float) -> Heard:
    return Heard(at_s, observer, hop.path_len, hop.path, round(snr * 4) / 4, rssi(snr))


def _walk_back(came_from: dict[int, int], sender: int, target: int) -> tuple[int, ...]:
    between = []
    index = came_from[target]
    while index != sender:
        between.append(index)
        index = came_from[index]
    return tuple(reversed(between))
