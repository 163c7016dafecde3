"""The reader process: the API, the live feed and the web app over read-only connections. Never writes, never waits
for the writer: it may be started first, and answers 503 with the reason until there is a database.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version

from litestar import Litestar

from hopscope import web
from hopscope.api import access
from hopscope.api.application import build
from hopscope.api.context import Context, WebFiles, wall_clock_ms
from hopscope.api.counted import count
from hopscope.api.facts import FactsReader
from hopscope.api.memo import Memo
from hopscope.api.migrations_status import StatusReader
from hopscope.api.shown import Decoder, key_ring
from hopscope.api.timings import Timings
from hopscope.config.settings import Settings
from hopscope.store.pool import ReadPool

WORKERS = 4  # threads that answer requests, each with one connection at a time
COUNT_EVERY_S = 2.0


class WeakKey(Exception):
    """The configured API key must not be used; str() says why."""


def create_app(settings: Settings) -> Litestar:
    """The application for these settings. Raises WeakKey."""
    weakness = None if settings.api_key is None else access.weakness(settings.api_key)
    if weakness is not None:
        raise WeakKey(f"the API key (HOPSCOPE_API_KEY) must not be used: {weakness}")
    pool = ReadPool(settings.database, size=WORKERS)
    context = Context(
        settings=settings,
        pool=pool,
        facts=FactsReader(pool, settings.privacy),
        counted=Memo(lambda: pool.read(lambda db: count(db, wall_clock_ms())), every_s=COUNT_EVERY_S),
        decoder=Decoder(key_ring(settings)),
        migrations=StatusReader(pool),
        timings=Timings(),
        streams=access.Streams(),
        web=WebFiles(web.STATIC, web.INDEX, web.API_DOCS),
        version=version("hopscope"),
    )

    @asynccontextmanager
    async def workers(_app: Litestar) -> AsyncIterator[None]:
        executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="answer")
        loop = asyncio.get_running_loop()
        loop.set_default_executor(executor)  # handlers run in it
        await loop.run_in_executor(executor, context.migrations.current)
        try:
            yield
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
            pool.close()

    return build(context, lifespan=[workers])
