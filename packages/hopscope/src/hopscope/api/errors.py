"""Every refusal and failure as `{"error": "one line"}` with its status. Shows a stranger no detail of a defect."""

from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from hopscope import log
from hopscope.api.directories import without_directories
from hopscope.store.connection import DatabaseMissing
from hopscope.store.errors import StoreDamaged, StoreUnavailable
from hopscope.store.pool import CannotRead
from hopscope.store.schema import SchemaError

RETRY_AFTER_S = "2"


class Problem(msgspec.Struct):
    """What every answer other than 2xx and 304 holds."""

    error: str


class BadRequest(HTTPException):
    """The request cannot be understood; the detail says which part and what is expected."""

    status_code = 400


class NotFound(HTTPException):
    """There is nothing with that name."""

    status_code = 404


class Ambiguous(HTTPException):
    """The beginning of a key fits more than one node."""

    status_code = 409


def refuse(_request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """An answer for what a handler, a guard or the routing refused."""
    return answer(one_line(error), error.status_code, error.headers or {})


def unavailable(_request: Request[Any, Any, Any], error: CannotRead | StoreUnavailable) -> Response[Any]:
    """503 with the reason: the database is missing, too new, damaged or locked, or the answer took too long."""
    return answer(without_directories(str(error)), 503, {"Retry-After": RETRY_AFTER_S})


def missing(_request: Request[Any, Any, Any], _error: DatabaseMissing) -> Response[Any]:
    """503 to an operator's request when there is nothing to leave it in."""
    return answer("there is no database yet: start the writer", 503, {"Retry-After": RETRY_AFTER_S})


def fail(request: Request[Any, Any, Any], _error: Exception) -> Response[Any]:
    """500 without details; the log has them."""
    log.exception("request_failed", method=request.method, path=request.url.path)
    return answer("internal error, the server's log says more", 500, {})


def answer(text: str, status: int, headers: dict[str, str]) -> Response[Any]:
    """One line, as JSON."""
    return Response(Problem(error=text), status_code=status, media_type=MediaType.JSON, headers=headers)


def one_line(error: HTTPException) -> str:
    """The detail, and for a validation error which field was wrong and why."""
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        parts = [f"{item.get('key', 'request')}: {item.get('message', 'is not valid')}" for item in error.extra]
        if parts:
            return "; ".join(parts)
    return error.detail.splitlines()[0] if error.detail else "refused"


HANDLERS: dict[int | type[Exception], Any] = {
    HTTPException: refuse,
    CannotRead: unavailable,
    StoreUnavailable: unavailable,
    StoreDamaged: unavailable,
    SchemaError: unavailable,
    DatabaseMissing: missing,
    Exception: fail,
}
