"""A store and a source for import tests, and the way from one to the other."""

import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from corescope_file import CoreScopeFile
from import_rig import KEYS, NOW, Importing

from hopscope.app.stop import StopToken
from hopscope.migrations.service import Service, Work
from hopscope.store import connection, imports, schema
from hopscope.store.imports import Import


@pytest.fixture
def store(tmp_path: Path) -> Iterator[apsw.Connection]:
    """An empty hopscope database."""
    db = connection.open_writer(str(tmp_path / "hopscope.db"))
    schema.prepare(db)
    yield db
    db.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[CoreScopeFile]:
    """An empty CoreScope database of the current age, open like a running CoreScope."""
    file = CoreScopeFile(tmp_path / "meshcore.db")
    yield file
    file.close()


@pytest.fixture
def bring(store: apsw.Connection, tmp_path: Path) -> Importing:
    """Import a file and let everything that follows from it end; the import as it then stands."""

    def bring_file(path: Path) -> Import:
        number = imports.request(store, str(path), by="cli", now=time.time_ns() // 1_000_000)
        service = Service(Work(str(tmp_path / "hopscope.db"), KEYS, stall_budget_ms=50, now_ms=lambda: NOW))
        try:
            service.work(StopToken())
        finally:
            service.close()
        found = imports.load(store, number)
        assert found is not None
        return found

    return bring_file
