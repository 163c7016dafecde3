"""Times on the wire: RFC 3339 UTC with milliseconds out, RFC 3339 or Unix time in. Reads no clock."""

from datetime import UTC, datetime
from time import gmtime

# a bare number below this is Unix seconds (up to the year 5138), else milliseconds
SECONDS_BELOW = 100_000_000_000
YEAR_10000_MS = 253_402_300_800_000


def iso(ms: int) -> str:
    """`2026-03-21T15:35:31.354Z`; out-of-range times stop at the years 1970 and 9999."""
    seconds, rest = divmod(min(max(ms, 0), YEAR_10000_MS - 1), 1000)
    t = gmtime(seconds)
    return f"{t[0]:04d}-{t[1]:02d}-{t[2]:02d}T{t[3]:02d}:{t[4]:02d}:{t[5]:02d}.{rest:03d}Z"


def iso_or_none(ms: int | None) -> str | None:
    """As `iso`; None stays None."""
    return None if ms is None else iso(ms)


def hour(ms: int) -> str:
    """The hour a time lies in: `2026-03-21T15:00:00Z`."""
    return iso(ms)[:13] + ":00:00Z"


def parse(text: str) -> int:
    """Milliseconds of an RFC 3339 time (UTC where it has no zone), a date, or Unix time. Raises ValueError."""
    if text.isascii() and text.isdigit():
        number = int(text[:20])
        return min(number * 1000 if number < SECONDS_BELOW else number, YEAR_10000_MS)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
