"""Walk one held migration from its cursor to its bound, slice by slice, then verify; leave on request, with a reason.

Owns retries, bisection and quarantine. The lease is held when it starts; the status it ends with is in the ledger.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from inchworm import cursor, drift, ledger, pace
from inchworm.clock import Clock, Never, StopLike, cause_of, rfc3339
from inchworm.cursor import Bound, Key, Slice
from inchworm.errors import (
    AccountsDiffer,
    Busy,
    DatabaseBroken,
    DatabaseFault,
    DeadlineExceeded,
    DiskFull,
    InchwormError,
    LeaseLost,
    LockNeverFree,
    RowRefused,
    StatementRefused,
    Stopped,
)
from inchworm.forms import Form, form_of
from inchworm.keyset import Keyset
from inchworm.lease import LEASE_S
from inchworm.ledger import Entry, Request
from inchworm.model import Backfill
from inchworm.ports import Database, Reads, Turn
from inchworm.progress import Counts, Progress, Timesheet, Total, eta_s, rate
from inchworm.states import Status, Verb, move
from inchworm.turns import BUDGET, Turns
from inchworm.verify import Checked, Verifier

T = TypeVar("T")

log = logging.getLogger("inchworm")

LOOK_S = 0.5  # between two looks at operators' requests and the throttle; "at least once a second"
READ_LIMIT_S = 10.0  # a slice that computes longer is halved; keeps heartbeats inside the lease
COUNT_LIMIT_S = 0.3  # past this rows_total is an estimate: a start must not wait for COUNT(*)
QUARANTINE_FLOOD = 100  # this many rows put aside, and half of all examined: the migration is wrong, not the rows
LAST_WORD_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was told. `throttle` returns a reason to wait or None and is asked about twice a second."""

    on_progress: Callable[[Progress], None] | None = None
    throttle: Callable[[], str | None] | None = None
    first_rows: int = pace.FIRST_ROWS
    lease_s: float = LEASE_S
    wait_paused: bool = True


