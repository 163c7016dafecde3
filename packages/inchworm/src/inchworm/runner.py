"""Run many migrations in order: registration, leases, operators' requests, dependants, one write budget for all.

Knows no driver and no SQL. One migration is walked at a time; a broken one stops only those that come after it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inchworm import ledger
from inchworm.attempt import LOOK_S, Options, Unwritten
from inchworm.clock import Clock, StopLike, cause_of, rfc3339
from inchworm.errors import (
    Busy,
    DatabaseFault,
    DefinitionChanged,
    DiskFull,
    LeaseLost,
    LockNeverFree,
    StatementRefused,
    Stopped,
)
from inchworm.gate import Gate
from inchworm.indexwalk import IndexTableWalk
from inchworm.lease import Holder, retire, this_holder
from inchworm.ledger import Entry, Request
from inchworm.model import Backfill, Guard, IndexBuild, IndexTable, Migration
from inchworm.order import in_order
from inchworm.pace import Pace
from inchworm.ports import Database, Limits, Turn
from inchworm.progress import Timesheet
from inchworm.report import Outcome, Report
from inchworm.requests import carry_out, is_held
from inchworm.states import ACTIVE, STARTABLE, Status, Verb
from inchworm.turns import Turns
from inchworm.walk import Walk

log = logging.getLogger("inchworm")

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
        self._sheet = Timesheet(clock.monotonic())
        self._reasons: dict[str, str] = {}
        self._unwritten: dict[str, str] = {}

    def run(self, *, linger: bool = False) -> Report:
        """Work until nothing is left that this runner could do, or the token is set; with `linger`, until it is set.

        Raises LedgerTooNew and faults of the ledger itself; what goes wrong inside a migration is in its outcome.
        """
        started = self._clock.monotonic()
        for warning in self._db.dialect.warnings:
            log.warning("inchworm.version", extra={"warning": warning})
        self._prepare()
        while not self._stop.is_set():
            migration, waiting = self._choose()
            if migration is not None:
                self._one(migration)
            elif waiting or linger:
                self._clock.sleep(LOOK_S, self._stop)
            else:
                break
        return self._report(started)

    def _prepare(self) -> None:
        self._patiently(lambda: ledger.ensure(self._db, self._now()))

        def register() -> None:
            with self._db.snapshot() as reads:
                known = {entry.name for entry in ledger.entries(reads)}
            missing = [m for m in self._migrations if m.name not in known]
            if not missing:
                return
            with self._db.turn(limit_s=5.0) as turn:
                for migration in missing:
                    if ledger.entry(turn, migration.name) is None:  # another runner may have been faster
                        ledger.register(turn, migration.name, _kind(migration), migration.fingerprint, self._now())

        self._patiently(register)

    def _patiently(self, work: Callable[[], None]) -> None:
        """Before any migration is held: another connection may be writing, or creating the same ledger.

        Raises LockNeverFree after the patience: whoever called `run` must not be kept waiting for ever.
        """
        until = self._clock.monotonic() + self._settings.patience_s
        while not self._stop.is_set():
            try:
                return work()
            except Busy as problem:
                if self._clock.monotonic() > until:
                    patience_s = self._settings.patience_s
                    raise LockNeverFree(f"the write lock was not free for {patience_s:.0f} s") from problem
                self._clock.sleep(0.01, self._stop)
        return None

    # -- choosing

    def _entries(self) -> Mapping[str, Entry]:
        """None before there is a ledger. Raises Busy when readers are kept out past the patience or a set token."""
        until = self._clock.monotonic() + self._settings.patience_s
        while True:
            try:
                with self._db.snapshot() as reads:
                    found = ledger.entries(reads) if ledger.exists(reads, self._db) else ()
                    return {entry.name: entry for entry in found}
            except Busy:
                if self._stop.is_set() or self._clock.monotonic() > until:
                    raise
                self._clock.sleep(0.01, self._stop)

    def _choose(self) -> tuple[Migration | None, bool]:
        """The next migration to work on; and whether waiting may bring one."""
        self._serve_requests(held=None)
        entries, waiting = self._entries(), False
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
            if self._is_held(entry):
                waiting = True
                continue
            if self._refused(migration, entry):
                continue
            return migration, waiting
        return None, waiting

    def _is_held(self, entry: Entry) -> bool:
        return is_held(entry, self._clock.wall(), self._db)

    def _refused(self, migration: Migration, entry: Entry) -> bool:
        """Fail a migration whose definition is not the one it began with, unless an operator asked for a retry."""
        begun = entry.attempts > 0 and entry.stage not in ("retry", "restart")
        if not begun or entry.fingerprint in (None, migration.fingerprint):
            return False
        error = str(DefinitionChanged(migration.name))
        self._unheld(entry, Status.FAILED, reason=None, error=error, stage=entry.stage, by=None)
        return True

    def _unheld(
        self, entry: Entry, new: Status, *, reason: str | None, error: str | None, stage: str, by: str | None
    ) -> None:
        def work() -> None:
            with self._db.turn(limit_s=5.0) as turn:
                now = self._now()
                ledger.move_unheld(turn, entry, new, reason=reason, error=error, stage=stage, by=by, now=now)

        try:
            self._patiently(work)
        except LeaseLost:
            log.info("inchworm.lease", extra={"migration": entry.name, "why": "another runner moved it first"})

    # -- working

    def _one(self, migration: Migration) -> None:
        """Claim and work; every end of it but a bug in the ledger itself is written down and lets others go on."""
        held: Entry | None = None
        holder = this_holder()
        try:
            held = self._claim(migration, holder)
            if held is None:
                return
            if isinstance(migration, IndexBuild):
                self._build_index(migration, held)
            else:
                self._walk(migration, held)
        except LeaseLost as lost:
            log.warning("inchworm.lease", extra={"migration": migration.name, "why": str(lost)})
            self._clock.sleep(LOOK_S, self._stop)
        except Unwritten as outcome:
            self._keep(migration.name, outcome)
        except (Busy, DiskFull) as problem:  # not even claimed
            log.warning("inchworm.busy", extra={"migration": migration.name, "why": str(problem)})
            self._clock.sleep(LOOK_S, self._stop)
        except LockNeverFree:
            raise
        except StatementRefused as refused:
            if held is not None:
                self._fail(held, str(refused))
        except Exception as bug:
            log.exception("inchworm.bug", extra={"migration": migration.name})
            if held is not None:
                self._fail(held, f"{type(bug).__name__}: {bug}")
        finally:
            retire(holder)

    def _claim(self, migration: Migration, holder: Holder) -> Entry | None:
        """Take the lease; None when the stop token was set first. Raises LeaseLost when another was faster."""
        claimed: list[Entry] = []

        def work(turn: Turn) -> None:
            was = ledger.entry(turn, migration.name)
            if was is None or was.status not in STARTABLE or self._is_held(was):
                raise LeaseLost(migration.name)
            if self._starts_over(migration, was):
                was = ledger.rewind(turn, was, migration.fingerprint)
            held = self._held(migration, was, holder)
            ledger.claim(turn, was, held, _claim_reason(was), self._now())
            claimed[:] = [held]

        def attempt() -> None:
            with self._db.turn(limit_s=5.0) as turn:
                work(turn)

        self._patiently(attempt)
        return claimed[0] if claimed else None

    def _starts_over(self, migration: Migration, was: Entry) -> bool:
        """A retry goes on after the cursor, but a new definition or a failed verification needs a new walk.

        Not so where apply relies on exactly-once: a second walk would add to what the first one has added.
        """
        if isinstance(migration, Backfill) and migration.guard is Guard.FROZEN:
            return False
        return was.stage == "restart" or was.fingerprint not in (None, migration.fingerprint)

    def _held(self, migration: Migration, was: Entry, holder: Holder) -> Entry:
        return replace(
            was,
            status_text=str(Status.RUNNING),
            holder=str(holder),
            epoch=was.epoch + 1,
            lease_until=self._clock.wall() + self._settings.options.lease_s,
            fingerprint=migration.fingerprint,
            throttled=ledger.idle(was, self._now()),
            attempts=was.attempts + 1,
            attempt_rows=0,
            attempt_active_s=0.0,
            stage="retry" if was.stage == "restart" else was.stage,
            reason=None,
            error=None,
            ended_at=None,
        )

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
        wish = _Wish(self._stop, self._clock, lambda: self._wanted(held.name))
        built: list[bool] = []

        def build() -> None:
            if not wish.is_set(at_once=True):
                self._db.build_index(migration.statement, limit_s=migration.lock_s, stop=wish)
                built.append(True)

        try:
            self._patiently(build)
        except Stopped:
            log.info("inchworm.index", extra={"migration": held.name, "why": "stopped; nothing of it is left"})
        except DatabaseFault as fault:
            return self._fail(held, str(fault))
        if built:
            return self._end(held, Status.DONE)
        if wish.request is None:
            return self._end(held, Status.INTERRUPTED, reason=f"interrupted: {cause_of(self._stop)}")
        new, word = (Status.PAUSED, "paused") if wish.request.verb is Verb.PAUSE else (Status.CANCELLED, "cancelled")
        return self._end(held, new, reason=f"{word} by {wish.request.by or 'an operator'}", request=wish.request)

    def _wanted(self, name: str) -> Request | None:
        """An open request to let go of a migration. An unreadable ledger is no request: the next look will tell."""
        try:
            with self._db.snapshot() as reads:
                requests = ledger.open_requests(reads)
        except DatabaseFault:
            return None
        return next((r for r in requests if r.name == name and r.verb in (Verb.PAUSE, Verb.CANCEL)), None)

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
            log.warning("inchworm.lease", extra={"migration": held.name, "why": str(lost)})

    def _keep(self, name: str, outcome: Unwritten) -> None:
        """For the report: the ledger does not have it, and the lease ends with this runner.

        Raises LockNeverFree when it was patience that ended: whoever called `run` has to know.
        """
        self._unwritten[name] = str(outcome)
        log.warning("inchworm.unwritten", extra={"migration": name, "why": str(outcome)})
        if isinstance(outcome.problem, LockNeverFree):
            raise LockNeverFree(f"{name}: {outcome}") from outcome
        self._clock.sleep(LOOK_S, self._stop)

    # -- operators

    def _serve_requests(self, held: str | None = None) -> list[Request]:
        """Carry out requests for migrations that nobody holds; give back those for the one that is held here."""
        try:
            with self._db.snapshot() as reads:
                requests = ledger.open_requests(reads)
        except Busy as later:  # without a log a commit keeps readers out; the next look is half a second away
            log.debug("inchworm.request", extra={"why": str(later)})
            return []
        mine = [r for r in requests if r.name == held]
        for request in requests:
            if request.name != held:
                self._carry_out(request)
        return mine

    def _carry_out(self, request: Request) -> None:
        try:
            with self._db.turn(limit_s=5.0) as turn:
                answer = carry_out(turn, request, held=self._is_held, now=self._now())
                if answer is not None:
                    ledger.answer(turn, request, answer, self._now())
        except (Busy, LeaseLost) as later:
            log.debug("inchworm.request", extra={"migration": request.name, "why": str(later)})

    # -- reporting

    def _report(self, started: float) -> Report:
        entries = self._entries()  # of one that was stopped while it waited for the lock there may be none
        outcomes = tuple(
            self._outcome(entries[m.name]) if m.name in entries else Outcome(m.name, Status.PENDING, reason=NOT_BEGUN)
            for m in self._migrations
        )
        parked = tuple(
            name for name, e in entries.items() if name not in self._names and e.status not in _ENDED_OR_FOREIGN
        )
        for name in parked:
            log.warning("inchworm.parked", extra={"migration": name})
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
        ended = entry.status in ACTIVE and not self._is_held(entry)  # its last word is not in the ledger
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


_ENDED_OR_FOREIGN = frozenset({Status.DONE, Status.CANCELLED})


class _Wish:
    """A stop token that is also set by an operator's request, which it remembers; looks twice a second."""

    def __init__(self, stop: StopLike, clock: Clock, look: Callable[[], Request | None]) -> None:
        self._stop, self._clock, self._look = stop, clock, look
        self._looked = float("-inf")
        self.request: Request | None = None

    def is_set(self, *, at_once: bool = False) -> bool:
        if self._stop.is_set() or self.request is not None:
            return True
        now = self._clock.monotonic()
        if at_once or now - self._looked >= LOOK_S:
            self._looked = now
            self.request = self._look()
        return self.request is not None

    def wait(self, timeout: float | None = None) -> bool:
        return self._stop.wait(timeout)


def _claim_reason(was: Entry) -> str:
    if was.status in ACTIVE:
        return f"the holder {was.holder or 'unknown'} died (crashed); taken over after the cursor"
    return "taken by a runner"


def _kind(migration: Migration) -> str:
    return {IndexBuild: "index", IndexTable: "index table"}.get(type(migration), "backfill")
