"""/api/nodes: the list, the search, one node by its key or the beginning of it, and how it was heard."""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import get
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from hopscope.api import query
from hopscope.api.access import OPEN, PURE
from hopscope.api.context import Given
from hopscope.api.errors import Ambiguous, BadRequest, NotFound
from hopscope.api.facts import Facts
from hopscope.api.node_shapes import NodeOut, node_out
from hopscope.api.packet_filter import is_key_prefix
from hopscope.api.packet_shapes import PacketOut
from hopscope.api.presenter import Presenter
from hopscope.api.stats import role_counts
from hopscope.api.times import iso
from hopscope.store import nodes, packets
from hopscope.store.nodes import NodeQuery, NodeRow, Reach
from hopscope.store.pool import Snapshot

LIMIT_MAX = 2_000
SEARCH_MAX = 10
RECENT = 20
DAY_MS = 86_400_000

ORDERS = {"lastSeen": "last_seen", "name": "name", "packetCount": "advert_count", "firstSeen": "first_seen"}


class NodeList(Struct):
    """A page of nodes. `counts` are of all nodes heard in the last seven days, whatever the filter."""

    nodes: list[NodeOut]
    total: int
    counts: dict[str, int]
    next_cursor: str | None


class FoundNodes(Struct):
    """At most ten nodes."""

    nodes: list[NodeOut]


class NodeDetail(Struct):
    """A node and its newest adverts."""

    node: NodeOut
    recentAdverts: list[PacketOut]  # noqa: N815 - a key that clients know


class HeardBy(Struct):
    """How one observer heard the node's newest adverts."""

    observer_id: str | None
    observer_name: str | None
    iata: str | None
    packetCount: int  # noqa: N815
    avgSnr: float | None  # noqa: N815
    avgRssi: float | None  # noqa: N815


class NodeHealth(Struct):
    """How a node was heard lately."""

    node: NodeOut
    observers: list[HeardBy]
    stats: dict[str, Any]
    recentPackets: list[PacketOut]  # noqa: N815


@get("/api/nodes", opt=OPEN | PURE, sync_to_thread=True, tags=["nodes"])
def list_nodes(
    context: Given,
    *,
    limit: query.Limit = 50,
    offset: query.Offset = 0,
    cursor: query.Cursor = None,
    role: Annotated[str | None, QueryParameter(description="companion, repeater, room, sensor or none")] = None,
    region: Annotated[str | None, QueryParameter(max_length=500, description="IATA codes, with commas.")] = None,
    last_heard: Annotated[str | None, QueryParameter(name="lastHeard", description="1h, 6h, 24h, 7d or 30d")] = None,
    sort_by: Annotated[
        str | None, QueryParameter(name="sortBy", description="lastSeen, name, packetCount, firstSeen")
    ] = None,
    search: Annotated[
        str | None, QueryParameter(max_length=100, description="Part of a name, or a key's beginning.")
    ] = None,
    before: Annotated[str | None, QueryParameter(max_length=40, description="First heard by then.")] = None,
) -> NodeList:
    """Nodes, newest heard first."""
    facts = context.facts.current()
    period = query.one_of("lastHeard", last_heard, query.PERIODS_MS)
    after = query.cursor("n", cursor)
    asked = NodeQuery(
        limit=min(limit, LIMIT_MAX),
        offset=0 if after else offset,
        after=after,
        order=query.one_of("sortBy", sort_by, ORDERS) or "last_seen",
        role=query.one_of("role", role, query.ROLE_NUMBERS),
        heard_since=None if period is None else context.now_ms() - period,
        known_before=query.time_ms("before", before),
        search=search.lower() if search else None,
        observers=regions(region, facts),
        hidden=facts.veil.keys,
    )
    page = context.pool.read(lambda db: nodes.page(db, asked))
    return NodeList(
        nodes=[node_out(row, facts.veil) for row in page.rows],
        total=page.total,
        counts=role_counts(context.counted.get().roles),
        next_cursor=query.write_cursor("n", page.next),
    )


def regions(text: str | None, facts: Facts) -> tuple[int, ...] | None:
    """Ids of the observers in some regions; None: no region was named."""
    codes = frozenset(code.upper() for code in query.comma_list(text))
    return facts.observers_in(codes) if codes else None


