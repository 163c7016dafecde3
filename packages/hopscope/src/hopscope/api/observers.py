"""/api/observers: who publishes what they hear, how they do, and their samples."""

# ruff: noqa: N815 - the keys are those that clients know

from typing import Annotated

from litestar import get
from litestar.params import PathParameter, QueryParameter
from msgspec import Struct

from hopscope.api import query
from hopscope.api.access import OPEN
from hopscope.api.context import Context, Given
from hopscope.api.corescope_json import role_name
from hopscope.api.errors import NotFound
from hopscope.api.facts import Facts
from hopscope.api.times import iso, iso_or_none
from hopscope.api.veil import E6, Veil
from hopscope.store import nodes, observers, stats
from hopscope.store.nodes import NodeRow
from hopscope.store.observers import ObserverRow, Sample
from hopscope.store.pool import Snapshot

SAMPLES_MAX = 5_000
DAY_MS = 86_400_000


class ObserverOut(Struct):
    """An observer. Position and role are those of the node with the same key, behind the same veil."""

    id: str
    name: str | None
    iata: str | None
    last_seen: str
    first_seen: str
    packet_count: int
    model: str | None
    firmware: str | None
    client_version: str | None
    radio: str | None
    battery_mv: int | None
    uptime_secs: int | None
    noise_floor: float | None
    last_packet_at: str | None
    packetsLastHour: int
    lat: float | None
    lon: float | None
    nodeRole: str | None
    clock_naive: bool
    clock_skew_seconds: float | None
    clock_skew_count_24h: int
    clock_last_naive_at: str | None
    status: str | None


class ObserverList(Struct):
    """Every observer, newest heard first."""

    observers: list[ObserverOut]
    server_time: str


class SampleOut(Struct):
    """What an observer reported at a time; counters are cumulative since its boot."""

    timestamp: str
    noise_floor: float | None
    battery_mv: int | None
    tx_air_secs: int | None
    rx_air_secs: int | None
    recv_errors: int | None
    packets_sent: int | None
    packets_recv: int | None


class Metrics(Struct):
    """An observer's samples, oldest first."""

    observer_id: str
    metrics: list[SampleOut]
    observer_name: str | None


@get("/api/observers", opt=OPEN, sync_to_thread=True, tags=["observers"])
def list_observers(context: Given) -> ObserverList:
    """Every observer."""
    facts = context.facts.current()
    rows = facts.visible_observers()
    return ObserverList(present(context, facts, rows), iso(context.now_ms()))


@get("/api/observers/{ident:str}", opt=OPEN, sync_to_thread=True, tags=["observers"])
def observer(context: Given, ident: Annotated[str, PathParameter(max_length=100)]) -> ObserverOut:
    """One observer by its id, in any case of letters."""
    facts = context.facts.current()
    return present(context, facts, (found(facts, ident),))[0]


def found(facts: Facts, ident: str) -> ObserverRow:
    """The observer with this id. Raises NotFound."""
    row = facts.observer_named(ident)
    if row is None:
        raise NotFound("Observer not found")
    return row


def present(context: Context, facts: Facts, rows: tuple[ObserverRow, ...]) -> list[ObserverOut]:
    """The wire form of observers, with the nodes that have their keys."""
    now = context.now_ms()
    keys = {row.id: key for row in rows if (key := key_of(row)) is not None and not facts.veil.hides_key(key)}

    def read(db: Snapshot) -> tuple[dict[int, int], dict[bytes, NodeRow]]:
        return stats.receptions_last_hour(db, now=now), nodes.by_pubkeys(db, keys.values())

    last_hour, known = context.pool.read(read)
    return [
        observer_out(row, last_hour.get(row.id, 0), known.get(keys.get(row.id, b"")), facts.veil, now) for row in rows
    ]


def key_of(row: ObserverRow) -> bytes | None:
    """The observer's public key; None for a bridge that has none."""
    try:
        key = bytes.fromhex(row.ident)
    except ValueError:
        return None
    return key if len(key) == nodes.KEY_BYTES else None


def observer_out(row: ObserverRow, last_hour: int, node: NodeRow | None, veil: Veil, now: int) -> ObserverOut:
    """The wire form of one observer that is not hidden."""
    position = None if node is None else veil.position(node.role, node.lat_e6, node.lon_e6)
    naive = row.clock_naive_at is not None and now - row.clock_naive_at < DAY_MS
    return ObserverOut(
        id=row.ident,
        name=row.name,
        iata=row.iata,
        last_seen=iso(row.last_seen),
        first_seen=iso(row.first_seen),
        packet_count=row.observation_count,
        model=row.model,
        firmware=row.firmware,
        client_version=row.client_version,
        radio=row.radio,
        battery_mv=row.battery_mv,
        uptime_secs=row.uptime_s,
        noise_floor=row.noise_floor,
        last_packet_at=iso_or_none(row.last_packet_at),
        packetsLastHour=last_hour,
        lat=None if position is None else position[0] / 10**E6,
        lon=None if position is None else position[1] / 10**E6,
        nodeRole=None if node is None else role_name(node.role),
        clock_naive=naive,
        clock_skew_seconds=None if row.clock_skew_ms is None else row.clock_skew_ms / 1000,
        clock_skew_count_24h=int(naive),
        clock_last_naive_at=iso_or_none(row.clock_naive_at),
        status=row.status,
    )


@get("/api/observers/{ident:str}/metrics", opt=OPEN, sync_to_thread=True, tags=["observers"])
def metrics(
    context: Given,
    ident: Annotated[str, PathParameter(max_length=100)],
    since: Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339; a day ago.")] = None,
    until: Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339; now.")] = None,
    resolution: Annotated[str | None, QueryParameter(description="5m, 1h or 1d: the newest sample of each.")] = None,
) -> Metrics:
    """What an observer reported about itself, at most 5,000 samples, the newest ones."""
    row = found(context.facts.current(), ident)
    end = query.time_ms("until", until)
    end = context.now_ms() if end is None else end
    begin = query.time_ms("since", since)
    begin = end - DAY_MS if begin is None else begin
    step = query.one_of("resolution", resolution, {"5m": 300_000, "1h": 3_600_000, "1d": DAY_MS}) or 300_000
    samples = context.pool.read(lambda db: observers.samples(db, row.id, since=begin, until=end, limit=SAMPLES_MAX))
    return Metrics(row.ident, [sample_out(sample) for sample in thinned(samples, step)], row.name)


def thinned(samples: tuple[Sample, ...], step_ms: int) -> list[Sample]:
    """The newest sample of each step."""
    return list({sample.at // step_ms: sample for sample in samples}.values())


def sample_out(sample: Sample) -> SampleOut:
    """The wire form of a sample."""
    return SampleOut(
        timestamp=iso(sample.at),
        noise_floor=sample.noise_floor,
        battery_mv=sample.battery_mv,
        tx_air_secs=sample.tx_air_s,
        rx_air_secs=sample.rx_air_s,
        recv_errors=sample.recv_errors,
        packets_sent=sample.packets_sent,
        packets_recv=sample.packets_received,
    )


ROUTES = (list_observers, observer, metrics)
