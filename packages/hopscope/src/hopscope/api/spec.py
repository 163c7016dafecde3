"""/api/spec: the OpenAPI description, made from the routes, with our form of errors on every one of them."""

from functools import lru_cache
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get

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
KEYED = {"403": "This needs the operator's key in the header X-API-Key, and one to be configured."}


@get("/api/spec", opt=OPEN, sync_to_thread=False, include_in_schema=False)
def spec(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI description of this API."""
    return Response(description(request.app), media_type="application/json")


@lru_cache(maxsize=4)
def description(app: Litestar) -> bytes:
    """The description as JSON; made once."""
    document = app.openapi_schema.to_schema()
    document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for operations in document["paths"].values():
        for operation in operations.values():
            errors = ERRORS | (KEYED if operation.pop("x-access", None) == "operator" else {})
            described = {status: problem(text) for status, text in errors.items()}
            operation["responses"] = operation["responses"] | described | known_errors(operation["responses"])
    return msgspec.json.encode(document)


def known_errors(responses: dict[str, Any]) -> dict[str, Any]:
    """Answers that a route describes itself, as 404, in our form."""
    return {status: problem(body["description"]) for status, body in responses.items() if status in ("404", "409")}


def problem(text: str) -> dict[str, Any]:
    """An error answer."""
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


ROUTES = (spec,)
