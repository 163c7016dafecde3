"""Receptions as live events: the `data` object of a WebSocket message, and which filters an event passes."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from hopscope.api.context import Context
from hopscope.api.corescope_json import Json, type_name
from hopscope.api.facts import Facts
from hopscope.api.packet_filter import PacketFilter
from hopscope.api.presenter import DIRECTIONS, hops, path_text, reception_hex
from hopscope.api.shown import Decoder, Shown, frame_hex
from hopscope.api.times import iso
from hopscope.live.hub import Event
from hopscope.store.live import News
from hopscope.store.packets import ObservationRow, PacketRow

TRACE = 9


class Scalars(Struct):
    """A reception with its packet. `id` is the packet's."""

    id: int
    raw_hex: str
    hash: str
    first_seen: str
    timestamp: str
    route_type: int
    payload_type: int
    decoded_json: str
    observer_id: str | None
    observer_name: str | None
    snr: float | None
    rssi: int | None
    path_json: str
    direction: str
    observation_count: int


class LivePacket(Scalars):
    """What a live message carries: the same values twice, because clients read them in either place."""

    decoded: Json
    packet: Scalars


class Composer:
    """Makes events of receptions, in the thread of the feed."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __call__(self, news: News) -> list[Event]:
        """The events, in the order of their receptions."""
        facts = self._context.facts.current()
        return [event_of(one, row, facts, self._context.decoder) for one, row in news.receptions]


def event_of(one: ObservationRow, row: PacketRow, facts: Facts, decoder: Decoder) -> Event:
    """One reception as an event. A hidden observer is shown as none."""
    shown = decoder.show(row, facts.veil)
    observer = facts.observer(one.observer_id)
    scalars = scalars_of(one, row, shown, facts)
    packet = LivePacket(**msgspec.structs.asdict(scalars), decoded=decoded_of(row, one, shown), packet=scalars)
    return Event(
        id=one.id,
        body=msgspec.json.encode(packet),
        type=row.type,
        route=row.route,
        hash=row.hash,
        observer=observer.ident.upper() if observer else None,
        iata=observer.iata if observer else None,
        channel_id=row.channel_id,
        node_id=row.node_id,
    )


def scalars_of(one: ObservationRow, row: PacketRow, shown: Shown, facts: Facts) -> Scalars:
    """The plain values of a reception."""
    observer = facts.observer(one.observer_id)
    first_seen = iso(row.first_seen)
    return Scalars(
        id=row.id,
        raw_hex=frame_hex(row, shown) if one.head is None else reception_hex(one, shown),
        hash=row.hash.hex(),
        first_seen=first_seen,
        timestamp=first_seen,
        route_type=row.route,
        payload_type=row.type,
        decoded_json=shown.payload_json,
        observer_id=observer.ident if observer else None,
        observer_name=observer.name if observer else None,
        snr=one.snr,
        rssi=one.rssi,
        path_json=path_text(shown, one.path_len, one.path),
        direction=DIRECTIONS[one.direction],
        observation_count=row.observation_count,
    )


def decoded_of(row: PacketRow, one: ObservationRow, shown: Shown) -> Json:
    """The type's name and the payload; of a TRACE its route too, which other packets have in path_json."""
    decoded: Json = {"header": {"payloadTypeName": type_name(row.type)}, "payload": shown.payload}
    if row.type == TRACE:
        decoded["path"] = {"hops": hops(shown, one.path_len, one.path)}
    return decoded


def matcher(wanted: PacketFilter, facts: Facts, nodes: tuple[int, ...] | None) -> Callable[[Event], bool]:
    """Whether an event passes a filter. Times do not filter: what is live is now. `nodes`: None filters nothing."""
    regions = frozenset(code.upper() for code in wanted.region)
    channel = facts.channel_named(wanted.channel) if wanted.channel else None
    observer = wanted.observer.upper() if wanted.observer else None

    def matches(event: Event) -> bool:
        return (
            (wanted.type is None or event.type == wanted.type)
            and (wanted.route is None or event.route == wanted.route)
            and (wanted.hash is None or event.hash == wanted.hash)
            and (observer is None or event.observer == observer)
            and (not regions or event.iata in regions)
            and (wanted.channel is None or (channel is not None and event.channel_id == channel.id))
            and (nodes is None or event.node_id in nodes)
        )

    return matches


def everything(_event: Event) -> bool:
    """The filter of those who ask for no filter."""
    return True
