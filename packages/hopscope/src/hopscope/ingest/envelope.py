"""Read a publisher's record: topic and JSON in, Reception, StatusReport, Rejected or Ignored out. Pure.

Owns every quirk of the feeds. Does not decode frames, and never trusts a hash, path or type that a record claims.
"""

import json
import math
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hopscope.model import (
    Direction,
    Ignored,
    Info,
    Message,
    Reason,
    Reception,
    Rejected,
    Stats,
    StatusReport,
)
from hopscope.store.identity import observer_ident

MAX_JSON_BYTES = 10 * 1024  # what the community's brokers accept
MAX_FRAME_HEX = 510  # 255 bytes, the largest frame on the air
MAX_NAME = 64  # characters shown of a name; a node's own name has at most 31 bytes
KEPT_BYTES = 4096  # of a record that is refused
FRAME_KEYS = ("raw", "data", "packet", "payload")
TX_FRAME_KEYS = (*FRAME_KEYS, "raw_packet_tx")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_IATA = re.compile(r"[A-Z]{3}|TEST")
_NUMBER = re.compile(r"\s*([+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(?:[eE][+-]?\d{1,3})?)\s*[A-Za-z%/]{0,8}\s*")
# C0, DEL and C1 controls, zero-width and direction marks, line separators: nothing a name needs
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
# phones with their positions, remote commands, the broker's personal data, events without a frame
_NEVER_USED = frozenset({"client", "serial", "internal", "message", "events"})
_HEX_DIGITS = frozenset(string.hexdigits)

Fields = Mapping[str, Any]
Outcome = Reception | StatusReport | Rejected | Ignored


@dataclass(frozen=True, slots=True)
class Feed:
    """What the configuration says about one source."""

    name: str
    regions: frozenset[str] = frozenset()  # upper-case codes that are kept; empty: all
    region: str | None = None  # for topics without one
    blocked: frozenset[str] = frozenset()  # observer idents, upper case


@dataclass(frozen=True, slots=True)
class Address:
    """What a topic says: the last word, the observer and the region; None: the topic does not say."""

    kind: str
    observer: str | None
    iata: str | None


