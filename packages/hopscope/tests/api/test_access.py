"""Who may do what, and how many live connections an address may have."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler
from meshes import Mesh

from hopscope.api import access
from hopscope.api.access import Streams
from hopscope.api.application import ROUTES
from hopscope.app.reader import WeakKey, create_app
from hopscope.config.settings import Settings
from hopscope.store.connection import open_writer

Start = Callable[..., Any]

KEY = "a-long-operator-key-7391"


def test_every_route_declares_its_access_rule() -> None:
    for route in ROUTES:
        assert route.opt.get("access") in {"open", "operator"}, route


def test_routes_for_operators_have_the_guard_and_no_others_change_anything() -> None:
    for route in ROUTES:
        guarded = access.operator in (route.guards or [])
        assert guarded == (route.opt["access"] == "operator"), route
        if isinstance(route, HTTPRouteHandler) and not guarded:
            assert route.http_methods == {"GET"} or route.fn.__name__ in {"decode_frame", "observations_by_hash"}


@pytest.mark.parametrize(
    ("configured", "given", "status"),
    [
        (None, None, 403),
        (None, KEY, 403),
        (KEY, None, 403),
        (KEY, "wrong", 403),
        (KEY, KEY + "x", 403),
    ],
)
def test_operator_requests_need_the_configured_key(
    mesh: Mesh, start: Start, configured: str | None, given: str | None, status: int
) -> None:
    headers = {} if given is None else {"X-API-Key": given}
    answer = start(api_key=configured).post("/api/perf/reset", headers=headers)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


def test_the_configured_key_opens_operator_requests(mesh: Mesh, start: Start) -> None:
    assert start(api_key=KEY).post("/api/perf/reset", headers={"X-API-Key": KEY}).json() == {"ok": True}


def test_only_an_operator_sees_the_records_of_the_quarantine(mesh: Mesh, start: Start) -> None:
    mesh.refuse(b"\xff<script>secret")
    client = start(api_key=KEY)
    for_all = client.get("/api/ingest/quarantine").json()
    for_operator = client.get("/api/ingest/quarantine?reason=bad_json", headers={"X-API-Key": KEY}).json()
    assert (for_all["counts"][0]["count"], for_all["records"]) == (1, [])
    assert for_operator["records"][0]["record"] == "\N{REPLACEMENT CHARACTER}<script>secret"
    assert client.get("/api/ingest/quarantine?reason=other", headers={"X-API-Key": KEY}).json()["records"] == []


@pytest.mark.parametrize("key", ["short", "a" * 40, "changemechangeme", "CHANGEMECHANGEME", "pass word pass wörd"])
def test_a_weak_key_is_refused_at_the_start_without_being_repeated(key: str) -> None:
    with pytest.raises(WeakKey) as refused:
        create_app(Settings(api_key=key))
    assert key not in str(refused.value)


def test_an_address_may_have_so_many_live_connections_and_no_more() -> None:
    streams = Streams(per_address=2, in_all=3)
    assert [streams.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [streams.enter("192.0.2.2") for _ in range(2)] == [True, False]
    streams.leave("192.0.2.1")
    assert streams.enter("192.0.2.2")
    assert streams.count() == 3


def test_a_loopback_address_is_a_proxy_and_only_the_limit_in_all_holds() -> None:
    streams = Streams(per_address=1, in_all=3)
    assert [streams.enter("127.0.0.1") for _ in range(4)] == [True, True, True, False]


def test_a_live_stream_over_the_limit_is_refused(mesh: Mesh, start: Start) -> None:
    client = start()
    streams = client.app.state.context.streams
    while streams.enter("127.0.0.1"):
        pass
    answer = client.get("/api/live")
    assert (answer.status_code, set(answer.json())) == (429, {"error"})


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://mesh.example:8080", True),
        ("HTTPS://mesh.example:8080", True),
        ("https://other.example", True),
        ("", False),
        ("null", False),
        ("http://mesh.example", False),
        ("http://mesh.example:8080.evil.example", False),
        ("http://evil@mesh.example:8080", False),
        ("mesh.example:8080", False),
        ("x://mesh.example:8080", False),
    ],
)
def test_only_the_own_page_and_listed_ones_may_open_a_websocket(origin: str | None, *, allowed: bool) -> None:
    assert access.allowed_origin(origin, "Mesh.example:8080", ("https://other.example",)) is allowed
    assert not access.allowed_origin("http://", None, ())


def test_a_page_of_a_listed_origin_may_read_the_api_in_a_browser(mesh: Mesh, start: Start) -> None:
    client = start(allowed_origins=("https://other.example",))
    for path in ("/api/packets", "/api/packets", "/api/nowhere", "/api/stats"):  # made, kept, refused, never kept
        shared = client.get(path, headers={"Origin": "https://other.example"}).headers
        assert shared["access-control-allow-origin"] == "https://other.example"
        assert "Origin" in shared["vary"]
        for origin in ("https://evil.example", "null"):
            kept = client.get(path, headers={"Origin": origin}).headers
            assert "access-control-allow-origin" not in kept
            assert "Origin" in kept["vary"]
    asked = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
    answer = client.options("/api/decode", headers=asked | {"Access-Control-Request-Headers": "content-type"})
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Content-Type" in answer.headers["access-control-allow-headers"]


def test_without_listed_origins_no_other_page_may_read_the_api(mesh: Mesh, start: Start) -> None:
    answer = start().get("/api/stats", headers={"Origin": "https://other.example"})
    assert {"access-control-allow-origin", "vary"}.isdisjoint(answer.headers)


def cut(database: Path) -> None:
    with database.open("r+b") as file:
        file.truncate(5000)


def newer(database: Path) -> None:
    with closing(open_writer(str(database))) as db:
        db.execute("update meta set value = '999' where key = 'schema_version'")


@pytest.mark.parametrize("spoil", [Path.unlink, cut, newer])
def test_a_request_of_an_operator_that_no_database_can_take_is_no_defect(
    database: Path, start: Start, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    Mesh(database).close()
    spoil(database)
    (tmp_path / "history.db").touch()
    client = start(api_key=KEY, import_dir=str(tmp_path))
    paths = ["/api/admin/migrations/x/pause"] + (["/api/admin/imports"] if database.exists() else [])
    for path in paths:
        answer = client.post(path, json={"file": "history.db"}, headers={"X-API-Key": KEY})
        assert answer.status_code in {404, 503}, answer.text
        assert str(tmp_path) not in answer.text
