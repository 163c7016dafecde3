"""Read nodes: the list, one by key or by the beginning of its key, who heard it. Hides what it is told to hide."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import apsw

from hopscope.store.connection import sql

KEY_BYTES = 32
ADVERTS_FOR_REACH = 200  # newest adverts from which "who heard it" is computed


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """One page of nodes. None does not filter; `search` is lower case, part of the name or beginning of the key."""

    limit: int = 50
    offset: int = 0
    after: tuple[int, int] | None = None  # (last_seen, id) of the last row seen; only in the order last_seen
    order: str = "last_seen"  # or name, advert_count, first_seen
    role: int | None = None
    heard_since: int | None = None
    known_before: int | None = None
    search: str | None = None
    observers: tuple[int, ...] | None = None
    hidden: frozenset[bytes] = frozenset()


class NodeRow(NamedTuple):
    """A node as stored; positions in 1e-6 degree, times in ms. A tuple because pages make hundreds of them."""

    id: int
    pubkey: bytes
    name: str | None
    role: int
    lat_e6: int | None
    lon_e6: int | None
    first_seen: int
    last_seen: int
    advert_at: int | None
    advert_count: int
    verified: int
    hash_sizes: int
    hash_size: int | None
    battery_mv: int | None
    temperature_c: float | None


@dataclass(frozen=True, slots=True)
class NodePage:
    """Nodes in order, where to go on (None: that was all, or another order than last_seen), and how many match."""

    rows: tuple[NodeRow, ...]
    next: tuple[int, int] | None
    total: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How one observer heard a node's newest adverts; averages None where nothing was reported."""

    observer_id: int | None
    receptions: int
    snr: float | None
    rssi: float | None
    last_heard: int
    hops: float | None


def page(db: apsw.Connection, query: NodeQuery) -> NodePage:
    """One page of nodes, and how many match in all."""
    before = query.after or (2**63 - 1, 2**63 - 1)
    parameters = filters(query) | {
        "before_at": before[0],
        "before_id": before[1],
        "order": query.order,
        "limit": query.limit + 1,
        "offset": query.offset,
    }
    name = "newest" if query.order == "last_seen" else "sorted"
    found = [NodeRow._make(row) for row in db.execute(statement(name), parameters)]
    rows = tuple(found[: query.limit])
    more = len(found) > query.limit and rows and query.order == "last_seen"
    total = int(db.execute(statement("total"), filters(query)).get)
    return NodePage(rows, (rows[-1].last_seen, rows[-1].id) if more else None, total)


def filters(query: NodeQuery) -> dict[str, str | int | None]:
    """Parameters of the fragment `filters`."""
    return {
        "hidden": json.dumps([key.hex() for key in query.hidden]),
        "role": query.role,
        "heard_since": query.heard_since,
        "known_before": query.known_before,
        "search": query.search,
        "observers": None if query.observers is None else json.dumps(query.observers),
    }


@cache
def statement(name: str) -> str:
    """The named statement with its columns and filters."""
    statements = sql("nodes")
    text = statements[name]
    for part in ("columns", "filters"):
        text = text.replace(f"-- include: {part}", statements[part])
    return text


def beginning_with(db: apsw.Connection, prefix: str, *, limit: int) -> tuple[NodeRow, ...]:
    """At most `limit` nodes whose key begins with these hex digits (1-64 of them)."""
    digits = KEY_BYTES * 2
    bounds = {
        "first": bytes.fromhex(prefix.ljust(digits, "0")),
        "last": bytes.fromhex(prefix.ljust(digits, "f")),
        "limit": limit,
    }
    return tuple(NodeRow._make(row) for row in db.execute(statement("between"), bounds))


def by_ids(db: apsw.Connection, ids: Sequence[int]) -> dict[int, NodeRow]:
    """These nodes by id; unknown ids are left out."""
    rows = (NodeRow._make(row) for row in db.execute(statement("by_ids"), {"ids": json.dumps(list(ids))}))
    return {row.id: row for row in rows}


def by_pubkeys(db: apsw.Connection, pubkeys: Iterable[bytes]) -> dict[bytes, NodeRow]:
    """These nodes by key; unknown keys are left out."""
    wanted = json.dumps([key.hex() for key in pubkeys])
    rows = (NodeRow._make(row) for row in db.execute(statement("by_pubkeys"), {"pubkeys": wanted}))
    return {row.pubkey: row for row in rows}


def named(db: apsw.Connection, markers: Sequence[str]) -> dict[bytes, str]:
    """Key and name of the nodes whose name holds one of the markers."""
    found: list[Any] = db.execute(statement("named"), {"markers": json.dumps(list(markers))}).fetchall()
    return dict(found)


def reach(db: apsw.Connection, node_id: int) -> tuple[Reach, ...]:
    """Who heard the node's newest adverts, most receptions first."""
    rows = db.execute(statement("reach"), {"node": node_id, "adverts": ADVERTS_FOR_REACH})
    return tuple(Reach(*row) for row in rows)


def adverts_since(db: apsw.Connection, node_id: int, *, since: int) -> int:
    """Adverts (transmissions) of a node since then."""
    return int(db.execute(statement("adverts_since"), {"node": node_id, "since": since}).get)


def by_name(db: apsw.Connection, name: str, *, limit: int = 100) -> tuple[NodeRow, ...]:
    """At most `limit` nodes of exactly this name."""
    return tuple(NodeRow._make(row) for row in db.execute(statement("named_exactly"), {"name": name, "limit": limit}))


def middle(db: apsw.Connection) -> tuple[float, float] | None:
    """Mean latitude and longitude of all nodes, whole degrees, which shows no single position; None: none has one."""
    found: Any = db.execute(statement("middle")).fetchone()
    return None if found[0] is None else (float(round(found[0] / 1e6)), float(round(found[1] / 1e6)))


def candidates(db: apsw.Connection, prefixes: Sequence[bytes]) -> dict[bytes, list[NodeRow]]:
    """The nodes whose key begins with each of these bytes."""
    digits = KEY_BYTES * 2
    wanted = [[prefix.hex().ljust(digits, "0"), prefix.hex().ljust(digits, "f")] for prefix in prefixes]
    found: dict[bytes, list[NodeRow]] = {prefix: [] for prefix in prefixes}
    for number, *row in db.execute(statement("candidates"), {"wanted": json.dumps(wanted)}):
        found[prefixes[int(number)]].append(NodeRow._make(row))
    return found
