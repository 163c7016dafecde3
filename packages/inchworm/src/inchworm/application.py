"""The front door: run migrations, leave an operator's request. Composes clock, database, gate and runner."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from inchworm import ledger, pace
from inchworm.attempt import Options
from inchworm.clock import Clock, Stop, StopLike, SystemClock, rfc3339
from inchworm.errors import Busy, DefinitionError, RequestRefused
from inchworm.gate import Gate, OpenGate
from inchworm.lease import LEASE_S
from inchworm.ledger import Request
from inchworm.model import Backfill, Migration
from inchworm.opening import Target, open_database
from inchworm.order import in_order
from inchworm.patience import Patience, Waiting
from inchworm.ports import Database, Limits, Turn
from inchworm.progress import Progress
from inchworm.report import Report
from inchworm.requests import carry_out, is_held
from inchworm.runner import Engine, Settings, not_begun
from inchworm.states import Verb

REQUEST_PATIENCE_S = 5.0


class Runner:
    """Migrations on one database, ready to run in a thread or process of the caller's choice.

    database: a path, a postgresql:// URL, or a factory of sqlite3, apsw or psycopg connections; opened anew by each
        call of `run` or `serve`, in the thread that calls it.
    migrations: in any order; `after` decides.
    stall_budget_ms: how long another writer may be kept waiting.
    on_progress: called at most once a second and once at the end of a migration, also while others keep the lock: with
        the `reason`, and before a migration is begun with status `pending`; what it raises is logged.
    throttle: asked twice a second for a reason to wait, or None.
    gate: a WriteGate shared with live writers that cooperate.
    lock_patience_s: how long other writers may hold the lock before the migration fails.
    wal_cap_mb, disk_floor_mb: pause while more log than this waits for a checkpoint, or less disk than this is free.
    wait_paused: whether `run` waits for the resume of a paused migration or returns.
    strict_version: refuse SQLite versions with the WAL-reset bug instead of warning.
    first_rows: rows of the first slice; later ones follow from measured time.

    Raises DefinitionError for a cycle in `after`, a name given twice, or what is no migration; ValueError for a number
    that must be greater than 0; TypeError for a database that is none of the above.
    """

    def __init__(
        self,
        database: Target,
        migrations: Sequence[Migration],
        *,
        stall_budget_ms: float = 50,
        on_progress: Callable[[Progress], None] | None = None,
        throttle: Callable[[], str | None] | None = None,
        gate: Gate | None = None,
        lock_patience_s: float = 600.0,
        wal_cap_mb: float = 64,
        disk_floor_mb: float = 64,
        lease_s: float = LEASE_S,
        wait_paused: bool = True,
        strict_version: bool = False,
        first_rows: int = pace.FIRST_ROWS,
        driver: str | None = None,
        clock: Clock | None = None,
        open_with: Callable[[Target], Database] | None = None,
    ) -> None:
        for name, given in (("first_rows", first_rows), ("lease_s", lease_s)):
            if given <= 0:
                raise ValueError(f"{name} is {given}; it must be greater than 0")
        self._clock = clock or SystemClock()
        self._target, self._migrations, self._gate = database, in_order(_checked(migrations)), gate or OpenGate()
        self._open = open_with or (
            lambda target: open_database(target, clock=self._clock, strict_version=strict_version, driver=driver)
        )
        self._settings = Settings(
            pace.pace_for(stall_budget_ms),
            Limits(int(wal_cap_mb * (1 << 20)), int(disk_floor_mb * (1 << 20))),
            Options(on_progress, throttle, first_rows, lease_s, wait_paused),
            lock_patience_s,
        )

    def run(self, *, stop: StopLike | None = None) -> Report:
        """Work until every migration has ended, or `stop` is set. Resumes where an earlier run stopped."""
        return self._run(stop or Stop(), linger=False)

    def serve(self, *, stop: StopLike) -> Report:
        """As run, but stay until `stop` is set, so that retries and resumes are taken up."""
        return self._run(stop, linger=True)

    def _run(self, stop: StopLike, *, linger: bool) -> Report:
        db = self._opened(stop)
        try:
            rules = pace.adapted(self._settings.pace, wakes_waiters=db.dialect.wakes_waiters)
            engine = Engine(
                db,
                self._migrations,
                clock=self._clock,
                stop=stop,
                gate=self._gate,
                settings=replace(self._settings, pace=rules),
                source_of=self._source,
            )
            return engine.run(linger=linger)
        finally:
            db.close()

    def _opened(self, stop: StopLike) -> Database:
        """A file without a log cannot even be looked at while somebody commits; waits as for the write lock."""
        patience = Patience(self._clock, stop, self._settings.patience_s, self._waits)
        return patience.read(lambda: self._open(self._target))

    def _waits(self, waiting: Waiting) -> None:
        for migration in self._migrations[:1]:
            self._settings.options.tell_waiting(waiting, not_begun(migration.name))

    def _source(self, migration: Backfill) -> Database:
        return self._open(migration.source)


def _checked(migrations: Sequence[Migration]) -> Sequence[Migration]:
    """The migrations, or DefinitionError for what a type checker would have told."""
    if isinstance(migrations, Migration):
        raise DefinitionError(f"{migrations.name}: give a list of migrations, [{migrations.name}], also for one")
    for one in migrations:
        if not isinstance(one, Migration):
            raise DefinitionError(f"{one!r} is no migration")
    return migrations


def run(database: Target, migrations: Sequence[Migration], *, stop: StopLike | None = None, **options: Any) -> Report:
    """Run migrations until each is done, failed, cancelled or waits for one that is; options as for Runner.

    Safe to call on every start: what is done stays done, what was interrupted continues. Installs no signal handlers.
    """
    return Runner(database, migrations, **options).run(stop=stop)


def request(database: Target, name: str, verb: Verb | str, *, by: str | None = None, clock: Clock | None = None) -> str:
    """Ask for pause, resume, cancel, retry or acknowledge; one short turn, carried out at once when nobody runs it.

    Returns what was done (`paused`, `pending`, `acknowledged`, …) or `requested` when a living runner will see to it
    within a second. Raises RequestRefused for a verb that does not fit or exist and for an unknown name, Busy when the
    database stays locked for 5 s, LedgerTooNew.
    """
    clock = clock or SystemClock()
    if verb not in set(Verb):
        raise RequestRefused(f"{name}: {str(verb)!r} is not one of {', '.join(Verb)}")
    asked_for = Verb(verb)
    db = open_database(database, clock=clock)
    try:
        return ask(db, clock, name, asked_for, by)
    finally:
        db.close()


def ask(db: Database, clock: Clock, name: str, verb: Verb, by: str | None) -> str:
    """`request` on an open database."""
    now, until, announced = rfc3339(clock.wall()), clock.monotonic() + REQUEST_PATIENCE_S, False
    with ExitStack() as waiting:
        while True:
            try:
                return _asked(db, clock, Request(0, name, verb, str(verb), by, now))
            except Busy as problem:
                if clock.monotonic() > until:
                    patience = f"the database stayed locked for {REQUEST_PATIENCE_S:.0f} s"
                    raise Busy(f"{name}: {patience}; nothing was asked for, try again") from problem
                if not announced:
                    announced = True
                    waiting.enter_context(db.announced())  # the lock may be an index build's, which would keep it
                clock.sleep(0.005, Stop())


def _asked(db: Database, clock: Clock, asked: Request) -> str:
    with db.turn(limit_s=5.0) as turn:
        _check_known(turn, db, asked.name)
        now = asked.requested_at
        answer = carry_out(turn, asked, held=lambda entry: is_held(entry, clock.wall(), db), now=now)
        if answer is None and asked.verb is not None:
            ledger.request(turn, asked.name, asked.verb, asked.by, now)
    if answer is not None and answer.startswith("refused: "):
        raise RequestRefused(f"{asked.name}: {answer.removeprefix('refused: ')}")
    return answer or "requested"


def _check_known(turn: Turn, db: Database, name: str) -> None:
    """RequestRefused, with the names that there are, when no runner has registered this one. Raises LedgerTooNew."""
    names = [entry.name for entry in ledger.entries(turn)] if ledger.is_ours(turn, db) else []
    if not names:
        raise RequestRefused(f"{name}: no such migration; none has been run in this database by inchworm")
    if name not in names:
        raise RequestRefused(f"{name}: no such migration (there are: {', '.join(names)})")


__all__ = ["Runner", "request", "run"]
