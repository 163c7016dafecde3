"""/api/analytics: what the rollups tell. Reads rollups and small tables only."""

# ruff: noqa: N815 - the keys are those that clients know

from dataclasses import dataclass
from typing import Annotated

from litestar import get
from litestar.params import QueryParameter
from msgspec import Struct, field

from hopscope.analytics.hops import Candidate, only_match
from hopscope.api import query
from hopscope.api.access import OPEN, PURE
from hopscope.api.context import Given
from hopscope.api.errors import BadRequest
from hopscope.api.facts import Facts
from hopscope.api.times import hour, iso
from hopscope.store import hash_sizes, nodes
from hopscope.store.hash_sizes import HopCount
from hopscope.store.nodes import NodeRow
from hopscope.store.pool import Snapshot

TOP_HOPS = 50
NODES_MAX = 200
HOURS_MAX = 24 * 31
HOUR_MS = 3_600_000


class HourSizes(Struct):
    """Receptions of an hour by hash size."""

    hour: str
    one: int = field(name="1")
    two: int = field(name="2")
    three: int = field(name="3")


class TopHop(Struct):
    """A hop that stands in many paths; name and key only where a single node can be meant."""

    hex: str
    size: int
    count: int
    name: str | None
    pubkey: str | None


class MultiByteNode(Struct):
    """A node that advertised with hashes of more than one byte."""

    name: str | None
    hashSize: int
    packets: int
    lastSeen: str
    pubkey: str


class HashSizes(Struct):
    """Path hash sizes. `total` and `distribution` are of all receptions but traces; `hourly` of the last 31 days."""

    total: int
    distribution: dict[str, int]
    hourly: list[HourSizes]
    topHops: list[TopHop]
    multiByteNodes: list[MultiByteNode]


@dataclass(frozen=True, slots=True)
class Found:
    """What one snapshot says."""

    sums: dict[int, int]
    hours: dict[int, dict[int, int]]
    hops: tuple[HopCount, ...]
    candidates: dict[bytes, list[NodeRow]]
    multi_byte: tuple[NodeRow, ...]


@get("/api/analytics/hash-sizes", opt=OPEN | PURE, sync_to_thread=True, tags=["analytics"])
def get_hash_sizes(
    context: Given,
    region: Annotated[str | None, QueryParameter(max_length=500, description="Not supported: 400.")] = None,
    window: Annotated[str | None, QueryParameter(description="1h, 6h, 24h, 7d or 30d")] = None,
) -> HashSizes:
    """How many bytes the hops of paths have, over time and by node."""
    if query.comma_list(region):
        raise BadRequest("region: hash sizes are not kept by region")
    period = query.one_of("window", window, query.PERIODS_MS)
    now = context.now_ms()
    since = now - (period or HOURS_MAX * HOUR_MS)
    facts = context.facts.current()
    found = context.pool.read(lambda db: read(db, since=since - since % HOUR_MS))
    sums = found.sums if period is None else summed(found.hours)
    return HashSizes(
        total=sum(sums.values()),
        distribution={str(size): sums.get(size, 0) for size in (1, 2, 3)},
        hourly=[
            HourSizes(hour(at), sizes.get(1, 0), sizes.get(2, 0), sizes.get(3, 0)) for at, sizes in found.hours.items()
        ],
        topHops=[top_hop(count, found.candidates[count.hop], facts) for count in found.hops],
        multiByteNodes=[multi_byte(row) for row in found.multi_byte if not facts.veil.hides_key(row.pubkey)],
    )


def read(db: Snapshot, *, since: int) -> Found:
    """Everything of the page in one snapshot."""
    hops = hash_sizes.top_hops(db, limit=TOP_HOPS)
    return Found(
        sums=hash_sizes.sums(db),
        hours=hash_sizes.hourly(db, since=since),
        hops=hops,
        candidates=nodes.candidates(db, sorted({count.hop for count in hops})),
        multi_byte=hash_sizes.multi_byte_nodes(db, limit=NODES_MAX),
    )


def summed(hours: dict[int, dict[int, int]]) -> dict[int, int]:
    """Receptions by size over some hours."""
    sums: dict[int, int] = {}
    for sizes in hours.values():
        for size, count in sizes.items():
            sums[size] = sums.get(size, 0) + count
    return sums


def top_hop(count: HopCount, rows: list[NodeRow], facts: Facts) -> TopHop:
    """The wire form of a hop. A hidden node is a candidate too, so that no other is taken for it, but has no name."""
    node = only_match(count.hop, (Candidate(row.pubkey, row.name, row.role) for row in rows))
    if node is not None and facts.veil.hides_key(node.pubkey):
        node = None
    return TopHop(
        hex=count.hop.hex().upper(),
        size=count.size,
        count=count.observations,
        name=None if node is None else node.name,
        pubkey=None if node is None else node.pubkey.hex(),
    )


def multi_byte(row: NodeRow) -> MultiByteNode:
    """The wire form of a node with long hashes."""
    largest = max(size for size in (1, 2, 3) if row.hash_sizes >> size & 1)
    return MultiByteNode(row.name, row.hash_size or largest, row.advert_count, iso(row.last_seen), row.pubkey.hex())


ROUTES = (get_hash_sizes,)
