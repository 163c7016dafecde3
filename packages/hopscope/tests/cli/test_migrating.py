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
    assert "no room" in lines["one_v1:"]
    assert run(main, ["migrations", "retry", "one_v1"]).exit_code == 0
    assert "acknowledged" not in run(main, ["migrations"]).output


def test_without_a_database_the_way_to_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPSCOPE_DATABASE", str(tmp_path / "none.db"))
    for arguments in ([], ["--json"], ["pause", "one_v1"]):
        ended = CliRunner().invoke(main, ["migrations", *arguments])
        assert (ended.exit_code, ended.output) == (
            78,
            f"hopscope: there is no database {tmp_path / 'none.db'} yet: "
            "a writer (hopscope serve, ingest or import) makes it\n",
        )


def test_on_a_narrow_terminal_no_number_is_broken_and_no_error_is_cut(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    db = connection.open_writer(database)
    said = "a long story of what went wrong, told to the very end, because the end names the cause"
    db.execute(
        "update _async_migrations set rows_processed = 1234567, rows_total = 7654321, error = ? where name = 'one_v1'",
        (said,),
    )
    db.close()
    output = CliRunner().invoke(main, ["migrations"]).output
    assert "1,234,567 / 7,654,321" in output
    assert f"one_v1: {said}" in output.splitlines()


def test_what_a_dead_process_left_running_is_interrupted_as_the_api_says(database: str) -> None:
    db = connection.open_writer(database)
    db.execute(
        "update _async_migrations set status = 'running', error = null, holder = 'elsewhere|b|pid:[1]|1|1|x', "
        "lease_until = 1 where name = 'one_v1'"
    )
    db.close()
    lines = CliRunner().invoke(main, ["migrations"]).output.splitlines()
    assert any(line.split()[:2] == ["one_v1", "interrupted"] for line in lines)
    assert any(line.startswith("one_v1: ") for line in lines)