class _Refusal(Exception):
    """Ends the reading of one record; becomes a Rejected."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def read(message: Message, feed: Feed) -> Outcome:
    """What the message says. Raises nothing for bad input: that becomes a Rejected with its reason."""
    address = parse_topic(message.topic)
    reader = READERS.get(address.kind) if address else None
    if address is None or reader is None:
        return Ignored(message.source, message.received_at_ms, Reason.UNUSED_TOPIC)
    try:
        return reader(message, address, feed)
    except _Refusal as refusal:
        return rejected(message, refusal.reason, refusal.detail)


def rejected(message: Message, reason: Reason, detail: str) -> Rejected:
    """The message as a refused record, cut to what is kept."""
    return Rejected(
        source=message.source,
        at=message.received_at_ms,
        reason=reason,
        detail=detail,
        topic=shown_topic(message.topic),
        record=message.payload[:KEPT_BYTES],
        redelivered=message.redelivered,
    )


def parse_topic(topic: str) -> Address | None:
    """The parts of a topic, or None when it is of a kind that is never used.

    Layouts: `…/IATA/OBSERVER/KIND`, `PREFIX/KIND` (flat), `meshrank/uplink/TOKEN/OBSERVER/KIND`. Others hold a
    broker's private data (internal), remote commands (serial/…), or events without a frame.
    """
    parts = topic.split("/")
    if not _NEVER_USED.isdisjoint(parts):
        return None
    match parts:
        case ["meshrank", "uplink", _, observer, kind]:
            return Address(kind, observer, None)
        case [_, kind]:
            return Address(kind, None, None)
        case [_, *_, iata, observer, kind]:
            return Address(kind, observer, _region(iata))
        case _:
            return None


def shown_topic(topic: str) -> str:
    """The topic without the upload token that one feed puts into it, cut to a storable length."""
    return re.sub(r"^(meshrank/uplink/)[^/]*", r"\1***", clean_text(topic, limit=256) or "")


def clean_text(value: object, *, limit: int = MAX_NAME) -> str | None:
    """Text fit to be stored and shown, or None when nothing is left. Still untrusted: markup is not touched."""
    if not isinstance(value, str):
        return None
    if not value.isascii():  # lone surrogates cannot be encoded, hence not stored
        value = value.encode("utf-8", "replace").decode("utf-8")
    text = _UNSHOWABLE.sub("", value[: limit * 4]).strip()[:limit]
    return text or None


def _read_packet(message: Message, address: Address, feed: Feed) -> Outcome:
    fields = parse_json(message.payload)
    observer, iata = _identify(address, fields, feed)
    if not _region_wanted(iata, feed):
        return Ignored(message.source, message.received_at_ms, Reason.OTHER_REGION)
    direction = Direction.SENT if str(fields.get("direction", "")).strip().lower() == "tx" else Direction.HEARD
    frame = _frame(fields, TX_FRAME_KEYS if direction is Direction.SENT else FRAME_KEYS)
    if direction is Direction.SENT:
        _check_sent(frame, fields)
    published_at, naive = parse_timestamp(fields.get("timestamp"))
    if message.retained and published_at is None:
        return Ignored(message.source, message.received_at_ms, Reason.RETAINED)
    heard = direction is Direction.HEARD  # a sender has no signal of its own frame; feeds write 0 there
    rssi = ranged(_first(fields, "RSSI", "rssi", "Rssi"), -200, 20) if heard else None
    score = ranged(_first(fields, "score", "Score"), 0, 1000) if heard else None
    return Reception(
        source=message.source,
        observer=observer,
        observer_name=clean_text(fields.get("origin")),
        iata=iata,
        heard_at=message.received_at_ms,
        published_at=published_at,
        clock_naive=naive,
        frame=frame,
        snr=ranged(_first(fields, "SNR", "snr", "Snr"), -40, 40) if heard else None,
        rssi=None if rssi is None else round(rssi),
        score=None if score is None else round(score),
        direction=direction,
        redelivered=message.redelivered,
    )


def _read_status(message: Message, address: Address, feed: Feed) -> Outcome:
    fields = parse_json(message.payload)
    observer, iata = _identify(address, fields, feed)
    if not _region_wanted(iata, feed):
        return Ignored(message.source, message.received_at_ms, Reason.OTHER_REGION)
    published_at, naive = parse_timestamp(fields.get("timestamp"))
    at = message.received_at_ms
    if message.retained:  # the broker hands it out at every subscription, however old it is
        if published_at is None:
            return Ignored(message.source, at, Reason.RETAINED)
        at = max(0, min(at, published_at))
    status = str(fields.get("status", "")).strip().lower()
    return StatusReport(
        source=message.source,
        observer=observer,
        observer_name=clean_text(fields.get("origin")),
        iata=iata,
        at=at,
        published_at=published_at,
        clock_naive=naive,
        status=status if status in {"online", "offline"} else None,
        info=_info(fields),
        stats=_stats(fields),
        retained=message.retained,
    )


# By the last word of the topic. `raw` is the older tools' name for a packet record.
READERS: dict[str, Callable[[Message, Address, Feed], Outcome]] = {
    "packets": _read_packet,
    "raw": _read_packet,
    "status": _read_status,
}


def parse_json(payload: bytes) -> Fields:
    """The record as an object. Broken UTF-8 becomes replacement characters; NaN and numbers beyond 64 bits become None.

    Raises _Refusal: too large, not JSON, too deep, not an object.
    """
    if len(payload) > MAX_JSON_BYTES:
        raise _Refusal(Reason.TOO_LARGE, f"more than {MAX_JSON_BYTES} bytes")
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = _parse_leniently(payload)
    if not isinstance(fields, dict):
        raise _Refusal(Reason.BAD_JSON, f"a JSON {_json_kind(fields)}, not an object")
    return fields


def _parse_leniently(payload: bytes) -> object:
    """What some publishers write although JSON forbids it."""
    text = payload.decode("utf-8", "replace").lstrip("\ufeff")
    try:
        return json.loads(text, strict=False, parse_constant=lambda _: None, parse_int=_bounded_int)
    except RecursionError:
        raise _Refusal(Reason.BAD_JSON, "nested too deeply") from None
    except ValueError as exc:
        raise _Refusal(Reason.BAD_JSON, f"not JSON: {exc}") from None


def _bounded_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= 18 else None


def _json_kind(value: object) -> str:
    kinds = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _identify(address: Address, fields: Fields, feed: Feed) -> tuple[str, str | None]:
    """The observer's ident and region. The topic counts, because brokers check it; a flat topic has only the record."""
    claimed = fields.get("origin_id")
    claimed = _ident(claimed) if isinstance(claimed, str) and claimed.strip() else None
    if address.observer is None:
        if claimed is None:
            raise _Refusal(Reason.NO_OBSERVER, "a flat topic and no origin_id")
        observer = claimed
    else:
        observer = _ident(address.observer)
        if claimed is not None and claimed != observer:
            raise _Refusal(Reason.ORIGIN_MISMATCH, f"origin_id {claimed[:16]}… on the topic of {observer[:16]}…")
    if observer.upper() in feed.blocked:
        raise _Refusal(Reason.BLOCKED_OBSERVER, "the configuration blocks this observer")
    return observer, address.iata or _region(fields.get("region")) or _region(feed.region)


