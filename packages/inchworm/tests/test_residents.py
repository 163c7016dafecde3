"""One file is never opened through two SQLite libraries in one process where the system can tell."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

import inchworm
from inchworm.sqlite import connect, residents
from inchworm.sqlite.driver import open_path

apsw = pytest.importorskip("apsw")
pytestmark = pytest.mark.skipif(not residents.MAPS.exists(), reason="only Linux lists what a process has mapped")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "mesh.db")) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (id integer primary key)")
    return tmp_path / "mesh.db"


def library_of(path: Path) -> str:
    with closing(open_path(path, read_only=True)) as driver:
        return driver.library


def test_a_file_that_nobody_has_open_is_opened_with_the_repaired_library(path: Path) -> None:
    assert library_of(path) == "apsw"


def test_a_file_that_the_application_has_open_is_opened_with_its_library(path: Path) -> None:
    with closing(sqlite3.connect(path)) as application:
        application.execute("select * from t").fetchall()
        assert library_of(path) == "sqlite3"
    with closing(apsw.Connection(str(path))) as application:
        application.execute("select * from t").fetchall()
        assert library_of(path) == "apsw"


def test_a_connection_that_is_busy_in_another_thread_is_taken_for_one_on_this_file(path: Path) -> None:
    begun, enough = threading.Event(), threading.Event()

    def wait() -> int:
        begun.set()
        return int(enough.wait(30))

    def work() -> None:
        with closing(apsw.Connection(str(path))) as application:
            application.create_scalar_function("wait", wait, 0)
            application.execute("select wait(), count(*) from t").fetchall()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert begun.wait(30)
        assert library_of(path) == "apsw"
    finally:
        enough.set()
        thread.join()


def test_a_descriptor_that_is_not_sqlites_changes_nothing(path: Path) -> None:
    with path.open("rb"):
        assert library_of(path) == "apsw"


@pytest.mark.parametrize(("theirs", "ours"), [(sqlite3.connect, "apsw"), (apsw.Connection, "sqlite3")])
def test_a_second_library_on_one_file_is_refused(path: Path, theirs: type, ours: str) -> None:
    with closing(theirs(str(path))) as application:
        application.execute("select * from t").fetchall()
        with pytest.raises(inchworm.InchwormError, match="open in this process through"):
            connect(path, library=ours)


def test_a_name_that_leads_to_the_same_file_is_recognised(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other.db").symlink_to(path)
    with closing(apsw.Connection(str(path))) as application:
        application.execute("select * from t").fetchall()
        with pytest.raises(inchworm.InchwormError):
            connect(tmp_path / "other.db", library="sqlite3")


def test_two_libraries_that_have_a_file_open_already_are_refused_a_third_look(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as ours, closing(sqlite3.connect(path)) as theirs:
        for connection in (ours, theirs):
            connection.execute("select * from t").fetchall()
        for wanted in (None, "apsw", "sqlite3"):
            with pytest.raises(inchworm.UnsafeConnection, match="through two SQLite libraries"):
                connect(path, library=wanted)
    assert library_of(path) == "apsw"
