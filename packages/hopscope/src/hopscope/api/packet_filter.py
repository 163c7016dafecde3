"""What lists and the live feed can be filtered by, and the rows that match. Names are looked up in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from litestar.di import Provide
from litestar.params import QueryParameter

from hopscope.api import query
from hopscope.api.facts import Facts
from hopscope.store import nodes, packets
from hopscope.store.packets import PacketQuery
from hopscope.store.pool import Snapshot

NODES_MAX = 100


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """What a query asks for, before the names in it are looked up."""

    type: int | None
    route: int | None
    region: list[str]
    observer: str | None
    hash: bytes | None
    since: int | None
    until: int | None
    nodes: list[str]
    channel: str | None


def packet_filter(
    *,
    payload_type: Annotated[
        str | None, QueryParameter(name="type", description="Number or name of the payload type.")
    ] = None,
    route: Annotated[str | None, QueryParameter(description="Number or name of the route.")] = None,
    region: Annotated[
        str | None, QueryParameter(max_length=500, description="IATA codes of observers, with commas.")
    ] = None,
    observer: Annotated[str | None, QueryParameter(max_length=100, description="An observer's id.")] = None,
    packet_hash: Annotated[str | None, QueryParameter(name="hash", description="A packet hash, 16 hex digits.")] = None,
    since: Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339 time, inclusive.")] = None,
    until: Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339 time, inclusive.")] = None,
    node: Annotated[str | None, QueryParameter(max_length=100, description="A node's key or name.")] = None,
    nodes: Annotated[str | None, QueryParameter(max_length=8000, description="Nodes' keys, with commas.")] = None,
    channel: Annotated[str | None, QueryParameter(max_length=100, description="A channel's name.")] = None,
) -> PacketFilter:
    """The filters that lists and the live feed share. Raises BadRequest."""
    return PacketFilter(
        type=query.number_or_name("type", payload_type, query.TYPE_NUMBERS, most=15),
        route=query.number_or_name("route", route, query.ROUTE_NUMBERS, most=3),
        region=query.comma_list(region),
        observer=observer or None,
        hash=query.packet_hash("hash", packet_hash) if packet_hash else None,
        since=query.time_ms("since", since),
        until=query.time_ms("until", until),
        nodes=[*query.comma_list(node), *query.comma_list(nodes)][:NODES_MAX],
        channel=channel or None,
    )


NO_FILTER = packet_filter()
FILTER = {"wanted": Provide(packet_filter, sync_to_thread=False)}


def find(db: Snapshot, asked: PacketQuery, wanted: PacketFilter, facts: Facts) -> packets.PacketPage:
    """The page for a filter whose names are looked up in the same snapshot. A name nobody has matches nothing."""
    empty = packets.PacketPage((), None, 0, total_exact=True)
    changes: dict[str, Any] = {}
    if wanted.hash is not None:
        found = packets.id_by_hash(db, wanted.hash)
        rows = packets.by_ids(db, [] if found is None else [found])
        return packets.PacketPage(rows[asked.offset : asked.offset + asked.limit], None, len(rows), total_exact=True)
    if wanted.channel is not None:
        channel = facts.channel_named(wanted.channel)
        if channel is None:
            return empty
        changes["channel"] = channel.id
    if wanted.nodes:
        changes["nodes"] = node_ids(db, wanted.nodes, facts)
        if not changes["nodes"]:
            return empty
    observers = observer_ids(wanted, facts)
    if observers == ():
        return empty
    changes["observers"] = observers
    return packets.page(db, replace(asked, **changes))


def observer_ids(wanted: PacketFilter, facts: Facts) -> tuple[int, ...] | None:
    """Ids of the observers that the filter names by id or region; None: it names none."""
    found: set[int] | None = None
    if wanted.observer is not None:
        row = facts.observer_named(wanted.observer)
        found = set() if row is None else {row.id}
    if wanted.region:
        in_region = set(facts.observers_in(frozenset(code.upper() for code in wanted.region)))
        found = in_region if found is None else found & in_region
    return None if found is None else tuple(sorted(found))


def node_ids(db: Snapshot, wanted: Sequence[str], facts: Facts) -> tuple[int, ...]:
    """Ids of the nodes named by key, by the beginning of a key (8 digits or more), or by name; never of hidden ones."""
    found: set[int] = set()
    for text in wanted:
        rows = nodes.beginning_with(db, text.lower(), limit=2) if is_key_prefix(text) else nodes.by_name(db, text)
        found.update(row.id for row in rows if not facts.veil.hides_key(row.pubkey))
    return tuple(sorted(found))


def is_key_prefix(text: str) -> bool:
    """Whether a text can be the beginning of a node's key that is long enough to mean one node."""
    return 8 <= len(text) <= 64 and all(digit in "0123456789abcdefABCDEF" for digit in text)
