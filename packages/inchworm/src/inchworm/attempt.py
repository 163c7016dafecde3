"""One attempt at one held migration: its ledger row and lease, waiting with a reason, its status, its progress.

Heeds the stop token, operators and the throttle. Knows nothing of slices: `walk` says what is written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from inchworm import events, ledger, pace
from inchworm.clock import Clock, StopLike, cause_of, rfc3339
from inchworm.errors import Busy, DatabaseFault, DeadlineExceeded, DiskFull, LockNeverFree
from inchworm.lease import LEASE_S
from inchworm.ledger import Entry, Request
from inchworm.pace import LOCKED
from inchworm.patience import Wait, Waiting
from inchworm.ports import Turn
from inchworm.progress import Progress, Timesheet, eta_s, rate
from inchworm.states import ENDED, Status, Verb, move
from inchworm.turns import BOOKKEEPING_S, Turns

LOOK_S = 0.5  # between two looks at operators' requests and the throttle; "at least once a second"


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was told. `throttle` returns a reason to wait or None and is asked about twice a second."""

    on_progress: Callable[[Progress], None] | None = None
    throttle: Callable[[], str | None] | None = None
    first_rows: int = pace.FIRST_ROWS
    lease_s: float = LEASE_S
    wait_paused: bool = True

    def tell_waiting(self, waiting: Waiting, progress: Progress) -> None:
        """A log line now and then, and a progress event with the reason."""
        if waiting.worth_a_line:
            facts = {"why": waiting.why, "waited_s": round(waiting.waited_s), "patience_s": round(waiting.patience_s)}
            events.warning("inchworm.waiting", migration=progress.name, **facts)
        self.tell(replace(progress, reason=str(waiting)))

    def tell(self, progress: Progress) -> Exception | None:
        """A progress event; what `on_progress` raised, which must not fail the migration."""
        try:
            if self.on_progress is not None:
                self.on_progress(progress)
        except Exception as problem:  # noqa: BLE001  (whatever the application's function raises)
            events.debug("inchworm.on_progress", trace=True, migration=progress.name)
            return problem
        return None


class Unwritten(Exception):
    """An outcome that the ledger does not have, and the fault that kept it out. No reason for another outcome."""

    def __init__(self, status: Status, why: str | None, problem: DatabaseFault) -> None:
        super().__init__(f"{status}{f' ({why})' if why else ''} could not be written into the ledger: {problem}")
        self.problem = problem


