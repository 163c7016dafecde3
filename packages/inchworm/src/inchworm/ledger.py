"""The ledger `_async_migrations`: its schema, its rows as values, and every statement that touches it.

Writes happen only through an open Turn, so that they commit with the work they describe. Decides nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from inchworm import cursor
from inchworm.clock import parse_time
from inchworm.cursor import Bound, Key
from inchworm.errors import LeaseLost, LedgerTooNew, StatementRefused
from inchworm.ports import Database, Reads, SqlValue, Turn
from inchworm.progress import NOTHING, UNCOUNTED, Counts, Total
from inchworm.queries import load
from inchworm.states import Status, Verb, read_status_name

VERSION = 1
NO_RUNNER = "no runner"

SQL = load("ledger")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger. `status_text` is what is stored, `status` how it reads."""

    name: str
    status_text: str
    kind: str = "backfill"
    fingerprint: str | None = None
    cursor: Key | None = None
    bound: Bound | None = None
    counts: Counts = NOTHING
    total: Total = UNCOUNTED
    slices: int = 0
    epoch: int = 0
    holder: str | None = None
    lease_until: float | None = None
    reason: str | None = None
    error: str | None = None
    active_s: float = 0.0
    throttled: Mapping[str, float] = field(default_factory=dict)
    attempt_rows: int = 0
    attempt_active_s: float = 0.0
    attempts: int = 0
    stage: str = "apply"
    started_at: str | None = None
    ended_at: str | None = None
    last_update_at: str | None = None
    acknowledged_at: str | None = None
    acknowledged_by: str | None = None
    forecast: str | None = None

    @property
    def status(self) -> Status:
        return read_status_name(self.status_text)


@dataclass(frozen=True, slots=True)
class Request:
    """An operator's request that no runner has answered yet. `verb` is None for a word that nobody knows."""

    id: int
    name: str
    verb: Verb | None
    text: str
    by: str | None
    requested_at: str


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One transition as it was recorded; times RFC 3339 UTC."""

    name: str
    at: str
    from_status: str | None
    to_status: str
    reason: str | None
    by: str | None
    epoch: int
    rows_processed: int


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that could not be changed: its key, the error, when."""

    key: Key
    error: str
    at: str


def ensure(db: Database, now: str) -> None:
    """Create or extend the ledger; nothing is written when it is current. Raises LedgerTooNew, DatabaseFault."""
    schema = db.dialect.schema
    with db.snapshot() as reads:
        present = {row[0] for row in reads.select(schema["tables"], {}).rows}
        found = _version(reads) if "_async_ledger" in present else None
    if found == VERSION:
        return
    with db.turn(limit_s=5.0) as turn:
        definitions = [line.partition("--")[0].strip() for line in schema["definitions"].splitlines()]
        for name in ("create_ledger", "create_history", "create_requests", "create_quarantine"):
            turn.execute(schema[name], {})
        turn.execute(schema["create_migrations"].format(definitions=",\n  ".join(definitions)), {})
        columns = {str(row[0]).lower() for row in turn.select(schema["columns"], {}).rows}
        for definition in definitions:
            if definition.split()[0].strip('"') not in columns:
                _add_column(turn, schema["add_column"].format(definition=definition))
        turn.execute(SQL["forget_versions"], {})
        turn.execute(SQL["set_version"], {"version": VERSION, "now": now})


def _version(reads: Reads) -> int | None:
    row = reads.select(SQL["version"], {}).one()
    version = int(_number(row[0])) if row else None
    if version is not None and version > VERSION:
        raise LedgerTooNew(
            f"the ledger has version {version}, this inchworm knows up to {VERSION}; upgrade inchworm in this process"
        )
    return version


def _add_column(turn: Turn, statement: str) -> None:
    try:
        turn.execute(statement, {})
    except StatementRefused as problem:
        if "duplicate column" not in str(problem).lower():
            raise


def exists(reads: Reads, db: Database) -> bool:
    """Whether there is a table of migrations at all (also CoreScope's older one)."""
    return any(row[0] == "_async_migrations" for row in reads.select(db.dialect.schema["tables"], {}).rows)


def is_ours(reads: Reads, db: Database) -> bool:
    """Whether the ledger was made or extended by us, so that requests and history exist. Raises LedgerTooNew."""
    present = {row[0] for row in reads.select(db.dialect.schema["tables"], {}).rows}
    return "_async_ledger" in present and _version(reads) is not None


def entries(reads: Reads) -> tuple[Entry, ...]:
    """All rows. Works on an older table that lacks our columns."""
    return tuple(_entry(row) for row in reads.select(SQL["entries"], {}).mappings())


def entry(reads: Reads, name: str) -> Entry | None:
    """One row, or None when nobody has registered that name."""
    rows = reads.select(SQL["entry"], {"name": name}).mappings()
    return _entry(rows[0]) if rows else None


