"""/api/live (SSE) and /ws: what observers hear, as it is committed. Bounded per client, per address and in all."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from litestar import Request, WebSocket, get, websocket
from litestar.di import NamedDependency
from litestar.exceptions import TooManyRequestsException, WebSocketDisconnect
from litestar.params import QueryParameter
from litestar.response import Stream

from hopscope.api import query
from hopscope.api.access import OPEN, allowed_origin
from hopscope.api.context import Context, Given
from hopscope.api.edge import at_end
from hopscope.api.errors import BadRequest
from hopscope.api.live_events import Composer, everything, matcher
from hopscope.api.packet_filter import FILTER, NO_FILTER, PacketFilter, node_ids
from hopscope.live.hub import Event, Policy, Subscriber, Taken
from hopscope.live.tail import Position
from hopscope.store import live
from hopscope.store.pool import CannotRead, Snapshot

FRAME_S = 0.1  # at most ten frames a second for one client
FRAME_PACKETS = 200
PING_S = 15.0
SSE_DEPTH = 1000  # events one client may have waiting: five frames
WS_DEPTH = 256
RESUME_MAX = 1000  # receptions that a client which comes back is told one by one
RETRY = b"retry: 2000\n"
WS_REFUSED, WS_BUSY, WS_CHATTER = 4403, 4429, 1008
WS_MESSAGES = 1000  # that a client may send while connected; it has nothing to say, and each costs time of everyone


@get("/api/live", opt=OPEN | {"stream": True}, dependencies=FILTER, tags=["live"], media_type="text/event-stream")
async def sse(
    request: Request[Any, Any, Any],
    context: Given,
    wanted: NamedDependency[PacketFilter],
    after: Annotated[str | None, QueryParameter(max_length=60, description="The id of the last event seen.")] = None,
) -> Stream:
    """Server-sent events: `packets` with {"packets": [...]}, `resync` when events were lost (load the list anew)."""
    resumed = position_of("Last-Event-ID", request.headers.get("last-event-id"), strict=False)
    begin = resumed or position_of("after", after, strict=True)
    address = peer(request.scope)
    if not context.streams.enter(address):
        raise TooManyRequestsException("too many live connections from this address")
    at_end(request.scope, lambda: context.streams.leave(address))
    matches = await asyncio.to_thread(filter_of, context, wanted)
    subscriber = Subscriber(matches, depth=SSE_DEPTH, policy=Policy.RESYNC)
    at_end(request.scope, lambda: context.hub.leave(subscriber))
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    return Stream(frames(context, subscriber, begin), media_type="text/event-stream", headers=headers)


def filter_of(context: Context, wanted: PacketFilter) -> Callable[[Event], bool]:
    """The matcher for a filter; what it names is looked up once. Without a filter there may be no database yet."""
    if wanted == NO_FILTER:
        return everything
    facts = context.facts.current()
    nodes = context.pool.read(lambda db: node_ids(db, wanted.nodes, facts)) if wanted.nodes else None
    return matcher(wanted, facts, nodes)


def position_of(name: str, text: str | None, *, strict: bool) -> Position | None:
    """The position an event id names. One that is none is refused; from a browser's header it means: begin anew."""
    if not text:
        return None
    found = re.fullmatch(r"([0-9a-f]{1,32})-([0-9]{1,19})", text)
    if found is not None and int(found[2]) <= query.INT64_MAX:
        return Position(found[1], int(found[2]))
    if strict:
        raise BadRequest(f"{name}: not an event id of this feed")
    return Position("", 0)


async def frames(context: Context, subscriber: Subscriber, begin: Position | None) -> AsyncIterator[bytes]:
    """The stream of one client: where it begins, what it missed, then frames as they come, and pings."""
    context.hub.join(subscriber)
    here = context.hub.position
    yield RETRY + (f"id: {here}\n\n".encode() if here is not None and begin is None else b"\n")
    if begin is not None:
        yield await missed(context, subscriber, begin, here)
    while True:
        taken = await waited(subscriber)
        if taken is None:
            yield b": ping\n\n"
            continue
        if taken.resync:
            yield frame("resync", taken.position, b"{}")
        if taken.events:
            yield packets_frame(taken.events, taken.position)
        if taken.closed:
            return
        await asyncio.sleep(FRAME_S)


