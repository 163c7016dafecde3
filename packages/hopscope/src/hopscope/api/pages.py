"""The web app's files, and its shell: one page for every address of the app. Serves only what it finds there."""

import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter

from hopscope.api import encoding
from hopscope.api.access import OPEN
from hopscope.api.context import Given
from hopscope.api.errors import NotFound, refuse

PAGES = (
    "/",
    "/packets",
    "/packets/{key:str}",
    "/map",
    "/nodes",
    "/nodes/{key:str}",
    "/channels",
    "/channels/{key:str}",
    "/observers",
    "/observers/{key:str}",
    "/system",
    "/analytics",
    "/live",
)
KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2"}
REVALIDATE = "no-cache"  # kept by browsers, asked for again each time: an upgrade shows at once


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file as it is served."""

    content: bytes
    kind: str
    etag: str  # without quotes
    packed: bytes | None  # in gzip, where that is worth it


@lru_cache(maxsize=512)
def read_file(path: Path, _modified_ns: int) -> WebFile:
    """The file; kept until it changes, so that it is compressed once."""
    content = path.read_bytes()
    kind = KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = encoding.pack(content, level=encoding.FILE_LEVEL) if encoding.worth(kind.encode(), len(content)) else None
    return WebFile(content, kind, blake2b(content, digest_size=12).hexdigest(), packed)


def within(root: Path, name: str) -> Path | None:
    """The file of that name below the root, or None: not there, or outside of it."""
    try:
        path = (root / name.lstrip("/")).resolve()
        return path if path.is_relative_to(root.resolve()) and path.is_file() else None
    except OSError:  # a name longer than any file's
        return None


def serve(request: Request[Any, Any, Any], path: Path | None) -> Response[bytes]:
    """The file, or 304 when the client has it; 404 where there is none. Each encoding has a tag of its own."""
    if path is None:
        raise NotFound("no such file")
    file = read_file(path, path.stat().st_mtime_ns)
    content, etag, headers = file.content, f'"{file.etag}"', {"Cache-Control": REVALIDATE}
    if file.packed is not None:
        headers["Vary"] = "Accept-Encoding"
        if encoding.accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1")):
            content, etag = file.packed, f'"{file.etag}-gzip"'
            headers["Content-Encoding"] = "gzip"
    headers["ETag"] = etag
    if encoding.known(request.headers.get("if-none-match", "").encode("latin-1"), etag.encode()):
        headers.pop("Content-Encoding", None)
        return Response(b"", status_code=304, headers=headers, media_type=file.kind)
    return Response(content, headers=headers, media_type=file.kind)


@get("/static/{name:path}", opt=OPEN, sync_to_thread=False, include_in_schema=False)
def static_file(
    request: Request[Any, Any, Any], context: Given, name: Annotated[str, PathParameter()]
) -> Response[bytes]:
    """A file of the web app."""
    return serve(request, within(context.web.static, name))


@get("/favicon.ico", opt=OPEN, sync_to_thread=False, include_in_schema=False)
def favicon(request: Request[Any, Any, Any], context: Given) -> Response[bytes]:
    """The icon that browsers ask for by themselves."""
    return serve(request, within(context.web.static, "icon.svg"))


@get(list(PAGES), opt=OPEN, sync_to_thread=False, include_in_schema=False)
def shell(request: Request[Any, Any, Any], context: Given) -> Response[bytes]:
    """The web app; it reads its address itself."""
    return serve(request, context.web.index if context.web.index.is_file() else None)


def nowhere(request: Request[Any, Any, Any], error: NotFoundException) -> Response[Any]:
    """No route: to somebody who follows a link the app, which says so in words; to everybody else the error."""
    index: Path = request.app.state.context.web.index
    follows_a_link = "text/html" in request.headers.get("accept", "")
    if not follows_a_link or request.url.path.startswith(("/api/", "/static/")) or not index.is_file():
        return refuse(request, error)
    page = read_file(index, index.stat().st_mtime_ns)
    return Response(page.content, status_code=404, headers={"Vary": "Accept"}, media_type=page.kind)


@get("/api/docs", opt=OPEN, sync_to_thread=False, include_in_schema=False)
def api_docs(request: Request[Any, Any, Any], context: Given) -> Response[bytes]:
    """A page that shows /api/spec, from our own files."""
    return serve(request, context.web.api_docs if context.web.api_docs.is_file() else None)


HANDLERS: dict[int | type[Exception], Any] = {NotFoundException: nowhere}
ROUTES: tuple[HTTPRouteHandler, ...] = (static_file, favicon, shell, api_docs)
