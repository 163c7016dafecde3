"""/api/spec: the OpenAPI description, made from the routes, with our form of errors on every one of them."""

from functools import lru_cache
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.routes import HTTPRoute

from hopscope.api.access import OPEN

PROBLEM = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "One line that says what is wrong."}},
}
ERRORS = {
    "400": "The request cannot be understood.",
    "503": "The database cannot be served now; the error says why.",
}
FORBIDDEN = {"403": "This needs the operator's key in the header X-API-Key, and one to be configured."}
NOT_FOUND = {"404": "There is nothing with this name."}


@get("/api/spec", opt=OPEN, sync_to_thread=False, include_in_schema=False)
def spec(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI description of this API."""
    return Response(description(request.app), media_type="application/json")


@lru_cache(maxsize=4)
def description(app: Litestar) -> bytes:
    """The description as JSON; made once."""
    document = app.openapi_schema.to_schema()
    document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    guarded = operator_paths(app)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            errors = ERRORS | (FORBIDDEN if path in guarded else {}) | (NOT_FOUND if "{" in path else {})
            # An operation's own errors, as 409, keep their description and get our form.
            own = {status: body["description"] for status, body in operation["responses"].items() if status >= "400"}
            either_shape(operation["responses"])
            operation["responses"] |= {status: problem(text) for status, text in (own | errors).items()}
    return msgspec.json.encode(document)


def either_shape(responses: dict[str, Any]) -> None:
    """An answer of one of two shapes may fit both: an empty page of packets is also an empty page of groups."""
    for response in responses.values():
        for media in response.get("content", {}).values():
            if "oneOf" in media["schema"]:
                media["schema"]["anyOf"] = media["schema"].pop("oneOf")


def operator_paths(app: Litestar) -> set[str]:
    """The paths that need the operator's key."""
    routes = [route for route in app.routes if isinstance(route, HTTPRoute)]
    return {
        route.path_format
        for route in routes
        if any(handler.opt.get("access") == "operator" for handler in route.route_handlers)
    }


def problem(text: str) -> dict[str, Any]:
    """An error answer."""
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


ROUTES = (spec,)
