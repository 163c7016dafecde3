"""Single values of a CoreScope database: times in all its formats, keys, frames, paths, measurements. Pure.

SQLite stores what it is given, whatever the column's type says, so every function takes any value and never raises.
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from hopscope.store import identity
from meshwire import clean_name

SqlValue = int | float | str | bytes | None

EARLIEST_MS = 946_684_800_000  # 2000-01-01; before it there was no MeshCore, only clocks that were never set
DAY_MS = 86_400_000
EPOCH_MS_FROM = 100_000_000_000  # 1e11 s is the year 5138, so from here on it is milliseconds
FRAME_LIMIT = 255  # bytes on the air
PATH_LIMIT = 64  # bytes; the firmware's MAX_PATH_SIZE
HOPS_LIMIT = 63  # six bits of the path length byte
MICRODEGREES = 1_000_000


class Refusal(StrEnum):
    """Why a row of the source is not imported. The words are stored and shown, so they stay."""

    NO_FRAME = "no_frame"  # raw_hex is empty (text of a companion bridge has no frame)
    NOT_HEX = "not_hex"  # raw_hex is not whole bytes in hex
    FRAME_TOO_LONG = "frame_too_long"  # more than 255 bytes
    BAD_FRAME = "bad_frame"  # the frame breaks a rule of the protocol
    BAD_TIME = "bad_time"  # no time, or one before 2000 or more than a day ahead
    BAD_PATH = "bad_path"  # path_json is no list of hashes of one size, and no frame says better
    NO_TRANSMISSION = "no_transmission"  # an observation whose transmission is not in the source
    TRANSMISSION_REFUSED = "transmission_refused"  # an observation whose transmission could not be imported
    PAST_RETENTION = "past_retention"  # last heard so long ago that retention would drop it at once
    BAD_OBSERVER = "bad_observer"  # an observer's id is neither 64 hex digits nor a plain word
    BAD_KEY = "bad_key"  # a node's key is not 64 hex digits
    NO_NEIGHBOUR = "no_neighbour"  # an edge with an unknown end


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that cannot be used, with one sentence for the operator."""

    reason: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Path:
    """A path as it stands in a frame: the encoded length byte and the hashes."""

    length_byte: int
    hashes: bytes


def time_ms(value: SqlValue, *, now: int) -> int | None:
    """Milliseconds UTC from epoch seconds or milliseconds, RFC 3339 in any length, or `YYYY-MM-DD HH:MM:SS`.

    None for everything else, for times before 2000, and for times more than a day after `now` (clocks run ahead).
    """
    if isinstance(value, int):
        found: int | None = value * 1000 if value < EPOCH_MS_FROM else value
    else:
        found = _epoch_ms(value) if isinstance(value, float) else _text_ms(value) if isinstance(value, str) else None
    return found if found is not None and EARLIEST_MS <= found <= now + DAY_MS else None


def _epoch_ms(value: float) -> int | None:
    if not math.isfinite(value):
        return None
    return round(value) if value >= EPOCH_MS_FROM else round(value * 1000)


def _text_ms(value: str) -> int | None:
    text = value.strip()
    try:
        return _epoch_ms(float(text)) if text[:5].isdigit() else _iso_ms(text)
    except (ValueError, OverflowError):
        return None


def _iso_ms(text: str) -> int:
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def frame_bytes(value: SqlValue) -> bytes | Refused:
    """The frame of a raw_hex value in upper, lower or mixed case."""
    if value is None or value == "":
        return Refused(Refusal.NO_FRAME, "it has no frame")
    if not isinstance(value, str):
        return Refused(Refusal.NOT_HEX, "its raw_hex is not text")
    text = value.strip()
    if not text:
        return Refused(Refusal.NO_FRAME, "it has no frame")
    try:
        frame = bytes.fromhex(text) if text.isalnum() else None  # fromhex would let spaces inside pass
    except ValueError:
        frame = None
    if frame is None:
        return Refused(Refusal.NOT_HEX, "its raw_hex is not whole bytes in hex")
    if len(frame) > FRAME_LIMIT:
        return Refused(Refusal.FRAME_TOO_LONG, f"its frame has {len(frame)} bytes; the air carries {FRAME_LIMIT}")
    return frame