async def waited(subscriber: Subscriber) -> Taken | None:
    """What comes next, or None after PING_S of silence."""
    try:
        return await asyncio.wait_for(subscriber.take(FRAME_PACKETS), PING_S)
    except TimeoutError:
        return None


async def missed(context: Context, subscriber: Subscriber, begin: Position, here: Position | None) -> bytes:
    """What the client missed since it was here last; `resync` when that is not known or too much."""
    if here is None or begin.database != here.database or begin.observation > here.observation:
        return frame("resync", here, b"{}")

    def read() -> list[Event] | None:
        def since(db: Snapshot) -> live.News:
            return live.after(db, begin.observation, last=here.observation, limit=RESUME_MAX)

        news = context.pool.read(since)
        return Composer(context)(news) if news.complete else None

    try:
        events = await asyncio.to_thread(read)
    except CannotRead:
        events = None
    if events is None:
        return frame("resync", here, b"{}")
    wanted = [event for event in events if subscriber.matches(event)]
    parts = [wanted[at : at + FRAME_PACKETS] for at in range(0, len(wanted), FRAME_PACKETS)]
    return (
        b"".join(packets_frame(tuple(part), Position(here.database, part[-1].id)) for part in parts)
        or f"id: {here}\n\n".encode()
    )


def packets_frame(events: tuple[Event, ...], position: Position | None) -> bytes:
    """A `packets` event."""
    return frame("packets", position, b'{"packets":[' + b",".join(event.body for event in events) + b"]}")


def frame(name: str, position: Position | None, data: bytes) -> bytes:
    """One server-sent event; JSON has no line breaks, so one data line is enough."""
    identity = b"" if position is None else f"id: {position}\n".encode()
    return f"event: {name}\n".encode() + identity + b"data: " + data + b"\n\n"


@websocket(["/ws", "/"], opt=OPEN | {"stream": True})
async def ws(socket: WebSocket[Any, Any, Any], context: Given) -> None:
    """One message per reception, as CoreScope's clients know it. What clients send is read and dropped."""
    headers = socket.headers
    if not allowed_origin(headers.get("origin"), headers.get("host"), context.settings.allowed_origins):
        await socket.close(code=WS_REFUSED, reason="this origin may not connect")
        return
    address = peer(socket.scope)
    if not context.streams.enter(address):
        await socket.close(code=WS_BUSY, reason="too many live connections from this address")
        return
    subscriber = Subscriber(everything, depth=WS_DEPTH, policy=Policy.NEWEST)
    try:
        await socket.accept()
        context.hub.join(subscriber)
        await talk(socket, subscriber)
    finally:
        context.hub.leave(subscriber)
        context.streams.leave(address)


async def talk(socket: WebSocket[Any, Any, Any], subscriber: Subscriber) -> None:
    """Send events until the client or the server ends the connection."""
    listening = asyncio.create_task(ignore_messages(socket))
    try:
        while not listening.done():
            taking = asyncio.create_task(subscriber.take(WS_DEPTH))
            await asyncio.wait({taking, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                taking.cancel()
                if listening.result():
                    await socket.close(code=WS_CHATTER, reason="this feed takes no messages")
                return
            taken = taking.result()
            for event in taken.events:
                await socket.send_data(b'{"type":"packet","data":' + event.body + b"}", mode="text")
            if taken.closed:
                await socket.close(code=1001, reason="the server is stopping")
                return
    except WebSocketDisconnect:
        return
    finally:
        listening.cancel()


async def ignore_messages(socket: WebSocket[Any, Any, Any]) -> bool:
    """Read until the client goes; True when it talks instead."""
    try:
        for _ in range(WS_MESSAGES):
            await socket.receive_data(mode="text")
    except WebSocketDisconnect:
        return False
    return True


def peer(scope: Any) -> str:
    """The address that is counted. Headers of proxies are not believed."""
    client = scope.get("client")
    return client[0] if client else "unknown"


ROUTES = (sse, ws)
