"""How observers write what they heard: the records of the publishing programs in use, with their quirks.

Sources: the records of meshcoretomqtt, meshcore-packet-capture, the observer firmware and bridges. Decides nothing
about what is heard, and nothing about what a reader should make of it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from hopscope.generate.mesh import Node
from hopscope.generate.radio import Heard

HOUR_MS = 3_600_000
ROUTE_LETTERS = "TFDT"
UNKNOWN_RSSI = 5  # a bridge that lost the signal of a packet writes a word; here: for each multiple of this
UNKNOWN_SIGNAL = {"snr": "Unknown", "rssi": "Unknown"}


@dataclass(frozen=True, slots=True)
class Style:
    """What one publishing program does with the same facts."""

    client: str
    text_numbers: bool = False  # every number as a decimal string
    naive_offset_h: int | None = None  # its timestamps are local time without a zone; None: UTC with a zone
    signal: str | None = "upper"  # spelling of SNR and RSSI; None: left out
    prefix: str = ""  # before the frame's hex
    lower_hex: bool = False
    device_clock: bool = False  # adds the device's own `time` and `date`
    stale_sent_raw: bool = False  # its records of sent packets carry the frame received before
    skew_ms: int = 0  # its clock minus the true time


STYLES = {
    "meshcoretomqtt": Style(
        "meshcoretomqtt/1.1.0", text_numbers=True, naive_offset_h=2, device_clock=True, stale_sent_raw=True
    ),
    "packet-capture": Style("meshcore-packet-capture/2.0", text_numbers=True, skew_ms=-1500),
    "firmware": Style("observer-firmware/1.16.0", skew_ms=95_000),
    "bridge": Style("ha-bridge/0.9", signal="lower", prefix="0x", lower_hex=True, naive_offset_h=0),
    "limited": Style("meshcore-packet-capture/1.4", signal=None, text_numbers=True),
}


@dataclass(frozen=True, slots=True)
class Written:
    """A record as published, and its timestamp in ms as a reader takes it: as written, UTC where no zone is said."""

    payload: bytes
    published_ms: int


def topic(observer: Node, kind: str) -> str:
    """Where the observer publishes: meshcore/REGION/KEY/packets or status."""
    return f"meshcore/{observer.place.iata}/{observer.ident}/{kind}"


def packet_record(
    observer: Node, frame: bytes, packet_hash: bytes, heard: Heard, at_ms: int, *, raw: bytes | None = None
) -> Written:
    """The record of one reception (or of a packet that the observer sent itself) at this time.

    `raw` is the frame it carries when that is another one than it speaks of.
    """
    style = style_of(observer)
    route, kind = frame[0] & 3, frame[0] >> 2 & 15
    payload_at = 1 + (4 if route in (0, 3) else 0) + 1 + len(heard.path)
    stamp, published_ms = _timestamp(style, at_ms)
    carried = (frame if raw is None else raw).hex()
    numbers: dict[str, Any] = {
        "len": len(frame),
        "packet_type": kind,
        "payload_len": len(frame) if "capture" in style.client else len(frame) - payload_at,
        "score": max(0, min(1000, round((heard.snr + 10) * 50))),
        "duration": 160 + 3 * len(frame),
    }
    record: dict[str, Any] = {
        "origin": observer.place.name,
        "origin_id": observer.ident,
        "timestamp": stamp,
        "type": "PACKET",
        "direction": "tx" if heard.sent else "rx",
        **({"time": _utc(at_ms).strftime("%H:%M:%S"), "date": _device_date(at_ms)} if style.device_clock else {}),
        **{name: str(value) if style.text_numbers else value for name, value in numbers.items()},
        "route": ROUTE_LETTERS[route],
        "raw": style.prefix + (carried if style.lower_hex else carried.upper()),
        **_signal(style, heard),
        "hash": packet_hash.hex().upper(),
    }
    return Written(msgspec.json.encode(record), published_ms)


def status_record(observer: Node, at_ms: int, *, online: bool, uptime_s: int, packets: int) -> bytes:
    """What an observer says about itself; "offline" is its last will, without figures."""
    style = style_of(observer)
    record: dict[str, Any] = {
        "status": "online" if online else "offline",
        "timestamp": _timestamp(style, at_ms)[0],
        "origin": observer.place.name,
        "origin_id": observer.ident,
    }
    if online:
        record |= {
            "model": "Heltec V3" if observer.index % 2 else "RAK4631",
            "firmware_version": "1.16.0-7d1f" if observer.place.hash_size > 1 else "1.13.0",
            "client_version": style.client,
            "radio": "869.618,62.5,8,8",
            "stats": _stats(style, observer, uptime_s, packets),
        }
    return msgspec.json.encode(record)


def says_no_signal(observer: Node, heard: Heard) -> bool:
    """True when this observer's record of this reception tells neither SNR nor RSSI."""
    style = style_of(observer)
    return style.signal is None or (style.signal == "lower" and heard.rssi % UNKNOWN_RSSI == 0)


def style_of(observer: Node) -> Style:
    """The style of an observing node. Raises KeyError for a node that observes nothing."""
    return STYLES[observer.place.style or ""]


def _timestamp(style: Style, at_ms: int) -> tuple[str, int]:
    at_ms += style.skew_ms
    if style.naive_offset_h is None:
        return _utc(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z"), at_ms
    local_ms = at_ms + style.naive_offset_h * HOUR_MS
    return _utc(local_ms).replace(tzinfo=None).isoformat(timespec="microseconds"), local_ms


def _signal(style: Style, heard: Heard) -> dict[str, Any]:
    if style.signal is None:
        return {}
    if style.signal == "lower":
        return {"snr": heard.snr, "rssi": heard.rssi} if heard.rssi % UNKNOWN_RSSI else UNKNOWN_SIGNAL
    pair = {"SNR": heard.snr, "RSSI": heard.rssi}
    return {name: f"{value:g}" for name, value in pair.items()} if style.text_numbers else pair


def _stats(style: Style, observer: Node, uptime_s: int, packets: int) -> dict[str, Any]:
    stats = {
        "battery_mv": 3700 + observer.index * 13 - uptime_s % 400,
        "uptime_secs": uptime_s,
        "errors": 0,
        "queue_len": packets % 3,
        "noise_floor": -116 + packets % 5,
        "tx_air_secs": uptime_s // 60,
        "rx_air_secs": uptime_s // 12,
        "recv_errors": packets // 97,
        "packets_sent": packets // 4,
        "packets_received": packets,
    }
    return {name: str(value) for name, value in stats.items()} if style.text_numbers else stats


def _device_date(at_ms: int) -> str:
    day = _utc(at_ms)
    return f"{day.day}/{day.month}/{day.year}"


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
