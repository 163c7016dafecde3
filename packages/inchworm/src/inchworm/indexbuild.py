"""Build the index of an IndexBuild in one piece, heeding the stop token and operators' requests while it runs.

Says how it came out and writes nothing into the ledger. Refuses to keep half an index: the adapter drops it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from inchworm import events, ledger
from inchworm.attempt import LOOK_S
from inchworm.clock import Clock, StopLike, cause_of
from inchworm.errors import DatabaseFault, Stopped
from inchworm.ledger import Request
from inchworm.model import IndexBuild
from inchworm.patience import Patience
from inchworm.ports import Database
from inchworm.states import Status, Verb

LET_GO: dict[Verb | None, tuple[Status, str]] = {
    Verb.PAUSE: (Status.PAUSED, "paused"),
    Verb.CANCEL: (Status.CANCELLED, "cancelled"),
}


@dataclass(frozen=True, slots=True)
class BuildEnd:
    """How a build came out, for the ledger. `request`: the operator's wish that ended it, still to be answered."""

    status: Status
    reason: str | None = None
    error: str | None = None
    request: Request | None = None


def build_index(spec: IndexBuild, db: Database, *, clock: Clock, stop: StopLike, patience: Patience) -> BuildEnd:
    """Build it, as soon as others let it; what the database refuses is the end `failed`, not an exception."""
    wish = _Wish(stop, clock, lambda: _wanted(db, spec.name))
    built: list[bool] = []

    def build() -> None:
        if not wish.is_set(at_once=True):
            db.build_index(spec.statement, limit_s=spec.lock_s, stop=wish)
            built.append(True)

    try:
        patience.write(build)
    except Stopped:
        events.info("inchworm.index", migration=spec.name, why="stopped; nothing of it is left")
    except DatabaseFault as fault:
        return BuildEnd(Status.FAILED, error=str(fault))
    if built:
        return BuildEnd(Status.DONE)
    if wish.request is None:
        return BuildEnd(Status.INTERRUPTED, f"interrupted: {cause_of(stop)}")
    status, word = LET_GO[wish.request.verb]
    return BuildEnd(status, f"{word} by {wish.request.by or 'an operator'}", request=wish.request)


def _wanted(db: Database, name: str) -> Request | None:
    """An open request to let go of a migration. An unreadable ledger is no request: the next look will tell."""
    try:
        with db.snapshot() as reads:
            requests = ledger.open_requests(reads)
    except DatabaseFault:
        return None
    return next((r for r in requests if r.name == name and r.verb in LET_GO), None)


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
