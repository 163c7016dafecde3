"""The example does what its README says: built, killed, resumed, verified, orphans left alone."""

import importlib.util
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

import inchworm
from inchworm import Status
from inchworm.clock import Stop
from inchworm.recheck import recheck

EXAMPLE = Path(__file__).parent.parent / "examples" / "corescope"
COUNT = 2_000
ORPHANS = COUNT // 50

CHILD = """
import os, signal, sys
import inchworm
from inchworm.testing import FakeClock
sys.path.insert(0, sys.argv[1])
from migrations import tx_last_seen

def killed_in_the_middle(progress):
    os.kill(os.getpid(), signal.SIGKILL)

class Hasty(FakeClock):
    def monotonic(self):
        self.advance(0.01)  # so that a progress event comes after a few slices, on any machine
        return super().monotonic()

inchworm.run(sys.argv[2], [tx_last_seen], on_progress=killed_in_the_middle, first_rows=10, clock=Hasty())
"""


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"corescope_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    loaded("build").build(tmp_path / "mesh.db", COUNT)
    return tmp_path / "mesh.db"


def wrong_rows(mesh: Path) -> int:
    with closing(sqlite3.connect(mesh)) as db:
        (count,) = db.execute(
            "select count(*) from transmissions t where last_seen != coalesce("
            "(select max(timestamp) from observations where transmission_id = t.id), 0)"
        ).fetchone()
    return int(count)


def test_killed_and_resumed_it_ends_right_and_leaves_the_orphans(mesh: Path) -> None:
    child = subprocess.run([sys.executable, "-c", CHILD, os.fspath(EXAMPLE), os.fspath(mesh)], check=False)
    assert child.returncode == -signal.SIGKILL
    (interrupted,) = inchworm.read_status(mesh)
    assert interrupted.status is Status.INTERRUPTED
    assert 0 < interrupted.counts.examined < COUNT

    migration = loaded("migrations").tx_last_seen
    outcome = inchworm.run(mesh, [migration])[migration.name]
    assert outcome.status is Status.DONE
    assert (outcome.counts.changed, outcome.counts.unchanged) == (COUNT - ORPHANS, ORPHANS)
    assert wrong_rows(mesh) == 0
    (checked,) = recheck(mesh, [migration], stop=Stop())
    assert checked.problem is None


def test_a_second_run_has_nothing_to_do(mesh: Path) -> None:
    migration = loaded("migrations").tx_last_seen
    assert inchworm.run(mesh, [migration]).ok
    assert inchworm.run(mesh, [migration]).turns == 0


def test_a_file_that_exists_is_not_overwritten(mesh: Path) -> None:
    with pytest.raises(FileExistsError):
        loaded("build").build(mesh, 1)
