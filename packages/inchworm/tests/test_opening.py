"""A database that cannot be opened is one sentence of ours, whatever the library says, without a password."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from databases import writing

from inchworm.errors import DatabaseBroken, UnsafeConnection
from inchworm.opening import open_database, open_reader


@pytest.fixture(params=["sqlite3", "apsw"])
def library(request: pytest.FixtureRequest) -> str:
    if request.param == "apsw":
        pytest.importorskip("apsw")
    return str(request.param)


def test_a_file_that_is_no_database_is_one_of_our_faults(tmp_path: Path, library: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing but words " * 200)
    with pytest.raises(DatabaseBroken, match=r"not a database .*: look at the path"):
        open_database(path, driver=library)


def test_a_database_that_may_not_be_written_says_who_must_be_able_to(tmp_path: Path, library: str) -> None:
    path = tmp_path / "mesh.db"
    with writing(path) as db:
        db.execute("create table t (id integer primary key)")
    path.chmod(0o444)
    read_only = open_database(f"file:{path}?mode=ro", driver=library)
    with closing(read_only) as db, pytest.raises(DatabaseBroken) as refused, db.turn(limit_s=1.0) as turn:
        turn.execute("insert into t values (1)", {})
    assert "this user must be able to write the file, its -wal and -shm, and their folder" in str(refused.value)


@pytest.mark.parametrize("opened", [open_database, open_reader])
def test_a_folder_and_an_empty_path_are_said_to_be_that(tmp_path: Path, opened: type) -> None:
    with pytest.raises(DatabaseBroken, match="is a folder, not a database"):
        opened(tmp_path)
    with pytest.raises(DatabaseBroken, match="no database at an empty path"):
        opened("")


@pytest.mark.parametrize(
    ("url", "todo"),
    [
        ("postgresql+psycopg://ann:secret@db/mesh", "write postgresql://"),
        ("mysql://ann:secret@db/mesh", "give a SQLite file or postgresql://"),
        ("sqlite:///mesh.db", "give the path of the file"),
    ],
)
@pytest.mark.parametrize("opened", [open_database, open_reader])
def test_a_url_of_another_kind_says_how_to_write_it_and_not_its_password(opened: type, url: str, todo: str) -> None:
    with pytest.raises(DatabaseBroken) as refused:
        opened(url)
    assert todo in str(refused.value)
    assert "secret" not in str(refused.value)


def test_an_unknown_driver_is_said_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="driver='psycopg2'; it is one of apsw, sqlite3, postgres"):
        open_database(tmp_path / "mesh.db", driver="psycopg2")


def test_a_factory_that_shares_one_connection_is_refused_and_the_connection_stays_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mesh.db", timeout=3)) as shared:
        with pytest.raises(UnsafeConnection, match="same connection twice"):
            open_database(lambda: shared)
        shared.execute("create table still_usable (id integer)")
        assert shared.execute("pragma busy_timeout").fetchone() == (3000,)
