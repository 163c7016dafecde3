"""Both SQLite libraries run the conformance suite."""

from pathlib import Path

import pytest

from inchworm.testing import Harness, SqliteHarness
from inchworm.testing.conformance import Conformance


class TestSqlite3(Conformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return SqliteHarness(tmp_path, "sqlite3")


class TestApsw(Conformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        pytest.importorskip("apsw")
        return SqliteHarness(tmp_path, "apsw")
