"""Our own description of the API, and hostile requests made from it: no answer may be a 500 or of an unknown shape."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from litestar.testing import TestClient
from meshes import Mesh
from schemathesis.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from hopscope.app.reader import create_app
from hopscope.config.settings import Settings

Start = Callable[..., Any]

CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]

# Without a database: the description does not depend on one.
schema = schemathesis.openapi.from_dict(TestClient(create_app(Settings(database="none.db"))).get("/api/spec").json())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Any]]:
    """A server over a small mesh, for many requests."""
    mesh = Mesh(tmp_path_factory.mktemp("spec") / "mesh.db")
    mesh.advert(7, name="hill", lat=47.5, lon=-122.25)
    mesh.say("hello")
    mesh.status()
    mesh.refuse(b"{")
    with TestClient(create_app(Settings(database=str(mesh.path))), raise_server_exceptions=False) as client:
        yield client
    mesh.close()


def test_every_operation_describes_its_answers_and_errors(start: Start) -> None:
    document = start().get("/api/spec").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            for status in ("400", "503"):
                schema = operation["responses"][status]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, path


def test_operations_for_operators_describe_their_refusal(start: Start) -> None:
    paths = start().get("/api/spec").json()["paths"]
    assert "403" in paths["/api/perf/reset"]["post"]["responses"]
    assert "403" not in paths["/api/packets"]["get"]["responses"]
    assert {"404", "409"} <= set(paths["/api/nodes/{key}"]["get"]["responses"])
    assert {"404", "409"} <= set(paths["/api/admin/migrations/{name}/{verb}"]["post"]["responses"])


def test_the_paths_of_the_contract_are_described(start: Start) -> None:
    paths = start().get("/api/spec").json()["paths"]
    wanted = """/api/stats /api/health /api/healthz /livez /readyz /api/perf /api/packets /api/packets/{key}
        /api/packets/observations /api/packets/timestamps /api/nodes /api/nodes/search /api/nodes/{key}
        /api/nodes/{key}/health /api/observers /api/observers/{ident} /api/observers/{ident}/metrics /api/channels
        /api/channels/{name}/messages /api/analytics/hash-sizes /api/mqtt/status /api/decode /api/ingest/quarantine
        /api/live /api/config/client"""
    assert set(wanted.split()) <= set(paths)


@schema.exclude(path="/api/live").parametrize()  # a stream has no end; its refusals have tests of their own
@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_no_request_is_answered_with_a_defect(served: TestClient[Any], case: schemathesis.Case) -> None:
    request = case.as_transport_kwargs(base_url="http://testserver.local")
    for name in ("auth", "cookies"):
        request.pop(name, None)
    if isinstance(request.get("data"), bytes):
        request["content"] = request.pop("data")
    answer = served.request(**request)
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"]
        return
    case.validate_response(answer, checks=CHECKS)
