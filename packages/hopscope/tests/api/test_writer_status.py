"""What is said about the writer process: whether packets are collected, and since when they are not."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from meshes import Mesh

from hopscope.api.writer_status import WriterStatus, WriterWatch, judge
from hopscope.store.lock import Held, WriterLock, lock_path

Start = Callable[..., Any]
T0 = 1_790_000_000_000
NOBODY, INGEST, IMPORT = Held(None, None), Held("ingest", None), Held("import", None)


@pytest.mark.parametrize(
    ("held", "before", "now"),
    [
        (INGEST, WriterStatus("stopped", T0 - 9), WriterStatus("collecting")),
        (NOBODY, WriterStatus("collecting"), WriterStatus("stopped", T0)),  # it died between two looks
        (NOBODY, WriterStatus("stopped", T0 - 9), WriterStatus("stopped", T0 - 9)),
        (NOBODY, WriterStatus(), WriterStatus("stopped", None)),  # dead before the first look
        (Held(None, T0 - 5), WriterStatus("collecting"), WriterStatus("stopped", T0 - 5)),  # it said when
        (Held(None, T0 - 5), WriterStatus(), WriterStatus("stopped", T0 - 5)),
        (IMPORT, WriterStatus("collecting"), WriterStatus("importing", T0)),
        (IMPORT, WriterStatus("stopped", T0 - 9), WriterStatus("importing", T0 - 9)),
        (NOBODY, WriterStatus("importing", T0 - 9), WriterStatus("stopped", T0 - 9)),
        (NOBODY, WriterStatus("unknown", T0 - 9, "no"), WriterStatus("stopped", T0 - 9)),
    ],
)
def test_the_end_of_a_writer_keeps_its_time(held: Held, before: WriterStatus, now: WriterStatus) -> None:
    assert judge(held, before, T0) == now


def test_a_lock_that_cannot_be_asked_is_unknown_and_not_stopped() -> None:
    def refuse(_database: str) -> Held:
        raise PermissionError(13, "Permission denied", "/somewhere/mesh.db.lock")

    status = WriterWatch("mesh.db", look=refuse).current()
    assert (status.state, status.collects) == ("unknown", None)
    assert status.error == "the writer's lock cannot be read: Permission denied"


@pytest.fixture
def writer(database: Path) -> Iterator[WriterLock]:
    """Takes the writer's place."""
    with WriterLock.acquire(str(database)) as lock:
        yield lock


def said(client: Any) -> Any:
    return client.get("/api/healthz").json()["writer"]


def up(client: Any) -> list[str]:
    return [line for line in client.get("/metrics").text.splitlines() if line.startswith("hopscope_writer_up")]


def test_health_and_metrics_tell_a_living_writer_from_one_that_stopped(
    mesh: Mesh, start: Start, writer: WriterLock
) -> None:
    client = start()
    assert said(client) == {"state": "collecting", "stoppedAt": None, "lastReportAt": None}
    assert up(client) == ["hopscope_writer_up 1.0"]
    writer.release()
    later = start()
    stopped = said(later)
    assert stopped["state"] == "stopped"
    assert stopped["stoppedAt"].endswith("Z")
    assert up(later) == ["hopscope_writer_up 0.0"]


def test_an_api_without_a_writer_is_ready(mesh: Mesh, start: Start) -> None:
    client = start()
    health = client.get("/api/healthz")
    assert (health.status_code, health.json()["ready"], said(client)["state"]) == (200, True, "stopped")
    assert client.get("/readyz").status_code == 200


def test_what_nobody_knows_is_no_figure(mesh: Mesh, start: Start, database: Path, writer: WriterLock) -> None:
    lock_path(str(database)).unlink()
    os.symlink(lock_path(str(database)).name, lock_path(str(database)))  # leads to itself: it cannot be opened
    client = start()
    assert (said(client)["state"], up(client)) == ("unknown", [])
    assert str(database.parent) not in client.get("/api/healthz").text


def test_the_writer_is_told_of_without_a_database_too(start: Start, database: Path) -> None:
    with WriterLock.acquire(str(database)):
        answer = start().get("/api/healthz")
    assert (answer.status_code, answer.json()["writer"]["state"]) == (503, "collecting")
