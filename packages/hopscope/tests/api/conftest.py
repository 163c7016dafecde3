"""A database with a small mesh, and a client of the application over it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from meshes import Mesh

from hopscope.app.reader import create_app
from hopscope.config.settings import Settings

Client = TestClient[Litestar]
Start = Callable[..., Client]

KEY = "a-long-operator-key-7391"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "mesh.db"


@pytest.fixture
def mesh(database: Path) -> Iterator[Mesh]:
    """An empty mesh; the database exists."""
    made = Mesh(database)
    yield made
    made.close()


@pytest.fixture
def start(database: Path) -> Iterator[Start]:
    """Starts an application over the database with some settings changed; call it after the database is filled."""
    with ExitStack() as stack:

        def client(**changes: Any) -> Client:
            settings = replace(Settings(database=str(database)), **changes)
            return stack.enter_context(TestClient(create_app(settings), raise_server_exceptions=False))

        yield client
