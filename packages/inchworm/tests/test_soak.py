"""Killed fifty times with SIGKILL, a migration loses nothing and repeats at most one slice per kill."""

from pathlib import Path

import pytest

from inchworm.testing import SqliteHarness
from inchworm.testing.kills import kill


@pytest.mark.parametrize("library", ["sqlite3", "apsw"])
def test_fifty_kills_leave_no_wrong_row_and_repeat_at_most_one_slice_each(tmp_path: Path, library: str) -> None:
    pytest.importorskip(library)
    harness = SqliteHarness(tmp_path, library)

    def integrity(target: str) -> list[str]:
        found = [str(row[0]) for row in harness.rows(target, "pragma integrity_check")]
        return [] if found == ["ok"] else found

    toll = kill(harness, tmp_path, kills=50, integrity=integrity)
    assert (toll.kills, toll.wrong_rows, toll.damaged) == (50, 0, ())
    assert toll.most_repeated <= 1
    assert toll.repeated > 0, "no kill came inside a slice, so nothing was tried"
