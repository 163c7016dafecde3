"""Generate the history of a large CoreScope installation: the same rows on every machine, kept in benchmarks/.cache.

Its frames are put together here and not by meshwire, so that nothing that is measured also made the data.
Refuses to use a half-written file: a database gets its name when it is complete.
"""

import argparse
import hashlib
import heapq
import hmac
import itertools
import json
import os
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CACHE = Path(__file__).parent / ".cache"
EDITION = 1  # raise it when the generated rows change
START, END = 1_777_593_600, 1_782_864_000  # 2026-05-01 to 2026-07-01, epoch seconds
OBSERVERS, REPEATERS, NODES, PATHS = 40, 120, 400, 8_000
HOT = 60  # a transmission heard more often than this is heard until the end of the history, not within 20 s
PUBLIC_KEY = bytes.fromhex("8b3387e9c5cdea6ac9e5edbaa115cd72")  # of the channel "Public", from MeshCore docs/faq.md

ACK, ADVERT, GRP_TXT, TRACE = 3, 4, 5, 9
TYPE_NAMES = {0: "REQ", 1: "RESPONSE", 2: "TXT_MSG", ACK: "ACK", ADVERT: "ADVERT", GRP_TXT: "GRP_TXT", 7: "ANON_REQ",
              8: "PATH", TRACE: "TRACE"}  # fmt: skip
TYPE_WEIGHTS = {GRP_TXT: 34, ADVERT: 25, 2: 13, ACK: 8, 8: 8, 0: 4, 1: 4, 7: 2, TRACE: 2}
ROLES = ("companion", "repeater", "room", "sensor")


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a history is, in rows. `orphans` of the transmissions have no observation."""

    transmissions: int
    observations: int

    @property
    def orphans(self) -> int:
        return self.transmissions // 50


SCALES = {"tiny": Scale(710, 15_000), "small": Scale(14_200, 300_000), "full": Scale(71_000, 1_500_000)}


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the mesh with its signing key; `name` is not always ASCII."""

    number: int
    signer: Ed25519PrivateKey
    key: bytes
    name: str
    role: int
    lat_e6: int
    lon_e6: int


@dataclass(frozen=True, slots=True)
class Route:
    """One way through the mesh in the three forms that a row needs; `wire` is path length byte and path as hex."""

    wire: str
    path_json: str
    resolved_path: str


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet without its path: what all receptions of it share. `head` is header byte and transport codes as hex."""

    kind: int
    route: int
    head: str
    payload: bytes
    decoded: dict[str, object]
    channel: str | None = None
    sender: str | None = None
    scope: str | None = None

    @property
    def hash(self) -> str:
        """The packet hash of MeshCore src/Packet.cpp; a TRACE here always has path length 0."""
        extra = b"\0\0" if self.kind == TRACE else b""
        return hashlib.sha256(bytes([self.kind]) + extra + self.payload).hexdigest()[:16]


@cache
def statements() -> dict[str, str]:
    """The statements of history.sql by name."""
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def make_nodes(rng: random.Random) -> list[Node]:
    """The mesh's nodes; the first REPEATERS are repeaters."""
    nodes = []
    for number in range(NODES):
        signer = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        role = 2 if number < REPEATERS else rng.choice((1, 1, 1, 3, 4))
        name = f"{rng.choice(('Höhe', 'North', 'Dom', '山', 'Pier'))} {ROLES[role - 1]} {number}"
        lat, lon = 48_000_000 + rng.randrange(4_000_000), 7_000_000 + rng.randrange(6_000_000)
        nodes.append(Node(number, signer, signer.public_key().public_bytes_raw(), name, role, lat, lon))
    return nodes


def make_routes(rng: random.Random, relays: Sequence[Node]) -> list[Route]:
    """PATHS different ways through the relays: mostly 4-16 hops of one byte each, some of two or three bytes."""
    routes: dict[str, Route] = {}
    while len(routes) < PATHS:
        size = rng.choice((1, 1, 1, 1, 2, 3))
        hops = rng.sample(relays, rng.choice((0, 3, 6, 9, 11, 12, 13, 14, 16, 18)))
        prefixes = [hop.key[:size].hex() for hop in hops]
        keys = [None if rng.random() < 0.06 else hop.key.hex() for hop in hops]
        path_json = json.dumps([prefix.upper() for prefix in prefixes], separators=(",", ":"))
        wire = f"{(size - 1) << 6 | len(hops):02x}" + "".join(prefixes)
        routes[path_json] = Route(wire, path_json, json.dumps(keys, separators=(",", ":")))
    return list(routes.values())


