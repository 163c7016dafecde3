"""Who may do what: every route is open or for an operator with the key. Knows how to compare keys, not what they open.

Also counts the long-lived connections of each address.
"""

import hmac
from collections import Counter
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException
from litestar.handlers.base import BaseRouteHandler

OPEN: dict[str, Any] = {"access": "open"}
PURE: dict[str, Any] = {"pure": True}  # the answer depends on the database and the address alone; see answers
OPERATOR: dict[str, Any] = {"access": "operator"}  # goes with guards=[operator]

KEY_HEADER = "x-api-key"
STREAMS_PER_ADDRESS = 20  # open /ws and /api/live connections of one address: a household or an office behind one
STREAMS_IN_ALL = 500


def matches(key: str | None, given: str | None) -> bool:
    """Whether the given key is the configured one; takes the same time wherever they differ."""
    if key is None or given is None:
        return False
    return hmac.compare_digest(key.encode(), given.encode())


def operator(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: 403 unless the request carries the configured key. No key configured: always 403."""
    key = connection.app.state.context.settings.api_key
    if key is None:
        raise PermissionDeniedException("operator requests are off: no API key is configured (HOPSCOPE_API_KEY)")
    if not matches(key, connection.headers.get(KEY_HEADER)):
        raise PermissionDeniedException("this needs the operator's key in the header X-API-Key")


LOOPBACK = ("127.", "::1")


class Streams:
    """How many long-lived connections each address has open. One event loop uses it, so it has no lock.

    A loopback address is a reverse proxy for everyone behind it, so only the limit in all holds for it.
    """

    def __init__(self, *, per_address: int = STREAMS_PER_ADDRESS, in_all: int = STREAMS_IN_ALL) -> None:
        self._per_address = per_address
        self._in_all = in_all
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """True when the address may open one more; then `leave` must follow."""
        mine = 0 if address.startswith(LOOPBACK) else self._open[address]
        if mine >= self._per_address or self._open.total() >= self._in_all:
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One connection of the address has ended."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def count(self) -> int:
        """Connections open now."""
        return self._open.total()


def allowed_origin(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """Whether a page of this origin may open /ws: none given (not a browser), the own host, or a listed one."""
    if origin is None:
        return True
    origin, host = origin.lower(), (host or "").lower()
    return origin in allowed or (host != "" and origin in (f"http://{host}", f"https://{host}"))


SHARED = (  # what a page of a listed origin may send and read, beyond what browsers always allow
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"Content-Type, If-None-Match, Last-Event-ID, X-API-Key"),
    (b"access-control-expose-headers", b"ETag, X-CoreScope-Load-Status"),
    (b"access-control-max-age", b"600"),
)


def sharing(origin: bytes, allowed: tuple[str, ...]) -> tuple[tuple[bytes, bytes], ...]:
    """The headers by which a browser lets a page of a listed origin read an answer; none for any other."""
    if origin.decode("latin-1").lower() not in allowed:
        return ()
    return ((b"access-control-allow-origin", origin), *SHARED)
