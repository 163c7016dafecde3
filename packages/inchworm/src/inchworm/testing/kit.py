"""What a user's own migration is tried with: a playground of fresh databases, observed runs, and a judge.

The judge is the user's independent check, never the engine's word. What happens to the migration is in `hazards`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inchworm.application import Runner
from inchworm.clock import Stop
from inchworm.cursor import decode
from inchworm.model import Backfill
from inchworm.ports import Database
from inchworm.report import Outcome, Report
from inchworm.states import Status
from inchworm.testing.clock import FakeClock
from inchworm.testing.grounds import Ground, Hand, PostgresGround, SqliteGround
from inchworm.testing.observed import Observed, Step

DAY_S = 86_400.0
Make = Callable[[Any], object]  # each with the driver's own connection: sqlite3's, or psycopg's
Check = Callable[[Any], object]
Live = Callable[[Any, tuple[Any, ...]], object]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is tried: a migration, how to make a small database, and who says whether the result is right.

    make: fills an empty database; a few hundred rows are enough, ten are too few to be interrupted in.
    check: the wrong rows (or True for wrong), by a query that shares nothing with the migration; empty when right. It
        must hold for any data, because hazards delete, copy and empty rows before the run.
    live: what the application's own writer does to one row while the migration runs, given its key; maintains the
        new value as the application will. Hazards with live writers are skipped without it.
    first_rows: rows of the first slice; choose it so that `make` gives at least three slices.
    server: a PostgreSQL database to try it in, as a URL; the kit makes schemas of its own there and drops them. None:
        SQLite files.
    """

    migration: Backfill
    make: Make
    check: Check
    live: Live | None = None
    first_rows: int = 10
    server: str | None = None


@dataclass(slots=True)
class Trial:
    """One hazard's playground: fresh databases, a fake clock, runs with every step observed."""

    subject: Subject
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    ground: Ground = field(init=False)

    def __post_init__(self) -> None:
        server = self.subject.server
        self.ground = SqliteGround(self.folder) if server is None else PostgresGround(server)

    def database(self, *changes: Callable[[Hand, Backfill], object]) -> str:
        """A new database as the user makes it, with these changes to its data."""
        target = self.ground.fresh()
        with self.ground.hand(target) as hand:
            self.subject.make(hand.connection)
            hand.connection.commit()
            for change in changes:
                change(hand, self.subject.migration)
                hand.connection.commit()
        return target

    def copy(self, target: str) -> str:
        """Another database with the same content as `database()` gave; nobody may have it open."""
        return self.ground.copy(target) or self.database()

    def run(
        self, path: str, step: Step | None = None, *, stop: Stop | None = None, clock: Any = None, **options: Any
    ) -> Outcome:
        """Run the migration; what came of it."""
        time = clock or self.clock

        def opened(_: object) -> Database:
            db = self.ground.open(path, time)
            return Observed(db, step) if step is not None else db

        runner = Runner(
            path,
            [self.subject.migration],
            open_with=opened,
            clock=time,
            first_rows=self.subject.first_rows,
            disk_floor_mb=0,
            **options,
        )
        report: Report = runner.run(stop=stop)
        return report[self.subject.migration.name]

    def finish(self, path: str, *, examined: int | None = None) -> Outcome:
        """Run to the end and judge."""
        outcome = self.run(path)
        self.judge(path, outcome, examined=examined)
        return outcome

    def judge(self, path: str, outcome: Outcome, *, examined: int | None = None) -> None:
        """The run must be done, its accounts must agree, and the user's check must find nothing."""
        assert outcome.status is Status.DONE, f"it ended {outcome.status}: {outcome.error or outcome.reason}"
        assert outcome.counts.balanced, f"{outcome.counts} does not add up"
        if examined is not None:
            assert outcome.counts.examined == examined, f"examined {outcome.counts.examined} of {examined} rows"
        with self.ground.hand(path) as hand:
            wrong = self.subject.check(hand.connection)
            shown = list(wrong)[:5] if isinstance(wrong, Sequence) else wrong
            assert not (list(wrong) if isinstance(wrong, Iterator) else wrong), f"your check finds wrong rows: {shown}"

    def rows(self, path: str) -> int:
        """Rows of the keyed table."""
        return int(self.select(path, f'select count(*) from "{self.subject.migration.table}"')[0][0])  # noqa: S608

    def select(self, path: str, sql: str) -> list[tuple[Any, ...]]:
        """From a connection of its own."""
        with self.ground.hand(path) as hand:
            return [tuple(row) for row in hand.execute(sql).fetchall()]

    def ahead(self, hand: Hand, most: int = 3) -> list[tuple[Any, ...]]:
        """The keys that the migration will come to next: those of the slice that is computed and not yet applied."""
        migration = self.subject.migration
        keys = ", ".join(f'"{k}"' for k in migration.keys)
        [(cursor,)] = hand.execute(
            'select "cursor" from _async_migrations where name = ?', (migration.name,)
        ).fetchall() or [(None,)]
        sign, order = (">", "asc") if migration.order == "asc" else ("<", "desc")
        by = ", ".join(f'"{k}" {order}' for k in migration.keys)
        at = decode(cursor) if cursor else ()
        where = f"where ({keys}) {sign} ({', '.join('?' * len(at))})" if at else ""
        found = hand.execute(f'select {keys} from "{migration.table}" {where} order by {by} limit ?', (*at, most))  # noqa: S608
        return [tuple(row) for row in found]

    def slices(self, path: str) -> int:
        """Slices that the ledger knows of; 0 before there is one."""
        with self.ground.hand(path) as hand:
            if "_async_migrations" not in hand.tables():
                return 0
        return int(self.select(path, "select coalesce(max(slices), 0) from _async_migrations")[0][0])


def forked(work: Callable[[], bool]) -> int:
    """Begin `work` in a forked process that may be killed; its id. It exits 0 for True, 1 for anything else."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return process