class Leave(Exception):
    """The walk ends here, orderly, with this status and reason; `request` is answered in the same transaction."""

    def __init__(self, status: Status, reason: str, request: Request | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.request = status, reason, request


class Attempt:
    """One migration between its claim and its end. `ask(name)` gives the open requests for it, oldest first."""

    def __init__(
        self,
        held: Entry,
        *,
        turns: Turns,
        clock: Clock,
        stop: StopLike,
        options: Options,
        ask: Callable[[str], list[Request]],
    ) -> None:
        self.held, self.turns, self.clock, self.stop = held, turns, clock, stop
        self._options, self._ask = options, ask
        self.sheet = Timesheet(clock.monotonic(), held.active_s, dict(held.throttled))
        self._claimed_active_s = held.active_s
        self._looked = self._beaten = self._told = clock.monotonic()
        self._faults_logged = 0

    def now(self) -> str:
        """The wall clock, as the ledger writes it."""
        return rfc3339(self.clock.wall())

    def note(self, fault: Exception) -> None:
        """Log the 1st, 2nd, 4th, 8th … fault: a repeated one must not fill the disk.

        A slice that only took too long is tried again with fewer rows: the engine at work, no warning.
        """
        self._faults_logged += 1
        if self._faults_logged & (self._faults_logged - 1) == 0:
            say = events.info if isinstance(fault, DeadlineExceeded) else events.warning
            say("inchworm.fault", migration=self.held.name, error=str(fault), faults=self._faults_logged)

    # -- writing

    def write(self, work: Callable[[Turn], object], *, limit_s: float = BOOKKEEPING_S) -> float:
        """One fair turn; how long it held the lock. Raises Leave, and what Turns.write raises."""
        wait = Wait(self.clock, self.turns.patience_s, self._kept_out)

        def attend() -> None:
            self._between()
            wait.goes_on(self.sheet.reason or LOCKED)

        _, hold_s = self.turns.write(work, sheet=self.sheet, stop=self.stop, attend=attend, limit_s=limit_s)
        return hold_s

    def _kept_out(self, waiting: Waiting) -> None:
        self._told = self.clock.monotonic()
        self._options.tell_waiting(waiting, self.progress())

    def booked(self) -> Entry:
        """The row with the seconds up to now, for a write that commits with the next turn."""
        self.sheet.settle(self.clock.monotonic())
        return replace(
            self.held,
            attempt_active_s=self.sheet.active_s - self._claimed_active_s,
            active_s=self.sheet.active_s,
            throttled=dict(self.sheet.throttled),
            reason=None,
            lease_until=self.clock.wall() + self._options.lease_s,
        )

    def committed(self, held: Entry) -> None:
        """The row as a turn has just committed it, lease included."""
        self.held, self._beaten = held, self.clock.monotonic()

    def keep_lease(self) -> None:
        """A heartbeat when one is due; for work that commits nothing for a while."""
        if self.clock.monotonic() - self._beaten >= self._options.lease_s / 4:
            self._beat()

    # -- waiting, and what others want

    def attend(self, *, at_once: bool = False) -> None:
        """Stop token, operators, throttle, log and disk; waits as long as one of them asks for it."""
        if self.stop.is_set():
            raise Leave(Status.INTERRUPTED, f"interrupted: {cause_of(self.stop)}")
        reason = self.turns.upkeep(self.sheet)
        now = self.clock.monotonic()
        if at_once or now - self._looked >= LOOK_S:
            self._looked = now
            self._obey()
            if reason is None and self._options.throttle is not None:
                reason = self._options.throttle()
        while reason is not None:
            self.wait(LOOK_S, reason)
            reason = self.turns.upkeep(self.sheet)
            if reason is None and self._options.throttle is not None:
                reason = self._options.throttle()

    def _obey(self) -> None:
        for request in self._ask(self.held.name):
            whom = request.by or "an operator"
            if request.verb is Verb.PAUSE:
                raise Leave(Status.PAUSED, f"paused by {whom}", request)
            if request.verb is Verb.CANCEL:
                raise Leave(Status.CANCELLED, f"cancelled by {whom}", request)
            refusal = f"refused: a {self.held.status} migration cannot be asked to {request.text}"
            self.write(partial(ledger.answer, asked=request, text=refusal, now=self.now()))

    def wait(self, seconds: float, reason: str) -> None:
        """Not working, with a reason; ends at once with the stop token, and looks at requests meanwhile."""
        until = self.clock.monotonic() + seconds
        if self.held.reason != reason and seconds >= LOOK_S:
            self.held = replace(self.held, reason=reason)
            self._beat()
            self.tell()
        self.sheet.switch(reason, self.clock.monotonic())
        try:
            while (left := until - self.clock.monotonic()) > 0:
                self.clock.sleep(min(left, LOOK_S), self.stop)
                self._between()
        finally:
            self.sheet.switch(None, self.clock.monotonic())

    def _between(self) -> None:
        """Inside a wait: stop, requests, heartbeat."""
        reason = self.sheet.reason
        if self.stop.is_set():
            raise Leave(Status.INTERRUPTED, f"interrupted: {cause_of(self.stop)}")
        now = self.clock.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._obey()
        self.keep_lease()
        self.sheet.switch(reason, self.clock.monotonic())

    def _beat(self) -> None:
        """Renew the lease. A locked database is no reason to give up: the next turn, or the epoch, will tell."""
        self._beaten = self.clock.monotonic()
        self.sheet.settle(self._beaten)
        self.held = replace(
            self.held,
            active_s=self.sheet.active_s,
            throttled=dict(self.sheet.throttled),
            lease_until=self.clock.wall() + self._options.lease_s,
        )
        try:
            with self.turns.db.turn(limit_s=1.0) as turn:
                ledger.heartbeat(turn, self.held, self.now())
        except (Busy, DeadlineExceeded, DiskFull) as problem:
            self.note(problem)

    # -- ending

    def become(
        self,
        new: Status,
        *,
        reason: str | None = None,
        error: str | None = None,
        stage: str | None = None,
        request: Request | None = None,
    ) -> None:
        """Change the status, with its line in the history and the answer to the request that asked for it.

        Waits for a lock that others hold, see Turns.last_word. Raises Unwritten when it does not become free: the row
        then still says `running`, and the next runner continues after the cursor.
        """
        was, over = self.held, new is not Status.VERIFYING
        move(was.status, new)
        ended: list[Entry] = []

        def work(turn: Turn) -> None:
            self.sheet.settle(self.clock.monotonic())
            held = replace(
                was,
                status_text=str(new),
                reason=reason,
                error=error,
                stage=stage or was.stage,
                ended_at=self.now() if new in ENDED else None,
                holder=None if over else was.holder,
                lease_until=None if over else self.clock.wall() + self._options.lease_s,
                active_s=self.sheet.active_s,
                throttled=dict(self.sheet.throttled),
            )
            ledger.move(turn, was, held, by=request.by if request else None, now=self.now())
            if request is not None:
                ledger.answer(turn, request, f"{new}", self.now())
            ended[:] = [held]

        try:
            self.turns.last_word(work, sheet=self.sheet, stop=self.stop)
        except (Busy, DiskFull, LockNeverFree) as problem:
            raise Unwritten(new, error or reason, problem) from problem
        self.held = ended[0]
        say = events.error if new is Status.FAILED else events.info
        say("inchworm.status", migration=was.name, status=str(new), why=error or reason)

    # -- telling

    def progress(self) -> Progress:
        """Where the walk stands."""
        held = self.held
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

    def tell(self, *, last: bool = False) -> None:
        """A progress event, at most one a second and the last; what `on_progress` raises is logged."""
        now = self.clock.monotonic()
        if self._options.on_progress is None or (now - self._told < 1.0 and not last):
            return
        self._told = now
        if problem := self._options.tell(self.progress()):
            self.note(problem)
