"""How nodes and observers change with what is heard. Pure policy on rows in memory; `writing` loads and saves them.

Every rule is a maximum over the records seen, so that the order of arrival (live, redelivered, imported) never matters.
"""

from dataclasses import dataclass

from hopscope.model import Heard, Info, PacketFacts, Stats, StatusReport

DAY_MS = 86_400_000  # an advert whose clock is further ahead says nothing about its age


@dataclass(slots=True)
class ObserverRow:
    """A row of `observers`; the columns' comments are in schema.sql."""

    id: int
    first_seen: int
    last_seen: int
    last_packet_at: int | None = None
    observation_count: int = 0
    name: str | None = None
    name_at: int | None = None
    iata: str | None = None
    iata_at: int | None = None
    status: str | None = None
    status_at: int | None = None
    model: str | None = None
    firmware: str | None = None
    client_version: str | None = None
    radio: str | None = None
    info_at: int | None = None
    battery_mv: int | None = None
    uptime_s: int | None = None
    noise_floor: float | None = None
    stats_at: int | None = None
    clock_skew_ms: int | None = None
    clock_at: int | None = None
    clock_naive_at: int | None = None


@dataclass(slots=True)
class NodeRow:
    """A row of `nodes`; the columns' comments are in schema.sql."""

    id: int
    pubkey: bytes
    first_seen: int
    last_seen: int
    name: str | None = None
    role: int = 0
    lat_e6: int | None = None
    lon_e6: int | None = None
    advert_at: int | None = None
    advert_hash: bytes | None = None
    advert_heard_at: int | None = None
    advert_count: int = 0
    verified: int = 1
    hash_sizes: int = 0
    hash_size: int | None = None


def heard_by(row: ObserverRow, heard: Heard) -> None:
    """The observer sent a reception that was not known yet."""
    reception = heard.reception
    at = reception.heard_at
    _seen(row, at, reception.observer_name, reception.iata)
    row.last_packet_at = max(at, row.last_packet_at or at)
    row.observation_count += 1
    _clock(row, at, reception.published_at, naive=reception.clock_naive)


def reported(row: ObserverRow, report: StatusReport) -> None:
    """The observer spoke about itself. A description and a measurement each replace the older one whole."""
    at = report.at
    _seen(row, at, report.observer_name, report.iata)
    if not report.retained:  # a retained record's clock is compared with the wrong moment
        _clock(row, at, report.published_at, naive=report.clock_naive)
    if report.status is not None and newer(at, (report.status,), row.status_at, (row.status,)):
        row.status, row.status_at = report.status, at
    if report.info is not None and newer(at, _info(report.info), row.info_at, _info(row)):
        row.model, row.firmware, row.client_version, row.radio = _info(report.info)
        row.info_at = at
    if report.stats is not None and newer(at, _stats(report.stats), row.stats_at, _stats(row)):
        row.battery_mv, row.uptime_s, row.noise_floor = _stats(report.stats)
        row.stats_at = at


def newer(at: int, values: tuple[object, ...], stored_at: int | None, stored: tuple[object, ...]) -> bool:
    """True when the values of `at` replace the stored ones; at the same millisecond the greater values win."""
    if stored_at is None or at != stored_at:
        return stored_at is None or at > stored_at
    return _orderable(values) > _orderable(stored)


def advertised(row: NodeRow, packet: PacketFacts, heard_at: int, *, first: bool) -> None:
    """A valid advert of the node was heard; `first`: its packet was not known yet.

    An older advert refreshes the times only. One more than a day ahead counts as newest until any plausible one comes.
    """
    advert = packet.advert
    if advert is None:
        raise ValueError("only a verified advert changes a node")
    row.first_seen, row.last_seen = min(row.first_seen, heard_at), max(row.last_seen, heard_at)
    row.advert_count += first
    row.verified = 1
    row.hash_sizes |= 1 << (packet.hash_size or 0)
    rank = _rank(advert.advert_at, packet.hash, heard_at, packet.hash_size)
    if rank <= _rank(row.advert_at, row.advert_hash, row.advert_heard_at, row.hash_size):
        return
    row.name, row.role, row.lat_e6, row.lon_e6 = advert.name, advert.role, advert.lat_e6, advert.lon_e6
    row.advert_at, row.advert_hash, row.advert_heard_at = advert.advert_at, packet.hash, heard_at
    row.hash_size = packet.hash_size


def _rank(advert_at: int | None, digest: bytes | None, heard_at: int | None, size: int | None) -> tuple[object, ...]:
    """Which advert is newer. Plausible clocks order themselves; among clocks that run ahead the latest heard wins."""
    if advert_at is None or heard_at is None:
        return (-1,)
    if advert_at > heard_at + DAY_MS:
        return (0, heard_at, advert_at, digest or b"", size or 0)
    return (1, advert_at, digest or b"", heard_at, size or 0)


def _seen(row: ObserverRow, at: int, name: str | None, iata: str | None) -> None:
    row.first_seen, row.last_seen = min(row.first_seen, at), max(row.last_seen, at)
    if name is not None and newer(at, (name,), row.name_at, (row.name,)):
        row.name, row.name_at = name, at
    if iata is not None and newer(at, (iata,), row.iata_at, (row.iata,)):
        row.iata, row.iata_at = iata, at


def _clock(row: ObserverRow, at: int, published_at: int | None, *, naive: bool) -> None:
    if published_at is None:
        return
    if newer(at, (published_at - at,), row.clock_at, (row.clock_skew_ms,)):
        row.clock_skew_ms, row.clock_at = published_at - at, at
    if naive:
        row.clock_naive_at = max(at, row.clock_naive_at or at)


def _info(of: Info | ObserverRow) -> tuple[str | None, str | None, str | None, str | None]:
    return of.model, of.firmware, of.client_version, of.radio


def _stats(of: Stats | ObserverRow) -> tuple[int | None, int | None, float | None]:
    return of.battery_mv, of.uptime_s, of.noise_floor


def _orderable(values: tuple[object, ...]) -> tuple[tuple[bool, object], ...]:
    return tuple((value is not None, value) for value in values)
