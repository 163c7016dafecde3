"""Status for others: a cached snapshot of the ledger, read on a connection of its own, never through the writer.

A ledger that cannot be read raises; it never becomes an empty answer.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from inchworm import ledger
from inchworm.clock import Clock, SystemClock, parse_time
from inchworm.errors import InchwormError, LedgerUnreadable
from inchworm.lease import is_dead, lapsed, parse_holder
from inchworm.ledger import Entry
from inchworm.opening import Target, open_reader
from inchworm.ports import Database
from inchworm.progress import Counts, Total, eta_s, rate
from inchworm.states import ACTIVE, STARTABLE, Status

TTL_S = 1.0
READ_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One migration as it stands; durations in seconds, times aware UTC or None.

    status: as stored, except that a running one whose holder died or let its lease end reads `interrupted`, one that
        `known` does not name reads `parked`, and a word that nobody knows reads `unknown`.
    rate: rows per second of active time in the current attempt; eta_s: seconds left at that rate; None when unknown.
    requested: a request that no runner has answered yet. problems: what in the row could not be read.
    """

    name: str
    status: Status
    kind: str
    counts: Counts
    total: Total
    rate: float | None
    eta_s: float | None
    elapsed_s: float | None
    active_s: float
    throttled: Mapping[str, float]
    slices: int
    started_at: datetime | None
    ended_at: datetime | None
    last_update_at: datetime | None
    reason: str | None
    error: str | None
    requested: str | None
    holder: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    forecast: str | None
    problems: tuple[str, ...]

    @property
    def quarantined(self) -> int:
        return self.counts.quarantined

    @property
    def needs_acknowledgement(self) -> bool:
        """Whether it failed and nobody has said that they know."""
        return self.status is Status.FAILED and self.acknowledged_at is None


class StatusReader:
    """Reads the ledger at most once per `ttl_s` however often it is asked, from any thread.

    known: names that the code defines; None: every name counts as known.
    Raises LedgerUnreadable when it cannot be read (also right after a success, once the cache has expired).
    """

    def __init__(
        self,
        database: Target,
        *,
        known: Iterable[str] | None = None,
        ttl_s: float = TTL_S,
        clock: Clock | None = None,
        open_with: Callable[[Target], Database] | None = None,
    ) -> None:
        self._target, self._ttl_s, self._clock = database, ttl_s, clock or SystemClock()
        self._known = None if known is None else frozenset(known)
        self._open = open_with or (lambda target: open_reader(target, clock=self._clock))
        self._lock = threading.Lock()
        self._db: Database | None = None
        self._answer: tuple[MigrationStatus, ...] = ()
        self._read_at = float("-inf")

    def __enter__(self) -> "StatusReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def read(self) -> tuple[MigrationStatus, ...]:
        """All migrations, oldest first; () when the database has no ledger."""
        with self._lock:
            if self._clock.monotonic() - self._read_at >= self._ttl_s:
                try:
                    self._answer = self._fresh()
                except (InchwormError, ValueError) as problem:
                    self._close()
                    raise LedgerUnreadable(str(problem)) from problem
                self._read_at = self._clock.monotonic()
            return self._answer

    def _fresh(self) -> tuple[MigrationStatus, ...]:
        if self._db is None:
            self._db = self._open(self._target)
        with self._db.snapshot(limit_s=READ_LIMIT_S) as reads:
            if not ledger.exists(reads, self._db):
                return ()
            entries = ledger.entries(reads)
            requests = {r.name: r.text for r in ledger.open_requests(reads)} if ledger.is_ours(reads, self._db) else {}
            gone = frozenset(e.holder for e in entries if e.holder is not None and _is_gone(e, self._db))
        wall_s = self._clock.wall()
        return tuple(status_of(e, requests.get(e.name), self._known, wall_s, gone) for e in entries)

    def close(self) -> None:
        """Release the connection; may be called twice, and `read` opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._read_at = None, float("-inf")


def read_status(
    database: Target, *, known: Iterable[str] | None = None, clock: Clock | None = None
) -> tuple[MigrationStatus, ...]:
    """Read the ledger once, on a connection opened for it. For many reads keep a StatusReader."""
    with StatusReader(database, known=known, clock=clock) as reader:
        return reader.read()


def _is_gone(entry: Entry, db: Database) -> bool:
    """Whether its holder has ended, as runners judge it: at once here and where the database knows who is connected."""
    if entry.status not in ACTIVE or entry.holder is None:
        return False
    dead = is_dead(entry.holder)
    return db.is_gone(entry.holder) if dead is None else dead


def status_of(
    entry: Entry, requested: str | None, known: frozenset[str] | None, wall_s: float, gone: frozenset[str]
) -> MigrationStatus:
    """A ledger row as a status; pure. gone: holders that have ended."""
    problems: list[str] = []

    def time_of(column: str, text: str | None) -> datetime | None:
        try:
            return None if text is None else parse_time(text)
        except ValueError:
            problems.append(f"{column} holds {text!r}, which is not a time")
            return None

    status, reason = _reading(entry, known, gone, wall_s)
    if status is Status.UNKNOWN:
        problems.append(f"status {entry.status_text!r} is not one that this version knows")
    started, ended = time_of("started_at", entry.started_at), time_of("ended_at", entry.ended_at)
    until = ended.timestamp() if ended else wall_s
    per_s = rate(entry.attempt_rows, entry.attempt_active_s) if status in (*ACTIVE, Status.DONE) else None
    holder = parse_holder(entry.holder) if entry.holder else None
    return MigrationStatus(
        name=entry.name,
        status=status,
        kind=entry.kind,
        counts=entry.counts,
        total=entry.total,
        rate=per_s,
        eta_s=eta_s(entry.total, entry.counts.examined, per_s) if status is Status.RUNNING else None,
        elapsed_s=max(0.0, until - started.timestamp()) if started else None,
        active_s=entry.active_s,
        throttled=entry.throttled,
        slices=entry.slices,
        started_at=started,
        ended_at=ended,
        last_update_at=time_of("last_update_at", entry.last_update_at),
        reason=reason,
        error=entry.error,
        requested=requested,
        holder=holder.described if holder else entry.holder,
        acknowledged_at=time_of("acknowledged_at", entry.acknowledged_at),
        acknowledged_by=entry.acknowledged_by,
        forecast=entry.forecast,
        problems=tuple(problems),
    )


def _reading(
    entry: Entry, known: frozenset[str] | None, gone: frozenset[str], wall_s: float
) -> tuple[Status, str | None]:
    status = entry.status
    if known is not None and entry.name not in known and status in (*STARTABLE, Status.PAUSED):
        return Status.PARKED, "no migration of this name is defined in the running code"
    if status in ACTIVE and entry.holder is not None:
        parsed = parse_holder(entry.holder)
        holder = parsed.described if parsed else entry.holder
        if entry.holder in gone:
            return Status.INTERRUPTED, f"crashed: {holder} is gone"
        if lapsed(entry.lease_until, wall_s):
            return Status.INTERRUPTED, f"crashed or kept from writing: {holder} has let its lease end"
    return status, entry.reason


def require_done(database: Target, names: str | Iterable[str], *, clock: Clock | None = None) -> None:
    """For start-up code that cannot live with old data: raise InchwormError unless all these are done."""
    names = (names,) if isinstance(names, str) else names
    found = {s.name: s.status for s in read_status(database, clock=clock)}
    missing = [f"{n} is {found.get(n, 'not begun')}" for n in names if found.get(n) is not Status.DONE]
    if missing:
        raise InchwormError(f"not all migrations are done: {'; '.join(missing)}; run them, then start again")