def path_of(value: SqlValue, *, hash_size: int) -> Path | Refused | None:
    """The path of a path_json value; None when it says nothing (NULL or empty: written by an old version).

    hash_size: bytes per hash of the packet, which `[]` cannot tell.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        hops = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        hops = value
    if hops is None:
        return None
    if not isinstance(hops, list):
        return Refused(Refusal.BAD_PATH, "its path is not a list")
    return _encoded(hops, hash_size)


def _encoded(hops: list[object], hash_size: int) -> Path | Refused:
    if not hops:
        return Path((hash_size - 1) << 6, b"")
    try:
        hashes = [bytes.fromhex(hop) for hop in hops if isinstance(hop, str) and hop.isalnum()]
    except ValueError:
        hashes = []
    sizes = {len(one) for one in hashes}
    if len(hashes) != len(hops) or len(sizes) != 1 or not sizes <= {1, 2, 3}:
        return Refused(Refusal.BAD_PATH, "its path holds something else than hashes of one size")
    size = sizes.pop()
    if len(hops) > HOPS_LIMIT or size * len(hops) > PATH_LIMIT:
        return Refused(Refusal.BAD_PATH, f"its path has {len(hops)} hops of {size} bytes; no frame holds that")
    return Path((size - 1) << 6 | len(hops), b"".join(hashes))


def number(value: SqlValue) -> float | None:
    """A finite number, also from text with a unit ("-7.5 dB"); None for everything else."""
    if value is None:
        return None
    if isinstance(value, float) and -1e15 < value < 1e15:
        return value
    if isinstance(value, str):
        try:
            value = float(value.split()[0]) if value.strip() else None
        except ValueError:
            return None
    if value is None or isinstance(value, bytes) or not math.isfinite(value) or abs(value) > 2**53:
        return None
    return float(value)


def whole(value: SqlValue) -> int | None:
    """As `number`, rounded."""
    found = number(value)
    return None if found is None else round(found)


def text(value: SqlValue, limit: int = 128) -> str | None:
    """Text fit to be shown, without surrounding space, cut at `limit` characters; None when nothing remains."""
    raw = value.encode("utf-8", "replace") if isinstance(value, str) else value
    if not isinstance(raw, bytes):
        return None
    return clean_name(raw).strip()[:limit] or None


def _word(value: SqlValue) -> str | None:
    """Text, also as its bytes; what is broken in them becomes the replacement character."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None


def node_key(value: SqlValue) -> bytes | None:
    """The 32 bytes of a node's key in any case; None for a prefix, an empty or another value."""
    word = _word(value)
    if word is None or len(word) != 64 or not word.isalnum():
        return None
    try:
        return bytes.fromhex(word)
    except ValueError:
        return None


@lru_cache(1024)
def observer_ident(value: SqlValue) -> str | None:
    """An observer's id as live ingest writes it; None for what cannot be one."""
    word = _word(value)
    return None if word is None else identity.observer_ident(word)


def microdegrees(value: SqlValue, limit: int) -> int | None:
    """A latitude (limit 90) or longitude (limit 180) in millionths of a degree; None when it is none."""
    found = number(value)
    return None if found is None or abs(found) > limit else round(found * MICRODEGREES)


ROLES = {"none": 0, "companion": 1, "repeater": 2, "room": 3, "sensor": 4}


def role(value: SqlValue) -> int:
    """The advert's role number; 0 for a word CoreScope never wrote."""
    word = (_word(value) or "").lower()
    if word.startswith("type-") and word[5:].isdigit():
        return min(int(word[5:]), 15)
    return ROLES.get(word, 0)