def advert(rng: random.Random, nodes: Sequence[Node], at: int) -> Packet:
    """A signed ADVERT of some node, repeaters most often."""
    node = nodes[min(rng.randrange(NODES), rng.randrange(NODES))]
    data = bytes([node.role | 0x90]) + node.lat_e6.to_bytes(4, "little") + node.lon_e6.to_bytes(4, "little")
    data += node.name.encode()[:23]
    signed = node.key + at.to_bytes(4, "little")
    signature = node.signer.sign(signed + data)
    decoded: dict[str, object] = {
        "type": "ADVERT", "pubKey": node.key.hex(), "timestamp": at, "timestampISO": rfc3339(at),
        "signature": signature.hex(), "signatureValid": True, "lat": node.lat_e6 / 1e6, "lon": node.lon_e6 / 1e6,
        "flags": {"raw": data[0], "type": node.role, ROLES[node.role - 1]: True, "hasLocation": True, "hasName": True},
        "name": node.name,
    }  # fmt: skip
    return Packet(ADVERT, 1, "11", signed + signature + data, decoded, sender=node.key.hex())


def group_text(rng: random.Random, nodes: Sequence[Node], at: int) -> Packet:
    """A message on "Public", on a hashtag channel, or on a channel whose key nobody knows."""
    name = rng.choice(("Public", "Public", "#test", "#wetter", ""))
    key = PUBLIC_KEY if name == "Public" else hashlib.sha256(name.encode()).digest()[:16] if name else rng.randbytes(16)
    sender, text = rng.choice(nodes).name, " ".join(rng.choices(("moin", "73", "wie ist der Empfang?", "ok", "…"), k=6))
    plain = at.to_bytes(4, "little") + b"\0" + f"{sender}: {text}".encode()
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    ciphertext = encryptor.update(plain + bytes(-len(plain) % 16)) + encryptor.finalize()
    mac, label = hmac.digest(key + bytes(16), ciphertext, "sha256")[:2], hashlib.sha256(key).digest()[:1]
    decoded: dict[str, object] = {"channelHash": label[0], "channelHashHex": label.hex().upper()}
    if name:
        decoded |= {"type": "CHAN", "channel": name, "sender": sender, "text": f"{sender}: {text}",
                    "sender_timestamp": at, "decryptionStatus": "decrypted"}  # fmt: skip
    else:
        decoded |= {
            "type": "GRP_TXT",
            "decryptionStatus": "no_key",
            "mac": mac.hex(),
            "encryptedData": ciphertext.hex(),
        }
    return Packet(GRP_TXT, 1, "15", label + mac + ciphertext, decoded, channel=name or f"enc_{label.hex().upper()}")


def opaque(rng: random.Random, kind: int) -> Packet:
    """A packet whose payload only its two ends can read; one in eight is scoped to a region."""
    length = {ACK: 4, TRACE: 9 + 4, 7: 1 + 32 + 2 + 32}.get(kind, 4 + 16 * rng.randint(1, 6))
    payload = rng.randbytes(length)
    if kind == TRACE:
        payload = payload[:8] + b"\0" + payload[9:]  # flags 0: hops of one byte
    decoded: dict[str, object] = {"type": TYPE_NAMES[kind]}
    if kind == ACK:
        decoded["extraHash"] = payload[::-1].hex()
    elif kind != TRACE:
        decoded |= {"destHash": payload[:1].hex(), "srcHash": payload[1:2].hex(), "mac": payload[2:4].hex(),
                    "encryptedData": payload[4:].hex()}  # fmt: skip
    if kind == TRACE or rng.random() < 0.3:
        return Packet(kind, 2, f"{kind << 2 | 2:02x}", payload, decoded)
    if rng.random() < 0.125:
        region = hashlib.sha256(b"#de-by").digest()[:16]
        code = int.from_bytes(hmac.digest(region, bytes([kind]) + payload, "sha256")[:2], "little")
        codes = min(max(code, 1), 0xFFFE).to_bytes(2, "little").hex() + "0000"
        return Packet(kind, 0, f"{kind << 2:02x}{codes}", payload, decoded, scope="#de-by")
    return Packet(kind, 1, f"{kind << 2 | 1:02x}", payload, decoded)


