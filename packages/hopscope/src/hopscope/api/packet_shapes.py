"""The wire form of packets and receptions. Shapes only; the presenter fills them."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

HASHES_MAX = 200


class Observation(Struct):
    """One reception. raw_hex is missing where the reception was imported without its frame."""

    id: int
    transmission_id: int
    hash: str
    observer_id: str | None
    observer_name: str | None
    observer_iata: str | None
    snr: float | None
    rssi: int | None
    score: int | None
    path_json: str
    direction: str
    timestamp: str
    raw_hex: str | UnsetType = UNSET


class PacketOut(Struct):
    """A packet. Display fields come from the reception with the longest path; times are server receive times."""

    id: int
    raw_hex: str
    hash: str
    first_seen: str
    timestamp: str
    route_type: int
    payload_type: int
    payload_version: int
    decoded_json: str
    observation_count: int
    observer_id: str | None
    observer_name: str | None
    observer_iata: str | None
    snr: float | None
    rssi: int | None
    score: int | None
    path_json: str
    direction: str | None
    scope_name: str | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    observations: list[Observation] | UnsetType = UNSET


class GroupOut(Struct):
    """A packet with its receptions summed up, as lists grouped by hash show it."""

    id: int
    hash: str
    first_seen: str
    count: int
    observer_count: int
    latest: str
    observer_id: str | None
    observer_name: str | None
    observer_iata: str | None
    path_json: str
    payload_type: int
    route_type: int
    raw_hex: str
    decoded_json: str
    observation_count: int
    snr: float | None
    rssi: int | None
    scope_name: str | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    observations: list[Observation] | UnsetType = UNSET


class PacketList(Struct):
    """A page. next_cursor null: the list ends here. total_exact false: there are at least `total`."""

    packets: list[PacketOut]
    total: int
    limit: int
    offset: int
    total_exact: bool
    next_cursor: str | None


class GroupList(Struct):
    """A page of the list grouped by hash; as PacketList."""

    packets: list[GroupOut]
    total: int
    limit: int
    offset: int
    total_exact: bool
    next_cursor: str | None


class ByteField(Struct):
    """One field of a frame: bytes [start, end) of raw_hex, and what they mean."""

    name: str
    start: int
    end: int
    value: str | int | float


class PacketDetail(Struct):
    """One packet, its receptions and its bytes."""

    packet: PacketOut
    path: list[str]
    observation_count: int
    observations: list[Observation]
    byte_map: list[ByteField]
    decoded: dict[str, Any]


class Hashes(Struct):
    """Packet hashes, at most 200 of 16 hex digits each."""

    hashes: Annotated[list[str], msgspec.Meta(max_length=HASHES_MAX)]


class ObservationsByHash(Struct):
    """Receptions by packet hash; unknown hashes are left out."""

    results: dict[str, list[Observation]]
