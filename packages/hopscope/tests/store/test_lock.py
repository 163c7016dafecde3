"""One writer per database: refused while it lives, free when it is dead."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hopscope.store.lock import WriterAlive, WriterLock, lock_path, writer_alive

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


def test_every_name_of_a_file_has_one_lock(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "mesh.db")
    assert lock_path(str(tmp_path / "link.db")) == lock_path(str(tmp_path / "mesh.db"))


def test_releasing_twice_is_fine(database: str) -> None:
    lock = WriterLock.acquire(database)
    lock.release()
    lock.release()
