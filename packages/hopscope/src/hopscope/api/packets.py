"""/api/packets: lists with filters, single packets, receptions by hash, a timeline."""

from typing import Annotated, Literal

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from hopscope.api import query
from hopscope.api.access import OPEN, PURE
from hopscope.api.context import Given
from hopscope.api.errors import BadRequest, NotFound
from hopscope.api.packet_filter import FILTER, PacketFilter, find, is_key_prefix
from hopscope.api.packet_shapes import GroupList, Hashes, ObservationsByHash, PacketDetail, PacketList
from hopscope.api.presenter import Presenter
from hopscope.api.times import iso
from hopscope.store import packets
from hopscope.store.packets import ObservationRow, PacketQuery, PacketRow
from hopscope.store.pool import Snapshot

LIMIT_MAX = 10_000
EXPANDED_MAX = 200  # packets whose receptions are listed in one answer
OBSERVATIONS_MAX = 2_000  # receptions of one packet or of one expanded page
TIMES_MAX = 100_000


@get("/api/packets", opt=OPEN | PURE, dependencies=FILTER, sync_to_thread=True, tags=["packets"])
def list_packets(
    context: Given,
    *,
    wanted: NamedDependency[PacketFilter],
    limit: query.Limit = 50,
    offset: query.Offset = 0,
    cursor: query.Cursor = None,
    order: Annotated[str | None, QueryParameter(description="asc or desc")] = None,
    group_by_hash: Annotated[str | None, QueryParameter(name="groupByHash")] = None,
    expand: Annotated[Literal["observations", ""] | None, QueryParameter()] = None,
) -> PacketList | GroupList:
    """Packets, newest first; grouped by hash they are in the order of their newest reception."""
    grouped = query.flag("groupByHash", group_by_hash)
    ascending = query.one_of("order", (order or "").lower(), {"asc": True, "desc": False}) or False
    kind = "g" if grouped else "p"
    size = min(limit, EXPANDED_MAX if expand else LIMIT_MAX)
    after = query.cursor(kind, cursor)
    facts = context.facts.current()
    asked = PacketQuery(
        latest=grouped,
        ascending=ascending,
        limit=size,
        offset=0 if after else offset,
        after=after,
        since=wanted.since,
        until=wanted.until,
        type=wanted.type,
        route=wanted.route,
    )

    def read(db: Snapshot) -> tuple[packets.PacketPage, dict[int, list[int]], dict[int, list[ObservationRow]]]:
        page = find(db, asked, wanted, facts)
        ids = [row.id for row in page.rows]
        heard = packets.heard_by(db, ids) if grouped else {}
        return page, heard, packets.observations(db, ids, limit=OBSERVATIONS_MAX) if expand else {}

    page, heard, observations = context.pool.read(read)
    show = Presenter(context.decoder, facts)
    end = (page.total, size, offset, page.total_exact, query.write_cursor(kind, page.next))
    if grouped:
        groups = [show.group(row, len(heard[row.id]), observations.get(row.id)) for row in page.rows]
        return GroupList(groups, *end)
    return PacketList([show.packet(row, observations.get(row.id)) for row in page.rows], *end)


@get("/api/packets/timestamps", opt=OPEN, sync_to_thread=True, tags=["packets"])
def packet_times(context: Given, since: Annotated[str | None, QueryParameter(max_length=40)] = None) -> list[str]:
    """First reception times since then, ascending; the newest 100,000 at most."""
    begun = query.time_ms("since", since)
    if begun is None:
        raise BadRequest("since required")
    return [iso(ms) for ms in context.pool.read(lambda db: packets.times(db, since=begun, limit=TIMES_MAX))]


@post("/api/packets/observations", opt=OPEN, sync_to_thread=True, status_code=200, tags=["packets"])
def observations_by_hash(context: Given, data: JSONBody[Hashes]) -> ObservationsByHash:
    """Receptions of some packets."""
    wanted = [query.packet_hash("hashes", text) for text in data.hashes]
    facts = context.facts.current()

    def read(db: Snapshot) -> tuple[tuple[PacketRow, ...], dict[int, list[ObservationRow]]]:
        ids = packets.ids_by_hashes(db, wanted)
        return packets.by_ids(db, ids), packets.observations(db, ids, limit=OBSERVATIONS_MAX)

    rows, observations = context.pool.read(read)
    show = Presenter(context.decoder, facts)
    return ObservationsByHash({row.hash.hex(): show.observations(row, observations[row.id]) for row in rows})


@get("/api/packets/{key:str}", opt=OPEN | PURE, sync_to_thread=True, tags=["packets"])
def packet(
    context: Given,
    key: Annotated[str, PathParameter(max_length=40, description="A packet's id or hash.")],
) -> PacketDetail:
    """One packet by id (digits) or hash (16 hex digits)."""
    facts = context.facts.current()

    def read(db: Snapshot) -> tuple[PacketRow, list[ObservationRow]]:
        found = identity(db, key)
        rows = packets.by_ids(db, [] if found is None else [found])
        if not rows:
            raise NotFound("Not found")
        return rows[0], packets.observations(db, [rows[0].id], limit=OBSERVATIONS_MAX)[rows[0].id]

    row, observations = context.pool.read(read)
    return Presenter(context.decoder, facts).detail(row, observations)


def identity(db: Snapshot, key: str) -> int | None:
    """The transmission that a key in a path means. 16 hex digits are a hash first, also when they are all decimal."""
    if len(key) == 16:
        found = packets.id_by_hash(db, query.packet_hash("packet", key)) if is_key_prefix(key) else None
        if found is not None:
            return found
    if key.isascii() and key.isdigit():
        if int(key) > query.INT64_MAX:
            raise BadRequest("packet: an id is below 2^63")
        return int(key)
    if not is_key_prefix(key) or len(key) != 16:
        raise BadRequest("packet: expected an id or 16 hex digits")
    return None


ROUTES = (list_packets, packet_times, observations_by_hash, packet)
