"""Following a database file: what is new, what is only history, and what is another database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from meshes import NORTH, SECOND, T0, Mesh

from hopscope.live import tail as tailing
from hopscope.live.tail import Tail
from hopscope.store.pool import Unavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mesh.db"


@pytest.fixture
def tail(path: Path) -> Iterator[Tail]:
    made = Tail(str(path))
    yield made
    made.close()


def hashes(tail: Tail) -> list[str]:
    step = tail.poll()
    assert step is not None
    assert step.news is not None
    return [packet.hash.hex() for _, packet in step.news.receptions]


def test_the_first_look_says_where_the_feed_begins(path: Path, tail: Tail) -> None:
    mesh = Mesh(path)
    mesh.ack(1)
    step = tail.poll()
    assert step is not None
    assert (step.position.observation, step.news) == (1, None)
    mesh.close()


def test_a_look_without_a_commit_is_nothing(path: Path, tail: Tail) -> None:
    mesh = Mesh(path)
    tail.poll()
    assert tail.poll() is None
    mesh.close()


def test_every_commit_is_seen_once_in_order(path: Path, tail: Tail) -> None:
    mesh = Mesh(path)
    tail.poll()
    first, second = mesh.ack(1), mesh.ack(2, at=T0 + SECOND)
    assert hashes(tail) == [first, second]
    third = mesh.ack(3)
    assert hashes(tail) == [third]
    mesh.close()


def test_an_import_is_history_not_news(path: Path, tail: Tail) -> None:
    mesh = Mesh(path)
    tail.poll()
    mesh.say("old", source="old")
    live = mesh.say("new", by=NORTH)
    assert hashes(tail) == [live]
    mesh.close()


def test_more_than_a_burst_begins_anew(path: Path, tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailing, "BURST", 3)
    mesh = Mesh(path)
    tail.poll()
    for number in range(4):
        mesh.ack(number)
    step = tail.poll()
    assert step is not None
    assert (step.news, step.position.observation) == (None, 4)
    mesh.close()


def test_a_missing_file_is_said_and_then_followed_when_it_appears(path: Path, tail: Tail) -> None:
    with pytest.raises(Unavailable, match="there is no database yet"):
        tail.poll()
    mesh = Mesh(path)
    tail.poll()
    wanted = mesh.ack(1)
    assert hashes(tail) == [wanted]
    mesh.close()


def test_a_replaced_file_begins_anew_under_its_own_name(path: Path, tail: Tail) -> None:
    mesh = Mesh(path)
    mesh.ack(1)
    before = tail.poll()
    mesh.close()
    for file in path.parent.glob("mesh.db*"):
        file.unlink()
    mesh = Mesh(path)
    after = tail.poll()
    assert before is not None
    assert after is not None
    assert after.news is None
    assert after.position.database != before.position.database
    wanted = mesh.ack(2)
    assert hashes(tail) == [wanted]
    mesh.close()
