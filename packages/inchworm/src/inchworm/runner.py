"""Run many migrations in order: which is next, what became of it, the report; one write budget for all.

Knows no driver and no SQL, nor how a row is claimed. One migration is worked on at a time; a broken one stops only
those that come after it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inchworm import events, ledger
from inchworm.attempt import LOOK_S, Options, Unwritten
from inchworm.claims import Claims
from inchworm.clock import Clock, StopLike, rfc3339
from inchworm.errors import Busy, DatabaseFault, DiskFull, LeaseLost, LockNeverFree, StatementRefused
from inchworm.gate import Gate
from inchworm.indexbuild import build_index
from inchworm.indexwalk import IndexTableWalk
from inchworm.lease import retire, this_holder
from inchworm.ledger import Entry, Request
from inchworm.model import Backfill, IndexBuild, IndexTable, Migration
from inchworm.order import in_order
from inchworm.pace import Pace
from inchworm.patience import Patience, Waiting
from inchworm.ports import Database, Limits, Turn
from inchworm.progress import Progress, Timesheet
from inchworm.report import Outcome, Report
from inchworm.requests import serve
from inchworm.states import ACTIVE, STARTABLE, Status
from inchworm.turns import Turns
from inchworm.walk import Walk

NOT_BEGUN = "not begun"
SourceOf = Callable[[Backfill], Database]


@dataclass(frozen=True, slots=True)
class Settings:
    """A run's numbers, checked where they are given."""

    pace: Pace
    limits: Limits
    options: Options
    patience_s: float = 600.0


