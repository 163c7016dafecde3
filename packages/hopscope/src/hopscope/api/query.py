"""What comes in a query string, checked: numbers, times, names, keys, cursors. Every refusal is a 400 that says why."""

import re
from typing import Annotated, Any

from litestar.params import QueryParameter

from hopscope.api import times
from hopscope.api.corescope_json import ROLES, ROUTES, TYPES
from hopscope.api.errors import BadRequest
from hopscope.store.packets import OFFSET_MAX

INT64_MAX = 2**63 - 1

Limit = Annotated[
    int,
    QueryParameter(ge=0, le=INT64_MAX, description="Rows of the page, cut to the endpoint's maximum."),
]
Offset = Annotated[
    int, QueryParameter(ge=0, le=OFFSET_MAX, description="Rows to skip. Deep pages are quicker with `cursor`.")
]
Cursor = Annotated[
    str | None, QueryParameter(max_length=60, description="`next_cursor` of the page before; it replaces `offset`.")
]

TYPE_NUMBERS = {name: number for number, name in TYPES.items()}
ROUTE_NUMBERS = {name: number for number, name in ROUTES.items()}
ROLE_NUMBERS = {name: int(number) for number, name in ROLES.items()}

PERIODS_MS = {"1h": 3_600_000, "6h": 21_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000, "30d": 30 * 86_400_000}


def time_ms(name: str, text: str | None) -> int | None:
    """A time in a query, ms."""
    if not text:
        return None
    try:
        return times.parse(text)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name}: expected a time like 2026-03-21T15:35:31Z") from None


def one_of(name: str, text: str | None, known: dict[str, Any]) -> Any:
    """The value behind a word of a fixed list."""
    if not text:
        return None
    if text not in known:
        raise BadRequest(f"{name}: expected one of {', '.join(known)}")
    return known[text]


def number_or_name(name: str, text: str | None, known: dict[str, int], *, most: int) -> int | None:
    """A number up to `most` or its name, as `4` or `ADVERT`."""
    if not text:
        return None
    found = known.get(text.upper())
    if found is None and text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= most:
        found = int(text)
    if found is None:
        raise BadRequest(f"{name}: expected a number or one of {', '.join(known)}")
    return found


def packet_hash(name: str, text: str) -> bytes:
    """A packet hash: 16 hex digits."""
    if not re.fullmatch(r"[0-9a-fA-F]{16}", text):
        raise BadRequest(f"{name}: expected 16 hex digits")
    return bytes.fromhex(text)


def comma_list(text: str | None) -> list[str]:
    """The parts between commas, without empty ones."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def cursor(kind: str, text: str | None) -> tuple[int, int] | None:
    """The position in a cursor that `write_cursor` made for a list of this kind."""
    if not text:
        return None
    found = re.fullmatch(r"([a-z]+)\.(-?[0-9]{1,19})\.([0-9]{1,19})", text)
    if found is None or found[1] != kind or abs(int(found[2])) > INT64_MAX or int(found[3]) > INT64_MAX:
        raise BadRequest("cursor: not one that this list gave")
    return int(found[2]), int(found[3])


def write_cursor(kind: str, position: tuple[int, int] | None) -> str | None:
    """Where a list goes on; opaque to clients."""
    return None if position is None else f"{kind}.{position[0]}.{position[1]}"


def flag(name: str, text: str | None) -> bool:
    """A yes or no: true, false, 1, 0; nothing is no."""
    return bool(one_of(name, text.lower() if text else None, {"true": True, "1": True, "false": False, "0": False}))