class Leave(Exception):
    """The walk ends here, orderly, with this status and reason; `request` is answered in the same transaction."""

    def __init__(self, status: Status, reason: str, request: Request | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.request = status, reason, request


class Walk:
    """One attempt at one migration. `attend(name)` gives the open requests for it, oldest first."""

    def __init__(
        self,
        migration: Backfill,
        held: Entry,
        *,
        turns: Turns,
        source: Database,
        clock: Clock,
        stop: StopLike,
        options: Options,
        attend: Callable[[str], list[Request]],
        form: Form | None = None,
    ) -> None:
        self._migration, self._held = migration, held
        self._turns, self._db, self._source = turns, turns.db, source
        self._clock, self._stop, self._options, self._ask = clock, stop, options, attend
        self._form = form or form_of(migration)
        self._keyset = Keyset(migration.table, migration.keys, migration.order)
        self._size = options.first_rows
        self._sheet = Timesheet(clock.monotonic(), held.active_s, dict(held.throttled))
        self._claimed_active_s = held.active_s
        self._looked = self._beaten = self._told = clock.monotonic()
        self._failures = 0
        self._faults_logged = 0
        self._again: list[Key] = []
        self._tried = 0
        self._usual, self._last_rows = drift.Usual(), 0

    @property
    def held(self) -> Entry:
        """The ledger row as this walk last wrote it."""
        return self._held

    def run(self) -> Entry:
        """Walk to the end. Raises LeaseLost when fenced out, StatementRefused and other faults never: they fail it."""
        try:
            self._begin()
            self._attend(at_once=True)
            while (piece := self._next()) is not None:
                del piece
            self._settle()
            self._verify()
            self._move(Status.DONE)
        except Leave as leave:
            self._move(leave.status, reason=leave.reason, request=leave.request)
        except Stopped:
            self._move(Status.INTERRUPTED, reason=f"interrupted: {cause_of(self._stop)}")
        except LeaseLost:
            raise
        except InchwormError as problem:
            self._move(Status.FAILED, error=str(problem))
        self._tell(last=True)
        return self._held

    # -- beginning

    def _begin(self) -> None:
        if self._held.stage == "retry":
            with self._db.snapshot() as reads:
                self._again = [row.key for row in ledger.quarantined(reads, self._held.name)]
        if self._held.bound is not None or self._held.cursor is not None:
            return
        if problem := self._source.key_problem(self._migration.table, self._migration.keys):
            raise StatementRefused(problem)
        bound = self._patiently(self._bound)
        total = self._total(bound) if bound else Total(0)
        self._held = replace(self._held, bound=bound, total=total)
        self._write(lambda turn: ledger.begin(turn, self._held))

    def _bound(self) -> Bound | None:
        with self._source.snapshot(limit_s=READ_LIMIT_S, stop=self._stop) as reads:
            low, high = (reads.select(sql, {}).one() for sql in (self._keyset.lowest, self._keyset.highest))
        return Bound(cursor.key_of(low), cursor.key_of(high)) if low and high else None

    def _total(self, bound: Bound) -> Total:
        wanted = self._migration.count
        if isinstance(wanted, int):
            return Total(wanted, estimated=True)
        params = self._keyset.range_params(bound.low, bound.high)
        try:
            with self._source.snapshot(limit_s=COUNT_LIMIT_S, stop=self._stop) as reads:
                row = reads.select(wanted or self._keyset.count, {} if wanted else params).one()
            return Total(int(str(row[0])) if row else None)
        except (DeadlineExceeded, Busy):
            return Total(self._estimate(bound), estimated=True)

    def _estimate(self, bound: Bound) -> int | None:
        known = self._source.estimated_rows(self._migration.table)
        low, high = bound.low[0], bound.high[0]
        if known is None and isinstance(low, int) and isinstance(high, int) and len(bound.low) == 1:
            return high - low + 1
        return known

    # -- slices

    def _next(self) -> Slice | None:
        """One slice, tried until it is written, put aside or the walk ends; None at the bound."""
        while True:
            self._attend()
            try:
                return self._slice()
            except DatabaseFault as fault:
                self._recover(fault)

    def _slice(self) -> Slice | None:
        started, limit_s = self._clock.monotonic(), self._doubled(READ_LIMIT_S)
        self._tried = 0
        with self._source.snapshot(limit_s=limit_s, stop=self._stop) as keyed:
            piece = self._keys(keyed)
            if piece is None:
                return None
            self._tried = len(piece.keys)
            if self._source is self._db:
                prepared = self._form.prepare(keyed, keyed, piece)
            else:
                with self._db.snapshot(limit_s=limit_s, stop=self._stop) as target:
                    prepared = self._form.prepare(keyed, target, piece)
        read_s = self._clock.monotonic() - started
        after: list[Entry] = []

        def work(turn: Turn) -> None:
            after[:] = [self._advanced(piece, self._form.perform(turn, piece, prepared))]
            if self._again:
                ledger.release(turn, self._held.name, piece.first)
            ledger.advance(turn, after[0], self._now())

        hold_s = self._write(work, limit_s=self._doubled(self._turns.rules.deadline_s))
        self._written(piece, after[0], hold_s, read_s)
        return piece

    def _doubled(self, limit_s: float) -> float:
        """The limit, doubled per attempt at a single row, because that cannot be made smaller."""
        return limit_s * 2.0**self._failures if self._tried == 1 else limit_s

    def _keys(self, reads: Reads) -> Slice | None:
        if self._again:
            return Slice((self._again[0],), self._migration.order)
        held = self._held
        if held.bound is None:
            return None
        sql = self._keyset.next_keys(first=held.cursor is None)
        rows = reads.select(sql, self._keyset.next_params(held.bound, held.cursor, self._size)).rows
        if not rows:
            return None
        keys = [cursor.key_of(row) for row in rows]
        return Slice(tuple(keys if self._migration.order == "asc" else reversed(keys)), self._migration.order)

    def _advanced(self, piece: Slice, did: Counts) -> Entry:
        held = self._held
        if self._again:
            did, at = replace(did, examined=0, quarantined=did.quarantined - 1), held.cursor
        else:
            at = cursor.advance(held.cursor, piece)
        self._sheet.settle(self._clock.monotonic())
        return replace(
            held,
            cursor=at,
            counts=held.counts + did,
            slices=held.slices + 1,
            attempt_rows=held.attempt_rows + len(piece.keys),
            attempt_active_s=self._sheet.active_s - self._claimed_active_s,
            active_s=self._sheet.active_s,
            throttled=dict(self._sheet.throttled),
            reason=None,
            lease_until=self._clock.wall() + self._options.lease_s,
        )

    def _written(self, piece: Slice, after: Entry, hold_s: float, read_s: float) -> None:
        self._held, self._failures = after, 0
        self._last_rows = len(piece.keys)
        self._beaten = self._clock.monotonic()
        facts = self._turns.measured(len(piece.keys), hold_s, read_s)
        if self._again:
            self._again.pop(0)
        else:
            self._size = pace.next_rows(self._turns.rules, self._size, facts)
        log.debug(
            "inchworm.slice",
            extra={"migration": after.name, "rows": len(piece.keys), "hold_ms": round(hold_s * 1000, 2)},
        )
        self._tell()

    # -- trouble

    def _recover(self, fault: DatabaseFault) -> None:
        """Decide what a fault means for the slice: wait, halve, put the row aside, try again, or raise it."""
        if isinstance(fault, Stopped | StatementRefused | LockNeverFree):
            raise fault
        self._note(fault)
        if isinstance(fault, DiskFull):
            self._failures += 1
            return self._wait(pace.retry_delay(self._failures), "disk full")
        if isinstance(fault, Busy):
            if self._failures >= pace.RETRIES:
                raise fault
            self._failures += 1
            return self._wait(pace.retry_delay(self._failures), "database busy")
        if isinstance(fault, DeadlineExceeded | RowRefused):
            return self._isolate(fault)
        self._failures += 1
        if self._failures > pace.RETRIES:
            raise DatabaseBroken(f"{fault} ({self._failures} attempts)")
        return self._wait(pace.retry_delay(self._failures), "retry after an error")

    def _isolate(self, fault: DatabaseFault) -> None:
        tried = self._tried or self._size
        if not self._again and tried > 1:
            self._size = pace.halved(tried)
            return None
        if isinstance(fault, DeadlineExceeded) and self._failures < pace.ROW_ATTEMPTS:
            self._failures += 1
            return self._wait(pace.lock_delay(self._failures), BUDGET)
        return self._quarantine(fault)

    def _quarantine(self, fault: DatabaseFault) -> None:
        if self._again:
            self._again.pop(0)  # it is in quarantine already and stays there
            self._failures = 0
            return
        with self._source.snapshot(limit_s=READ_LIMIT_S, stop=self._stop) as reads:
            piece = self._keys(reads)
        if piece is None:
            return
        after = self._advanced(piece, Counts(examined=1, quarantined=1))
        set_aside = after.counts.quarantined
        if set_aside > QUARANTINE_FLOOD and 2 * set_aside > after.counts.examined:
            raise RowRefused(f"{set_aside} of {after.counts.examined} rows could not be changed; the last one: {fault}")

        def work(turn: Turn) -> None:
            ledger.quarantine(turn, after.name, piece.first, str(fault), self._now())
            ledger.advance(turn, after, self._now())

        self._write(work)
        log.warning("inchworm.quarantine", extra={"migration": after.name, "key": str(piece.first)})
        self._held, self._failures = after, 0

    def _note(self, fault: Exception) -> None:
        """Log the 1st, 2nd, 4th, 8th … fault: a repeated one must not fill the disk."""
        self._faults_logged += 1
        if self._faults_logged & (self._faults_logged - 1) == 0:
            extra = {"migration": self._held.name, "error": str(fault), "faults": self._faults_logged}
            log.warning("inchworm.fault", extra=extra)

    # -- waiting, and what others want

    def _attend(self, *, at_once: bool = False) -> None:
        """Stop token, operators, throttle, log and disk; waits as long as one of them asks for it."""
        if self._stop.is_set():
            raise Leave(Status.INTERRUPTED, f"interrupted: {cause_of(self._stop)}")
        reason = self._turns.upkeep(self._sheet)
        self._compare_cost()
        now = self._clock.monotonic()
        if at_once or now - self._looked >= LOOK_S:
            self._looked = now
            self._obey()
            if reason is None and self._options.throttle is not None:
                reason = self._options.throttle()
        while reason is not None:
            self._wait(LOOK_S, reason)
            reason = self._turns.upkeep(self._sheet)
            if reason is None and self._options.throttle is not None:
                reason = self._options.throttle()

    def _compare_cost(self) -> None:
        """Look at what the last slice read; pause where an index seems to be gone, instead of grinding."""
        rows, steps = self._last_rows, self._turns.read_steps
        self._last_rows = 0
        if not rows or not steps:
            return
        before = self._usual
        self._usual, verdict = drift.judge(before, rows, steps)
        if verdict is drift.Verdict.SMALLER:
            self._size = max(1, rows // 4)
        elif verdict is drift.Verdict.JUMPED:
            raise Leave(Status.PAUSED, drift.sentence(before, rows, steps))

    def _obey(self) -> None:
        for request in self._ask(self._held.name):
            whom = request.by or "an operator"
            if request.verb is Verb.PAUSE:
                raise Leave(Status.PAUSED, f"paused by {whom}", request)
            if request.verb is Verb.CANCEL:
                raise Leave(Status.CANCELLED, f"cancelled by {whom}", request)
            refusal = f"refused: a {self._held.status} migration cannot be asked to {request.text}"
            self._write(partial(ledger.answer, asked=request, text=refusal, now=self._now()))

    def _wait(self, seconds: float, reason: str) -> None:
        """Not working, with a reason; ends at once with the stop token, and looks at requests meanwhile."""
        until = self._clock.monotonic() + seconds
        if self._held.reason != reason and seconds >= LOOK_S:
            self._held = replace(self._held, reason=reason)
            self._beat()
            self._tell()
        self._sheet.switch(reason, self._clock.monotonic())
        try:
            while (left := until - self._clock.monotonic()) > 0:
                self._clock.sleep(min(left, LOOK_S), self._stop)
                self._between()
        finally:
            self._sheet.switch(None, self._clock.monotonic())

    def _between(self) -> None:
        """Inside a wait: stop, requests, heartbeat."""
        reason = self._sheet.reason
        if self._stop.is_set():
            raise Leave(Status.INTERRUPTED, f"interrupted: {cause_of(self._stop)}")
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._obey()
        if now - self._beaten >= self._options.lease_s / 4:
            self._beat()
        self._sheet.switch(reason, self._clock.monotonic())

    def _beat(self) -> None:
        """Renew the lease. A locked database is no reason to give up: the next turn, or the epoch, will tell."""
        self._beaten = self._clock.monotonic()
        self._sheet.settle(self._beaten)
        self._held = replace(
            self._held,
            active_s=self._sheet.active_s,
            throttled=dict(self._sheet.throttled),
            lease_until=self._clock.wall() + self._options.lease_s,
        )
        try:
            with self._db.turn(limit_s=1.0) as turn:
                ledger.heartbeat(turn, self._held, self._now())
        except (Busy, DiskFull) as problem:
            self._note(problem)

    def _patiently(self, read: Callable[[], T]) -> T:
        while True:
            try:
                return read()
            except DatabaseFault as fault:
                self._recover(fault)

    def _write(self, work: Callable[[Turn], object], *, limit_s: float | None = None) -> float:
        _, hold_s = self._turns.write(work, sheet=self._sheet, stop=self._stop, attend=self._between, limit_s=limit_s)
        return hold_s

    # -- ending

    def _verify(self) -> None:
        if self._migration.verify is None:
            return
        self._move(Status.VERIFYING, stage="verify")
        with self._db.snapshot() as reads:
            aside = {row.key for row in ledger.quarantined(reads, self._held.name)}
        verifier = Verifier(self._migration, self._source, self._db, self._clock, aside)
        if not verifier.in_slices:
            verifier.whole(self._stop)
            return
        bound, checked = self._patiently(self._bound), Checked()
        while bound is not None and not checked.ended:
            self._attend()
            try:
                checked = verifier.piece(bound, checked, READ_LIMIT_S, self._stop)
            except (DeadlineExceeded, Busy) as fault:
                if checked.size == 1:
                    raise
                self._note(fault)
                checked = replace(checked, size=pace.halved(checked.size))
            if self._clock.monotonic() - self._beaten >= self._options.lease_s / 4:
                self._beat()

    def _settle(self) -> None:
        """The accounts must agree and nothing may be left aside, unless the definition says it may."""
        counts = self._held.counts
        if not counts.balanced:
            raise AccountsDiffer(f"{self._held.name}: {counts} does not add up")
        if counts.quarantined and self._migration.on_quarantine == "failed":
            with self._db.snapshot() as reads:
                first = ledger.quarantined(reads, self._held.name, most=1)
            shown = f"; key {first[0].key}: {first[0].error}" if first else ""
            raise RowRefused(f"{counts.quarantined} rows could not be changed{shown}")

    def _move(
        self,
        new: Status,
        *,
        reason: str | None = None,
        error: str | None = None,
        stage: str | None = None,
        request: Request | None = None,
    ) -> None:
        was = self._held
        move(was.status, new)
        over = new is not Status.VERIFYING
        self._sheet.settle(self._clock.monotonic())
        held = replace(
            was,
            status_text=str(new),
            reason=reason,
            error=error,
            stage=stage or was.stage,
            ended_at=self._now() if new in (Status.DONE, Status.FAILED, Status.CANCELLED) else None,
            holder=None if over else was.holder,
            lease_until=None if over else self._clock.wall() + self._options.lease_s,
            active_s=self._sheet.active_s,
            throttled=dict(self._sheet.throttled),
        )

        def work(turn: Turn) -> None:
            ledger.move(turn, was, held, by=request.by if request else None, now=self._now())
            if request is not None:
                ledger.answer(turn, request, f"{new}", self._now())

        self._insistently(work)
        self._held = held
        level = logging.ERROR if new is Status.FAILED else logging.INFO
        log.log(level, "inchworm.status", extra={"migration": was.name, "status": str(new), "why": error or reason})

    def _insistently(self, work: Callable[[Turn], object]) -> None:
        """The last word must be written also when the stop token is set; a locked database is asked for a second."""
        until, attempt = self._clock.monotonic() + LAST_WORD_S, 0
        while True:
            try:
                with self._db.turn(limit_s=5.0) as turn:
                    work(turn)
                return
            except Busy:
                if self._clock.monotonic() > until:
                    raise
            self._clock.sleep(pace.lock_delay(attempt), Never())
            attempt += 1

    # -- telling

    def progress(self) -> Progress:
        """Where the walk stands."""
        held = self._held
        per_s = rate(held.attempt_rows, held.attempt_active_s)
        left = eta_s(held.total, held.counts.examined, per_s) if held.status is Status.RUNNING else None
        throttled = dict(held.throttled)
        return Progress(
            held.name,
            held.status,
            held.counts,
            held.total,
            per_s,
            left,
            held.active_s,
            throttled,
            held.reason,
            held.slices,
        )

    def _tell(self, *, last: bool = False) -> None:
        now = self._clock.monotonic()
        if self._options.on_progress is None or (now - self._told < 1.0 and not last):
            return
        self._told = now
        try:
            self._options.on_progress(self.progress())
        except Exception as problem:
            self._note(problem)
            log.debug("inchworm.on_progress", exc_info=True)

    def _now(self) -> str:
        return rfc3339(self._clock.wall())