@get("/api/nodes/search", opt=OPEN, sync_to_thread=True, tags=["nodes"])
def search_nodes(context: Given, q: Annotated[str | None, QueryParameter(max_length=100)] = None) -> FoundNodes:
    """At most ten nodes by part of their name or the beginning of their key."""
    if not q:
        return FoundNodes([])
    facts = context.facts.current()
    asked = NodeQuery(limit=SEARCH_MAX, search=q.lower(), hidden=facts.veil.keys)
    page = context.pool.read(lambda db: nodes.page(db, asked))
    return FoundNodes([node_out(row, facts.veil) for row in page.rows])


def one_node(db: Snapshot, key: str, facts: Facts) -> NodeRow:
    """The node that a key or its beginning means. Raises BadRequest, NotFound, Ambiguous."""
    if not is_key_prefix(key):
        raise BadRequest("node: expected a public key, or at least its first 8 hex digits")
    rows = [row for row in nodes.beginning_with(db, key.lower(), limit=3) if not facts.veil.hides_key(row.pubkey)]
    if not rows:
        raise NotFound("Not found")
    if len(rows) > 1:
        raise Ambiguous("several nodes have a key that begins so: give more digits")
    return rows[0]


@dataclass(frozen=True, slots=True)
class Seen:
    """A node with what one snapshot says of it."""

    node: NodeRow
    adverts: packets.PacketPage
    reach: tuple[Reach, ...] = ()
    today: int = 0


def newest_adverts(db: Snapshot, node: NodeRow) -> packets.PacketPage:
    """A node's newest adverts."""
    return packets.page(db, packets.PacketQuery(nodes=(node.id,), limit=RECENT))


@get("/api/nodes/{key:str}", opt=OPEN | PURE, sync_to_thread=True, tags=["nodes"], raises=[Ambiguous])
def node(context: Given, key: Annotated[str, PathParameter(max_length=100)]) -> NodeDetail:
    """A node by its public key, or by the first 8 or more digits of it when only one node's key begins so."""
    facts = context.facts.current()

    def read(db: Snapshot) -> Seen:
        row = one_node(db, key, facts)
        return Seen(row, newest_adverts(db, row))

    seen = context.pool.read(read)
    show = Presenter(context.decoder, facts)
    return NodeDetail(node_out(seen.node, facts.veil), [show.packet(row) for row in seen.adverts.rows])


@get("/api/nodes/{key:str}/health", opt=OPEN, sync_to_thread=True, tags=["nodes"], raises=[Ambiguous])
def node_health(context: Given, key: Annotated[str, PathParameter(max_length=100)]) -> NodeHealth:
    """Who heard a node's newest 200 adverts, and how well."""
    facts = context.facts.current()
    now = context.now_ms()

    def read(db: Snapshot) -> Seen:
        row = one_node(db, key, facts)
        today = nodes.adverts_since(db, row.id, since=now - now % DAY_MS)
        return Seen(row, newest_adverts(db, row), nodes.reach(db, row.id), today)

    seen = context.pool.read(read)
    show = Presenter(context.decoder, facts)
    return NodeHealth(
        node=node_out(seen.node, facts.veil),
        observers=[heard_by(reach, facts) for reach in seen.reach],
        stats=health_stats(seen),
        recentPackets=[show.packet(row) for row in seen.adverts.rows],
    )


def heard_by(reach: Reach, facts: Facts) -> HeardBy:
    """The wire form of one observer's part."""
    observer = facts.observer(reach.observer_id)
    return HeardBy(
        observer_id=observer.ident if observer else None,
        observer_name=observer.name if observer else None,
        iata=observer.iata if observer else None,
        packetCount=reach.receptions,
        avgSnr=reach.snr,
        avgRssi=reach.rssi,
    )


def health_stats(seen: Seen) -> dict[str, Any]:
    """Sums over the observers; averages are null where nothing was reported."""
    receptions = sum(reach.receptions for reach in seen.reach)
    return {
        "totalTransmissions": seen.node.advert_count,
        "totalObservations": receptions,
        "totalPackets": seen.node.advert_count,
        "packetsToday": seen.today,
        "avgSnr": weighted([(reach.snr, reach.receptions) for reach in seen.reach]),
        "avgHops": round(weighted([(reach.hops, reach.receptions) for reach in seen.reach]) or 0),
        "lastHeard": iso(seen.node.last_seen),
    }


def weighted(values: list[tuple[float | None, int]]) -> float | None:
    """The mean of averages, each with its number of rows; None: none of them is known."""
    known = [(value, weight) for value, weight in values if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


ROUTES = (list_nodes, search_nodes, node, node_health)
