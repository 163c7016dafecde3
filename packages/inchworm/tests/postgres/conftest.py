"""One PostgreSQL server for all tests of this folder."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .server import PostgresHarness, Server


@pytest.fixture(scope="session")
def server() -> "Iterator[Server]":
    from .server import Server

    running = Server()
    try:
        yield running
    finally:
        running.remove()


@pytest.fixture
def harness(server: "Server") -> "PostgresHarness":
    from .server import PostgresHarness

    return PostgresHarness(server)
