"""How a source's state is told, and how often it is stored."""

import logging

import pytest

from hopscope.ingest.sources import SAVE_EVERY_MS, Connection, StateBoard
from hopscope.model import SourceState


@pytest.fixture
def connection(caplog: pytest.LogCaptureFixture) -> Connection:
    caplog.set_level(logging.INFO)
    return Connection("home", "mqtt://127.0.0.1:1883")


def test_a_connection_tells_its_story(connection: Connection) -> None:
    connection.failed("refused")
    assert connection.state().last_error == "refused"
    connection.opened(10)
    connection.closed(20, "lost")
    connection.opened(30)
    connection.closed(40, None)
    assert connection.state() == SourceState(
        name="home",
        connected=False,
        connected_at=30,
        disconnected_at=40,
        connects=2,
        disconnects=2,
        last_error=None,
    )


def test_a_connection_that_was_never_open_is_not_lost(connection: Connection) -> None:
    connection.closed(5, "refused")
    assert connection.state().disconnects == 0


def test_the_same_trouble_is_logged_once(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    for error in ("refused", "refused", "no route", "refused"):
        connection.failed(error)
    assert [record.getMessage().rsplit("error=")[1] for record in caplog.records] == [
        '"refused"',
        '"no route"',
        '"refused"',
    ]


class Told:
    address = "mqtt://h:1"

    def __init__(self, connection: Connection) -> None:
        self.state = connection.state


def test_states_are_stored_when_they_changed_and_not_too_often(connection: Connection) -> None:
    board = StateBoard([Told(connection)])
    assert board.due(0)
    assert board.changed(board.states())
    board.saved(board.states(), 0)
    assert not board.due(SAVE_EVERY_MS - 1)
    assert board.due(SAVE_EVERY_MS)
    assert not board.changed(board.states())
    connection.opened(1)
    assert board.changed(board.states())


def test_a_clock_that_was_set_back_does_not_keep_states_from_readers(connection: Connection) -> None:
    board = StateBoard([Told(connection)])
    board.saved(board.states(), 10_000_000)
    assert board.due(9_000_000)