def _ident(text: str) -> str:
    text = text.strip()
    ident = observer_ident(text)
    if ident is None:
        raise _Refusal(Reason.BAD_OBSERVER, f"{len(text)} characters, neither 64 hex digits nor a plain word")
    return ident


def _region(value: object) -> str | None:
    """An upper-case region code; None for what is none, and for XXX, which means unknown."""
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if _IATA.fullmatch(code) and code != "XXX" else None


def _region_wanted(iata: str | None, feed: Feed) -> bool:
    return not feed.regions or iata in feed.regions


def _frame(fields: Fields, keys: tuple[str, ...]) -> bytes:
    text = next((value for key in keys if isinstance(value := fields.get(key), str)), None)
    if text is None:
        raise _Refusal(Reason.NO_FRAME, "no text in " + ", ".join(keys))
    text = text.strip()
    digits = text[2:] if text[:2] in {"0x", "0X"} else text
    if len(digits) > MAX_FRAME_HEX:
        raise _Refusal(Reason.FRAME_TOO_LONG, f"{len(digits)} hex digits, a frame has at most {MAX_FRAME_HEX}")
    if not digits or len(digits) % 2 or not _HEX_DIGITS.issuperset(digits):
        raise _Refusal(Reason.NOT_HEX, f"{len(digits)} characters that are not whole bytes in hex")
    return bytes.fromhex(digits)


def _check_sent(frame: bytes, fields: Fields) -> None:
    """One publisher leaves the previous received frame in its tx records; only len and packet_type tell."""
    length, kind = number(fields.get("len")), number(fields.get("packet_type"))
    if length != len(frame) or kind != (frame[0] >> 2) & 0x0F:
        raise _Refusal(Reason.STALE_TX, f"{len(frame)} bytes of type {(frame[0] >> 2) & 0x0F}, not as the record says")


def parse_timestamp(value: object) -> tuple[int | None, bool]:
    """(ms since 1970 with UTC assumed, whether the zone was missing). None: there is no readable timestamp.

    The value is kept as the publisher's own, however wrong its clock is: it identifies the record.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value), False
    if not isinstance(value, str) or len(value) > 64:
        return None, False
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is not None:
            return (moment - _EPOCH) // _MS, False
        return (moment.replace(tzinfo=UTC) - _EPOCH) // _MS, True
    except (ValueError, OverflowError):
        return None, False


def _from_epoch(value: float) -> int | None:
    """Seconds or milliseconds: 10^11 seconds are the year 5138, 10^11 ms are 1973."""
    if not math.isfinite(value) or not 0 < value < 10**14:
        return None
    return int(value * 1000) if value < 10**11 else int(value)


def number(value: object) -> float | None:
    """A finite number, also from text with a unit ("-93 dBm"); None for anything else ("Unknown", NaN, true)."""
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value) if len(value) <= 64 else None
        value = float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 2**53 else None  # false for NaN and infinities, too


def ranged(value: object, low: float, high: float) -> float | None:
    """The number when it lies in low..high: a value that cannot be is dropped, its record is not."""
    found = number(value)
    return found if found is not None and low <= found <= high else None


def _count(value: object, high: int = 2**53) -> int | None:
    found = ranged(value, 0, high)
    return None if found is None else round(found)


def _first(fields: Fields, *keys: str) -> Any:
    return next((fields[key] for key in keys if fields.get(key) is not None), None)


def _info(fields: Fields) -> Info | None:
    info = Info(
        model=clean_text(fields.get("model")),
        firmware=clean_text(_first(fields, "firmware_version", "firmware")),
        client_version=clean_text(_first(fields, "client_version", "clientVersion")),
        radio=clean_text(fields.get("radio")),
    )
    return info if info != Info() else None


def _stats(fields: Fields) -> Stats | None:
    nested = fields.get("stats")
    source = {**fields, **nested} if isinstance(nested, dict) else fields
    stats = Stats(
        battery_mv=_count(source.get("battery_mv"), 100_000),
        uptime_s=_count(_first(source, "uptime_secs", "uptime_s")),
        noise_floor=ranged(source.get("noise_floor"), -200, 20),
        tx_air_s=_count(source.get("tx_air_secs")),
        rx_air_s=_count(source.get("rx_air_secs")),
        recv_errors=_count(source.get("recv_errors")),
        packets_sent=_count(source.get("packets_sent")),
        packets_received=_count(_first(source, "packets_received", "packets_recv")),
    )
    return stats if stats != Stats() else None
