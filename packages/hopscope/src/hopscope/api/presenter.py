"""Makes the wire form of packets and receptions from rows, with one state of the facts. Reads no database."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from hopscope.api import corescope_json
from hopscope.api.corescope_json import Json, hops_json
from hopscope.api.facts import Facts
from hopscope.api.packet_shapes import ByteField, GroupOut, Observation, PacketDetail, PacketOut
from hopscope.api.shown import Decoder, Shown, byte_map, frame_hex
from hopscope.api.times import iso
from hopscope.store.packets import ObservationRow, PacketRow
from meshwire import DecodeError, Span, decode

DIRECTIONS = ("rx", "tx")


class Presenter:
    """Makes the wire form of rows, with one state of the facts."""

    def __init__(self, decoder: Decoder, facts: Facts) -> None:
        self._decoder = decoder
        self._facts = facts

    def shown(self, row: PacketRow) -> Shown:
        """What may be seen of the packet."""
        return self._decoder.show(row, self._facts.veil)

    def packet(self, row: PacketRow, observations: Sequence[ObservationRow] | None = None) -> PacketOut:
        """A packet of an ungrouped list, with its receptions where they were asked for."""
        shown = self.shown(row)
        observer = self._facts.observer(row.observer_id)
        first_seen = iso(row.first_seen)
        return PacketOut(
            id=row.id,
            raw_hex=frame_hex(row, shown),
            hash=row.hash.hex(),
            first_seen=first_seen,
            timestamp=first_seen,
            route_type=row.route,
            payload_type=row.type,
            payload_version=row.version,
            decoded_json=shown.payload_json,
            observation_count=row.observation_count,
            observer_id=observer.ident if observer else None,
            observer_name=observer.name if observer else None,
            observer_iata=observer.iata if observer else None,
            snr=row.snr,
            rssi=row.rssi,
            score=row.score,
            path_json=path_text(shown, row.path_len, row.path),
            direction=None if row.direction is None else DIRECTIONS[row.direction],
            scope_name=UNSET if row.region is None else row.region,
            channel=self._channel(row),
            observations=UNSET if observations is None else self.observations(row, observations),
        )

    def group(
        self, row: PacketRow, observer_count: int, observations: Sequence[ObservationRow] | None = None
    ) -> GroupOut:
        """A packet of a grouped list, with its receptions where they were asked for."""
        shown = self.shown(row)
        observer = self._facts.observer(row.observer_id)
        return GroupOut(
            id=row.id,
            hash=row.hash.hex(),
            first_seen=iso(row.first_seen),
            count=row.observation_count,
            observer_count=observer_count,
            latest=iso(row.latest),
            observer_id=observer.ident if observer else None,
            observer_name=observer.name if observer else None,
            observer_iata=observer.iata if observer else None,
            path_json=path_text(shown, row.path_len, row.path),
            payload_type=row.type,
            route_type=row.route,
            raw_hex=frame_hex(row, shown),
            decoded_json=shown.payload_json,
            observation_count=row.observation_count,
            snr=row.snr,
            rssi=row.rssi,
            scope_name=UNSET if row.region is None else row.region,
            channel=self._channel(row),
            observations=UNSET if observations is None else self.observations(row, observations),
        )

    def observations(self, row: PacketRow, rows: Sequence[ObservationRow]) -> list[Observation]:
        """A packet's receptions."""
        shown = self.shown(row)
        return [self.observation(row, one, shown) for one in rows]

    def observation(self, row: PacketRow, one: ObservationRow, shown: Shown) -> Observation:
        """One reception."""
        observer = self._facts.observer(one.observer_id)
        return Observation(
            id=one.id,
            transmission_id=one.transmission_id,
            hash=row.hash.hex(),
            observer_id=observer.ident if observer else None,
            observer_name=observer.name if observer else None,
            observer_iata=observer.iata if observer else None,
            snr=one.snr,
            rssi=one.rssi,
            score=one.score,
            path_json=path_text(shown, one.path_len, one.path),
            direction=DIRECTIONS[one.direction],
            timestamp=iso(one.heard_at),
            raw_hex=reception_hex(one, shown) if one.head is not None else UNSET,
        )

    def detail(self, row: PacketRow, observations: Sequence[ObservationRow]) -> PacketDetail:
        """One packet with everything."""
        shown = self.shown(row)
        out = self.packet(row)
        fields, decoded = self._explained(out.raw_hex, shown)
        return PacketDetail(
            packet=out,
            path=msgspec.json.decode(out.path_json),
            observation_count=row.observation_count,
            observations=self.observations(row, observations),
            byte_map=fields,
            decoded=decoded,
        )

    def _explained(self, raw_hex: str, shown: Shown) -> tuple[list[ByteField], Json]:
        frame = bytes.fromhex(raw_hex)
        keys = self._decoder.keys
        try:
            fields = [field_of(span) for span in byte_map(frame, keys, hidden_from=shown.hidden_from)]
            decoded = corescope_json.decoded(decode(frame, keys=keys, verify=False))
        except DecodeError:
            return [], {"payload": shown.payload, "raw": raw_hex}
        return fields, decoded | {"payload": shown.payload}

    def _channel(self, row: PacketRow) -> str | UnsetType:
        channel = self._facts.channels.get(row.channel_id) if row.channel_id is not None else None
        return UNSET if channel is None else channel.name


def path_text(shown: Shown, path_len: int | None, path: bytes | None) -> str:
    """The hops of a reception as JSON text: of a TRACE its route, else the path it came by."""
    found = hops(shown, path_len, path)
    return '["' + '","'.join(found) + '"]' if found else "[]"


def hops(shown: Shown, path_len: int | None, path: bytes | None) -> list[str]:
    """The hops of a reception."""
    if shown.trace_hops is not None:
        return list(shown.trace_hops)
    return [] if path_len is None or not path else hops_json(path_len, path)


def reception_hex(row: ObservationRow, shown: Shown) -> str:
    """The frame that this observer heard, its payload behind the veil."""
    head = row.head or b""
    return (head + bytes([row.path_len]) + row.path).hex().upper() + shown.payload_hex


def field_of(span: Span) -> ByteField:
    """A field of the byte map; bytes as hex."""
    value = span.value.hex().upper() if isinstance(span.value, bytes) else span.value
    return ByteField(span.name, span.start, span.end, value)
