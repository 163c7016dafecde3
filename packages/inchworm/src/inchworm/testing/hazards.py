"""The hazards: what happens to migrations in the world, each as a function that a user's migration must survive.

Each takes a `Trial` and raises AssertionError; one that the user's schema has no place for is skipped with a reason.
"""

# ruff: noqa: ARG001 - a step takes what it is given
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inchworm.application import Runner, request
from inchworm.clock import Stop, SystemClock
from inchworm.errors import Busy, DatabaseBroken, DatabaseFault, DeadlineExceeded, DiskFull
from inchworm.model import Backfill
from inchworm.ports import Database
from inchworm.report import Outcome
from inchworm.states import Status
from inchworm.testing.clock import FakeClock
from inchworm.testing.data import clone_others, delete_parents, empty_out, erase, far_key, keep_one, nullify
from inchworm.testing.grounds import Hand, NoPlace
from inchworm.testing.kit import Check, Make, Subject, Trial, forked
from inchworm.testing.observed import Observed

DAY_S = 86_400.0

Hazard = Callable[[Trial], None]


# -- data


def as_it_is(trial: Trial) -> None:
    """The database as `make` made it."""
    path = trial.database()
    trial.finish(path, examined=trial.rows(path))


def orphans(trial: Trial) -> None:
    """The rows that compute would find for the first half of the keys are gone; those keys must not repeat for ever."""
    _with_data(trial, delete_parents)


def nothing_to_compute_from(trial: Trial) -> None:
    """Every other table is empty: no key has anything to compute from."""
    _with_data(trial, empty_out)


def nulls(trial: Trial) -> None:
    """Every third row of what compute reads holds NULL wherever the schema allows it."""
    _with_data(trial, nullify)


def duplicates(trial: Trial) -> None:
    """Rows of the other tables are there twice, wherever the schema allows it."""
    _with_data(trial, clone_others)


def gaps_in_the_keys(trial: Trial) -> None:
    """Every third row is gone and the last key is far away; slices must follow rows and not key space."""
    path = trial.database(far_key)
    rows = trial.rows(path)
    outcome = trial.finish(path, examined=rows)
    assert outcome.slices <= rows // trial.subject.first_rows + 2, f"{outcome.slices} slices for {rows} rows"


def no_rows(trial: Trial) -> None:
    """An empty table is done, with nothing examined."""
    trial.finish(trial.database(erase), examined=0)


def one_row(trial: Trial) -> None:
    """A single row is not forgotten at either end."""
    trial.finish(trial.database(keep_one), examined=1)


def _with_data(trial: Trial, change: Callable[[Hand, Backfill], object]) -> None:
    path = trial.database(change)
    trial.finish(path, examined=trial.rows(path))


# -- others at the same time


def _meanwhile(trial: Trial, act: Callable[[Hand, tuple[Any, ...]], object], *, most: int = 40) -> None:
    """`act` on the next keys, from another connection, between compute and apply of every slice."""
    path, acted = trial.database(), 0

    def step(what: str, sql: str) -> None:
        nonlocal acted
        if what != "begin" or acted >= most:
            return
        with trial.ground.hand(path) as hand:
            if "_async_migrations" not in hand.tables():
                return
            for key in trial.ahead(hand):
                act(hand, key)
                acted += 1
            hand.connection.commit()

    trial.judge(path, trial.run(path, step))
    assert acted, "nothing happened meanwhile, so nothing was tried"


def a_live_writer_changes_the_same_rows(trial: Trial) -> None:
    """The application writes the very rows that are computed and not yet applied."""
    live = trial.subject.live
    if live is None:
        pytest.skip("give live= to try this")

    def write(hand: Hand, key: tuple[Any, ...]) -> None:
        live(hand.connection, key)

    _meanwhile(trial, write)


def rows_deleted_before_they_are_applied(trial: Trial) -> None:
    """Rows vanish between compute and apply; the accounts agree all the same."""
    where = " and ".join(f'"{k}" = ?' for k in trial.subject.migration.keys)
    table = trial.subject.migration.table
    deleted = 0

    def delete(hand: Hand, key: tuple[Any, ...]) -> None:
        nonlocal deleted
        deleted += 1
        if deleted % 2:
            hand.execute(f'delete from "{table}" where {where}', key)  # noqa: S608 - the user's own table

    _meanwhile(trial, delete)


