"""A plain ASGI application: how migrations stand, and an operator's verbs behind an authorizer that the caller gives.

No framework. Reads the ledger on a connection of its own, at most once a second, in a thread; never the writer.
"""

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from inchworm import events
from inchworm.application import request
from inchworm.clock import Clock
from inchworm.errors import InchwormError, RequestRefused
from inchworm.opening import Target
from inchworm.states import Verb
from inchworm.status import TTL_S, MigrationStatus, StatusReader
from inchworm.wire import statuses_json

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Authorizer = Callable[[Scope, str, Verb], "str | Awaitable[str | None] | None"]
Ask = Callable[[str, Verb, str], str]

_LIST = re.compile(r"^(?:.*)/migrations/?$")
_VERB = re.compile(r"^(?:.*)/migrations/([^/]+)/([^/]+)/?$")
HIDDEN = "failed; the ledger has the error"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    body: dict[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()


class MigrationsApp:
    """`GET …/migrations` and `POST …/migrations/{name}/{verb}`; mount it below any path.

    database: as for `inchworm.run`. known: names that the code defines, so that others read as parked.
    authorize: `(scope, name, verb)` -> who asks, as the history will show it, or None to refuse; may be a coroutine
        function. Without it every verb is refused. It sees the whole scope, so cookies and origins are its affair.
    hide_errors: answer a sentence instead of the database's error text, which may quote values of rows.

    GET answers 200 `{"migrations": […], "error": null}`. When the ledger cannot be read, `migrations` is the last good
    list and `error` says what is wrong; 503 when there is no good list yet. POST answers 200 when it was carried out,
    202 when the runner will see to it, 403, 404, 409 when the state does not allow it, 415 without
    `content-type: application/json` (which a foreign page's form cannot send), 503 when the database stays locked.
    """

    def __init__(
        self,
        database: Target,
        *,
        authorize: Authorizer | None = None,
        known: Iterable[str] | None = None,
        hide_errors: bool = False,
        ttl_s: float = TTL_S,
        clock: Clock | None = None,
    ) -> None:
        self._authorize, self._hide_errors = authorize, hide_errors
        self._ask: Ask = lambda name, verb, by: request(database, name, verb, by=by, clock=clock)
        self._reader = StatusReader(database, known=known, ttl_s=ttl_s, clock=clock)
        self._last: tuple[MigrationStatus, ...] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if scope["type"] != "http":
            raise ValueError(f"inchworm.asgi serves HTTP, not {scope['type']}")
        return await _send(send, await self._answer(scope), head=scope["method"] == "HEAD")

    def close(self) -> None:
        """Release the reader's connection; also done when the server shuts down."""
        self._reader.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown":
                self.close()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _answer(self, scope: Scope) -> Answer:
        method, path = scope["method"], _raw_path(scope)
        if _LIST.match(path):
            if method not in ("GET", "HEAD"):
                return _refusal(405, f"{method} is not possible here", (b"allow", b"GET, HEAD"))
            return await asyncio.to_thread(self._list)
        found = _VERB.match(path)
        if found is None or found[2] not in set(Verb):
            return _refusal(404, f"there is GET …/migrations and POST …/migrations/NAME/({'|'.join(Verb)})")
        if method != "POST":
            return _refusal(405, "a verb is asked for with POST", (b"allow", b"POST"))
        return await self._verb(scope, unquote(found[1]), Verb(found[2]))

    def _list(self) -> Answer:
        error = None
        try:
            self._last = self._reader.read()
        except InchwormError as problem:
            events.warning("inchworm.status", why=str(problem))
            error = "the ledger cannot be read" if self._hide_errors else str(problem)
        if self._last is None:
            return Answer(503, {"migrations": None, "error": error}, ((b"retry-after", b"1"),))
        rows = statuses_json(self._last)
        for row in rows if self._hide_errors else ():
            row["errorMessage"] = HIDDEN if row["errorMessage"] else None
        return Answer(200, {"migrations": rows, "error": error})

    async def _verb(self, scope: Scope, name: str, verb: Verb) -> Answer:
        if self._authorize is None:
            return _refusal(403, "this installation accepts no verbs over HTTP")
        if not _header(scope, b"content-type").startswith(b"application/json"):
            return _refusal(415, "send content-type: application/json; the body may be empty")
        by = self._authorize(scope, name, verb)
        by = await by if inspect.isawaitable(by) else by
        if not by:
            return _refusal(403, "you may not do this")
        return await asyncio.to_thread(self._carry_out, name, verb, by)

    def _carry_out(self, name: str, verb: Verb, by: str) -> Answer:
        try:
            answer = self._ask(name, verb, by)
        except RequestRefused as refusal:
            return _refusal(404 if "no such migration" in str(refusal) else 409, str(refusal))
        except InchwormError as fault:  # also a ledger of a newer inchworm
            events.warning("inchworm.request", migration=name, why=str(fault))
            why = "the database could not take the request" if self._hide_errors else str(fault)
            return _refusal(503, why, (b"retry-after", b"1"))
        return Answer(202 if answer == "requested" else 200, {"name": name, "verb": str(verb), "answer": answer})


def _refusal(status: int, why: str, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, {"error": why}, headers)


def _raw_path(scope: Scope) -> str:
    """The path before percent-decoding, so that a name may hold a slash."""
    raw = scope.get("raw_path")
    return raw.decode("latin-1").partition("?")[0] if raw else str(scope["path"])


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key.lower() == name), b"")


async def _send(send: Send, answer: Answer, *, head: bool) -> None:
    body = json.dumps(answer.body, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
