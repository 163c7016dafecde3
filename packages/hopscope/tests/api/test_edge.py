"""What every answer carries, errors and files included."""

from collections.abc import Callable
from typing import Any

import pytest
from meshes import Mesh

from hopscope.api.edge import tile_host
from hopscope.config.settings import MapTiles

Start = Callable[..., Any]

ANSWERS = {
    "/api/stats": 200,
    "/": 200,
    "/static/js/app.js": None,
    "/static/../reader.py": 404,
    "/nowhere": 404,
    "/api/packets?limit=-1": 400,
    "/api/perf/reset": 405,
    "/livez": 200,
    "/api/packets?x=%00": 400,
    "/api/packets/%00": 400,
    "/static/%00": 400,
}


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_carries_load_status_and_security_headers(mesh: Mesh, start: Start, path: str) -> None:
    answer = start().get(path)
    assert ANSWERS[path] in (None, answer.status_code)
    assert answer.headers["x-corescope-load-status"] == "ready"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error"}
        assert answer.headers["content-type"].startswith("application/json")


def test_answers_of_the_api_are_not_kept_and_files_are_asked_for_again(mesh: Mesh, start: Start) -> None:
    client = start()
    assert client.get("/api/stats").headers["cache-control"] == "no-store"
    page = client.get("/map")
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/map", headers={"If-None-Match": page.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "page", ["/", "/packets", "/packets/00ff", "/map", "/nodes", "/nodes/ab", "/channels", "/channels/%23x", "/system"]
)
def test_every_page_of_the_app_is_the_shell(mesh: Mesh, start: Start, page: str) -> None:
    client = start()
    answer = client.get(page)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text == client.get("/").text


def test_files_outside_of_the_web_app_are_not_served(mesh: Mesh, start: Start) -> None:
    client = start()
    for path in ("/static/..%2f__init__.py", "/static//etc/passwd", "/static/%2e%2e/__init__.py", "/static/"):
        assert client.get(path).status_code == 404, path


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "%F0%9F%92%A9" * 30])
def test_a_file_name_longer_than_any_is_not_found(mesh: Mesh, start: Start, name: str) -> None:
    assert start().get(f"/static/{name}").status_code == 404


def test_the_host_of_a_street_map_joins_the_policy(mesh: Mesh, start: Start) -> None:
    tiles = MapTiles("https://{s}.tile.example.org/{z}/{x}/{y}.png", "map people")
    policy = start(tiles=tiles).get("/").headers["content-security-policy"]
    assert "img-src 'self' data: https://*.tile.example.org;" in policy


def test_the_host_of_a_tile_url_has_no_path() -> None:
    assert tile_host("https://tile.example.org:8443/a/{z}.png") == "https://tile.example.org:8443"


def test_a_defect_answers_500_without_details(mesh: Mesh, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    mesh.ack(1)
    client = start()
    object.__setattr__(client.app.state.context, "decoder", None)
    answer = client.get("/api/packets")
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error, the server's log says more"})
    assert "AttributeError" in caplog.text


def test_a_body_that_is_too_large_is_refused(mesh: Mesh, start: Start) -> None:
    answer = start().post("/api/decode", content=b'{"hex":"' + b"0" * 100_000 + b'"}')
    assert answer.status_code == 413
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"hex":1}', b"\xff\xfe", b'{"hex":"' + b"0" * 2000 + b'"}'])
def test_a_broken_body_is_refused(mesh: Mesh, start: Start, body: bytes) -> None:
    answer = start().post("/api/decode", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
