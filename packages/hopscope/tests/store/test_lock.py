"""One writer per database: refused while it lives, free when it is dead."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hopscope.store.lock import Held, WriterAlive, WriterLock, lock_path, look, writer_alive

HOLD = """
import sys
from hopscope.store.lock import WriterLock
with WriterLock.acquire(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "data" / "mesh.db")


def hold(database: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=10)


def test_a_second_writer_is_refused_with_a_name(database: str) -> None:
    process = hold(database)
    with pytest.raises(WriterAlive, match=f"process {process.pid}") as refusal:
        WriterLock.acquire(database)
    assert "stop it first" in str(refusal.value)
    end(process)
    WriterLock.acquire(database).release()


def test_the_lock_of_a_killed_writer_is_free(database: str) -> None:
    process = hold(database)
    os.kill(process.pid, signal.SIGKILL)
    end(process)
    assert not writer_alive(database)
    WriterLock.acquire(database).release()


def test_readers_can_ask_whether_a_writer_lives(database: str) -> None:
    assert not writer_alive(database)
    with WriterLock.acquire(database):
        assert writer_alive(database)
        assert writer_alive(database)
    assert not writer_alive(database)


def test_the_lock_says_what_its_holder_does_and_when_ingest_gave_it_back(database: str) -> None:
    assert look(database) == Held(work=None, stopped_at=None)
    ingest = WriterLock.acquire(database)
    assert look(database) == Held(work="ingest", stopped_at=None)
    before = time.time_ns() // 1_000_000
    ingest.release()
    stopped = look(database).stopped_at
    assert stopped is not None
    assert before <= stopped <= time.time_ns() // 1_000_000
    with WriterLock.acquire(database, "import"):
        assert look(database) == Held(work="import", stopped_at=stopped)
    assert look(database) == Held(work=None, stopped_at=stopped), "the end of an import is not when ingest stopped"
    with WriterLock.acquire(database):
        assert look(database).stopped_at is None


def test_a_writer_that_was_killed_leaves_no_time(database: str) -> None:
    WriterLock.acquire(database).release()
    process = hold(database)
    assert look(database).work == "ingest"
    os.kill(process.pid, signal.SIGKILL)
    end(process)
    assert look(database) == Held(work=None, stopped_at=None)
    WriterLock.acquire(database, "import").release()
    assert look(database) == Held(work=None, stopped_at=None)


def test_a_writer_that_does_nothing_for_a_while_lives(database: str) -> None:
    process = hold(database)
    os.kill(process.pid, signal.SIGSTOP)
    assert look(database).work == "ingest"
    os.kill(process.pid, signal.SIGKILL)
    end(process)


def test_asking_is_never_mistaken_for_holding(database: str) -> None:
    WriterLock.acquire(database).release()
    looking = [look(database).work for _ in range(50)]
    assert looking == [None] * 50
    WriterLock.acquire(database).release()


def test_every_name_of_a_file_has_one_lock(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "mesh.db")
    assert lock_path(str(tmp_path / "link.db")) == lock_path(str(tmp_path / "mesh.db"))


def test_releasing_twice_is_fine(database: str) -> None:
    lock = WriterLock.acquire(database)
    lock.release()
    lock.release()
