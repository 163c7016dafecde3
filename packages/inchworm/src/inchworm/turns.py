"""Take write turns fairly: gap, gate, lock, deadline, checkpoint; measure them, and book every second of waiting.

The one place that opens a write transaction for a migration. Knows nothing of slices or of the ledger.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

from inchworm import pace
from inchworm.clock import Clock, Never, StopLike
from inchworm.errors import Busy, DiskFull, LockNeverFree
from inchworm.gate import Gate, Passage
from inchworm.pace import Pace, Turned
from inchworm.patience import met_by
from inchworm.ports import Database, Limits, Turn
from inchworm.progress import Timesheet
from inchworm.trouble import DISK_FULL

T = TypeVar("T")

LAST_WORD_S = 1.0  # for a last word once the stop token is set; a supervisor kills after some ten seconds
BOOKKEEPING_S = 5.0  # one small row: past the stall budget only when the machine stalls, and stopping it helps nobody
STRANGER_MEMORY_S = 2.0  # a stranger that wrote this recently is expected back


@dataclass(slots=True)
class Lock:
    """What is remembered about the write lock between turns; times of the monotonic clock.

    `crowd` grows with each turn that found the lock taken although somebody else had already written since our last
    one, which one stranger hardly does: several compete. It shrinks with every few turns that had the lock at once.
    `passage`: what the gate said when it was last passed.
    """

    released_at: float = float("-inf")
    gap_s: float = 0.0
    crowded_s: float = 0.0
    stranger_at: float = float("-inf")
    served: bool = False
    crowd: int = 0
    free_turns: int = 0
    was_crowded: bool = False
    longest_hold_s: float = 0.0
    turns: int = 0
    passage: Passage = field(default_factory=Passage)


class Turns:
    """Turns on one database under one stall budget, for all migrations of a runner."""

    def __init__(
        self, db: Database, clock: Clock, gate: Gate, rules: Pace, limits: Limits, *, patience_s: float
    ) -> None:
        self.db, self.clock, self.rules = db, clock, rules
        self._gate, self._limits, self.patience_s = gate, limits, patience_s
        self.lock = Lock()
        self._read_steps = 0

    def write(
        self,
        work: Callable[[Turn], T],
        *,
        sheet: Timesheet,
        stop: StopLike,
        attend: Callable[[], None],
        limit_s: float | None = None,
    ) -> tuple[T, float]:
        """Run `work` in one turn and commit; its result and how long the lock was held, commit included.

        Waits for the gap and for other writers (`attend` is called between looks and may raise to leave). Raises
        LockNeverFree after `patience_s`, and whatever `work` raises, after rolling back.
        """
        self._rest(sheet, stop)
        since, attempt = self.clock.monotonic(), 0
        while True:
            try:
                done = self._once(work, sheet, stop, limit_s or self.rules.deadline_s)
                self._had(at_once=attempt == 0)
                return done
            except Busy as problem:
                now = self.clock.monotonic()
                if self.lock.passage.alone:
                    self._met(now, crowded=self.lock.served and attempt == 0)
                if now - since > self.patience_s:
                    raise LockNeverFree(f"the write lock was not free for {self.patience_s:.0f} s") from problem
                sheet.switch(met_by(problem), now)
                self.clock.sleep(pace.lock_delay(attempt), stop)
                attempt += 1
                attend()
            finally:
                sheet.switch(None, self.clock.monotonic())

    def last_word(self, work: Callable[[Turn], T], *, sheet: Timesheet, stop: StopLike) -> T:
        """Write what a migration came to, as soon as the lock and the disk allow, without gap and gate: one small row.

        Asks for `patience_s`, and for LAST_WORD_S at most once the stop token is set. Then raises the Busy or DiskFull
        that it met last, and LockNeverFree when it was patience that ended.
        """
        until, attempt = self.clock.monotonic() + self.patience_s, 0
        while True:
            try:
                with self.db.turn(limit_s=BOOKKEEPING_S) as turn:
                    return work(turn)
            except (Busy, DiskFull) as problem:
                now, full = self.clock.monotonic(), isinstance(problem, DiskFull)
                if stop.is_set():
                    until = min(until, now + LAST_WORD_S)
                if now > until:
                    if full or stop.is_set():
                        raise
                    raise LockNeverFree(f"the write lock was not free for {self.patience_s:.0f} s") from problem
                sheet.switch(DISK_FULL if full else met_by(problem), now)
                self.clock.sleep(pace.lock_delay(attempt), Never())
                attempt += 1
            finally:
                sheet.switch(None, self.clock.monotonic())

    def _once(self, work: Callable[[Turn], T], sheet: Timesheet, stop: StopLike, limit_s: float) -> tuple[T, float]:
        begun: float | None = None
        try:
            with ExitStack() as stack:
                sheet.switch(pace.LIVE, self.clock.monotonic())
                self._look(stack.enter_context(self._gate.migration(stop)))
                turn = stack.enter_context(self.db.turn(limit_s=limit_s))
                begun = self.clock.monotonic()
                sheet.switch(None, begun)
                result = work(turn)
        finally:
            if begun is not None:
                self._released(begun)
        return result, self.clock.monotonic() - begun

    def _look(self, passage: Passage) -> None:
        """Somebody else's commit since the last turn is a stranger's, unless a live writer has passed the gate since.

        One that commits beside live writers is recognised at the first turn before which it was the only one, or at
        the first that finds its lock.
        """
        explained = passage.marks != self.lock.passage.marks or not passage.alone
        self.lock.passage = passage
        if self.db.others_wrote() and not explained:
            self.lock.served = True
            self.lock.stranger_at = self.clock.monotonic()

    def _met(self, now: float, *, crowded: bool) -> None:
        """A stranger had taken the lock when we asked for it."""
        self.lock.stranger_at = now
        self.lock.free_turns = 0
        if crowded:
            self.lock.crowd = min(self.lock.crowd + 1, pace.MOST_CROWD)
            self.lock.was_crowded |= self.lock.crowd > 1

    def _had(self, *, at_once: bool) -> None:
        """A turn ended well."""
        self.lock.free_turns += at_once
        if self.lock.free_turns >= pace.CROWD_TURNS:
            self.lock.free_turns, self.lock.crowd = 0, max(0, self.lock.crowd - 1)

    def _released(self, begun: float) -> None:
        """Also after a rollback: a lock that was held is a lock that was held."""
        now, lock = self.clock.monotonic(), self.lock
        lock.crowded_s = pace.crowded(lock.crowded_s, now - begun, begun - lock.released_at)
        lock.longest_hold_s = max(lock.longest_hold_s, now - begun)
        lock.released_at = now
        lock.served = False
        lock.turns += 1

    def measured(self, rows: int, hold_s: float, read_s: float) -> Turned:
        """Set the gap from a turn's measured hold, and give the facts for choosing the next slice."""
        now = self.clock.monotonic()
        facts = Turned(rows, hold_s, read_s, self._strangers(now), self.lock.crowd)
        wakes = self.db.dialect.wakes_waiters
        self.lock.gap_s = pace.gap(facts, crowded_s=self.lock.crowded_s, wakes_waiters=wakes)
        return facts

    def _strangers(self, now: float) -> bool:
        return now - self.lock.stranger_at < STRANGER_MEMORY_S

    def _rest(self, sheet: Timesheet, stop: StopLike) -> None:
        missing = self.lock.released_at + self.lock.gap_s - self.clock.monotonic()
        if missing > 0:
            sheet.switch(pace.BUDGET, self.clock.monotonic())
            self.clock.sleep(missing, stop)
            sheet.switch(None, self.clock.monotonic())

    def upkeep(self, sheet: Timesheet) -> str | None:
        """Checkpoint if it is time; the reason to pause that log or disk give, or None."""
        sheet.switch(pace.CHECKPOINT, self.clock.monotonic())
        try:
            kept = self.db.upkeep(self._limits)
            self._read_steps += kept.read_steps or 0
            return kept.hold
        finally:
            sheet.switch(None, self.clock.monotonic())

    def taken_steps(self) -> int:
        """Instructions that snapshots took since the last call; 0 where the database does not count them."""
        taken, self._read_steps = self._read_steps, 0
        return taken
