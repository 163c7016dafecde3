"""Rows of CoreScope's tables to rows of ours, as flat mappings the engine carries. Pure; opens nothing.

Each function takes the rows of one slice and yields one mapping per row: what to store, or why it cannot be stored.
All mappings of a table have the same columns, the key first; those of the other outcome are None.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hopscope.migrations.corescope_values import (
    PATH_LIMIT,
    Path,
    Refusal,
    Refused,
    SqlValue,
    frame_bytes,
    microdegrees,
    node_key,
    number,
    observer_ident,
    path_of,
    role,
    text,
    time_ms,
    whole,
)
from hopscope.model import PacketFacts
from hopscope.store.import_receptions import PACKET, Observed, packed

Row = Mapping[str, SqlValue]
Decode = Callable[[bytes], PacketFacts | str]  # the text says why the frame is refused
RECORD_LIMIT = 4096  # bytes of a refused row that are kept, as for records from the air
WITH_CODES = (0, 3)  # routes whose frames carry transport codes
CACHED_FRAMES = 4096  # observations of one packet lie close together in a slice
NO_TIME = Refused(Refusal.BAD_TIME, "it has no usable time")
NO_IDENT = Refused(Refusal.BAD_OBSERVER, "the observer's id is neither 64 hex digits nor a plain word")


def _columns(key: str, *names: str) -> dict[str, SqlValue]:
    """Every column of a table's mappings, empty."""
    return dict.fromkeys((key, "refusal", "detail", "record", *names))


TRANSMISSION = _columns("id", "hash", "first_seen", "type", "route", "version", "frame", "payload_at", "region")
OBSERVER = _columns(
    "rowid", "ident", "name", "iata", "first_seen", "last_seen", "last_packet_at", "model", "firmware",
    "client_version", "radio", "battery_mv", "uptime_s", "noise_floor", "clock_skew_ms", "clock_naive_at",
)  # fmt: skip
NODE = _columns(
    "rowid", "pubkey", "name", "role", "lat_e6", "lon_e6", "first_seen", "last_seen", "battery_mv", "temperature_c"
)
METRIC = _columns(
    "rowid", "observer", "at", "noise_floor", "battery_mv", "tx_air_s", "rx_air_s", "recv_errors", "packets_sent",
    "packets_received",
)  # fmt: skip
EDGE = _columns("rowid", "node_a", "node_b", "count", "last_seen")


def refused(row: Row, why: Refused, columns: dict[str, SqlValue]) -> dict[str, SqlValue]:
    """A row for the quarantine: its key, the reason, one sentence, and the row itself."""
    key = next(iter(columns))
    return columns | {
        key: row[key],
        "refusal": why.reason.value,
        "detail": why.detail,
        "record": _record(row),
    }


def _record(row: Row) -> bytes:
    record = json.dumps({k: v for k, v in row.items() if v is not None}, default=repr, ensure_ascii=False)
    return record.encode("utf-8", "surrogatepass")[:RECORD_LIMIT]


@dataclass(frozen=True, slots=True)
class Frames:
    """Decoded frames by their hex; the same few are asked for again and again.

    packet: the columns of a transmission (`import_receptions.PACKET`), from its frame and its scope_name.
    """

    facts: Callable[[SqlValue], PacketFacts | Refused]
    packet: Callable[[SqlValue, SqlValue], tuple[SqlValue, ...]]

    @classmethod
    def of(cls, decode: Decode) -> "Frames":
        """With a cache of its own."""

        @lru_cache(CACHED_FRAMES)
        def facts(raw_hex: SqlValue) -> PacketFacts | Refused:
            frame = frame_bytes(raw_hex)
            if isinstance(frame, Refused):
                return frame
            found = decode(frame)
            return Refused(Refusal.BAD_FRAME, found) if isinstance(found, str) else found

        @lru_cache(CACHED_FRAMES)
        def packet(raw_hex: SqlValue, scope_name: SqlValue) -> tuple[SqlValue, ...]:
            found = facts(raw_hex)
            assert isinstance(found, PacketFacts)  # asked for frames that were found good
            region = _region(found.region, scope_name)
            return found.type, found.route, found.version, found.frame, found.payload_at, region

        return cls(facts, packet)


