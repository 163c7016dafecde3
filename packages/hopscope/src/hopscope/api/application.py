"""Puts the routes together into one ASGI application. Reads no configuration; it is given a Context."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import License

from hopscope.api import (
    analytics,
    channels,
    config,
    decode,
    health,
    imports,
    live,
    metrics,
    mqtt_status,
    nodes,
    observers,
    packets,
    pages,
    perf,
    quarantine,
    spec,
    stats,
)
from hopscope.api.context import Context
from hopscope.api.edge import Edge, security_headers
from hopscope.api.errors import HANDLERS

ROUTES = (
    *health.ROUTES,
    *stats.ROUTES,
    *perf.ROUTES,
    *packets.ROUTES,
    *decode.ROUTES,
    *nodes.ROUTES,
    *observers.ROUTES,
    *channels.ROUTES,
    *analytics.ROUTES,
    *mqtt_status.ROUTES,
    *quarantine.ROUTES,
    *imports.ROUTES,
    *config.ROUTES,
    *live.ROUTES,
    *metrics.ROUTES,
    *spec.ROUTES,
    *pages.ROUTES,
)
BODY_MAX = 64 * 1024  # bytes of a request; the largest sensible one holds 200 packet hashes


def build(context: Context, *, lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]]) -> Litestar:
    """The application: routes, errors, headers."""
    app = Litestar(
        route_handlers=ROUTES,
        dependencies={"context": Provide(lambda: context, sync_to_thread=False, use_cache=True)},
        exception_handlers=HANDLERS | pages.HANDLERS,
        state=State({"context": context}),
        lifespan=list(lifespan),
        request_max_body_size=BODY_MAX,
        openapi_config=OpenAPIConfig(
            title=context.settings.title,
            version=context.version,
            license=License(name="MIT", identifier="MIT"),
            render_plugins=[],
            use_handler_docstrings=True,
        ),
        logging_config=None,
        debug=False,
    )
    app.asgi_handler = Edge(
        app.asgi_handler,
        headers=security_headers(context.settings.tiles),
        history_complete=lambda: context.migrations.last.history_complete,
        timings=context.timings,
        answers=context.answers,
        clock=context.clock,
        origins=context.settings.allowed_origins,
    )
    return app
