"""Walk one held migration from its cursor to its bound, slice by slice, then verify.

Owns what is read, written and put aside, in which order; `attempt` owns lease, waiting and status.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from inchworm import cursor, drift, ledger, pace
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
from inchworm.ports import Database, Reads, Turn
from inchworm.progress import Counts, Total
from inchworm.states import Status
from inchworm.trouble import Do, remedy
from inchworm.turns import Turns
from inchworm.verify import Checked, Verifier

T = TypeVar("T")

log = logging.getLogger("inchworm")

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
        self._failures = 0
        self._again: list[Key] = []
        self._tried = 0
        self._usual, self._last_rows = drift.Usual(), 0

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
            while (piece := self._next()) is not None:
                del piece
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
            with self._db.snapshot() as reads:
                self._again = [row.key for row in ledger.quarantined(reads, self.held.name)]
        if self.held.bound is not None or self.held.cursor is not None:
            return
        if problem := self._source.key_problem(self._migration.table, self._migration.keys):
            raise StatementRefused(problem)
        bound = self._patiently(partial(bound_of, self._source, self._keyset, self._stop))
        total = Total(0)
        if bound is not None:
            total = total_of(self._source, self._migration, self._keyset, bound, self._stop)
        begun = replace(self.held, bound=bound, total=total)
        self._attempt.write(lambda turn: ledger.begin(turn, begun))
        self._attempt.held = begun

    # -- slices

    def _next(self) -> Slice | None:
        """One slice, tried until it is written, put aside or the walk ends; None at the bound."""
        while True:
            self._attempt.attend()
            self._compare_cost()
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
                ledger.release(turn, self.held.name, piece.first)
            ledger.advance(turn, after[0], self._attempt.now())

        hold_s = self._attempt.write(work, limit_s=self._doubled(self._turns.rules.deadline_s))
        self._written(piece, after[0], hold_s, read_s)
        return piece

    def _doubled(self, limit_s: float) -> float:
        """The limit, doubled per attempt at a single row, because that cannot be made smaller."""
        return limit_s * 2.0**self._failures if self._tried == 1 else limit_s

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
        keys = [cursor.key_of(row) for row in rows]
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
        facts = self._turns.measured(len(piece.keys), hold_s, read_s)
        if self._again:
            self._again.pop(0)
        else:
            self._size = pace.next_rows(self._turns.rules, self._size, facts)
        log.debug(
            "inchworm.slice",
            extra={"migration": after.name, "rows": len(piece.keys), "hold_ms": round(hold_s * 1000, 2)},
        )
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
            raise Leave(Status.PAUSED, drift.sentence(before, rows, steps))

    # -- trouble

    def _recover(self, fault: DatabaseFault) -> None:
        """Do what a fault calls for, or raise it."""
        rows = 1 if self._again else self._tried or self._size
        found = remedy(fault, rows=rows, failures=self._failures)
        self._attempt.note(fault)
        if found.do is Do.HALVE:
            self._size = pace.halved(rows)
        elif found.do is Do.PUT_ASIDE:
            self._quarantine(fault)
        else:
            self._failures += 1
            self._attempt.wait(found.seconds, found.reason)

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
            now = self._attempt.now()
            ledger.quarantine(turn, after.name, piece.first, str(fault), now)
            ledger.advance(turn, after, now)

        self._attempt.write(work)
        log.warning("inchworm.quarantine", extra={"migration": after.name, "key": str(piece.first)})
        self._attempt.held, self._failures = after, 0

    def _patiently(self, read: Callable[[], T]) -> T:
        while True:
            try:
                return read()
            except DatabaseFault as fault:
                self._recover(fault)

    # -- ending

    def _verify(self) -> None:
        if self._migration.verify is None:
            return
        self._attempt.become(Status.VERIFYING, stage="verify")
        with self._db.snapshot() as reads:
            aside = {row.key for row in ledger.quarantined(reads, self.held.name)}
        verifier = Verifier(self._migration, self._source, self._db, self._clock, aside)
        if not verifier.in_slices:
            verifier.whole(self._stop)
            return
        bound, checked = self._patiently(partial(bound_of, self._source, self._keyset, self._stop)), Checked()
        while bound is not None and not checked.ended:
            self._attempt.attend()
            try:
                checked = verifier.piece(bound, checked, READ_LIMIT_S, self._stop)
            except (DeadlineExceeded, Busy) as fault:
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
            with self._db.snapshot() as reads:
                first = ledger.quarantined(reads, held.name, most=1)
            shown = f"; key {', '.join(map(str, first[0].key))}: {first[0].error}" if first else ""
            raise RowRefused(f"{counts.quarantined} rows could not be changed{shown}")