def transmissions(rows: Sequence[Row], *, frames: Frames, now: int) -> Iterator[dict[str, SqlValue]]:
    """`transmissions`: identity is the packet hash of the frame, recomputed; the stored hash is not looked at."""
    for row in rows:
        if row.get("forgotten"):
            yield refused(row, Refused(Refusal.PAST_RETENTION, "retention would drop it"), TRANSMISSION)
            continue
        facts = frames.facts(row["raw_hex"])
        if isinstance(facts, Refused):
            yield refused(row, facts, TRANSMISSION)
            continue
        first_seen = _first(row, ("first_seen", "first_heard", "created_at"), now)
        if first_seen is None:
            yield refused(
                row, Refused(Refusal.BAD_TIME, "neither it nor an observation of it has a usable time"), TRANSMISSION
            )
            continue
        yield TRANSMISSION | {
            "id": row["id"],
            "hash": facts.hash,
            "first_seen": first_seen,
            **dict(zip(PACKET, frames.packet(row["raw_hex"], row["scope_name"]), strict=True)),
        }


def _region(matched: str | None, stored: SqlValue) -> str | None:
    """What our keys match; else the name the source matched with keys that we may not have."""
    name = text(stored)
    return name if matched == "" and name is not None and name.startswith("#") else matched


def observations(rows: Sequence[Row], *, frames: Frames, now: int) -> list[dict[str, SqlValue]]:
    """`observations`: each with its own frame's path where it has one, else with path_json.

    The whole slice as one value (see `import_receptions.packed`): there are millions, and the engine copies
    each row it is given several times.
    """
    found = [_observation(row, frames, now) for row in rows]
    return packed("id", found)


def _observation(row: Row, frames: Frames, now: int) -> Observed:
    if row["known_transmission"] is None:
        detail = f"transmission {row['transmission_id']!r} is not in the file"
        return _refused(row, Refused(Refusal.NO_TRANSMISSION, detail))
    packet = frames.facts(row["packet_hex"])
    if isinstance(packet, Refused):
        detail = f"its transmission was refused: {packet.detail}"
        return _refused(row, Refused(Refusal.TRANSMISSION_REFUSED, detail))
    heard_at = time_ms(row["timestamp"], now=now)
    if heard_at is None:
        return _refused(row, NO_TIME)
    head, path = _heard(row, packet)
    if isinstance(path, Refused):
        return _refused(row, path)
    return Observed(
        _key(row),
        packet.hash,
        observer_ident(row["observer"]),
        heard_at,
        head,
        path.length_byte,
        path.hashes,
        number(row["snr"]),
        whole(row["rssi"]),
        whole(row["score"]),
        1 if row["direction"] == "tx" else 0,
        frames.packet(row["packet_hex"], row.get("packet_scope")),
    )


def _refused(row: Row, why: Refused) -> Observed:
    return Observed(_key(row), refusal=why.reason.value, detail=why.detail, record=_record(row))


def _key(row: Row) -> int:
    key = row["id"]
    assert isinstance(key, int)  # the table's primary key
    return key


def _heard(row: Row, packet: PacketFacts) -> tuple[bytes | None, Path | Refused]:
    """The head (None: not known) and the path of what this observer heard.

    A TRACE without its own frame gets its packet's path: path_json holds its route, not the SNR bytes of the header.
    """
    own = _own_head(row["raw_hex"], packet) if row["raw_hex"] else None
    if own is not None:
        return own
    if packet.hash_size is None:
        return None, Path(packet.path_len, packet.path)
    found = path_of(row["path_json"], hash_size=packet.hash_size)
    return None, Path(packet.path_len & 0xC0, b"") if found is None else found


def _own_head(raw_hex: SqlValue, packet: PacketFacts) -> tuple[bytes, Path] | None:
    """Head and path of an observation's own frame; None unless it holds its packet's payload.

    The payload was decoded once with its packet; here only what lies before it is read. A TRACE's hash covers its
    path length, so that one of another length is another packet.
    """
    frame = frame_bytes(raw_hex)
    if isinstance(frame, Refused):
        return None
    size = 5 if frame[0] & 3 in WITH_CODES else 1
    if len(frame) <= size or frame[0] >> 6 != packet.version or frame[0] >> 2 & 15 != packet.type:
        return None
    length_byte = frame[size]
    path_size = (length_byte & 63) * ((length_byte >> 6) + 1)
    payload_at = size + 1 + path_size
    if length_byte >> 6 == 3 or path_size > PATH_LIMIT or frame[payload_at:] != packet.frame[packet.payload_at :]:
        return None
    if packet.hash_size is None and length_byte != packet.path_len:
        return None
    return frame[:size], Path(length_byte, frame[size + 1 : payload_at])


def observers(rows: Sequence[Row], *, now: int) -> Iterator[dict[str, SqlValue]]:
    """`observers`: what is described and measured is as old as the row's last_seen."""
    for row in rows:
        ident = observer_ident(row["ident"])
        first, last = _span(row, now)
        if ident is None:
            yield refused(row, NO_IDENT, OBSERVER)
        elif last is None:
            yield refused(row, NO_TIME, OBSERVER)
        else:
            yield _observer(row, ident, first, last, now)


