"""The ASGI application: one list, five verbs, an authorizer, and an unreadable ledger beside the last good list."""

import asyncio
import json
import os
from collections.abc import Callable, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from databases import writing

import inchworm
from inchworm.asgi import HIDDEN, MigrationsApp, Scope
from inchworm.states import Verb
from inchworm.testing.clock import FakeClock

JSON = (b"content-type", b"application/json")

KEYS = {
    "name", "status", "rowsProcessed", "rowsTotal", "rowsTotalEstimated", "rate", "etaSeconds", "elapsedSec",
    "errorMessage", "startedAt", "endedAt", "reason", "quarantined",
}  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> str:
    """One migration that is done and one that failed."""
    path = str(tmp_path / "mesh.db")
    with writing(path) as connection:
        connection.execute("create table t (id integer primary key, a integer)")
        connection.execute("insert into t values (1, 1), (2, 2)")
    good = inchworm.Backfill(name="good", table="t", update="update t set a = 5 where id between :first and :last")
    bad = inchworm.Backfill(name="bad", table="t", update="update t set b = 5 where id between :first and :last")
    inchworm.run(path, [good, bad])
    return path


def ask(
    app: MigrationsApp, method: str, path: str, *headers: tuple[bytes, bytes]
) -> tuple[int, Any, dict[bytes, bytes]]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    body = sent[1]["body"]
    return sent[0]["status"], json.loads(body) if body else None, dict(sent[0]["headers"])


def anybody(scope: Scope, name: str, verb: Verb) -> str | None:
    return "ann"


def test_the_list_has_every_key_wherever_it_is_mounted(db: str) -> None:
    with closing(MigrationsApp(db)) as app:
        for path in ("/migrations", "/api/admin/migrations", "/api/migrations/"):
            status, body, headers = ask(app, "GET", path)
            assert (status, body["error"]) == (200, None)
            assert {m["name"]: m["status"] for m in body["migrations"]} == {"good": "done", "bad": "failed"}
            assert set(body["migrations"][0]) >= KEYS
            assert headers[b"content-type"] == b"application/json"
            assert headers[b"cache-control"] == b"no-store"


def test_an_empty_database_gives_an_empty_list_and_not_null(tmp_path: Path) -> None:
    path = str(tmp_path / "empty.db")
    with writing(path) as connection:
        connection.execute("create table t (id integer primary key)")
    with closing(MigrationsApp(path)) as app:
        assert ask(app, "GET", "/migrations")[:2] == (200, {"migrations": [], "error": None})


def test_an_unreadable_ledger_is_an_error_beside_the_last_good_list(db: str) -> None:
    clock = FakeClock()
    with closing(MigrationsApp(db, clock=clock)) as app:
        good = ask(app, "GET", "/migrations")[1]["migrations"]
        clock.advance(2)
        with writing(db) as connection:
            connection.execute("update _async_migrations set rows_processed = 'many'")
        status, body, _ = ask(app, "GET", "/migrations")
        assert status == 200
        assert body["migrations"] == good
        assert "many" in body["error"]


def test_a_ledger_that_was_never_readable_is_not_an_empty_list(tmp_path: Path) -> None:
    with closing(MigrationsApp(str(tmp_path / "missing.db"))) as app:
        status, body, headers = ask(app, "GET", "/migrations")
    assert (status, body["migrations"]) == (503, None)
    assert "no database" in body["error"]
    assert headers[b"retry-after"] == b"1"


def test_many_reads_within_a_second_read_the_ledger_once(db: str) -> None:
    clock = FakeClock()
    with closing(MigrationsApp(db, clock=clock)) as app:
        ask(app, "GET", "/migrations")
        os.rename(db, db + ".moved")
        with writing(db + ".moved") as connection:
            connection.execute("update _async_migrations set status = 'cancelled'")
        for _ in range(100):
            assert ask(app, "GET", "/migrations")[1]["migrations"][0]["status"] != "cancelled"


