"""Doctor looks at real files and real other processes, and changes nothing."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databases import writing

import inchworm
from inchworm.doctor import Diagnosis, examine
from inchworm.findings import Severity
from inchworm.sqlite import locks
from inchworm.sqlite.driver import open_path
from inchworm.testing.clock import FakeClock

sees_locks = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="needs Linux's lock table")

OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("ready", flush=True)
sys.stdin.readline()
"""


@contextmanager
def another_process(db: str, *statements: str) -> Iterator[int]:
    """A process that has run these statements and keeps its transaction open over the block."""
    words = [sys.executable, "-c", OTHER, db, *statements]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process.pid
        finally:
            process.stdin.close()


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = str(tmp_path / "mesh.db")
    with writing(path) as other:
        other.execute("create table t (id integer primary key, a)")
        other.execute("insert into t values (1, 1)")
    return path


def sentences(found: Diagnosis) -> str:
    return "\n".join(f.sentence for f in found.findings)


def test_a_sound_file_is_left_as_it_is(db: str) -> None:
    before = Path(db).read_bytes()
    found = examine(db, clock=FakeClock())
    assert found.ok
    assert not [f for f in found.findings if f.severity is Severity.ERROR]
    assert Path(db).read_bytes() == before


@sees_locks
def test_a_pinned_reader_is_named(db: str) -> None:
    with another_process(db, "begin", "select * from t") as pid:
        with writing(db) as other:
            other.execute("insert into t (a) select 1 from t")
        found = examine(db, clock=FakeClock())
    assert f"(pid {pid}) holds a read transaction open on an old snapshot" in sentences(found)


@sees_locks
def test_a_reader_on_the_newest_snapshot_is_not_blamed(db: str) -> None:
    with writing(db) as other:
        other.execute("insert into t (a) values (2)")
    with another_process(db, "begin", "select * from t"):
        assert "read transaction" not in sentences(examine(db, clock=FakeClock()))


@sees_locks
def test_a_writer_that_holds_the_lock_is_named(db: str) -> None:
    with another_process(db, "begin immediate") as pid:
        found = examine(db, clock=FakeClock())
    assert "the write lock was held at 40 of 40 looks" in sentences(found)
    assert f"(pid {pid})" in sentences(found)


@sees_locks
def test_a_writer_without_a_log_is_named_too(tmp_path: Path) -> None:
    path = str(tmp_path / "old.db")
    with writing(path, journal_mode="delete") as other:
        other.execute("create table t (id integer primary key)")
    with another_process(path, "begin immediate") as pid:
        found = examine(path, clock=FakeClock())
    assert "journal mode delete" in sentences(found)
    assert f"(pid {pid})" in sentences(found)


def test_a_missing_file_and_a_file_that_is_no_database_are_findings(tmp_path: Path) -> None:
    assert "there is no database" in sentences(examine(str(tmp_path / "missing.db"), clock=FakeClock()))
    text = tmp_path / "text.db"
    text.write_text("this is text and not a database " * 100)
    found = examine(str(text), clock=FakeClock())
    assert not found.ok
    assert "not a database" in sentences(found)


def test_a_factory_that_shares_one_connection_is_an_error_and_the_connection_stays_open(db: str) -> None:
    shared = open_path(db, read_only=False)
    found = examine(lambda: shared.connection, clock=FakeClock())
    assert "the same connection each time" in sentences(found)
    assert shared.run("select count(*) from t").one() == (1,)
    shared.close()


def test_a_factory_without_a_busy_timeout_is_a_warning(db: str) -> None:
    def opened(timeout: int) -> object:
        driver = open_path(db, read_only=False)
        driver.run(f"pragma busy_timeout = {timeout}")
        return driver.connection

    assert "no busy_timeout" in sentences(examine(lambda: opened(0), clock=FakeClock()))
    assert "no busy_timeout" not in sentences(examine(lambda: opened(5000), clock=FakeClock()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
def test_a_path_that_this_process_has_open_is_a_warning(db: str) -> None:
    with open(db, "rb"):
        assert "this process had the file open before" in sentences(examine(db, clock=FakeClock()))
    assert "this process had the file open before" not in sentences(examine(db, clock=FakeClock()))


def test_migrations_that_lack_an_index_are_findings(db: str) -> None:
    with writing(db) as other:
        other.execute(
            "with recursive n(i) as (select 2 union all select i + 1 from n where i < 3000)"
            " insert into t select i, i from n"
        )
    slow = inchworm.Backfill(
        name="slow",
        table="t",
        update="update t set a = (select count(*) from t o where o.a > t.a) where id between :first and :last",
    )
    found = examine(db, [slow], clock=FakeClock())
    assert not found.ok or any(f.severity is Severity.WARNING for f in found.findings)
    assert "update reads all of t" in sentences(found)


def test_the_header_of_the_log_index_is_read_as_documented() -> None:
    header = bytearray(136)
    header[12] = 1
    struct.pack_into("=I", header, 16, 77)
    struct.pack_into("=6I", header, 96, 33, 0, 77, 5, 0xFFFFFFFF, 0xFFFFFFFF)
    assert locks.parse_wal_index(bytes(header)) == locks.WalIndex(77, 33, (0, 77, 5, 0xFFFFFFFF, 0xFFFFFFFF))
    assert locks.parse_wal_index(bytes(100)) is None
    assert locks.parse_wal_index(bytes(136)) is None


def test_the_lock_table_is_read_without_those_who_wait() -> None:
    text = (
        "1: POSIX  ADVISORY  WRITE 15805 fe:00:10029478 120 120\n"
        "1: -> POSIX  ADVISORY  WRITE 15806 fe:00:10029478 120 120\n"
        "2: POSIX  ADVISORY  READ 15805 fe:00:10029478 124 EOF\n"
        "3: POSIX  ADVISORY  READ 14265 fe:00:10028924 128 128\n"
        "4: OFDLCK ADVISORY  READ -1 fe:00:10029478 0 0\n"
    )
    found = locks.parse_locks(text, "fe:00:10029478")
    assert [(h.pid, h.write, h.first) for h in found] == [(15805, True, 120), (15805, False, 124)]
    assert found[1].covers(10**12)


def test_the_innermost_mount_decides() -> None:
    text = (
        "22 1 0:21 / / rw - ext4 /dev/vda rw\n"
        "23 22 0:22 / /srv rw,relatime shared:1 - nfs4 host:/x rw\n"
        "24 22 0:23 / /srv/my\\040data rw - tmpfs tmpfs rw\n"
    )
    assert locks.parse_mounts(text, "/home/a.db") == "ext4"
    assert locks.parse_mounts(text, "/srv/a.db") == "nfs4"
    assert locks.parse_mounts(text, "/srv/my data/a.db") == "tmpfs"
    assert locks.parse_mounts("", "/srv/a.db") is None


def test_sqlite_libraries_are_counted_in_a_memory_map() -> None:
    maps = "7f r-xp /usr/lib/libsqlite3.so.0.8.6\n7f r-xp /venv/apsw/__init__.cpython-311.so\n"
    assert locks.sqlite_copies(maps) == ("libsqlite3", "apsw")
    assert locks.sqlite_copies("7f r-xp /usr/lib/libc.so.6\n") == ()


def test_nothing_is_known_where_there_is_no_lock_table(db: str, tmp_path: Path) -> None:
    assert locks.locks_on(db, tmp_path / "no") == ()
    assert locks.file_system(db, tmp_path / "no") is None
    assert locks.name_of(2**22 + 1) == ""
    assert locks.maps_of(2**22 + 1) == ""
    assert locks.wal_index(db + "-missing") is None
    assert os.path.exists(db)