class Engine:
    """One runner over one open database. Not thread-safe; `run` may be called again after it returned."""

    def __init__(
        self,
        db: Database,
        migrations: Sequence[Migration],
        *,
        clock: Clock,
        stop: StopLike,
        gate: Gate,
        settings: Settings,
        source_of: SourceOf,
    ) -> None:
        self._db, self._clock, self._stop, self._settings, self._source_of = db, clock, stop, settings, source_of
        self._migrations = in_order(migrations)
        self._names = {m.name for m in self._migrations}
        self._turns = Turns(db, clock, gate, settings.pace, settings.limits, patience_s=settings.patience_s)
        self._patience = Patience(clock, stop, settings.patience_s, self._waits)
        self._claims = Claims(db, clock, self._patience, lease_s=settings.options.lease_s)
        self._sheet = Timesheet(clock.monotonic())
        self._next: Migration | None = None
        self._reasons: dict[str, str] = {}
        self._unwritten: dict[str, str] = {}

    def run(self, *, linger: bool = False) -> Report:
        """Work until nothing is left that this runner could do, or the token is set; with `linger`, until it is set.

        Raises LedgerTooNew and faults of the ledger itself; what goes wrong inside a migration is in its outcome.
        """
        started = self._clock.monotonic()
        for warning in self._db.dialect.warnings:
            events.warning("inchworm.version", warning=warning)
        self._claims.register(self._migrations)
        while not self._stop.is_set():
            migration, waiting = self._choose()
            if migration is not None:
                self._one(migration)
            elif waiting or linger:
                self._clock.sleep(LOOK_S, self._stop)
            else:
                break
        return self._report(started)

    # -- choosing

    def _choose(self) -> tuple[Migration | None, bool]:
        """The next migration to work on; and whether waiting may bring one."""
        self._serve_requests(held=None)
        entries, waiting = self._claims.entries(), False
        self._reasons = {}
        for migration in self._migrations:
            entry = entries.get(migration.name)
            if entry is None:
                raise DatabaseFault(f"{migration.name} has vanished from the ledger")
            if entry.status is Status.PAUSED:
                waiting = waiting or self._settings.options.wait_paused
                continue
            if entry.status not in STARTABLE:
                continue
            blocked = [n for n in migration.after if n not in entries or entries[n].status is not Status.DONE]
            if blocked:
                names = (n if n in entries else f"{n}, which no code has defined here" for n in blocked)
                self._reasons[migration.name] = f"waits for {', '.join(names)}"
                continue
            if self._claims.is_held(entry):
                waiting = True
                continue
            if self._claims.refuses(migration, entry):
                continue
            return migration, waiting
        return None, waiting

    # -- working

    def _one(self, migration: Migration) -> None:
        """Claim and work; every end of it but a bug in the ledger itself is written down and lets others go on."""
        held: Entry | None = None
        holder, self._next = this_holder(), migration
        try:
            held = self._claims.claim(migration, holder)
            if held is None:
                return
            if isinstance(migration, IndexBuild):
                self._build_index(migration, held)
            else:
                self._walk(migration, held)
        except LeaseLost as lost:
            events.warning("inchworm.lease", migration=migration.name, why=str(lost))
            self._clock.sleep(LOOK_S, self._stop)
        except Unwritten as outcome:
            self._keep(migration.name, outcome)
        except (Busy, DiskFull) as problem:  # not even claimed
            events.warning("inchworm.busy", migration=migration.name, why=str(problem))
            self._clock.sleep(LOOK_S, self._stop)
        except LockNeverFree:
            raise
        except StatementRefused as refused:
            if held is not None:
                self._fail(held, str(refused))
        except Exception as bug:  # noqa: BLE001  (it fails this migration, and others go on)
            error = f"{type(bug).__name__}: {bug}"
            events.error("inchworm.bug", trace=True, migration=migration.name, error=error)
            if held is not None:
                self._fail(held, error)
        finally:
            self._next = None
            retire(holder)

    def _walk(self, migration: Backfill | IndexTable, held: Entry) -> None:
        parts: dict[str, Any] = {
            "turns": self._turns,
            "clock": self._clock,
            "stop": self._stop,
            "options": self._settings.options,
            "attend": self._serve_requests,
        }
        if isinstance(migration, IndexTable):
            IndexTableWalk(migration, held, **parts).run()
            return
        source = self._db if migration.source is None else self._source_of(migration)
        try:
            Walk(migration, held, source=source, **parts).run()
        finally:
            if source is not self._db:
                source.close()

    def _build_index(self, migration: IndexBuild, held: Entry) -> None:
        end = build_index(migration, self._db, clock=self._clock, stop=self._stop, patience=self._patience)
        self._end(held, end.status, reason=end.reason, error=end.error, request=end.request)

    def _fail(self, held: Entry, error: str) -> None:
        self._end(held, Status.FAILED, error=error)

    def _end(
        self,
        held: Entry,
        new: Status,
        *,
        reason: str | None = None,
        error: str | None = None,
        request: Request | None = None,
    ) -> None:
        def work(turn: Turn) -> None:
            now_held = ledger.entry(turn, held.name)
            if now_held is None or now_held.epoch != held.epoch:
                raise LeaseLost(held.name)
            if now_held.status not in ACTIVE:
                return
            over = replace(
                now_held,
                status_text=str(new),
                reason=reason,
                error=error,
                ended_at=None if new in (Status.INTERRUPTED, Status.PAUSED) else self._now(),
                holder=None,
                lease_until=None,
            )
            ledger.move(turn, now_held, over, by=request.by if request else None, now=self._now())
            if request is not None:
                ledger.answer(turn, request, str(new), self._now())

        try:
            self._turns.last_word(work, sheet=self._sheet, stop=self._stop)
        except (Busy, DiskFull, LockNeverFree) as problem:
            self._keep(held.name, Unwritten(new, error or reason, problem))
        except LeaseLost as lost:
            events.warning("inchworm.lease", migration=held.name, why=str(lost))

    def _keep(self, name: str, outcome: Unwritten) -> None:
        """For the report: the ledger does not have it, and the lease ends with this runner.

        Raises LockNeverFree when it was patience that ended: whoever called `run` has to know.
        """
        self._unwritten[name] = str(outcome)
        events.warning("inchworm.unwritten", migration=name, why=str(outcome))
        if isinstance(outcome.problem, LockNeverFree):
            raise LockNeverFree(f"{name}: {outcome}") from outcome
        self._clock.sleep(LOOK_S, self._stop)

    def _serve_requests(self, held: str | None = None) -> list[Request]:
        """Carry out requests for migrations that nobody holds; give back those for the one that is held here."""
        return serve(self._db, self._clock, held=held)

    # -- reporting

    def _waits(self, waiting: Waiting) -> None:
        """Of a migration that no attempt holds: the one to be claimed or built, or the first that is not over."""
        try:
            entries = self._claims.entries_now()
        except DatabaseFault:  # what it waits for may keep readers out too
            entries = {}
        for migration in self._migrations if self._next is None else (self._next,):
            entry = entries.get(migration.name, Entry(migration.name, Status.PENDING))
            if entry.status in STARTABLE:
                self._settings.options.tell_waiting(waiting, _standing(entry))
                return

    def _report(self, started: float) -> Report:
        entries = self._claims.entries()  # of one that was stopped while it waited for the lock there may be none
        outcomes = tuple(
            self._outcome(entries[m.name]) if m.name in entries else Outcome(m.name, Status.PENDING, reason=NOT_BEGUN)
            for m in self._migrations
        )
        parked = tuple(
            name for name, e in entries.items() if name not in self._names and e.status not in _ENDED_OR_FOREIGN
        )
        for name in parked:
            events.warning("inchworm.parked", migration=name)
        lock = self._turns.lock
        return Report(
            outcomes,
            parked,
            self._db.dialect.warnings,
            self._clock.monotonic() - started,
            lock.longest_hold_s,
            lock.turns,
            lock.was_crowded,
        )

    def _outcome(self, entry: Entry) -> Outcome:
        ended = entry.status in ACTIVE and not self._claims.is_held(entry)  # its last word is not in the ledger
        return Outcome(
            entry.name,
            Status.INTERRUPTED if ended else entry.status,
            entry.counts,
            entry.total,
            entry.slices,
            entry.active_s,
            entry.throttled,
            self._unwritten.get(entry.name) if ended else entry.reason or self._reasons.get(entry.name),
            entry.error,
            entry.forecast,
        )

    def _now(self) -> str:
        return rfc3339(self._clock.wall())


def not_begun(name: str) -> Progress:
    """Of a migration that no runner has seen yet."""
    return _standing(Entry(name, Status.PENDING))


def _standing(entry: Entry) -> Progress:
    return Progress(
        entry.name,
        entry.status,
        entry.counts,
        entry.total,
        None,
        None,
        entry.active_s,
        entry.throttled,
        entry.reason,
        entry.slices,
    )


_ENDED_OR_FOREIGN = frozenset({Status.DONE, Status.CANCELLED})
