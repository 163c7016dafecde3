"""The outermost layer of every answer, errors and files included: security headers, load status, ETag, gzip, timing.

Answers HEAD wherever GET is answered. Refuses requests whose path or query holds a NUL before anything else reads
them.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import blake2b
from typing import Any, cast
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from hopscope.api import encoding
from hopscope.api.access import sharing
from hopscope.api.answers import Answer, Answers
from hopscope.api.timings import Timings
from hopscope.config.settings import MapTiles
from hopscope.store.watch import Clock

LOAD_STATUS = b"x-corescope-load-status"
NUL = b"%00"
NUL_REFUSED = b'{"error":"the request holds a NUL character"}'
ETAG_BYTES = 12

VARY = (b"vary", b"Accept-Encoding")

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
        origins: tuple[str, ...],
    ) -> None:
        """`origins`: pages of these may read answers in a browser."""
        self._app = app
        self._origins = origins
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
        asked_for: Scope = scope
        if bodiless := scope["method"] == "HEAD":  # the same work and headers as GET
            asked_for = cast("Scope", {**scope, "method": "GET"})
        out = _Outgoing(asked_for, send, self._fixed(scope), bodiless=bodiless)
        if NUL in scope["raw_path"] or NUL in scope["query_string"] or "\0" in scope["path"]:
            await out.refuse(NUL_REFUSED)
            return
        began = time.perf_counter()
        endpoint = await self._answer(asked_for, out.gone if bodiless else receive, out)
        await out.end()
        if endpoint:
            self._timings.record(endpoint, (time.perf_counter() - began) * 1000, out.status)

    async def _answer(self, scope: Any, receive: Receive, out: "_Outgoing") -> str | None:
        """Answer from what is kept, or from the application; the endpoint, when its time counts."""
        key, reading = (scope["path"], scope["query_string"]), None
        if scope["method"] == "GET" and scope["path"].startswith("/api/"):
            reading = self._clock.read()
            kept = self._answers.find(key, reading)
            if kept is not None:
                self._answers.improve(key, await out.send_again(kept))
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
        if self._origins:  # without, every answer is the same whoever asks
            headers.append((b"vary", b"Origin"))
            headers += sharing(request_header(scope, b"origin"), self._origins)
        return headers


class _Outgoing:
    """The messages of one answer on their way out: whole answers named, compressed, or left out where one has them."""

    __slots__ = ("_begun", "_bodiless", "_ended", "_fixed", "_held", "_scope", "_send", "answer", "status")

    def __init__(self, scope: Scope, send: Send, fixed: list[Header], *, bodiless: bool) -> None:
        self._scope, self._send, self._fixed, self._bodiless = scope, send, fixed, bodiless
        self._held: Any = None
        self._begun, self._ended = asyncio.Event(), False
        self.status = 500
        self.answer: Answer | None = None

    async def refuse(self, body: bytes) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": 400, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def send(self, message: Any) -> None:
        """Pass a message of the application on, with the headers of every answer. One of a stream goes at once."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if not route_option(self._scope, "stream"):
                self._held = message
                return
            await self._start(message["status"], message["headers"])
        elif self._held is None:
            await self._body(message.get("body", b""), more=message.get("more_body", False))
        else:
            start, self._held = self._held, None
            await self._send_held(start, message.get("body", b""), more=message.get("more_body", False))

    async def gone(self) -> Any:
        """What the application receives of a client that wants no body: it goes as soon as it has the headers."""
        await self._begun.wait()
        return {"type": "http.disconnect"}

    async def end(self) -> None:
        """End an answer without a body whose stream was left."""
        if self._bodiless and self._begun.is_set() and not self._ended:
            await self._body(b"")

    async def _send_held(self, start: Any, body: bytes, *, more: bool) -> None:
        headers = start["headers"]
        if more:
            await self._start(self.status, headers)
            await self._body(body, more=True)
        elif self.status == 200 and route_option(self._scope, "pure"):
            etag = b'W/"' + blake2b(body, digest_size=ETAG_BYTES).hexdigest().encode() + b'"'
            self.answer = await self.send_again(Answer(self._scope["path_template"], tuple(headers), etag, body))
        elif not encoding.worth(header_of(headers, b"content-type"), len(body)) or header_of(headers, b"vary"):
            await self._start(self.status, headers)
            await self._body(body)
        elif self._wants_gzip():
            await self._send_packed(headers, await encoding.packed(body))
        else:
            await self._start(self.status, [*headers, VARY])
            await self._body(body)

    async def send_again(self, answer: Answer) -> Answer:
        """Send a whole answer; a client that has it already gets 304 without it. Returns it, compressed if that was.

        The tag is weak, so it may name both encodings (RFC 9110, 8.8.1).
        """
        tagged = [(b"etag", answer.etag)]
        worth = encoding.worth(header_of(answer.headers, b"content-type"), len(answer.body))
        if worth:
            tagged.append(VARY)
        self.status = 304 if encoding.known(request_header(self._scope, b"if-none-match"), answer.etag) else 200
        if self.status == 304:
            await self._start(304, tagged)
            await self._body(b"")
        elif worth and self._wants_gzip():
            if answer.packed is None:
                answer = replace(answer, packed=await encoding.packed(answer.body))
            await self._send_packed([(b"etag", answer.etag), *answer.headers], answer.packed or b"")
        else:
            await self._start(200, [*tagged, *answer.headers])
            await self._body(answer.body)
        return answer

    async def _send_packed(self, headers: Iterable[Header], body: bytes) -> None:
        kept = [header for header in headers if header[0] != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        await self._start(self.status, [*kept, (b"content-encoding", b"gzip"), length, VARY])
        await self._body(body)

    def _wants_gzip(self) -> bool:
        return encoding.accepts_gzip(request_header(self._scope, b"accept-encoding"))

    async def _start(self, status: int, headers: Iterable[Header]) -> None:
        given = [(name, and_head(value) if name == b"allow" else value) for name, value in headers]
        present = {name for name, _ in given} - {b"vary"}  # which may come from both
        given += [header for header in self._fixed if header[0] not in present]
        self._begun.set()
        await self._send({"type": "http.response.start", "status": status, "headers": given})

    async def _body(self, body: bytes, *, more: bool = False) -> None:
        self._ended = not more
        await self._send({"type": "http.response.body", "body": b"" if self._bodiless else body, "more_body": more})


def and_head(allowed: bytes) -> bytes:
    """The methods of an Allow header: where GET is answered, HEAD is, and "websocket" is none."""
    methods = {method.strip() for method in allowed.split(b",")} - {b"websocket"}
    return b", ".join(sorted(methods | {b"HEAD"} if b"GET" in methods else methods))


def header_of(headers: Iterable[Header], name: bytes) -> bytes:
    """The first of these headers with that name, or nothing."""
    return next((value for key, value in headers if key == name), b"")


def route_option(scope: Scope, name: str) -> Any:
    """An option of the matched route; None before one is matched."""
    handler = scope.get("route_handler")
    return handler.opt.get(name) if handler is not None else None


def request_header(scope: Scope, name: bytes) -> bytes:
    """The request's headers of that name as one list, or nothing."""
    return b", ".join(value for key, value in scope["headers"] if key == name)
