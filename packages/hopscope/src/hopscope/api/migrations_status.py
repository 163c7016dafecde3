"""The one truth about data migrations: what /api/perf, /api/healthz, the load-status header and the banner say.

Reads the engine's ledger at most once a second through a read-only connection; the writer is never asked.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from hopscope.api.directories import without_directories
from hopscope.api.memo import Memo
from hopscope.store import imports, ledger
from hopscope.store.pool import CannotRead, ReadPool, Snapshot
from inchworm.lease import is_dead, lapsed

EVERY_S = 1.0
STATES = frozenset(
    ["pending", "running", "paused", "interrupted", "verifying", "done", "failed", "cancelled", "parked"]
)
RENAMED = {"pending_async": "interrupted"}  # a CoreScope ledger's word for work that was begun and not ended
RUNNING = frozenset({"running", "verifying"})
SETTLED = frozenset({"done", "cancelled", "parked"})  # nothing more of the history will come from these


class MigrationInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One data migration, as clients see it. Times RFC 3339 UTC; rate rows a second; null: unknown.

    acknowledgedAt: when an operator said that the failure has been seen; null: not, or nothing failed.
    """

    name: str
    status: str
    rows_processed: int | None
    rows_total: int | None
    rows_total_estimated: bool
    rate: float | None
    eta_seconds: float | None
    elapsed_sec: float | None
    error_message: str | None
    started_at: str | None
    ended_at: str | None
    reason: str | None
    quarantined: int
    acknowledged_at: str | None


@dataclass(frozen=True, slots=True)
class MigrationsStatus:
    """All migrations. `error`: why the ledger could not be read; then the rest is what was last known."""

    migrations: tuple[MigrationInfo, ...] = ()
    unacknowledged: tuple[str, ...] = ()  # names of failed ones that nobody acknowledged
    error: str | None = None
    throttled: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # name -> reason -> seconds of waiting

    @property
    def running(self) -> bool | None:
        """Whether one runs; None: not known."""
        return None if self.error else any(m.status in RUNNING for m in self.migrations)

    @property
    def failed(self) -> bool | None:
        """Whether one failed and nobody acknowledged it; None: not known."""
        return None if self.error else bool(self.unacknowledged)

    @property
    def history_complete(self) -> bool:
        """Whether every migration that fills history has come to its end. Not known counts as no."""
        return self.error is None and all(m.status in SETTLED for m in self.migrations)

    @property
    def not_ready(self) -> str | None:
        """Why the installation is not ready as far as migrations go, or None."""
        if self.error:
            return f"the status of data migrations cannot be read: {self.error}"
        return f"migration failed: {self.unacknowledged[0]}" if self.unacknowledged else None


@dataclass(slots=True)
class StatusReader:
    """Keeps the newest status; when the ledger cannot be read, the last good rows with the reason."""

    pool: ReadPool
    now_s: Callable[[], float] = time.time
    _memo: Memo[MigrationsStatus] = field(init=False)
    _last: MigrationsStatus = field(init=False, default_factory=MigrationsStatus)

    def __post_init__(self) -> None:
        self._memo = Memo(self._read, every_s=EVERY_S)

    def current(self) -> MigrationsStatus:
        """Not older than a second. Never raises for a database that cannot be read."""
        return self._memo.get()

    @property
    def last(self) -> MigrationsStatus:
        """What was last read, without reading."""
        return self._last

    def _read(self) -> MigrationsStatus:
        try:
            rows, files = self.pool.read(_rows_and_files)
            self._last = for_strangers(status_of(rows, now_s=self.now_s()), files)
        except CannotRead as error:
            why = without_directories(str(error))
            self._last = replace(self._last, error=why)
        return self._last


def _rows_and_files(db: Snapshot) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    return ledger.rows(db), imports.paths(db)