def test_a_verb_without_an_authorizer_is_refused(db: str) -> None:
    with closing(MigrationsApp(db)) as app:
        assert ask(app, "POST", "/migrations/bad/acknowledge", JSON)[0] == 403


def test_a_verb_that_the_authorizer_does_not_allow_is_refused_and_changes_nothing(db: str) -> None:
    with closing(MigrationsApp(db, authorize=lambda scope, name, verb: None)) as app:
        assert ask(app, "POST", "/migrations/bad/cancel", JSON)[0] == 403
    assert {s.name: s.status for s in inchworm.read_status(db)}["bad"] == "failed"


def test_the_authorizer_sees_scope_name_and_verb_and_names_who_asks(db: str) -> None:
    seen: list[tuple[str, str]] = []

    async def authorize(scope: Scope, name: str, verb: Verb) -> str | None:
        seen.append((name, verb))
        return "ann" if dict(scope["headers"]).get(b"authorization") == b"secret" else None

    with closing(MigrationsApp(db, authorize=authorize)) as app:
        assert ask(app, "POST", "/migrations/bad/acknowledge", JSON)[0] == 403
        status, body, _ = ask(app, "POST", "/migrations/bad/acknowledge", JSON, (b"authorization", b"secret"))
    assert (status, body) == (200, {"name": "bad", "verb": "acknowledge", "answer": "acknowledged"})
    assert seen == [("bad", "acknowledge")] * 2
    assert {s.name: s.acknowledged_by for s in inchworm.read_status(db)}["bad"] == "ann"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/migrations/bad/acknowledge", (), 415),
        ("POST", "/migrations/bad/acknowledge", ((b"content-type", b"text/plain"),), 415),
        ("POST", "/migrations/good/pause", (JSON,), 409),
        ("POST", "/migrations/nobody/pause", (JSON,), 404),
        ("POST", "/migrations/bad/explode", (JSON,), 404),
        ("GET", "/migrations/bad/pause", (JSON,), 405),
        ("POST", "/migrations", (JSON,), 405),
        ("GET", "/elsewhere", (), 404),
    ],
)
def test_what_cannot_be_done_has_its_own_status_and_a_sentence(
    db: str, method: str, path: str, headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    with closing(MigrationsApp(db, authorize=anybody)) as app:
        answered, body, _ = ask(app, method, path, *headers)
    assert answered == status
    assert body["error"]


def test_a_head_request_has_no_body(db: str) -> None:
    with closing(MigrationsApp(db)) as app:
        assert ask(app, "HEAD", "/migrations")[:2] == (200, None)


def test_error_texts_can_be_kept_from_the_public(db: str) -> None:
    with closing(MigrationsApp(db, hide_errors=True)) as app:
        errors = {m["name"]: m["errorMessage"] for m in ask(app, "GET", "/migrations")[1]["migrations"]}
    assert errors == {"good": None, "bad": HIDDEN}


def test_a_locked_database_answers_503_and_not_a_traceback(db: str) -> None:
    clock = FakeClock()
    with closing(MigrationsApp(db, authorize=anybody, clock=clock)) as app, writing(db) as other:
        other.execute("update t set a = 1")
        status, body, _ = ask(app, "POST", "/migrations/bad/cancel", JSON)
    assert status == 503
    assert "locked" in body["error"]


def test_lifespan_and_websocket_are_answered(db: str) -> None:
    app = MigrationsApp(db)
    messages = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": next(messages)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    call: Callable[[], Any] = lambda: app({"type": "lifespan"}, receive, send)  # noqa: E731
    asyncio.run(call())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(ValueError, match="websocket"):
        asyncio.run(app({"type": "websocket"}, receive, send))


def test_a_ledger_of_a_newer_inchworm_takes_no_verb_and_is_an_answer_all_the_same(db: str) -> None:
    with writing(db) as connection:
        connection.execute("update _async_ledger set version = 99")
    with closing(MigrationsApp(db, authorize=anybody)) as app:
        status, body, _ = ask(app, "POST", "/migrations/bad/retry", JSON)
    assert status == 503
    assert "upgrade inchworm" in body["error"]
