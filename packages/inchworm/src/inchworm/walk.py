"""Walk one held migration from its cursor to its bound, slice by slice, then verify.

Owns what is read, written and put aside, in which order; `attempt` owns lease, waiting and status.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from inchworm import cursor, drift, events, ledger, pace
from inchworm.attempt import Attempt, Leave, Options
from inchworm.bounds import READ_LIMIT_S, bound_of, total_of
from inchworm.clock import Clock, StopLike, cause_of
from inchworm.cursor import Key, Slice
from inchworm.errors import (
    AccountsDiffer,
    Busy,
    DatabaseFault,
    DeadlineExceeded,
    InchwormError,
    LeaseLost,
    RowRefused,
    StatementRefused,
    Stopped,
)
from inchworm.forms import Form, form_of
from inchworm.keyset import Keyset
from inchworm.ledger import Entry, Request
from inchworm.model import Backfill
from inchworm.planwatch import PlanWatch
from inchworm.ports import Database, Reads, Turn
from inchworm.progress import Counts, Total
from inchworm.states import Status
from inchworm.trouble import Do, remedy
from inchworm.turns import Turns
from inchworm.verify import Checked, Verifier

T = TypeVar("T")

EVERY = 1 << 62  # no limit, for the keys in quarantine: QUARANTINE_FLOOD bounds them to half of the table
QUARANTINE_FLOOD = 100  # this many rows put aside, and half of all examined: the migration is wrong, not the rows


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
        self._migration, self._turns, self._clock, self._stop = migration, turns, clock, stop
        self._db, self._source = turns.db, source
        self._attempt = Attempt(held, turns=turns, clock=clock, stop=stop, options=options, ask=attend)
        self._form = form or form_of(migration)
        self._keyset = Keyset(migration.table, migration.keys, migration.order)
        self._size = options.first_rows
        self._failures, self._failing_since = 0, 0.0
        self._again: list[Key] = []
        self._trying: Slice | None = None  # the slice that is tried, once its keys are known
        self._usual, self._last_rows = drift.Usual(), 0
        self._plans = PlanWatch(migration, source)
        self._current: Slice | None = None
        self._reading = False

    @property
    def held(self) -> Entry:
        """The ledger row as this walk last wrote it."""
        return self._attempt.held

    def run(self) -> Entry:
        """Walk to the end. Raises LeaseLost when fenced out, StatementRefused and other faults never: they fail it."""
        attempt = self._attempt
        try:
            self._begin()
            attempt.attend(at_once=True)
            while self._next() is not None:
                pass
            self._settle()
            self._verify()
            attempt.become(Status.DONE)
        except Leave as leave:
            attempt.become(leave.status, reason=leave.reason, request=leave.request)
        except Stopped:
            attempt.become(Status.INTERRUPTED, reason=f"interrupted: {cause_of(self._stop)}")
        except LeaseLost:
            raise
        except InchwormError as problem:
            attempt.become(Status.FAILED, error=str(problem))
        attempt.tell(last=True)
        return self.held

    def _begin(self) -> None:
        if self.held.stage == "retry":
            self._again = list(self._aside())
        if self.held.bound is not None or self.held.cursor is not None:
            return
        table, keys = self._migration.table, self._migration.keys
        if problem := self._patiently(lambda: self._source.key_problem(table, keys)):
            raise StatementRefused(problem)
        bound = self._patiently(partial(bound_of, self._source, self._keyset, self._stop))
        total = Total(0)
        if bound is not None:
            counted = partial(total_of, self._source, self._migration, self._keyset, bound, self._stop)
            total = self._patiently(counted)
        begun = replace(self.held, bound=bound, total=total)
        self._attempt.write(lambda turn: ledger.begin(turn, begun))
        self._attempt.held = begun

    # -- slices

    def _next(self) -> Slice | None:
        """One slice, tried until it is written, put aside or the walk ends; None at the bound."""
        while True:
            self._trying = None
            try:
                self._attempt.attend()
                self._compare_cost()
                return self._slice()
            except DatabaseFault as fault:
                if self._reading and isinstance(fault, DeadlineExceeded):
                    self._ask_for_plan()
                self._recover(fault)

    def _slice(self) -> Slice | None:
        started, limit_s = self._clock.monotonic(), self._doubled(READ_LIMIT_S)
        self._reading = True
        with self._source.snapshot(limit_s=limit_s, stop=self._stop) as keyed:
            piece = self._current = self._keys(keyed)
            if piece is None:
                return None
            self._trying = piece
            if self._source is self._db:
                prepared = self._form.prepare(keyed, keyed, piece)
            else:
                with self._db.snapshot(limit_s=limit_s, stop=self._stop) as target:
                    prepared = self._form.prepare(keyed, target, piece)
        read_s, self._reading = self._clock.monotonic() - started, False
        after: list[Entry] = []

        def work(turn: Turn) -> None:
            after[:] = [self._advanced(piece, self._form.perform(turn, piece, prepared))]
            if self._again:
                ledger.release(turn, self.held.name, piece.first)
            ledger.advance(turn, after[0], self._attempt.now())

        hold_s = self._attempt.write(work, limit_s=self._doubled(self._turns.rules.deadline_s))
        self._written(piece, after[0], hold_s, read_s)
        return piece

    def _doubled(self, limit_s: float) -> float:
        """The limit, doubled per attempt at a single row, because that cannot be made smaller."""
        return limit_s * 2.0**self._failures if self._single else limit_s

    @property
    def _single(self) -> bool:
        """Whether the slice cannot be made smaller: one key, or the walk is at one already."""
        return self._size == 1 if self._trying is None else len(self._trying.keys) == 1

    def _keys(self, reads: Reads) -> Slice | None:
        if self._again:
            return Slice((self._again[0],), self._migration.order)
        held = self.held
        if held.bound is None:
            return None
        sql = self._keyset.next_keys(first=held.cursor is None)
        rows = reads.select(sql, self._keyset.next_params(held.bound, held.cursor, self._size)).rows
        if not rows:
            return None
        keys = cursor.keys_of(rows)
        return Slice(tuple(keys if self._migration.order == "asc" else reversed(keys)), self._migration.order)

    def _advanced(self, piece: Slice, did: Counts) -> Entry:
        held = self._attempt.booked()
        if self._again:
            did, at = replace(did, examined=0, quarantined=did.quarantined - 1), held.cursor
        else:
            at = cursor.advance(held.cursor, piece)
        return replace(
            held,
            cursor=at,
            counts=held.counts + did,
            slices=held.slices + 1,
            attempt_rows=held.attempt_rows + len(piece.keys),
        )

    def _written(self, piece: Slice, after: Entry, hold_s: float, read_s: float) -> None:
        self._attempt.committed(after)
        self._failures, self._last_rows = 0, len(piece.keys)
        self._plans.went_well(piece)
        facts = self._turns.measured(len(piece.keys), hold_s, read_s)
        if self._again:
            self._again.pop(0)
        else:
            self._size = pace.next_rows(self._turns.rules, self._size, facts)
        events.debug("inchworm.slice", migration=after.name, rows=len(piece.keys), hold_ms=round(hold_s * 1000, 2))
        self._attempt.tell()

    def _compare_cost(self) -> None:
        """Look at what the last slice read; pause where an index seems to be gone, instead of grinding."""
        (rows, self._last_rows), steps = (self._last_rows, 0), self._turns.taken_steps()
        if not rows or not steps:
            return
        before = self._usual
        self._usual, verdict = drift.judge(before, rows, steps)
        if verdict is drift.Verdict.SMALLER:
            self._size = max(1, rows // 4)
        elif verdict is drift.Verdict.JUMPED:
            raise Leave(Status.PAUSED, drift.sentence(before, rows, steps, self._plans.change()))

    def _ask_for_plan(self) -> None:
        """A read was stopped: pause where a scan has replaced a look-up, which smaller slices do not make shorter."""
        rows = len(self._current.keys) if self._current is not None else self._size
        if why := self._plans.stopped(self._current, rows, READ_LIMIT_S):
            raise Leave(Status.PAUSED, why)

    # -- trouble

    def _recover(self, fault: DatabaseFault) -> None:
        """Do what a fault calls for, or raise it."""
        rows = 1 if self._again else len(self._trying.keys) if self._trying is not None else self._size
        found = remedy(fault, rows=rows, failures=self._waited(fault))
        self._attempt.note(fault)
        if rows == 1:
            self._size = 1  # so that the limits of a single row hold from the start of its next attempt
        if found.do is Do.HALVE:
            self._size = pace.halved(rows)
        elif found.do is Do.PUT_ASIDE:
            self._quarantine(fault)
        else:
            self._failures += 1
            self._attempt.wait(found.seconds, found.reason)

    def _waited(self, fault: DatabaseFault) -> int:
        """The failures that count: a lock is waited for as long as the patience of the run, not so many times."""
        if not self._failures:
            self._failing_since = self._clock.monotonic()
        patient = self._clock.monotonic() - self._failing_since < self._turns.patience_s
        return min(self._failures, pace.RETRIES - 1) if isinstance(fault, Busy) and patient else self._failures

    def _quarantine(self, fault: DatabaseFault) -> None:
        if self._again:
            self._again.pop(0)  # it is in quarantine already and stays there
            self._failures = 0
            return
        piece = self._trying
        if piece is None:
            raise fault  # not a row: its key could not even be read
        after = self._advanced(piece, Counts(examined=1, quarantined=1))
        set_aside = after.counts.quarantined
        if set_aside > QUARANTINE_FLOOD and 2 * set_aside > after.counts.examined:
            raise RowRefused(f"{set_aside} of {after.counts.examined} rows could not be changed; the last one: {fault}")

        def work(turn: Turn) -> None:
            now = self._attempt.now()
            ledger.quarantine(turn, after.name, piece.first, str(fault), now)
            ledger.advance(turn, after, now)

        self._attempt.write(work)
        events.warning("inchworm.quarantine", migration=after.name, key=str(piece.first))
        self._attempt.held, self._failures = after, 0

    def _patiently(self, read: Callable[[], T]) -> T:
        """A read outside the slices: locks and full disks are waited for; no smaller slice would cure anything else."""
        while True:
            try:
                found = read()
            except (RowRefused, DeadlineExceeded):
                raise
            except DatabaseFault as fault:
                self._recover(fault)
            else:
                self._failures = 0
                return found

    def _aside(self) -> tuple[Key, ...]:
        """The keys in quarantine."""
        return tuple(row.key for row in self._patiently(partial(self._quarantined, EVERY)))

    def _quarantined(self, most: int) -> Sequence[ledger.QuarantinedRow]:
        with self._db.snapshot() as reads:
            return ledger.quarantined(reads, self.held.name, most=most)

    # -- ending

    def _verify(self) -> None:
        if self._migration.verify is None:
            return
        self._attempt.become(Status.VERIFYING, stage="verify")
        verifier = Verifier(self._migration, self._source, self._db, self._clock, set(self._aside()))
        if not verifier.in_slices:
            self._patiently(partial(verifier.whole, _Beating(self._stop, self._attempt.keep_lease)))
            return
        bound, checked = self._patiently(partial(bound_of, self._source, self._keyset, self._stop)), Checked()
        while bound is not None and not checked.ended:
            self._patiently(self._attempt.attend)
            try:
                checked = self._patiently(partial(verifier.piece, bound, checked, READ_LIMIT_S, self._stop))
            except DeadlineExceeded as fault:
                if checked.size == 1:
                    raise
                self._attempt.note(fault)
                checked = replace(checked, size=pace.halved(checked.size))
            self._attempt.keep_lease()

    def _settle(self) -> None:
        """The accounts must agree and nothing may be left aside, unless the definition says it may."""
        held, counts = self.held, self.held.counts
        if not counts.balanced:
            raise AccountsDiffer(f"{held.name}: {counts} does not add up")
        if counts.quarantined and self._migration.on_quarantine == "failed":
            first = self._patiently(partial(self._quarantined, 1))
            shown = f"; key {', '.join(map(str, first[0].key))}: {first[0].error}" if first else ""
            rows = "1 row" if counts.quarantined == 1 else f"{counts.quarantined} rows"
            raise RowRefused(f"{rows} could not be changed{shown}")


class _Beating:
    """The stop token, which also keeps the lease: asked again and again by one long statement of SQLite, in the
    thread that runs it. A backend that asks from a thread of its own gets the token only.
    """

    def __init__(self, stop: StopLike, keep_lease: Callable[[], None]) -> None:
        self._stop, self._keep_lease, self._thread = stop, keep_lease, threading.get_ident()

    def is_set(self) -> bool:
        if threading.get_ident() == self._thread:
            self._keep_lease()
        return self._stop.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._stop.wait(timeout)