def make_packet(rng: random.Random, nodes: Sequence[Node], at: int, heard: int) -> Packet:
    """Some packet sent at `at`. A TRACE's hash covers its path length, so only one heard once can be a TRACE."""
    kind = rng.choices(tuple(TYPE_WEIGHTS), tuple(TYPE_WEIGHTS.values()))[0]
    if kind == TRACE and heard > 1:
        kind = ACK
    match kind:
        case 4:
            return advert(rng, nodes, at)
        case 5:
            return group_text(rng, nodes, at)
        case _:
            return opaque(rng, kind)


def heard_counts(rng: random.Random, scale: Scale) -> list[int]:
    """How often each transmission is heard: a few thousands of times, most a few times, `scale.orphans` never.

    The first ten are orphans, because a loop that looks for the value 0 would select them for ever.
    """
    orphans = {*range(10), *rng.sample(range(10, scale.transmissions), scale.orphans - 10)}
    weights = [0.0 if i in orphans else min(rng.paretovariate(1.05), 900.0) for i in range(scale.transmissions)]
    factor = (scale.observations - scale.transmissions + len(orphans)) / sum(weights)
    counts = [0 if w == 0 else 1 + int(w * factor) for w in weights]
    missing = scale.observations - sum(counts)
    for i in heapq.nlargest(missing, range(len(counts)), key=counts.__getitem__):
        counts[i] += 1
    return counts


def arrivals(rng: random.Random, scale: Scale, counts: Sequence[int]) -> list[int]:
    """Every observation in the order of arrival, as epoch seconds * 2^20 + index of its transmission."""
    events: list[int] = []
    for i, count in enumerate(counts):
        first = sent_at(scale, i)
        spread = END - first if count > HOT else 20
        events.extend((first + int(spread * rng.random())) << 20 | i for _ in range(count))
    events.sort()
    return events


def sent_at(scale: Scale, index: int) -> int:
    """Epoch seconds at which a transmission was first heard; transmissions are numbered in that order."""
    return START + (END - START - 20) * index // scale.transmissions


