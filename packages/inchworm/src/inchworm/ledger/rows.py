"""A row of `_async_migrations` as a value, also of an older table that lacks our columns. Reads only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from inchworm import cursor
from inchworm.cursor import Bound, Key
from inchworm.ports import Reads, SqlValue
from inchworm.progress import NOTHING, UNCOUNTED, Counts, Total
from inchworm.queries import load
from inchworm.states import Status, read_status_name

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


def entries(reads: Reads) -> tuple[Entry, ...]:
    """All rows. Works on an older table that lacks our columns."""
    return tuple(_entry(row) for row in reads.select(SQL["entries"], {}).mappings())


def entry(reads: Reads, name: str) -> Entry | None:
    """One row, or None when nobody has registered that name."""
    rows = reads.select(SQL["entry"], {"name": name}).mappings()
    return _entry(rows[0]) if rows else None


def _entry(row: Mapping[str, SqlValue]) -> Entry:
    def number(name: str) -> float:
        return numeric(row.get(name) or 0)

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
        total=Total(None if total is None else int(numeric(total)), bool(row.get("rows_total_estimated"))),
        slices=count("slices"),
        epoch=count("epoch"),
        holder=text("holder"),
        lease_until=None if lease is None else numeric(lease),
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


def numeric(value: SqlValue) -> float:
    """A number as the database gave it. Raises ValueError for anything else."""
    if isinstance(value, int | float):
        return value
    raise ValueError(f"the ledger holds {value!r} where a number belongs")


def _seconds(text: str | None) -> dict[str, float]:
    return {str(k): float(v) for k, v in json.loads(text or "{}").items()}
