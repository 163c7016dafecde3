"""/api/healthz, /livez, /readyz, /api/health: whether the database can be served, and how this process does."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import Response, get
from msgspec import UNSET, Struct, UnsetType

from hopscope.api.access import OPEN
from hopscope.api.context import Given
from hopscope.api.migrations_status import MigrationInfo, MigrationsStatus
from hopscope.api.times import iso_or_none
from hopscope.api.writer_status import WriterStatus
from hopscope.store import sources, stats, writer_stats
from hopscope.store.pool import CannotRead, Snapshot

LIVE_KINDS = frozenset({"mqtt", "demo"})
MIB = 1024 * 1024


class Alive(Struct):
    """The process runs."""

    status: str


class Backfill(Struct):
    """Kept for clients that ask about CoreScope's own backfill, which hopscope does not have."""

    total: int = 0
    processed: int = 0
    done: bool = True


class Liveness(Struct, rename="camel"):
    """When a source's last record came, Unix seconds; 0: never."""

    last_receipt_unix: int
    last_message_unix: int


class WriterInfo(Struct, rename="camel"):
    """Whether packets are collected: collecting, importing (`hopscope import` holds its place), stopped, unknown.

    stoppedAt: since when nothing is; null: it is, or nobody saw the end. lastReportAt: when a writer last wrote down
    how it does, which an idle one does not do; null: never, or the database cannot be read.
    """

    state: str
    stopped_at: str | None
    last_report_at: str | None
    error: str | UnsetType = UNSET


class Healthz(Struct):
    """Whether the installation is ready, and the data migrations. The booleans are null when nobody can know."""

    ready: bool
    async_migrations: list[MigrationInfo]
    async_migrations_running: bool | None
    async_migrations_failed: bool | None
    from_pubkey_backfill: Backfill
    writer: WriterInfo
    reason: str | UnsetType = UNSET
    loadedTx: int | UnsetType = UNSET  # noqa: N815 - a key that clients know
    loadedObs: int | UnsetType = UNSET  # noqa: N815
    ingest_liveness: dict[str, Liveness] | UnsetType = UNSET
    async_migrations_error: str | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Served:
    """What a database that can be served says about itself."""

    totals: stats.Totals
    sources: tuple[sources.SourceRow, ...]
    reported_at: int | None  # when the writer last did, ms


@get("/livez", opt=OPEN, sync_to_thread=False, tags=["health"])
def livez() -> Alive:
    """200 while the process runs. Never touches the database."""
    return Alive("ok")


@get("/readyz", opt=OPEN, sync_to_thread=True, tags=["health"])
def readyz(context: Given) -> Response[Alive]:
    """200 while the database can be served, also during a migration and after a failed one; else 503."""
    try:
        context.pool.read(stats.totals)
    except CannotRead as error:
        return Response(Alive(str(error)), status_code=503)
    return Response(Alive("ok"))


@get("/api/healthz", opt=OPEN, sync_to_thread=True, tags=["health"])
def healthz(context: Given) -> Response[Healthz]:
    """Readiness with its reason. 503 while the database cannot be served; not ready after a failed migration."""
    status, writer = context.migrations.current(), context.writer.current()
    try:
        served = context.pool.read(read_served)
    except CannotRead as error:
        return Response(healthz_of(status, writer, None, str(error)), status_code=503)
    return Response(healthz_of(status, writer, served, status.not_ready))


def read_served(db: Snapshot) -> Served:
    """Totals, sources and the writer's last report in one snapshot."""
    reports = [component.at for component in writer_stats.all_components(db)]
    return Served(stats.totals(db), sources.all_sources(db), max(reports, default=None))


def healthz_of(status: MigrationsStatus, writer: WriterStatus, served: Served | None, reason: str | None) -> Healthz:
    """The answer for these facts. Pure."""
    live = [] if served is None else [row for row in served.sources if row.kind in LIVE_KINDS]
    return Healthz(
        ready=reason is None,
        async_migrations=list(status.migrations),
        async_migrations_running=status.running,
        async_migrations_failed=status.failed,
        from_pubkey_backfill=Backfill(),
        writer=writer_info(writer, None if served is None else served.reported_at),
        reason=UNSET if reason is None else reason,
        loadedTx=UNSET if served is None else served.totals.transmissions,
        loadedObs=UNSET if served is None else served.totals.observations,
        ingest_liveness={row.name: liveness(row) for row in live} if live else UNSET,
        async_migrations_error=UNSET if status.error is None else status.error,
    )


def writer_info(writer: WriterStatus, reported_at: int | None) -> WriterInfo:
    """The wire form of the writer's status."""
    error = UNSET if writer.error is None else writer.error
    return WriterInfo(writer.state, iso_or_none(writer.stopped_at), iso_or_none(reported_at), error)


def liveness(row: sources.SourceRow) -> Liveness:
    """A source's last record."""
    seconds = (row.last_record_at or 0) // 1000
    return Liveness(seconds, seconds)


@get("/api/health", opt=OPEN, sync_to_thread=True, tags=["health"])
def health(context: Given) -> dict[str, Any]:
    """How this process does: memory, answers, connections. Keys that describe another runtime are zero."""
    measured = context.timings.snapshot()
    totals = context.pool.read(stats.totals)
    uptime = (context.now_ms() - measured.began) / 1000
    rss = resident_bytes() / MIB
    return {
        "status": "ok",
        "engine": "hopscope",
        "version": context.version,
        "commit": context.commit,
        "buildTime": context.build_time,
        "uptime": uptime,
        "uptimeHuman": human(uptime),
        "memory": {"rss": rss, "heapUsed": rss, "heapTotal": rss, "external": 0},
        "eventLoop": {"currentLagMs": 0, "maxLagMs": 0, "p50Ms": 0, "p95Ms": 0, "p99Ms": 0},
        "cache": {"entries": 0, "hits": 0, "misses": 0, "staleHits": 0, "recomputes": 0, "hitRate": 0},
        "websocket": {"clients": len(context.hub)},
        "packetStore": {"packets": totals.transmissions, "estimatedMB": 0, "trackedMB": 0},
        "perf": {
            "totalRequests": measured.requests,
            "avgMs": measured.average,
            "slowQueries": measured.slow_count,
            "recentSlow": [],
        },
    }


def human(seconds: float) -> str:
    """`4h 32m`."""
    minutes = int(seconds) // 60
    return f"{minutes // 60}h {minutes % 60}m"


def resident_bytes() -> int:
    """Memory of this process that is in RAM; where the system does not say, the most it ever had."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


ROUTES = (livez, readyz, healthz, health)
