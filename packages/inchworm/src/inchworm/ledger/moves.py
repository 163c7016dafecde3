"""Every write to a row of `_async_migrations`: registered, claimed, advanced, moved; fenced by the lease's epoch."""

import json
from collections.abc import Mapping
from dataclasses import replace

from inchworm import cursor
from inchworm.clock import parse_time
from inchworm.errors import LeaseLost
from inchworm.ledger.aside import release_all
from inchworm.ledger.rows import Entry
from inchworm.ledger.transitions import remember
from inchworm.ports import SqlValue, Turn
from inchworm.progress import Counts
from inchworm.queries import load
from inchworm.states import Status

SQL = load("ledger")
NO_RUNNER = "no runner"


def register(turn: Turn, name: str, kind: str, fingerprint: str, now: str) -> None:
    """Write a name down for the first time, as pending."""
    turn.execute(SQL["register"], {"name": name, "kind": kind, "fingerprint": fingerprint, "now": now})
    remember(turn, name, None, Status.PENDING, reason=None, by=None, epoch=0, rows=0, now=now)


def set_forecast(turn: Turn, name: str, forecast: str) -> None:
    """Keep what plan expected, so that the report can set it beside what happened."""
    turn.execute(SQL["set_forecast"], {"name": name, "forecast": forecast})


def claim(turn: Turn, was: Entry, claimed: Entry, reason: str, now: str) -> None:
    """Take the lease with the next epoch; LeaseLost when another runner was faster."""
    taken = turn.execute(
        SQL["claim"],
        {
            "name": was.name,
            "status": claimed.status_text,
            "holder": claimed.holder,
            "epoch": claimed.epoch,
            "lease_until": claimed.lease_until,
            "fingerprint": claimed.fingerprint,
            "throttled": json.dumps(claimed.throttled),
            "stage": claimed.stage,
            "now": now,
            "was_epoch": was.epoch,
        },
    )
    if taken != 1:
        raise LeaseLost(was.name)
    rows = was.counts.examined
    remember(turn, was.name, was.status_text, Status.RUNNING, reason, by=None, epoch=claimed.epoch, rows=rows, now=now)


def begin(turn: Turn, held: Entry) -> None:
    """Write the bound and the total of a migration that has just begun."""
    bound = None if held.bound is None else cursor.encode_bound(held.bound)
    values: dict[str, SqlValue] = {"rows_total": held.total.rows, "estimated": int(held.total.estimated)}
    _held(turn, "begin", held, {"bound": bound, **values})


def advance(turn: Turn, held: Entry, now: str) -> None:
    """Cursor, counters, time and lease of a slice, in the transaction of its work; LeaseLost when fenced out."""
    counts = held.counts
    _held(
        turn,
        "advance",
        held,
        {
            "cursor": None if held.cursor is None else cursor.encode(held.cursor),
            "examined": counts.examined,
            "changed": counts.changed,
            "unchanged": counts.unchanged,
            "skipped": counts.skipped,
            "quarantined": counts.quarantined,
            "slices": held.slices,
            "attempt_rows": held.attempt_rows,
            "attempt_active_s": held.attempt_active_s,
            "active_s": held.active_s,
            "throttled": json.dumps(held.throttled),
            "now": now,
            "lease_until": held.lease_until,
        },
    )


def heartbeat(turn: Turn, held: Entry, now: str) -> None:
    """Renew the lease and say why nothing moves."""
    values: dict[str, SqlValue] = {"reason": held.reason, "throttled": json.dumps(held.throttled)}
    _held(turn, "heartbeat", held, {**values, "active_s": held.active_s, "now": now, "lease_until": held.lease_until})


def move(turn: Turn, was: Entry, held: Entry, *, by: str | None, now: str) -> None:
    """A change of status by the holder, with its line in the history; LeaseLost when it is not in `was` any more."""
    values: dict[str, SqlValue] = {
        "was_status": was.status_text,
        "status": held.status_text,
        "reason": held.reason,
        "error": held.error,
        "ended_at": held.ended_at,
        "stage": held.stage,
        "holder": held.holder,
        "lease_until": held.lease_until,
        "active_s": held.active_s,
        "throttled": json.dumps(held.throttled),
        "now": now,
    }
    _held(turn, "move", held, values)
    why, rows = held.error or held.reason, held.counts.examined
    remember(turn, held.name, was.status_text, held.status, why, by=by, epoch=held.epoch, rows=rows, now=now)


def _held(turn: Turn, statement: str, held: Entry, values: Mapping[str, SqlValue]) -> None:
    if turn.execute(SQL[statement], {"name": held.name, "epoch": held.epoch, **values}) != 1:
        raise LeaseLost(held.name)


def move_unheld(
    turn: Turn, was: Entry, new: Status, *, reason: str | None, error: str | None, stage: str, by: str | None, now: str
) -> None:
    """A change of status of a migration without a living holder; raises its epoch, so that a dead one stays out."""
    values: dict[str, SqlValue] = {"name": was.name, "status": new, "reason": reason, "error": error, "now": now}
    ended = now if new in (Status.FAILED, Status.CANCELLED) else None
    values |= {"stage": stage, "ended_at": ended, "throttled": json.dumps(idle(was, now)), "was_epoch": was.epoch}
    if turn.execute(SQL["move_unheld"], values) != 1:
        raise LeaseLost(was.name)
    rows = was.counts.examined
    remember(turn, was.name, was.status_text, new, error or reason, by=by, epoch=was.epoch + 1, rows=rows, now=now)


def idle(was: Entry, now: str) -> dict[str, float]:
    """Its seconds of not working by reason, with those since its last word, in which nobody held it."""
    throttled, seconds = dict(was.throttled), _seconds_between(was.last_update_at, now) if was.attempts else 0.0
    if seconds > 0:
        waits = was.status in (Status.PAUSED, Status.INTERRUPTED, Status.FAILED, Status.CANCELLED)
        reason = (was.reason or str(was.status)) if waits else NO_RUNNER
        throttled[reason] = throttled.get(reason, 0.0) + seconds
    return throttled


def _seconds_between(at: str | None, now: str) -> float:
    """Wall-clock seconds since a ledger time; 0 for none, an unreadable one, or a clock that went backwards."""
    try:
        return max(0.0, (parse_time(now) - parse_time(at)).total_seconds()) if at else 0.0
    except ValueError:
        return 0.0


def rewind(turn: Turn, was: Entry, fingerprint: str) -> Entry:
    """Forget cursor, counters and quarantine, so that a new walk begins at the first key."""
    turn.execute(SQL["rewind"], {"name": was.name, "fingerprint": fingerprint})
    release_all(turn, was.name)
    return replace(
        was,
        cursor=None,
        bound=None,
        counts=Counts(),
        slices=0,
        active_s=0.0,
        throttled={},
        attempt_rows=0,
        attempt_active_s=0.0,
        stage="apply",
        fingerprint=fingerprint,
    )


def acknowledge(turn: Turn, name: str, by: str | None, now: str) -> None:
    """Mark a failure as seen; the health endpoint turns green again."""
    turn.execute(SQL["acknowledge"], {"name": name, "by": by, "now": now})


def clear_acknowledged(turn: Turn, name: str) -> None:
    """A retry: the next failure must be acknowledged anew."""
    turn.execute(SQL["clear_acknowledged"], {"name": name})
