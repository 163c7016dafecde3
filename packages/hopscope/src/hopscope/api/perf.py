"""/api/perf: how long answers take, what the database holds, how the writer does, and the data migrations."""

# ruff: noqa: N815 - the keys are those that clients know

import os
from typing import Any

import msgspec
from litestar import get, post
from msgspec import Struct

from hopscope.api.access import OPEN, OPERATOR, operator
from hopscope.api.context import Context, Given
from hopscope.api.counted import Counted
from hopscope.api.health import MIB
from hopscope.api.migrations_status import MigrationInfo
from hopscope.api.times import iso
from hopscope.api.timings import EndpointStats, SlowAnswer
from hopscope.percentile import percentile
from hopscope.store import writer_stats
from hopscope.store.pool import CannotRead
from hopscope.store.writer_stats import WriterStats


class Endpoint(Struct):
    """Answers of one endpoint; percentiles over its newest 1,000."""

    count: int
    avgMs: float
    p50Ms: float
    p95Ms: float
    p99Ms: float
    maxMs: float


class Slow(Struct):
    """An answer that took longer than 100 ms."""

    path: str
    ms: float
    time: str
    status: int


class Waits(Struct):
    """How long the newest reads waited for a connection, ms."""

    size: int
    waits: int
    p50Ms: float
    p95Ms: float
    p99Ms: float
    maxMs: float


class Perf(Struct):
    """Everything. packetStore and sqlite are null, and databaseError says why, while the database cannot be read."""

    uptime: float
    totalRequests: int
    avgMs: float
    endpoints: dict[str, Endpoint]
    slowQueries: list[Slow]
    cache: dict[str, float]
    packetStore: dict[str, Any] | None
    sqlite: dict[str, Any] | None
    goRuntime: dict[str, Any] | None
    asyncMigrations: list[MigrationInfo]
    sqlPool: Waits
    writer: list[WriterStats]
    databaseError: str | None


@get("/api/perf", opt=OPEN, sync_to_thread=True, tags=["stats"])
def perf(context: Given) -> Perf:
    """Timings, sizes, migrations."""
    measured = context.timings.snapshot()
    counted, writer, error = database(context)
    return Perf(
        uptime=(context.now_ms() - measured.began) / 1000,
        totalRequests=measured.requests,
        avgMs=round(measured.average, 3),
        endpoints={path: endpoint(stats) for path, stats in measured.endpoints.items()},
        slowQueries=[slow(answer) for answer in measured.slow],
        cache=cache(context),
        packetStore=None if counted is None else packet_store(counted),
        sqlite=None if counted is None else sqlite(context, counted),
        goRuntime=None,
        asyncMigrations=list(context.migrations.current().migrations),
        sqlPool=waits(context),
        writer=list(writer),
        databaseError=error,
    )


def database(context: Context) -> tuple[Counted | None, tuple[WriterStats, ...], str | None]:
    """Totals and the writer's turns, or why they cannot be read."""
    try:
        return context.counted.get(), context.pool.read(writer_stats.all_components), None
    except CannotRead as error:
        return None, (), str(error)


def endpoint(stats: EndpointStats) -> Endpoint:
    """The wire form of an endpoint's timings."""
    times = (stats.average, stats.p50, stats.p95, stats.p99, stats.longest)
    return Endpoint(stats.count, *(round(ms, 3) for ms in times))


def slow(answer: SlowAnswer) -> Slow:
    """The wire form of a slow answer."""
    return Slow(answer.path, round(answer.ms, 3), iso(answer.at), answer.status)


def waits(context: Context) -> Waits:
    """How long reads waited for a connection."""
    ascending = sorted(context.pool.waits_ms())
    shares = (percentile(ascending, share) for share in (0.5, 0.95, 0.99, 1.0))
    return Waits(context.pool.size, len(ascending), *(round(ms, 3) for ms in shares))


def cache(context: Context) -> dict[str, float]:
    """How often a kept answer could be given; hitRate in percent."""
    answers = context.answers
    asked = answers.hits + answers.misses
    return {
        "size": len(answers),
        "hits": answers.hits,
        "misses": answers.misses,
        "staleHits": 0,
        "recomputes": answers.misses,
        "hitRate": round(100 * answers.hits / asked, 1) if asked else 0,
    }


def packet_store(counted: Counted) -> dict[str, Any]:
    """Keys of a store in memory, which hopscope does not have: everything is in SQLite."""
    totals = counted.totals
    return {
        "totalLoaded": totals.transmissions,
        "totalObservations": totals.observations,
        "evicted": 0,
        "inserts": 0,
        "queries": 0,
        "inMemory": 0,
        "sqliteOnly": True,
        "maxPackets": 0,
        "estimatedMB": 0,
        "trackedMB": 0,
        "maxMB": 0,
        "indexes": {"byHash": 0, "byObserver": 0, "byNode": 0, "advertByObserver": 0},
        "hotStartupHours": 0,
        "backgroundLoadComplete": True,
        "backgroundLoadFailed": False,
        "backgroundLoadProgress": 100,
        "retentionHours": 0,
        "loadCoverageRatio": 1.0,
    }


def sqlite(context: Context, counted: Counted) -> dict[str, Any]:
    """The file, its log, and its rows from counters. Nothing is checkpointed for an answer, so walPages is null."""
    return {
        "dbSizeMB": round(counted.file.size / MIB, 3),
        "walSizeMB": round(size_of(context.settings.database + "-wal") / MIB, 3),
        "freelistMB": round(counted.file.free / MIB, 3),
        "walPages": None,
        "rows": {
            "transmissions": counted.totals.transmissions,
            "observations": counted.totals.observations,
            "nodes": sum(role.total for role in counted.roles),
            "observers": counted.observers,
        },
    }


def size_of(path: str) -> int:
    """Bytes of a file; 0 where there is none, as for a log that was folded into its database."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


@post("/api/perf/reset", opt=OPERATOR, guards=[operator], sync_to_thread=False, status_code=200, tags=["operator"])
def reset(context: Given) -> dict[str, bool]:
    """Forget the timings measured so far."""
    context.timings.reset()
    return {"ok": True}


@get("/api/perf/write-sources", opt=OPEN, sync_to_thread=True, tags=["stats"])
def write_sources(context: Given) -> dict[str, Any]:
    """How long the writer waited and held the database, by kind of work."""
    rows = context.pool.read(writer_stats.all_components)
    return {"writer_perf": {row.component: writer_perf(row) for row in rows}}


def writer_perf(row: WriterStats) -> dict[str, Any]:
    """The wire form of one kind of work."""
    facts = msgspec.to_builtins(row)
    shares = ("p50", "p95", "max")
    times = {f"{kind}_ms_{share}": facts[f"{kind}_{share}"] for kind in ("wait", "hold") for share in shares}
    return {"count": row.turns, "contention_total": row.failures} | times


ROUTES = (perf, reset, write_sources)