def for_strangers(status: MigrationsStatus, files: Sequence[str]) -> MigrationsStatus:
    """The status without the operator's directories; `files`: the paths that imports were asked for with."""

    def shown(text: str | None) -> str | None:
        return text and without_directories(text, *files)

    infos = tuple(
        msgspec.structs.replace(info, error_message=shown(info.error_message), reason=shown(info.reason))
        for info in status.migrations
    )
    return replace(status, migrations=infos)


def status_of(rows: tuple[dict[str, Any], ...], *, now_s: float) -> MigrationsStatus:
    """The status that the ledger's rows tell. Columns that an older ledger lacks are unknown."""
    infos = tuple(info_of(row, now_s=now_s) for row in rows)
    pending = tuple(info.name for info in infos if info.status == "failed" and not info.acknowledged_at)
    throttled = {str(row["name"]): throttled_of(row.get("throttled")) for row in rows}
    return MigrationsStatus(infos, pending, throttled=throttled)


def info_of(row: Mapping[str, Any], *, now_s: float) -> MigrationInfo:
    """One migration of one ledger row."""
    status = str(row.get("status"))
    status = RENAMED.get(status, status)
    crashed = crash_of(row, now_s) if status in RUNNING else None
    started, ended = moment(row.get("started_at")), moment(row.get("ended_at"))
    processed, total = row.get("rows_processed"), row.get("rows_total")
    elapsed = None if started is None else max(0.0, (ended if ended is not None else now_s) - started)
    rate = rate_of(row, elapsed) if status in RUNNING and not crashed else None
    left = None if total is None or processed is None or processed > total else total - processed
    error = row.get("error")
    return MigrationInfo(
        name=str(row["name"]),
        status="interrupted" if crashed else status if status in STATES else "unknown",
        rows_processed=processed,
        rows_total=total,
        rows_total_estimated=bool(row.get("rows_total_estimated")),
        rate=rate,
        eta_seconds=left / rate if rate and left is not None else None,
        elapsed_sec=elapsed,
        error_message=str(error) if error else None,
        started_at=rfc3339(started),
        ended_at=rfc3339(ended),
        reason=crashed or row.get("reason"),
        quarantined=int(row.get("rows_quarantined") or 0),
        acknowledged_at=rfc3339(moment(row.get("acknowledged_at"))) if status == "failed" else None,
    )


def as_it_is(rows: Sequence[Mapping[str, Any]], *, now_s: float) -> list[dict[str, Any]]:
    """The ledger's rows with the status that `info_of` finds: what a dead process left does not run."""
    return [{**row, "status": info_of(row, now_s=now_s).status} for row in rows]


def crash_of(row: Mapping[str, Any], now_s: float) -> str | None:
    """Why a running migration does not run any more, None when its runner may well live."""
    if not row.get("holder"):
        return None
    if is_dead(str(row["holder"])):
        return "crashed: its process is gone; the next writer continues it"
    lease = row.get("lease_until")
    if isinstance(lease, int | float) and lapsed(lease, now_s):
        return "crashed or kept from writing: its lease has ended; the next writer continues it"
    return None


def throttled_of(text: Any) -> dict[str, float]:
    """Seconds by reason, of the ledger's JSON; nothing where an older ledger has none or it is unreadable."""
    try:
        found = msgspec.json.decode(text or b"{}", type=dict[str, float])
    except (msgspec.DecodeError, TypeError):
        return {}
    return found


def rate_of(row: Mapping[str, Any], elapsed: float | None) -> float | None:
    """Rows a second of working time since the newest start, so that a retry begins with clean figures.

    A ledger of CoreScope knows only rows and the first start.
    """
    if "attempt_active_s" in row:
        rows, seconds = row.get("attempt_rows"), row["attempt_active_s"]
    else:
        rows, seconds = row.get("rows_processed"), elapsed
    return rows / seconds if rows and seconds else None


def moment(text: Any) -> float | None:
    """Unix seconds of a ledger's time: RFC 3339, or SQLite's `YYYY-MM-DD HH:MM:SS` in UTC; None: none or unreadable."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def rfc3339(seconds: float | None) -> str | None:
    """RFC 3339 UTC in whole seconds."""
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