def rfc3339(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def transmission_rows(
    rng: random.Random, scale: Scale, counts: Sequence[int], packets: Sequence[Packet], routes: Sequence[Route]
) -> Iterator[tuple[object, ...]]:
    """Rows of `transmissions`; one in fifty carries a hash of an older algorithm, as in histories of that age."""
    for i, (count, packet) in enumerate(zip(counts, packets, strict=True)):
        at = sent_at(scale, i)
        seen = rfc3339(at) if i > scale.transmissions // 5 else rfc3339(at).replace("Z", ".250Z")
        raw = frame(packet, routes[i % PATHS])
        label = packet.hash if rng.random() >= 0.02 else hashlib.sha256(bytes.fromhex(raw)).hexdigest()[:16]
        decoded = json.dumps(packet.decoded, separators=(",", ":"), ensure_ascii=False)
        created = seen[:19].replace("T", " ")
        shown = raw.upper() if i % 3 == 0 or count == 0 else raw
        yield (i + 1, shown, label, seen, packet.route, packet.kind, decoded, created, packet.channel, packet.sender,
               packet.scope)  # fmt: skip


def frame(packet: Packet, route: Route) -> str:
    """The frame as hex, as heard over this way; a TRACE carries no path here."""
    return packet.head + ("00" if packet.kind == TRACE else route.wire) + packet.payload.hex()


def observation_rows(
    rng: random.Random, events: list[int], packets: Sequence[Packet], routes: Sequence[Route]
) -> Iterator[tuple[object, ...]]:
    """Rows of `observations`; (transmission, observer, path) never repeats, and a few have no path."""
    turn = [0] * len(packets)
    heads = [packet.head for packet in packets]
    payloads = [packet.payload.hex() for packet in packets]
    for event in events:
        i = event & 0xFFFFF
        k = turn[i]
        turn[i] = k + 1
        route = routes[(i + k // OBSERVERS * 37 + k % OBSERVERS * 211) % PATHS]
        chance = rng.random()
        wire = "00" if packets[i].kind == TRACE else route.wire
        path = None if chance < 0.005 and k < OBSERVERS else route.path_json
        snr, rssi = int(chance * 80) / 4 - 8, -120.0 + int(chance * 1000 % 70)
        observer = (i + k) % OBSERVERS + 1
        raw = heads[i] + wire + payloads[i]
        yield i + 1, observer, snr, rssi, None, path, event >> 20, raw, route.resolved_path


def observer_rows(rng: random.Random, scale: Scale) -> Iterator[tuple[object, ...]]:
    for n in range(1, OBSERVERS + 1):
        key = rng.randbytes(32).hex().upper()
        region = ("MUC", "STR", "ZRH")[n % 3]
        yield n, key, f"observer {n}", region, rfc3339(END), rfc3339(START), scale.observations // OBSERVERS


def node_rows(nodes: Sequence[Node]) -> Iterator[tuple[object, ...]]:
    for node in nodes:
        position = (node.lat_e6 / 1e6, node.lon_e6 / 1e6)
        yield node.key.hex(), node.name, ROLES[node.role - 1], *position, rfc3339(END), rfc3339(START), 1


def write(path: Path, scale: Scale) -> None:
    """Fill a new file at `path`, without the index (transmission_id, timestamp)."""
    rng = random.Random(f"hopscope {EDITION}")
    nodes = make_nodes(rng)
    routes = make_routes(rng, nodes[:REPEATERS])
    counts = heard_counts(rng, scale)
    packets = [make_packet(rng, nodes, sent_at(scale, i), count) for i, count in enumerate(counts)]
    db, sql = open_fast(path), statements()
    with db:
        db.execute(sql["tables"])
        db.executemany(sql["observer"], observer_rows(rng, scale))
        db.executemany(sql["node"], node_rows(nodes))
        db.executemany(sql["transmission"], transmission_rows(rng, scale, counts, packets, routes))
        rows = observation_rows(rng, arrivals(rng, scale, counts), packets, routes)
        db.executemany(sql["observation"], rows)
        db.execute(sql["indexes"])
    seal(db)


def open_fast(path: Path) -> apsw.Connection:
    """A connection for bulk loading: a crash may spoil the file, which has no name yet then."""
    db = apsw.Connection(str(path))
    db.execute("pragma auto_vacuum = incremental")
    db.execute("pragma journal_mode = off")
    for setting in ("synchronous = off", "cache_size = -500000", "threads = 2", "temp_store = memory"):
        db.execute(f"pragma {setting}")
    return db


def seal(db: apsw.Connection) -> None:
    """Leave the file in WAL mode, on disk, with no log beside it."""
    db.execute("pragma synchronous = full")
    db.execute("pragma journal_mode = wal")
    db.close()


def history(scale: str, *, composite_index: bool = False) -> Path:
    """Path of the generated database, made now if this machine has not made it yet (full scale: about 2 minutes).

    scale: a key of SCALES. composite_index: with the index (transmission_id, timestamp) on `observations`.
    The file is shared by all benchmarks: copy it before writing to it.
    """
    CACHE.mkdir(exist_ok=True)
    target = CACHE / f"history-{EDITION}-{scale}{'-indexed' if composite_index else ''}.db"
    if target.exists():
        return target
    draft = target.with_suffix(f".{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    try:
        if composite_index:
            copy(history(scale), draft)
            db = open_fast(draft)
            db.execute(statements()["composite_index"])
            seal(db)
        else:
            write(draft, SCALES[scale])
        draft.rename(target)
    finally:
        for left in itertools.chain([draft], CACHE.glob(f"{draft.name}-*")):
            left.unlink(missing_ok=True)
    return target


def copy(source: Path, target: Path) -> None:
    """Copy a closed database within the kernel (shares blocks where the file system can) and wait for the disk."""
    with source.open("rb") as old, target.open("wb") as new:
        while os.copy_file_range(old.fileno(), new.fileno(), 1 << 28):
            pass
        os.fsync(new.fileno())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--index", action="store_true", help="with the index (transmission_id, timestamp)")
    options = parser.parse_args()
    began = time.monotonic()
    path = history(options.scale, composite_index=options.index)
    print(f"{path}  {path.stat().st_size / 1e6:.0f} MB  {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
