"""Find operators' requests, and carry out those for a migration that nobody holds, in the turn of whoever found them.

Leaves those for a held migration to its holder. Decides by the table in `states`.
"""

from collections.abc import Callable

from inchworm import events, ledger
from inchworm.clock import Clock, rfc3339
from inchworm.errors import Busy, LeaseLost, RequestRefused
from inchworm.lease import is_dead, lapsed
from inchworm.ledger import Entry, Request
from inchworm.ports import Database, Turn
from inchworm.states import Status, Verb, asked
from inchworm.turns import BOOKKEEPING_S


def is_held(entry: Entry, wall_s: float, db: Database) -> bool:
    """Whether a living runner holds it: at once for this machine and where the database knows, else by its lease."""
    if entry.holder is None:
        return False
    dead = is_dead(entry.holder)
    if dead or (dead is None and db.is_gone(entry.holder)):
        return False
    return not lapsed(entry.lease_until, wall_s)


def serve(db: Database, clock: Clock, *, held: str | None = None) -> list[Request]:
    """Carry out what is open, each request in a turn of its own; give back those for `held`, oldest first.

    What finds the database busy, or another runner faster, stays open until the next look.
    """
    try:
        with db.snapshot() as reads:
            requests = ledger.open_requests(reads)
    except Busy as later:  # without a log a commit keeps readers out; the next look is half a second away
        events.debug("inchworm.request", why=str(later))
        return []
    for request in requests:
        if request.name != held:
            _serve_one(db, clock, request)
    return [r for r in requests if r.name == held]


def _serve_one(db: Database, clock: Clock, request: Request) -> None:
    try:
        with db.turn(limit_s=BOOKKEEPING_S) as turn:
            now = rfc3339(clock.wall())
            answer = carry_out(turn, request, held=lambda entry: is_held(entry, clock.wall(), db), now=now)
            if answer is not None:
                ledger.answer(turn, request, answer, rfc3339(clock.wall()))
    except (Busy, LeaseLost) as later:
        events.debug("inchworm.request", migration=request.name, why=str(later))


def carry_out(turn: Turn, request: Request, *, held: Callable[[Entry], bool], now: str) -> str | None:
    """Do what a request asks of a migration that nobody holds; the answer, or None to leave it to the holder."""
    entry = ledger.entry(turn, request.name)
    if entry is None:
        return "refused: no such migration"
    if request.verb is None:
        return f"refused: {request.text!r} is not one of {', '.join(Verb)}"
    if held(entry):
        return None
    try:
        new = asked(request.verb, entry.status)
    except RequestRefused as refusal:
        return f"refused: {refusal}"
    if new is None:
        ledger.acknowledge(turn, entry.name, request.by, now)
        return "acknowledged"
    stage = _retry_stage(entry) if request.verb is Verb.RETRY else entry.stage
    reason = f"{new} by {request.by or 'an operator'}" if new is not Status.PENDING else None
    ledger.move_unheld(turn, entry, new, reason=reason, error=None, stage=stage, by=request.by, now=now)
    if request.verb is Verb.RETRY:
        ledger.clear_acknowledged(turn, entry.name)
    return str(new)


def _retry_stage(entry: Entry) -> str:
    return "restart" if entry.stage in ("verify", "restart") else "retry"