def _observer(row: Row, ident: str, first: int | None, last: int, now: int) -> dict[str, SqlValue]:
    iata = text(row["iata"], 8)
    skew = whole(row["clock_skew_seconds"])
    return OBSERVER | {
        "rowid": row["rowid"],
        "ident": ident,
        "name": text(row["name"]),
        "iata": iata.upper() if iata else None,
        "first_seen": first,
        "last_seen": last,
        "last_packet_at": time_ms(row["last_packet_at"], now=now),
        "model": text(row["model"]),
        "firmware": text(row["firmware"]),
        "client_version": text(row["client_version"]),
        "radio": text(row["radio"]),
        "battery_mv": whole(row["battery_mv"]),
        "uptime_s": whole(row["uptime_secs"]),
        "noise_floor": number(row["noise_floor"]),
        "clock_skew_ms": None if skew is None else skew * 1000,
        "clock_naive_at": time_ms(row["clock_last_naive_at"], now=now),
    }


def nodes(rows: Sequence[Row], *, now: int) -> Iterator[dict[str, SqlValue]]:
    """`nodes` and `inactive_nodes`. Their advert counts stay behind: ours are counted from the packets."""
    for row in rows:
        pubkey = node_key(row["public_key"])
        first, last = _span(row, now)
        if pubkey is None:
            yield refused(row, Refused(Refusal.BAD_KEY, "its key is not 64 hex digits"), NODE)
        elif last is None:
            yield refused(row, NO_TIME, NODE)
        else:
            lat, lon = microdegrees(row["lat"], 90), microdegrees(row["lon"], 180)
            placed = lat is not None and lon is not None and (lat, lon) != (0, 0)
            yield NODE | {
                "rowid": row["rowid"],
                "pubkey": pubkey,
                "name": text(row["name"]),
                "role": role(row["role"]),
                "lat_e6": lat if placed else None,
                "lon_e6": lon if placed else None,
                "first_seen": first,
                "last_seen": last,
                "battery_mv": whole(row["battery_mv"]),
                "temperature_c": number(row["temperature_c"]),
            }


def metrics(rows: Sequence[Row], *, now: int) -> Iterator[dict[str, SqlValue]]:
    """`observer_metrics`: samples at their full five minutes."""
    for row in rows:
        ident = observer_ident(row["observer_id"])
        at = time_ms(row["timestamp"], now=now)
        if ident is None:
            yield refused(row, NO_IDENT, METRIC)
        elif at is None:
            yield refused(row, NO_TIME, METRIC)
        else:
            yield METRIC | {
                "rowid": row["rowid"],
                "observer": ident,
                "at": at - at % 300_000,
                "noise_floor": number(row["noise_floor"]),
                "battery_mv": whole(row["battery_mv"]),
                "tx_air_s": whole(row["tx_air_secs"]),
                "rx_air_s": whole(row["rx_air_secs"]),
                "recv_errors": whole(row["recv_errors"]),
                "packets_sent": whole(row["packets_sent"]),
                "packets_received": whole(row["packets_recv"]),
            }


def edges(rows: Sequence[Row], *, now: int) -> Iterator[dict[str, SqlValue]]:
    """`neighbor_edges`: the smaller key first, so that an edge has one row whichever way it was written."""
    for row in rows:
        ends = [node_key(row["node_a"]), node_key(row["node_b"])]
        at = time_ms(row["last_seen"], now=now)
        if None in ends:
            yield refused(row, Refused(Refusal.NO_NEIGHBOUR, "one of its ends is not known"), EDGE)
        elif at is None:
            yield refused(row, NO_TIME, EDGE)
        else:
            low, high = sorted(end for end in ends if end is not None)
            yield EDGE | {
                "rowid": row["rowid"],
                "node_a": low,
                "node_b": high,
                "count": max(whole(row["count"]) or 0, 1),
                "last_seen": min(at, now),
            }


def _span(row: Row, now: int) -> tuple[int | None, int | None]:
    """First and last seen, each standing in for the other; both None when neither is a time.

    Of a clock that ran ahead nothing remains: what is heard from now on would be older, and change nothing.
    """
    times = (time_ms(row[name], now=now) for name in ("first_seen", "last_seen"))
    known = [min(at, now) for at in times if at is not None]
    return min(known, default=None), max(known, default=None)


def _first(row: Row, names: Sequence[str], now: int) -> int | None:
    return next((at for name in names if (at := time_ms(row[name], now=now)) is not None), None)