def _entry(row: Mapping[str, SqlValue]) -> Entry:
    def number(name: str) -> float:
        return _number(row.get(name) or 0)

    def count(name: str) -> int:
        return int(number(name))

    def text(name: str) -> str | None:
        value = row.get(name)
        return None if value is None else str(value)

    total, lease = row.get("rows_total"), row.get("lease_until")
    at, bound = text("cursor"), text("bound")
    return Entry(
        name=str(row["name"]),
        status_text=str(row["status"]),
        kind=text("kind") or "backfill",
        fingerprint=text("fingerprint"),
        cursor=cursor.decode(at) if at else None,
        bound=cursor.decode_bound(bound) if bound else None,
        counts=Counts(
            count("rows_processed"),
            count("rows_changed"),
            count("rows_unchanged"),
            count("rows_skipped"),
            count("rows_quarantined"),
        ),
        total=Total(None if total is None else int(_number(total)), bool(row.get("rows_total_estimated"))),
        slices=count("slices"),
        epoch=count("epoch"),
        holder=text("holder"),
        lease_until=None if lease is None else _number(lease),
        reason=text("reason"),
        error=text("error"),
        active_s=number("active_s"),
        throttled=_seconds(text("throttled")),
        attempt_rows=count("attempt_rows"),
        attempt_active_s=number("attempt_active_s"),
        attempts=count("attempts"),
        stage=text("stage") or "apply",
        started_at=text("started_at"),
        ended_at=text("ended_at"),
        last_update_at=text("last_update_at"),
        acknowledged_at=text("acknowledged_at"),
        acknowledged_by=text("acknowledged_by"),
        forecast=text("forecast"),
    )


def _number(value: SqlValue) -> float:
    if isinstance(value, int | float):
        return value
    raise ValueError(f"the ledger holds {value!r} where a number belongs")


def _seconds(text: str | None) -> dict[str, float]:
    return {str(k): float(v) for k, v in json.loads(text or "{}").items()}


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
    turn.execute(SQL["release_all"], {"name": was.name})
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


def remember(
    turn: Turn,
    name: str,
    old: str | None,
    new: Status,
    reason: str | None,
    *,
    by: str | None,
    epoch: int,
    rows: int,
    now: str,
) -> None:
    """One line of the history."""
    values: dict[str, SqlValue] = {"name": name, "from_status": old, "to_status": str(new), "reason": reason, "by": by}
    turn.execute(SQL["remember"], {**values, "epoch": epoch, "rows_processed": rows, "now": now})


def history(reads: Reads, name: str) -> tuple[HistoryLine, ...]:
    """All transitions of a migration, oldest first."""
    return tuple(
        HistoryLine(
            str(r["name"]),
            str(r["at"]),
            None if r["from_status"] is None else str(r["from_status"]),
            str(r["to_status"]),
            None if r["reason"] is None else str(r["reason"]),
            None if r["by_whom"] is None else str(r["by_whom"]),
            int(_number(r["epoch"])),
            int(_number(r["rows_processed"])),
        )
        for r in reads.select(SQL["history"], {"name": name}).mappings()
    )


def request(turn: Turn, name: str, verb: Verb, by: str | None, now: str) -> None:
    """Leave a request for whichever runner holds the migration."""
    turn.execute(SQL["request"], {"name": name, "verb": str(verb), "by": by, "now": now})


def open_requests(reads: Reads) -> tuple[Request, ...]:
    """Requests that nobody has answered, oldest first."""
    found = []
    for number, name, text, by, at in reads.select(SQL["open_requests"], {}).rows:
        verb = Verb(str(text)) if str(text) in set(Verb) else None
        whom = None if by is None else str(by)
        found.append(Request(int(_number(number)), str(name), verb, str(text), whom, str(at)))
    return tuple(found)


def answer(turn: Turn, asked: Request, text: str, now: str) -> None:
    """Close a request with what was done about it."""
    turn.execute(SQL["answer"], {"id": asked.id, "answer": text, "now": now})


def acknowledge(turn: Turn, name: str, by: str | None, now: str) -> None:
    """Mark a failure as seen; the health endpoint turns green again."""
    turn.execute(SQL["acknowledge"], {"name": name, "by": by, "now": now})


def clear_acknowledged(turn: Turn, name: str) -> None:
    """A retry: the next failure must be acknowledged anew."""
    turn.execute(SQL["clear_acknowledged"], {"name": name})


def quarantine(turn: Turn, name: str, key: Key, error: str, now: str) -> None:
    """Put a row aside; in the transaction that moves the cursor past it."""
    turn.execute(SQL["quarantine"], {"name": name, "key": cursor.encode(key), "error": error[:2000], "now": now})


def release(turn: Turn, name: str, key: Key) -> None:
    """A row that had been put aside could be changed after all."""
    turn.execute(SQL["release"], {"name": name, "key": cursor.encode(key)})


def quarantined(reads: Reads, name: str, most: int = 10_000) -> Sequence[QuarantinedRow]:
    """Rows put aside, at most `most`."""
    rows = reads.select(SQL["quarantined"], {"name": name, "most": most}).rows
    return tuple(QuarantinedRow(cursor.decode(str(key)), str(error), str(at)) for key, error, at in rows)
