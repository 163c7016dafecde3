"""/api/config: what the web app and CoreScope's clients ask about this installation. No secrets."""

from typing import Any

from litestar import get
from msgspec import Struct

from hopscope.api.access import OPEN
from hopscope.api.context import Context, Given
from hopscope.api.corescope_json import ROLES, TYPES
from hopscope.api.corescope_json import ROUTES as ROUTE_NAMES
from hopscope.store import nodes, sources
from hopscope.store.pool import Unavailable


class Tiles(Struct):
    """A street map behind the outline."""

    url: str
    attribution: str


class Region(Struct):
    """A region that packets come from."""

    code: str
    label: str


class ClientConfig(Struct):
    """What the web app starts with."""

    title: str
    version: str
    tiles: Tiles | None
    regions: list[Region]
    hasSources: bool  # noqa: N815 - as the others that clients read
    operator: bool
    payloadTypes: dict[str, str]  # noqa: N815
    routes: dict[str, str]
    roles: list[str]
    propagationBufferMs: int = 5000  # noqa: N815


@get("/api/config/client", opt=OPEN, sync_to_thread=True, tags=["config"])
def client_config(context: Given) -> ClientConfig:
    """Title, map, regions, and the words for numbers. Answers without a database too."""
    settings = context.settings
    tiles = settings.tiles
    return ClientConfig(
        title=settings.title,
        version=context.version,
        tiles=None if tiles is None else Tiles(tiles.url, tiles.attribution),
        regions=[Region(code, label) for code, label in region_labels(context).items()],
        hasSources=has_sources(context),
        operator=settings.api_key is not None,
        payloadTypes={str(number): name for number, name in TYPES.items()},
        routes={str(number): name for number, name in ROUTE_NAMES.items()},
        roles=list(ROLES.values()),
    )


def has_sources(context: Context) -> bool:
    """Whether anything is configured or was ever received. A database that is not there yet has no source."""
    if context.settings.sources:
        return True
    try:
        return bool(context.pool.read(sources.all_sources))
    except Unavailable:
        return False


def region_labels(context: Context) -> dict[str, str]:
    """Configured regions in their order, then the codes that observers brought."""
    labels = dict(context.settings.region_labels)
    try:
        observers = context.facts.current().visible_observers()
    except Unavailable:
        return labels
    return labels | {code: code for code in sorted({row.iata for row in observers if row.iata}) if code not in labels}


@get("/api/config/regions", opt=OPEN, sync_to_thread=True, tags=["config"])
def regions(context: Given) -> dict[str, str]:
    """Region codes and their labels."""
    return region_labels(context)


@get("/api/config/cache", opt=OPEN, sync_to_thread=False, tags=["config"])
def cache() -> dict[str, int]:
    """How long clients of CoreScope may keep answers: as they decide."""
    return {}


@get("/api/config/theme", opt=OPEN, sync_to_thread=False, tags=["config"])
def theme(context: Given) -> dict[str, Any]:
    """The site's name; colours are the client's own."""
    return {
        "branding": {"siteName": context.settings.title},
        "theme": {},
        "themeDark": {},
        "nodeColors": {},
        "typeColors": {},
        "home": None,
    }


@get("/api/config/map", opt=OPEN, sync_to_thread=True, tags=["config"])
def map_view(context: Given) -> dict[str, Any]:
    """Where a map may begin: the middle of the nodes that have a position; null where none has."""
    try:
        middle = context.pool.read(nodes.middle)
    except Unavailable:
        middle = None
    return {"center": middle, "zoom": 9}


@get("/api/config/geo-filter", opt=OPEN, sync_to_thread=False, tags=["config"])
def geo_filter() -> dict[str, Any]:
    """No geographic filter is configured."""
    return {"polygon": None, "bufferKm": 0}


@get("/api/config/areas", opt=OPEN, sync_to_thread=False, tags=["config"])
def areas() -> list[Any]:
    """No areas are configured."""
    return []


ROUTES = (client_config, regions, cache, theme, map_view, geo_filter, areas)
