"""The outermost layer of every answer, errors and files included: security headers, load status, ETag, timing.

Refuses requests whose path or query holds a NUL before anything else reads them.
"""

import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from hopscope.api.answers import Answer, Answers
from hopscope.api.timings import Timings
from hopscope.config.settings import MapTiles
from hopscope.store.watch import Clock

LOAD_STATUS = b"x-corescope-load-status"
NUL = b"%00"
NUL_REFUSED = b'{"error":"the request holds a NUL character"}'
ETAG_BYTES = 12

AT_END = "hopscope.at_end"

Header = tuple[bytes, bytes]


def at_end(scope: Any, callback: Callable[[], None]) -> None:
    """Call back when this request has ended, however it ends: answered, failed, or its client gone."""
    scope.setdefault(AT_END, []).append(callback)


def security_headers(tiles: MapTiles | None) -> tuple[Header, ...]:
    """What every answer carries. The host of a configured street map may be loaded from, nothing else outside."""
    images = "'self' data:" if tiles is None else f"'self' data: {tile_host(tiles.url)}"
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return (
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer" if tiles is None else b"origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    )


def tile_host(url: str) -> str:
    """Scheme and host of a tile URL for the policy; `{s}` stands for one label of the host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.replace('{s}', '*')}"


class Edge:
    """An ASGI application around the real one."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        headers: Iterable[Header],
        history_complete: Callable[[], bool],
        timings: Timings,
        answers: Answers,
        clock: Clock,
    ) -> None:
        self._app = app
        self._headers = tuple(headers)
        self._history_complete = history_complete
        self._timings = timings
        self._answers = answers
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; WebSocket connections pass through."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        out = _Outgoing(scope, send, self._fixed(scope))
        if NUL in scope["raw_path"] or NUL in scope["query_string"] or "\0" in scope["path"]:
            await out.refuse(NUL_REFUSED)
            return
        began = time.perf_counter()
        endpoint = await self._answer(scope, receive, out)
        if endpoint:
            self._timings.record(endpoint, (time.perf_counter() - began) * 1000, out.status)

    async def _answer(self, scope: Any, receive: Receive, out: "_Outgoing") -> str | None:
        """Answer from what is kept, or from the application; the endpoint, when its time counts."""
        key, reading = (scope["path"], scope["query_string"]), None
        if scope["method"] == "GET" and scope["path"].startswith("/api/"):
            reading = self._clock.read()
            kept = self._answers.find(key, reading)
            if kept is not None:
                await out.send_again(kept)
                return kept.endpoint
        try:
            await self._app(scope, receive, out.send)
        finally:
            for callback in scope.get(AT_END, ()):
                callback()
        if out.answer is not None:
            self._answers.keep(key, reading, out.answer)
        return None if route_option(scope, "stream") else scope.get("path_template")

    def _fixed(self, scope: Scope) -> list[Header]:
        status = b"ready" if self._history_complete() else b"loading"
        headers = [*self._headers, (LOAD_STATUS, status)]
        if not scope["path"].startswith("/static/"):
            headers.append((b"cache-control", b"no-store"))
        return headers


class _Outgoing:
    """The messages of one answer on their way out."""

    __slots__ = ("_fixed", "_held", "_scope", "_send", "answer", "status")

    def __init__(self, scope: Scope, send: Send, fixed: list[Header]) -> None:
        self._scope, self._send, self._fixed = scope, send, fixed
        self._held: Any = None
        self.status = 500
        self.answer: Answer | None = None

    async def refuse(self, body: bytes) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": 400, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def send(self, message: Any) -> None:
        """Pass a message of the application on, with the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status == 200 and route_option(self._scope, "pure"):
                self._held = message
                return
            present = {name for name, _ in message["headers"]}
            added = [header for header in self._fixed if header[0] not in present]
            message["headers"] = [*message["headers"], *added]
            await self._send(message)
        elif self._held is None:
            await self._send(message)
        else:
            await self._send_pure(message["body"])

    async def _send_pure(self, body: bytes) -> None:
        """A body that is sent whole is named by what it holds."""
        etag = b'W/"' + blake2b(body, digest_size=ETAG_BYTES).hexdigest().encode() + b'"'
        start, self._held = self._held, None
        self.answer = Answer(self._scope["path_template"], tuple(start["headers"]), etag, body)
        await self.send_again(self.answer)

    async def send_again(self, answer: Answer) -> None:
        """Send a whole answer; a client that has it already gets 304 without it."""
        known = answer.etag in request_header(self._scope, b"if-none-match")
        self.status = 304 if known else 200
        headers = [*self._fixed, (b"etag", answer.etag), *(() if known else answer.headers)]
        await self._send({"type": "http.response.start", "status": self.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"" if known else answer.body, "more_body": False})


def route_option(scope: Scope, name: str) -> Any:
    """An option of the matched route; None before one is matched."""
    handler = scope.get("route_handler")
    return handler.opt.get(name) if handler is not None else None


def request_header(scope: Scope, name: bytes) -> bytes:
    """The first header of that name, or nothing."""
    return next((value for key, value in scope["headers"] if key == name), b"")