def another_writer_holds_the_lock(trial: Trial) -> None:
    """Every turn meets a lock that somebody else holds for two looks."""
    path, clock, looks, met, waited = trial.database(), FakeClock(), 0, False, 0
    other: Any = None

    def look() -> None:
        nonlocal looks, other
        looks -= 1
        if other is not None and looks == 0:
            other.close()
            other = None

    def step(what: str, sql: str) -> None:
        nonlocal looks, other, met, waited
        if what == "committed":
            met = False
        elif what == "begin" and not met:
            looks, met = 2, True
            other = other or trial.ground.holding(path, trial.subject.migration.table)
        elif what == "begin" and looks > 0:
            waited += 1

    clock.on_sleep = look
    try:
        outcome = trial.run(path, step, clock=clock)
    finally:
        if other is not None:
            other.close()
    trial.judge(path, outcome, examined=trial.rows(path))
    assert waited, "no turn met the lock, so nothing was tried"


def a_reader_that_never_ends(trial: Trial) -> None:
    """Another connection keeps one read transaction open for the whole run."""
    path = trial.database()
    with closing(trial.ground.reading(path)):
        trial.judge(path, trial.run(path), examined=trial.rows(path))


def two_runners(trial: Trial) -> None:
    """Two processes start the same migration at the same time; both end well and the work is done once."""
    path = trial.database()
    go_read, go_write = os.pipe()

    def work() -> bool:
        os.read(go_read, 1)
        return trial.run(path, clock=SystemClock()).status is Status.DONE

    children = [forked(work) for _ in range(2)]
    os.write(go_write, b"..")
    codes = [os.waitpid(child, 0)[1] for child in children]
    os.close(go_read)
    os.close(go_write)
    assert codes == [0, 0], "a runner failed beside another"
    trial.finish(path)


def a_runner_that_was_overtaken(trial: Trial) -> None:
    """The process is stopped past its lease in the middle of a slice, another one finishes, and it wakes up again."""
    path, clock = trial.database(), FakeClock()
    overtaken: list[Outcome] = []

    def step(what: str, sql: str) -> None:
        if what == "begin" and not overtaken and trial.slices(path) >= 1:
            clock.advance(3600)
            overtaken.append(trial.run(path, clock=FakeClock(clock.wall())))

    outcome = trial.run(path, step, clock=clock)
    assert overtaken, "it ended before it could be overtaken; make more rows, or smaller slices"
    trial.judge(path, outcome, examined=trial.rows(path))


# -- faults


def _faulty(trial: Trial, fault: type[DatabaseFault], text: str) -> None:
    """Each kind of step fails twice once the walk has begun; a run that gave up is retried as an operator would."""
    for kind in ("snapshot", "select", "begin", "read", "apply", "execute", "commit"):
        path, seen, begun = trial.database(), 0, False

        def step(what: str, sql: str, kind: str = kind, path: str = path) -> None:
            nonlocal seen, begun
            begun = begun or (what == "committed" and trial.slices(path) > 0)
            if what == kind and begun:
                seen += 1
                if seen in (2, 3):
                    raise fault(text)

        try:
            outcome = trial.run(path, step)
        except DatabaseFault:  # the ledger itself could not be read; the application starts again
            outcome = trial.run(path)
        if outcome.status is not Status.DONE:
            assert outcome.error, f"a fault at {kind} left {outcome.status} without an error"
            _retry(trial, path)
            outcome = trial.run(path)
        trial.judge(path, outcome, examined=trial.rows(path))


def _retry(trial: Trial, path: str) -> None:
    request(trial.ground.factory(path), trial.subject.migration.name, "retry", by="the kit")


def busy_at_every_kind_of_step(trial: Trial) -> None:
    """The database is busy, twice in a row, at each kind of step."""
    _faulty(trial, Busy, "database is locked")


def errors_at_every_kind_of_step(trial: Trial) -> None:
    """An input/output error, twice in a row, at each kind of step."""
    _faulty(trial, DatabaseBroken, "disk I/O error")


def interrupted_statements(trial: Trial) -> None:
    """Statements are interrupted in the middle, at each kind of step."""
    _faulty(trial, DeadlineExceeded, "interrupted")


def a_full_disk(trial: Trial) -> None:
    """After the first slice the database cannot grow by a single page, and later there is room again."""
    path, clock, full_at = trial.database(), FakeClock(), float("inf")
    opened: list[Database] = []

    def step(what: str, sql: str) -> None:
        nonlocal full_at
        if what == "begin" and full_at == float("inf") and trial.slices(path) > 0:
            trial.ground.fill(opened[0], full=True)
            full_at = clock.monotonic()
        if what in ("apply", "commit") and full_at <= clock.monotonic() < full_at + 1.0:
            raise DiskFull("database or disk is full")  # also when this update would not have needed a page

    def look() -> None:
        if clock.monotonic() >= full_at + 1.0:
            trial.ground.fill(opened[0], full=False)

    def open_with(_: object) -> Database:
        opened.append(trial.ground.open(path, clock))
        return Observed(opened[0], step)

    migration = trial.subject.migration
    clock.on_sleep = look
    runner = Runner(
        path, [migration], open_with=open_with, clock=clock, first_rows=trial.subject.first_rows, disk_floor_mb=0
    )
    trial.judge(path, runner.run()[migration.name], examined=trial.rows(path))
    assert clock.monotonic() >= 1.0, "the disk was never full, so nothing was tried; make more rows"


