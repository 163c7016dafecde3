"""gzip and HEAD: fewer bytes, the same answers."""

import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest
from meshes import Mesh

from hopscope.api import answers, encoding
from hopscope.api.application import ROUTES

Start = Callable[..., Any]

PLAIN = {"Accept-Encoding": "identity"}
GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5, br", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("x-gzip", True),
        ("gzip;q=high", False),
        ("gzipped", False),
        (",,;;q=,", False),
    ],
)
def test_gzip_is_for_those_who_ask_for_it(header: str, wanted: bool) -> None:
    assert encoding.accepts_gzip(header.encode()) is wanted


@pytest.mark.parametrize(
    "header", [b"a" * 60_000 + b" b", b"gzip" + b" " * 60_000 + b"x", b"a;q=" + b"1" * 60_000, b"," * 60_000]
)
def test_a_hostile_header_is_read_in_one_pass(header: bytes) -> None:
    began = time.thread_time()
    assert not encoding.accepts_gzip(header)
    assert time.thread_time() - began < 1.0, "not each byte beside each other, which takes minutes"


@pytest.mark.parametrize(
    ("header", "has_it"),
    [
        ('W/"a"', True),
        ('"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        ('"ab"', False),
        ('xW/"a"', False),
        ("", False),
        ("a", False),
    ],
)
def test_a_tag_is_compared_whole_and_weakly(header: str, has_it: bool) -> None:
    assert encoding.known(header.encode(), b'W/"a"') is has_it


def fill(mesh: Mesh) -> None:
    for number in range(30):
        mesh.ack(number)


@pytest.mark.parametrize("path", ["/api/packets", "/static/css/base.css", "/api/spec", "/metrics"])
def test_an_answer_in_gzip_holds_what_the_plain_one_does(mesh: Mesh, start: Start, path: str) -> None:
    fill(mesh)
    client = start()
    for _ in range(2):  # made, and kept
        with client.stream("GET", path, headers=GZIP) as packed:
            raw = b"".join(packed.iter_raw())
        plain = client.get(path, headers=PLAIN)
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers.get_list("content-length") == [str(len(raw))]
        assert len(raw) < len(plain.content)
        assert "content-encoding" not in plain.headers
        assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
        if path != "/metrics":  # it counts itself
            assert gzip.decompress(raw) == plain.content


def test_a_small_answer_is_not_compressed(mesh: Mesh, start: Start) -> None:
    answer = start().get("/livez", headers=GZIP)
    assert {"content-encoding", "vary"}.isdisjoint(answer.headers)


def test_an_image_is_not_compressed(mesh: Mesh, start: Start) -> None:
    name = "/static/vendor/atkinson-hyperlegible-next/latin.woff2"
    assert "content-encoding" not in start().get(name, headers=GZIP).headers


def test_a_large_answer_is_compressed_too(mesh: Mesh, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "LARGEST_INLINE", 1000)
    fill(mesh)
    answer = start().get("/api/packets", headers=GZIP)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["total"] == 30


def test_a_list_has_one_weak_tag_in_either_encoding(mesh: Mesh, start: Start) -> None:
    fill(mesh)
    client = start()
    tags = {client.get("/api/packets", headers=headers).headers["etag"] for headers in (PLAIN, GZIP, PLAIN)}
    (tag,) = tags
    assert tag.startswith('W/"')
    for headers in (PLAIN, GZIP):
        again = client.get("/api/packets", headers=headers | {"If-None-Match": f'"x", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in again.headers


def test_a_file_has_a_tag_for_each_encoding(mesh: Mesh, start: Start) -> None:
    client, name = start(), "/static/css/base.css"
    plain, packed = (client.get(name, headers=headers).headers["etag"] for headers in (PLAIN, GZIP))
    assert plain != packed
    for headers, mine, others in ((PLAIN, plain, packed), (GZIP, packed, plain)):
        assert client.get(name, headers=headers | {"If-None-Match": mine}).status_code == 304
        assert client.get(name, headers=headers | {"If-None-Match": others}).status_code == 200


def test_a_file_is_compressed_once(mesh: Mesh, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    client, name = start(), "/static/css/base.css"
    first = client.get(name, headers=GZIP)
    monkeypatch.setattr(encoding, "pack", None)
    assert client.get(name, headers=GZIP).content == first.content


def test_a_kept_answer_is_compressed_once_and_counted(
    mesh: Mesh, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(mesh)
    client = start()
    client.get("/api/packets", headers=PLAIN)
    client.get("/api/packets", headers=GZIP)
    monkeypatch.setattr(encoding, "pack", None)
    assert client.get("/api/packets", headers=GZIP).json()["total"] == 30
    kept = client.app.state.context.answers
    (one,) = (entry.answer for entry in kept._kept.values())
    assert one.packed is not None
    assert kept._bytes == answers.ENTRY_BYTES + len("/api/packets") + len(one.body) + len(one.packed)


def test_the_bound_holds_for_compressed_bodies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "BYTES", answers.ENTRY_BYTES + 25)
    kept, key = answers.Answers(), ("/a", b"")
    plain = answers.Answer("/a", (), b"e", bytes(20))
    kept.keep(key, (1, 1), plain)
    kept.improve(key, answers.Answer("/a", (), b"e", plain.body, bytes(10)))
    assert len(kept) == 0
    kept.keep(key, (1, 1), plain)
    assert len(kept) == 1


PATHS = sorted(
    path
    for route in ROUTES
    for path in route.paths
    if "GET" in getattr(route, "http_methods", ()) and "{" not in path and path != "/api/live"
)


@pytest.mark.parametrize("path", [*PATHS, "/static/css/base.css", "/packets/00ff", "/api/nodes/ab", "/nowhere"])
@pytest.mark.parametrize("headers", [PLAIN, GZIP], ids=["plain", "gzip"])
def test_head_answers_as_get_does_without_the_body(
    mesh: Mesh, start: Start, path: str, headers: dict[str, str]
) -> None:
    client = start()
    wanted, found = client.get(path, headers=headers), client.head(path, headers=headers)
    assert (found.status_code, found.content) == (wanted.status_code, b"")
    changing = {"content-length"} if path in {"/api/perf", "/metrics", "/api/stats", "/api/health"} else set()
    assert {name: value for name, value in found.headers.items() if name not in changing} == {
        name: value for name, value in wanted.headers.items() if name not in changing
    }


def test_head_on_the_live_stream_ends_and_holds_no_connection(mesh: Mesh, start: Start) -> None:
    client = start()
    answer = client.head("/api/live")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert client.app.state.context.streams.count() == 0


def test_head_is_refused_where_get_is(mesh: Mesh, start: Start) -> None:
    client = start()
    refused = client.head("/api/decode")
    assert (refused.status_code, refused.headers["allow"]) == (405, "OPTIONS, POST")
    assert client.delete("/").headers["allow"] == "GET, HEAD, OPTIONS"
