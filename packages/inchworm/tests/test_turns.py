"""Who counts as a stranger at a migration's turn: whoever commits without having passed the gate, and nobody else."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from inchworm import Status, Stop, WriteGate, gate, pace
from inchworm.gate import Gate, OpenGate, Passage
from inchworm.pace import Turned, pace_for
from inchworm.ports import Limits
from inchworm.progress import Timesheet
from inchworm.testing import FakeClock, SqliteHarness
from inchworm.testing.conformance import Conformance, count_up
from inchworm.turns import Turns

suite = Conformance()
INSERT = "insert into live values (1)"
COUNT_UP = count_up()


class Place:
    """Turns on a fresh file behind a gate, and the ways in which others write to that file."""

    def __init__(self, harness: SqliteHarness, gate: Gate, live: WriteGate | None = None) -> None:
        self._harness, self.clock, self._live = harness, FakeClock(), live
        self.target = suite.family(harness, parents=10)
        harness.execute(self.target, "create table live (at int)")
        self.db = harness.open(self.target, self.clock)
        self._turns = Turns(self.db, self.clock, gate, pace_for(50), Limits(), patience_s=5.0)

    def turn(self, attend: Callable[[], None] = lambda: None) -> Turned:
        """One turn of the migration; what was measured around it."""
        sheet = Timesheet(self.clock.monotonic())
        _, hold_s = self._turns.write(lambda turn: None, sheet=sheet, stop=Stop(), attend=attend)
        self._turns.upkeep(sheet)
        return self._turns.measured(10, hold_s, 0.0)

    def live_write(self) -> None:
        """A writer that passes the gate."""
        assert self._live is not None
        with self._live.live():
            self._harness.execute(self.target, INSERT)

    def strange_write(self) -> None:
        """A writer that knows of no gate."""
        self._harness.execute(self.target, INSERT)


@pytest.fixture(params=["one process", "processes"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    mine = theirs = WriteGate()
    if request.param == "processes":
        mine, theirs = WriteGate(tmp_path / "gate"), WriteGate(tmp_path / "gate")
    found = Place(SqliteHarness(tmp_path, "sqlite3"), mine, theirs)
    with closing(found.db):
        found.turn()
        yield found


def test_a_writer_that_passed_the_gate_is_no_stranger(place: Place) -> None:
    for _ in range(5):
        place.live_write()
        place.live_write()
        assert not place.turn().strangers


def test_a_commit_that_the_gate_does_not_explain_is_a_strangers(place: Place) -> None:
    place.live_write()
    assert not place.turn().strangers
    place.strange_write()
    assert place.turn().strangers
    place.live_write()
    assert place.turn().strangers  # it is expected back for a while


def test_without_a_gate_every_other_writer_is_a_stranger(tmp_path: Path) -> None:
    place = Place(SqliteHarness(tmp_path, "sqlite3"), OpenGate())
    with closing(place.db):
        assert not place.turn().strangers
        place.strange_write()
        assert place.turn().strangers


def test_a_lock_that_is_taken_although_no_live_writer_is_inside_is_a_strangers(place: Place, tmp_path: Path) -> None:
    with closing(SqliteHarness(tmp_path, "sqlite3").open(place.target)) as stranger:
        taken = stranger.turn(limit_s=60)
        taken.__enter__()
        met = place.turn(lambda: taken.__exit__(None, None, None))
    assert met.strangers


def test_a_live_writer_that_outlasts_the_patience_is_not_taken_for_a_stranger(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "PATIENCE_S", 0.01)
    inside, leave, left = threading.Event(), threading.Event(), threading.Event()

    def write_slowly() -> None:
        assert place._live is not None
        with place._live.live(), closing(SqliteHarness(tmp_path, "sqlite3").open(place.target)) as db:
            with db.turn(limit_s=60) as turn:
                turn.execute(INSERT, {})
                inside.set()
                leave.wait(10)
            left.set()

    thread = threading.Thread(target=write_slowly)
    thread.start()
    assert inside.wait(10)

    def release() -> None:
        leave.set()
        assert left.wait(10)

    met = place.turn(release)
    thread.join(10)
    assert not met.strangers
    assert not place.turn().strangers


def test_a_gate_that_lets_nobody_through_heeds_the_stop_token(tmp_path: Path) -> None:
    there, stop = WriteGate(tmp_path / "gate"), Stop()
    stop.set()
    with there.live(), WriteGate(tmp_path / "gate").migration(stop) as passage:
        assert not passage.alone


def test_a_writer_that_cannot_leave_its_mark_writes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gate.os, "pwrite", full)
    with WriteGate(tmp_path / "gate").live():
        pass
    with WriteGate(tmp_path / "gate").migration(Stop()) as passage:
        assert passage == Passage(0, alone=True)


@pytest.fixture
def even_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten slices, however fast the machine is."""
    monkeypatch.setattr(pace, "next_rows", lambda rules, size, facts: size)


@contextmanager
def _run_beside(
    tmp_path: Path, write: Callable[[SqliteHarness, str, WriteGate, int], None]
) -> Iterator[dict[str, float]]:
    harness, clock, shared = SqliteHarness(tmp_path, "sqlite3"), FakeClock(), WriteGate()
    target, slices = suite.family(harness), 0
    harness.execute(target, "create table live (at int)")

    def step(what: str, sql: str) -> None:
        nonlocal slices
        if what == "select" and sql == COUNT_UP.compute:
            slices += 1
            write(harness, target, shared, slices)

    outcome = suite.go(harness, target, COUNT_UP, step=step, clock=clock, gate=shared)["count_up"]
    assert outcome.status is Status.DONE
    assert slices == 10
    yield dict(outcome.throttled)


@pytest.mark.usefixtures("even_slices")
def test_a_run_beside_writers_that_pass_the_gate_leaves_no_gaps(tmp_path: Path) -> None:
    def cooperate(harness: SqliteHarness, target: str, shared: WriteGate, at: int) -> None:
        with shared.live():
            harness.execute(target, INSERT)

    with _run_beside(tmp_path, cooperate) as throttled:
        assert pace.BUDGET not in throttled


@pytest.mark.usefixtures("even_slices")
def test_a_run_beside_cooperating_writers_and_a_stranger_leaves_gaps(tmp_path: Path) -> None:
    def both(harness: SqliteHarness, target: str, shared: WriteGate, at: int) -> None:
        if at % 2:
            with shared.live():
                harness.execute(target, INSERT)
        else:
            harness.execute(target, INSERT)

    with _run_beside(tmp_path, both) as throttled:
        assert throttled[pace.BUDGET] > 0