# -- the end of the process


def killed_at_every_step(trial: Trial) -> None:
    """`kill -9` before each step of a run in turn; whoever comes next finishes, and nothing is lost or repeated."""
    template = trial.database()
    rows, at, killed = trial.rows(template), 0, True
    while killed:
        at += 1
        path = trial.copy(template)
        killed = _killed(trial, path, at)
        trial.finish(path, examined=rows)
        assert at < 5_000, "a run of more than 5000 steps; make fewer rows"
    assert at > 20, f"a run of {at} steps is too short to say anything; make more rows"


def _killed(trial: Trial, path: str, at: int) -> bool:
    """Run in a child that is killed before step `at`; whether it came to that."""
    steps = 0

    def step(what: str, sql: str) -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)

    _, how = os.waitpid(forked(lambda: trial.run(path, step).status is Status.DONE), 0)
    return os.WIFSIGNALED(how)


def stopped_after_every_turn(trial: Trial) -> None:
    """An orderly stop after each turn, and a new start; partial work stays and the end is the same."""
    path, attempts = trial.database(), 0
    rows = trial.rows(path)
    while True:
        stop, before = Stop(), trial.slices(path)

        def step(what: str, sql: str, stop: Stop = stop, before: int = before) -> None:
            if what == "committed" and trial.slices(path) > before:
                stop.set("SIGTERM")

        outcome = trial.run(path, step, stop=stop)
        attempts += 1
        assert attempts < 10 + 3 * rows, "it makes no progress between stops"
        if outcome.status is Status.DONE:
            break
        assert outcome.reason == "interrupted: SIGTERM", f"it ended {outcome.status}: {outcome.error or outcome.reason}"
    trial.judge(path, outcome, examined=rows)
    assert attempts >= 3, "it was never stopped in the middle; make more rows, or smaller slices"


def run_twice(trial: Trial) -> None:
    """Starting again after the end changes nothing: the application calls `run` on every start."""
    path = trial.database()
    rows = trial.rows(path)
    trial.finish(path, examined=rows)
    with trial.ground.hand(path) as hand:
        before = hand.content()
    trial.finish(path, examined=rows)
    with trial.ground.hand(path) as hand:
        assert hand.content() == before


# -- clocks


def the_wall_clock_jumps(trial: Trial) -> None:
    """The wall clock jumps a day forth and back between steps, as NTP and administrators do."""
    path, clock, steps = trial.database(), FakeClock(), 0

    def step(what: str, sql: str) -> None:
        nonlocal steps
        steps += 1
        if steps % 7 == 0:
            clock.jump_wall(DAY_S if steps % 2 else -DAY_S)

    trial.judge(path, trial.run(path, step, clock=clock), examined=trial.rows(path))


HAZARDS: Mapping[str, Hazard] = {
    hazard.__name__.replace("_", " "): hazard
    for hazard in (
        as_it_is,
        orphans,
        nothing_to_compute_from,
        nulls,
        duplicates,
        gaps_in_the_keys,
        no_rows,
        one_row,
        a_live_writer_changes_the_same_rows,
        rows_deleted_before_they_are_applied,
        another_writer_holds_the_lock,
        a_reader_that_never_ends,
        two_runners,
        a_runner_that_was_overtaken,
        busy_at_every_kind_of_step,
        errors_at_every_kind_of_step,
        interrupted_statements,
        a_full_disk,
        killed_at_every_step,
        stopped_after_every_turn,
        run_twice,
        the_wall_clock_jumps,
    )
}


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What the `inchworm_hazard` fixture gives: one hazard, to be survived by a subject."""

    name: str
    folder: Path

    def survived_by(self, migration: Backfill, make: Make, check: Check, **more: Any) -> None:
        """Run the migration through this hazard; AssertionError says what went wrong. See `Subject` for `more`."""
        trial = Trial(Subject(migration, make, check, **more), self.folder)
        try:
            HAZARDS[self.name](trial)
        except NoPlace as reason:
            pytest.skip(str(reason))
        finally:
            trial.ground.close()
