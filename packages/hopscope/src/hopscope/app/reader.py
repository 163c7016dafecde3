"""The reader process: the API, the live feed and the web app over read-only connections. Never writes.

May be started before the writer: it answers 503 with the reason until there is a database, and then by itself.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import uvicorn
from litestar import Litestar

from hopscope import log, web
from hopscope.api import access
from hopscope.api.answers import Answers
from hopscope.api.application import build
from hopscope.api.context import Context, WebFiles, wall_clock_ms
from hopscope.api.counted import count
from hopscope.api.facts import FactsReader
from hopscope.api.live_events import Composer
from hopscope.api.memo import Memo
from hopscope.api.migrations_status import StatusReader
from hopscope.api.shown import Decoder, key_ring
from hopscope.api.timings import Timings
from hopscope.api.writer_status import WriterWatch
from hopscope.app import connections, preflight
from hopscope.app.build import build as build_of
from hopscope.app.connections import Connection
from hopscope.app.exit_codes import FAILED, REFUSED, STOPPED
from hopscope.app.stop import StopToken
from hopscope.config import kinds
from hopscope.config.settings import Settings
from hopscope.live.feed import Feed
from hopscope.live.hub import Hub
from hopscope.store.pool import ReadPool
from hopscope.store.watch import Clock

WORKERS = (
    4  # threads that answer requests, each with one connection at a time: one slow question does not stop the rest
)
COUNT_EVERY_S = 2.0
STATUS_EVERY_S = 1.0
DRAIN_S = 3  # how long a stop waits for answers under way
CONNECTIONS_MAX = 1500  # open at once, live ones included; beyond it 503
WS_MESSAGE_MAX = 4096  # bytes; clients have nothing to say
WS_PING_S = 30.0


class WeakKey(Exception):
    """The configured API key must not be used; str() says why."""


def create_app(settings: Settings) -> Litestar:
    """The application for these settings. Raises WeakKey."""
    if settings.api_key is not None:
        try:
            kinds.api_key(settings.api_key)
        except ValueError as exc:
            raise WeakKey(f"HOPSCOPE_API_KEY: {exc}") from exc
    context = make_context(settings)

    @asynccontextmanager
    async def running(_app: Litestar) -> AsyncIterator[None]:
        async with workers(context):
            yield

    return build(context, lifespan=[running])


def make_context(settings: Settings) -> Context:
    """The parts that the handlers share."""
    pool, clock = ReadPool(settings.database, size=WORKERS), Clock(settings.database)
    made = build_of(os.environ, Path(web.__file__).parents[1])
    return Context(
        settings=settings,
        pool=pool,
        clock=clock,
        facts=FactsReader(pool, clock, settings.privacy),
        counted=Memo(lambda: pool.read(lambda db: count(db, wall_clock_ms())), every_s=COUNT_EVERY_S),
        decoder=Decoder(key_ring(settings)),
        migrations=StatusReader(pool),
        writer=WriterWatch(settings.database),
        timings=Timings(),
        answers=Answers(),
        streams=access.Streams(),
        hub=Hub(),
        web=WebFiles(web.STATIC, web.INDEX, web.API_DOCS),
        version=version("hopscope"),
        commit=made.commit,
        build_time=made.time,
    )


@asynccontextmanager
async def workers(context: Context) -> AsyncIterator[None]:
    """Threads for requests and for the live feed, and the status of migrations kept fresh; ended in order."""
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="answer")
    loop.set_default_executor(executor)  # synchronous handlers run in it
    await asyncio.to_thread(read_status, context)
    status = loop.create_task(keep_status(context))
    feed = Feed(context.settings.database, context.hub, Composer(context))
    await asyncio.to_thread(feed.start, loop)
    try:
        yield
    finally:
        context.hub.close()
        status.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await status
        await asyncio.to_thread(feed.stop)
        executor.shutdown(wait=True, cancel_futures=True)
        context.pool.close()
        context.clock.close()


async def keep_status(context: Context) -> None:
    """Look once a second: for the header that every answer carries, and to see when a writer ends."""
    while True:
        await asyncio.sleep(STATUS_EVERY_S)
        await asyncio.to_thread(read_status, context)


def read_status(context: Context) -> None:
    """What is kept fresh."""
    context.migrations.current()
    context.writer.current()


def run(settings: Settings, *, stop: StopToken) -> int:
    """Serve until `stop` is set; the exit code, REFUSED when the address cannot be used. Raises WeakKey."""
    app = create_app(settings)
    try:
        sockets = preflight.listeners(settings.host, settings.port)
    except preflight.CannotStart as exc:
        log.error("api.refused", error=str(exc))
        return REFUSED
    server_log = logging.getLogger("uvicorn.error")
    server_log.setLevel(logging.ERROR)  # below it: strangers' broken requests, and chatter
    server_log.addFilter(not_of_strangers)
    config = uvicorn.Config(
        app,
        loop="auto",  # uvloop where it is installed
        http=Connection,
        ws="websockets-sansio",
        ws_max_size=WS_MESSAGE_MAX,
        ws_ping_interval=WS_PING_S,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        limit_concurrency=CONNECTIONS_MAX,
        lifespan="on",
        proxy_headers=False,
    )
    files = connections.allow_descriptors(CONNECTIONS_MAX)
    if files < CONNECTIONS_MAX:
        log.warning("api.few_descriptors", limit=files, wanted=CONNECTIONS_MAX, hint="raise LimitNOFILE or ulimit -n")
    server = Server(config, app.state.context.hub, stop)
    log.info("api.starting", address=f"http://{settings.host}:{settings.port}")
    server.run(sockets=sockets)
    return STOPPED if stop.is_set() else FAILED


def not_of_strangers(record: logging.LogRecord) -> bool:
    """False for the one error that uvicorn logs with its trace though a client causes it at will: text that is none."""
    return record.exc_info is None or not isinstance(record.exc_info[1], UnicodeDecodeError)


class Server(uvicorn.Server):
    """Stops by a token instead of by signals, and ends live streams first, so that none holds up the stop."""

    def __init__(self, config: uvicorn.Config, hub: Hub, stop: StopToken) -> None:
        super().__init__(config)
        self._hub = hub
        self._token = stop

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Signals belong to the caller, who owns the token."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second."""
        if self._token.is_set() and not self.should_exit:
            self._hub.close()
            self.should_exit = True
        return await super().on_tick(counter)
