"""Kill a migration with SIGKILL again and again, and count what each kill cost. POSIX only: every attempt is a fork.

The work is `n = n + 1`, so that a slice applied twice, or lost, shows for ever. Judges; prints nothing.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inchworm.attempt import Options
from inchworm.clock import Stop
from inchworm.gate import OpenGate
from inchworm.model import Backfill
from inchworm.pace import pace_for
from inchworm.ports import Database, Limits
from inchworm.runner import Engine, Settings
from inchworm.testing.clock import FakeClock
from inchworm.testing.harness import Harness
from inchworm.testing.observed import Observed, Step

ROWS = 1_000
SLICE_ROWS = 25  # 40 slices a walk, about 300 steps at which a kill can come
STEPS_APART = 60  # a kill comes within this many steps, so that one walk survives about ten of them
PATIENCE_S = 0.03  # for kills by the clock: as long as about a third of a walk takes

COUNT_UP = Backfill(
    name="count_up",
    table="counted",
    compute="select id from counted where id between :first and :last",
    apply="update counted set n = n + 1 where id = :id",
    guard="frozen",
)
Wrap = Callable[[Database], Database]


@dataclass(frozen=True, slots=True)
class Toll:
    """What `kills` kills over `walks` databases cost. `most_repeated`: slices done again after any one kill."""

    kills: int = 0
    walks: int = 0
    repeated: int = 0
    most_repeated: int = 0
    wrong_rows: int = 0
    damaged: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.kills} kills over {self.walks} walks: {self.wrong_rows} wrong rows, "
            f"{self.repeated} slices repeated (at most {self.most_repeated} per kill), "
            f"{len(self.damaged)} damaged files"
        )


@dataclass(frozen=True, slots=True)
class Victim:
    """One attempt in a child process. `tally` gets a byte per slice that begins to be applied; a kill keeps it."""

    harness: Harness
    target: str
    tally: Path
    wrap: Wrap

    def begin(self, *, before_step: int | None) -> int:
        """Start; the child kills itself before that step, or runs until somebody else kills it. Its process id."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if self._run(before_step) else 1
            finally:
                os._exit(code)
        return child

    def _run(self, before_step: int | None) -> bool:
        marks = os.open(self.tally, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        steps = 0

        def step(what: str, sql: str) -> None:
            nonlocal steps
            steps += 1
            if what == "apply" and COUNT_UP.table in sql:
                os.write(marks, b".")
            if steps == before_step:
                os.kill(os.getpid(), signal.SIGKILL)

        return run_slices(self.harness, self.target, [COUNT_UP], step=step, wrap=self.wrap)

    def applied(self) -> int:
        """Slices that were begun to be applied so far."""
        return self.tally.stat().st_size if self.tally.exists() else 0

    def committed(self) -> int:
        """Slices that the ledger knows of; 0 while there is no ledger."""
        try:
            rows = self.harness.rows(self.target, "select slices from _async_migrations")
        except Exception:  # noqa: BLE001 - whatever a driver raises for a table that is not there yet
            return 0
        return int(str(rows[0][0] or 0)) if rows else 0


def unchanged(db: Database) -> Database:
    """No mutation: the engine as it is."""
    return db


def run_slices(
    harness: Harness, target: str, migrations: Sequence[Backfill], *, step: Step, wrap: Wrap = unchanged
) -> bool:
    """Run in slices that stay small, on a fake clock, every step observed; whether all is done."""
    clock = FakeClock()
    db = wrap(Observed(harness.open(target, clock), step))
    try:
        settings = Settings(
            replace(pace_for(50), most_rows=SLICE_ROWS), Limits(disk_floor_bytes=0), Options(first_rows=SLICE_ROWS)
        )
        engine = Engine(
            db, migrations, clock=clock, stop=Stop(), gate=OpenGate(), settings=settings, source_of=lambda _: db
        )
        return engine.run().ok
    finally:
        db.close()


def kill(
    harness: Harness,
    folder: Path,
    *,
    kills: int,
    seed: int = 1,
    by_clock: float = 0.0,
    wrap: Wrap = unchanged,
    integrity: Callable[[str], Sequence[str]] | None = None,
) -> Toll:
    """Kill `kills` times and give the toll.

    by_clock: the share of kills that come from outside after a random time instead of before a random step. integrity:
        what is wrong with a finished database's file, if the backend can tell.
    Raises AssertionError when a run ends without a kill and without success.
    """
    chance, toll = random.Random(seed), Toll()
    while toll.kills < kills:
        victim = Victim(harness, _counted(harness), folder / f"{toll.walks}.tally", wrap)
        ended = False
        while not ended and toll.kills < kills:
            ended, toll = _attempt(victim, toll, chance, by_clock)
        assert ended or run_slices(harness, victim.target, [COUNT_UP], step=_no_step, wrap=wrap)
        wrong = int(str(harness.rows(victim.target, "select count(*) from counted where n <> 1")[0][0]))
        toll = replace(
            toll,
            walks=toll.walks + 1,
            wrong_rows=toll.wrong_rows + wrong,
            damaged=(*toll.damaged, *(integrity(victim.target) if integrity else ())),
        )
    return toll


def _attempt(victim: Victim, toll: Toll, chance: random.Random, by_clock: float) -> tuple[bool, Toll]:
    """One child; whether it came to its end, and the toll with its kill."""
    applied, committed = victim.applied(), victim.committed()
    timed = chance.random() < by_clock
    child = victim.begin(before_step=None if timed else chance.randint(1, STEPS_APART))
    if timed:
        time.sleep(chance.random() * PATIENCE_S)
        os.kill(child, signal.SIGKILL)  # one that has ended is a zombie until waitpid: nobody else has its number
    _, how = os.waitpid(child, 0)
    if not os.WIFSIGNALED(how):
        assert os.WEXITSTATUS(how) == 0, "it ended by itself, but not well"
        return True, toll
    lost = (victim.applied() - applied) - (victim.committed() - committed)
    return False, replace(
        toll, kills=toll.kills + 1, repeated=toll.repeated + lost, most_repeated=max(toll.most_repeated, lost)
    )


def _counted(harness: Harness) -> str:
    target = harness.fresh()
    rows = ", ".join(f"({3 * i}, 0)" for i in range(1, ROWS + 1))
    table = "create table counted (id bigint primary key, n bigint not null)"
    harness.execute(target, table, f"insert into counted (id, n) values {rows}")  # noqa: S608 - numbers of our own
    return target


def _no_step(what: str, sql: str) -> None:
    """Nothing to do before a step."""
