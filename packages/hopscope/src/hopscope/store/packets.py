"""Read transmissions and their receptions: pages, single packets, receptions. Decodes nothing and formats nothing.

A page walks one index between two bounds. Where filters remain that no index answers, it looks at CANDIDATES rows at
most and then hands back the cursor where it stopped, so that no filter makes a request as long as the history.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import apsw

from hopscope.store.connection import sql

CANDIDATES = 100_000  # rows a filtered walk examines at most: 0.1-0.3 s when nothing matches
COUNT_CAP = 10_000  # a filtered total is counted up to here
COUNT_CAP_FILTERED = 1_000  # and up to here where each row must be looked at
GATHER_CAP = 5_000  # an observer with fewer receptions is answered from them instead of by a walk
OFFSET_MAX = 1_000_000

EARLIEST = (-(2**63), 0)
LATEST = (2**63 - 1, 2**63 - 1)

Position = tuple[int, int]  # (time in ms, transmission id): where a page begins or ends, exclusive


@dataclass(frozen=True, slots=True)
class PacketQuery:
    """One page of transmissions. `latest` orders by the newest reception, else by the first one.

    `since` and `until` (ms, inclusive) bound the time that orders the page. None does not filter; an empty tuple of
    nodes or observers matches nothing.
    """

    latest: bool = False
    ascending: bool = False
    limit: int = 50
    offset: int = 0
    after: Position | None = None  # the cursor
    since: int | None = None
    until: int | None = None
    type: int | None = None
    route: int | None = None
    channel: int | None = None
    nodes: tuple[int, ...] | None = None
    observers: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class PacketPage:
    """Transmissions in order, where to go on (None: that was all), and how many there are."""

    rows: tuple["PacketRow", ...]
    next: Position | None
    total: int
    total_exact: bool  # False: at least `total`


class PacketRow(NamedTuple):
    """A transmission and the reception that lists show of it (None where it has none).

    A tuple, not a dataclass: a page makes 50 of them, and a frozen dataclass of 20 fields costs ten times as much.
    """

    id: int
    hash: bytes
    first_seen: int
    last_seen: int  # 0: not computed yet
    observation_count: int
    type: int
    route: int
    version: int
    frame: bytes
    payload_at: int
    node_id: int | None
    channel_id: int | None
    region: str | None
    observer_id: int | None
    snr: float | None
    rssi: int | None
    score: int | None
    direction: int | None
    path_len: int | None
    path: bytes | None

    @property
    def latest(self) -> int:
        """Time of the newest reception known, ms."""
        return max(self.first_seen, self.last_seen)


class ObservationRow(NamedTuple):
    """One reception."""

    id: int
    transmission_id: int
    observer_id: int | None
    heard_at: int
    published_at: int | None
    head: bytes | None
    path_len: int
    path: bytes
    snr: float | None
    rssi: int | None
    score: int | None
    direction: int


def page(db: apsw.Connection, query: PacketQuery) -> PacketPage:
    """One page. The caller holds the snapshot."""
    few = few_receptions(db, query)
    if few is not None:
        return page_of(db, query, few)
    driver, filtered = choose(query)
    parameters, stopped_at = walk(db, driver, query, filtered=filtered)
    found: list[Any] = db.execute(statement(driver, query.ascending, filtered), parameters).fetchall()
    more = len(found) > query.limit
    ids = [row[1] for row in found[: query.limit]]
    last: Position | None = (found[query.limit - 1] if more and query.limit else None) or stopped_at
    total, exact = count(db, driver, query, filtered=filtered)
    return PacketPage(by_ids(db, ids), last, total, exact)


def choose(query: PacketQuery) -> tuple[str, bool]:
    """The index that a page walks, and whether filters remain that it does not answer."""
    others = query.route is not None or query.observers is not None
    if query.latest:
        some = others or query.type is not None or query.channel is not None or query.nodes is not None
        return "by_latest", some
    if query.nodes is not None and len(query.nodes) == 1:
        return "by_node", others or query.type is not None or query.channel is not None
    others = others or query.nodes is not None
    if query.channel is not None:
        return "by_channel", others or query.type is not None
    if query.type is not None:
        return "by_type", others
    return "by_first_seen", others


@cache
def among() -> str:
    """The statement for a page of known transmissions."""
    statements = sql("packets")
    return statements["among"].replace("-- include: filters", statements["filters"])


@cache
def statement(driver: str, ascending: bool, filtered: bool) -> str:  # noqa: FBT001 - a table's key, called here only
    """The named statement, with or without the remaining filters."""
    statements = sql("packets")
    text = statements[f"{driver}_{'asc' if ascending else 'desc'}"]
    return text.replace("-- include: filters", statements["filters"] if filtered else "")


@cache
def counting(driver: str, ascending: bool, filtered: bool) -> str:  # noqa: FBT001 - as above
    """The named statement, counting its rows; within SQLite, because every row that is handed out costs a lock."""
    return sql("packets")["counted"].replace("-- include: page", statement(driver, ascending, filtered))


def bindings(query: PacketQuery) -> dict[str, Any]:
    """Parameters of a page statement; one row more than the page, to know whether there is a next one."""
    after = (query.since, -1) if query.since is not None else EARLIEST
    before = (query.until, LATEST[1]) if query.until is not None else LATEST
    if query.after is not None and query.ascending:
        after = max(after, query.after)
    elif query.after is not None:
        before = min(before, query.after)
    return {
        "after_at": after[0],
        "after_id": after[1],
        "before_at": before[0],
        "before_id": before[1],
        "type": query.type,
        "route": query.route,
        "channel": query.channel,
        "node": query.nodes[0] if query.nodes else None,
        "nodes": None if query.nodes is None else json.dumps(query.nodes),
        "observers": None if query.observers is None else json.dumps(query.observers),
        "limit": query.limit + 1,
        "offset": query.offset,
    }


def walk(
    db: apsw.Connection, driver: str, query: PacketQuery, *, filtered: bool
) -> tuple[dict[str, Any], Position | None]:
    """Parameters of a walk. Where filters remain it looks at CANDIDATES rows at most; the position of the last of them.

    None: the walk ends by itself before that.
    """
    parameters = bindings(query)
    if not filtered or (db.execute(sql("stats")["counter"], ("transmissions",)).get or 0) < CANDIDATES:
        return parameters, None
    far = {**parameters, "limit": 1, "offset": CANDIDATES - 1}
    last: Any = db.execute(statement(driver, query.ascending, filtered=False), far).fetchone()
    if last is None:
        return parameters, None
    at, identity = last
    side, next_to = ("before", identity + 1) if query.ascending else ("after", identity - 1)
    return {**parameters, f"{side}_at": at, f"{side}_id": next_to}, (at, identity)


def count(db: apsw.Connection, driver: str, query: PacketQuery, *, filtered: bool) -> tuple[int, bool]:
    """How many rows the query has without its cursor, and whether that is exact or only a lower bound."""
    if not filtered and driver in ("by_first_seen", "by_latest") and query.since is None and query.until is None:
        return int(db.execute(sql("stats")["counter"], ("transmissions",)).get or 0), True
    cap = COUNT_CAP_FILTERED if filtered else COUNT_CAP
    whole = replace(query, limit=cap, offset=0, after=None)
    parameters, stopped_at = walk(db, driver, whole, filtered=filtered)
    found: Any = db.execute(counting(driver, query.ascending, filtered), parameters).get
    return min(found, cap), found <= cap and stopped_at is None


def few_receptions(db: apsw.Connection, query: PacketQuery) -> list[int] | None:
    """Ids of the transmissions that the query's observers heard, when these are few; None: walk an index instead.

    A walk finds a page quickly when the observers heard a good share of all packets, and searches the whole history
    when they heard almost nothing. Their number of receptions tells which it is.
    """
    if query.observers is None:
        return None
    observers = {"observers": json.dumps(query.observers), "limit": GATHER_CAP + 1}
    statements = sql("packets")
    if (db.execute(statements["receptions_of"], observers).get or 0) > GATHER_CAP:
        return None
    found = [row[0] for row in db.execute(statements["packets_heard_by"], observers)]
    return None if len(found) > GATHER_CAP else found


def page_of(db: apsw.Connection, query: PacketQuery, ids: Sequence[int]) -> PacketPage:
    """A page of at most GATHER_CAP known transmissions."""
    parameters = {**bindings(query), "ids": json.dumps(list(ids)), "latest": query.latest, "observers": None}
    matching: list[Any] = db.execute(among(), {**parameters, **bounds_without_cursor(query)}).fetchall()
    if query.ascending:
        matching.reverse()
    total = len(matching)
    if query.after is not None:
        after = query.after
        matching = [at for at in matching if (at > after if query.ascending else at < after)]
    shown = matching[query.offset : query.offset + query.limit]
    more = len(matching) > query.offset + query.limit and shown
    return PacketPage(by_ids(db, [row[1] for row in shown]), shown[-1] if more else None, total, total_exact=True)


def bounds_without_cursor(query: PacketQuery) -> dict[str, int]:
    """`since` and `until` as inclusive times."""
    return {
        "since": EARLIEST[0] if query.since is None else query.since,
        "until": LATEST[0] if query.until is None else query.until,
    }


def by_ids(db: apsw.Connection, ids: Sequence[int]) -> tuple[PacketRow, ...]:
    """What is shown of these transmissions, in this order; ids that do not exist are left out."""
    rows = db.execute(sql("packets")["by_ids"], {"ids": json.dumps(list(ids))})
    return tuple(map(PacketRow._make, rows))


def id_by_hash(db: apsw.Connection, packet_hash: bytes) -> int | None:
    """The transmission with this packet hash (8 bytes), or None."""
    found: int | None = db.execute(sql("packets")["id_by_hash"], (packet_hash,)).get
    return found


def ids_by_hashes(db: apsw.Connection, hashes: Sequence[bytes]) -> list[int]:
    """The transmissions with these packet hashes; unknown ones are left out."""
    wanted = json.dumps([value.hex() for value in hashes])
    return [row[0] for row in db.execute(sql("packets")["ids_by_hashes"], (wanted,))]


def heard_by(db: apsw.Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """The known observers that heard each transmission, in no order."""
    found: list[Any] = db.execute(sql("packets")["observers_of"], {"ids": json.dumps(list(ids))}).fetchall()
    return {identity: json.loads(observers) for identity, observers in found}


def observations(db: apsw.Connection, ids: Sequence[int], *, limit: int) -> dict[int, list[ObservationRow]]:
    """At most `limit` receptions of these transmissions, oldest first within each."""
    grouped: dict[int, list[ObservationRow]] = {identity: [] for identity in ids}
    parameters = {"ids": json.dumps(list(ids)), "limit": limit}
    for row in db.execute(sql("packets")["observations"], parameters):
        observation = ObservationRow._make(row)
        grouped[observation.transmission_id].append(observation)
    return grouped


def times(db: apsw.Connection, *, since: int, limit: int) -> list[int]:
    """First reception times (ms, ascending) of at most `limit` transmissions since then, the newest ones."""
    newest = [row[0] for row in db.execute(sql("packets")["times"], {"since": since, "limit": limit})]
    return newest[::-1]
