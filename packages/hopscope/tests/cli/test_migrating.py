"""`hopscope migrations`: the table as an operator reads it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import inchworm
from hopscope.cli.root import main
from hopscope.store import connection, schema


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with two migrations that failed."""
    path = str(tmp_path / "hopscope.db")
    monkeypatch.setenv("HOPSCOPE_DATABASE", path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    db = connection.open_writer(path)
    schema.prepare(db)
    db.execute("insert into channels (name, hash, encrypted) values ('x', 1, 0)")
    db.execute("create trigger no before update on channels begin select raise(abort, 'no room'); end")
    db.close()
    bad = [
        inchworm.Backfill(
            name=name, table="channels", update="update channels set hash = 2 where id >= :first and id <= :last"
        )
        for name in ("one_v1", "two_v1")
    ]
    assert not inchworm.run(lambda: connection.open_writer(path), bad).ok
    return path


def test_a_failure_that_was_acknowledged_says_so_until_it_is_retried(database: str) -> None:
    run = CliRunner().invoke
    assert run(main, ["migrations"]).output.count("failed") == 2
    assert run(main, ["migrations", "acknowledge", "one_v1"]).exit_code == 0
    lines = {line.split()[0]: line for line in run(main, ["migrations"]).output.splitlines()}
    assert "failed, acknowledged" in lines["one_v1"]
    assert "acknowledged" not in lines["two_v1"]
    assert "no room" in lines["one_v1"]
    assert run(main, ["migrations", "retry", "one_v1"]).exit_code == 0
    assert "acknowledged" not in run(main, ["migrations"]).output
