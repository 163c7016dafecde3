"""Live writers go first, in one process and between processes, and a dead one keeps nobody out."""

import os
import signal
import threading
from pathlib import Path

import pytest

from inchworm import Stop, WriteGate


@pytest.fixture(params=["one process", "processes"])
def gates(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[WriteGate, WriteGate]:
    """The gate of a live writer and the gate of a migration."""
    if request.param == "one process":
        gate = WriteGate()
        return gate, gate
    return WriteGate(tmp_path / "gate"), WriteGate(tmp_path / "gate")


def test_a_migration_waits_for_the_live_writer_that_is_there(gates: tuple[WriteGate, WriteGate]) -> None:
    live, migration = gates
    order: list[str] = []
    entered = threading.Event()

    def turn() -> None:
        entered.set()
        with migration.migration(Stop()):
            order.append("migration")

    with live.live():
        thread = threading.Thread(target=turn)
        thread.start()
        assert entered.wait(5)
        order.append("live")
    thread.join(5)
    assert order == ["live", "migration"]


def test_a_live_writer_that_waits_goes_before_the_next_turn(gates: tuple[WriteGate, WriteGate]) -> None:
    live, migration = gates
    order: list[str] = []
    began, waiting = threading.Event(), threading.Event()

    def write() -> None:
        began.wait(5)
        waiting.set()
        with live.live():
            order.append("live")

    thread = threading.Thread(target=write)
    thread.start()
    with migration.migration(Stop()):
        began.set()
        assert waiting.wait(5)
        Stop().wait(0.05)  # let the writer reach its lock; too short a wait only makes this test weaker
    with migration.migration(Stop()):
        order.append("migration")
    thread.join(5)
    assert order == ["live", "migration"]


def test_the_locks_of_a_killed_writer_are_gone(tmp_path: Path) -> None:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with WriteGate(tmp_path / "gate").live():
            os.write(tell, b"x")
            signal.pause()
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    os.close(tell)
    with WriteGate(tmp_path / "gate").migration(Stop()):
        pass
