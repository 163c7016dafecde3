"""/api/stats: totals. From counters and rollups, at most once in two seconds."""

# ruff: noqa: N815 - the keys are those that clients know

from litestar import get
from msgspec import Struct

from hopscope.api.access import OPEN
from hopscope.api.context import Given
from hopscope.api.health import MIB, resident_bytes
from hopscope.store import stats

COUNTED = {"repeaters": 2, "rooms": 3, "companions": 1, "sensors": 4}


class Stats(Struct):
    """Totals of the whole database. Nodes are active when heard in the last seven days."""

    totalPackets: int
    totalTransmissions: int
    totalObservations: int
    totalNodes: int
    totalNodesAllTime: int
    totalObservers: int
    packetsLastHour: int
    packetsLast24h: int
    engine: str
    version: str
    commit: str
    buildTime: str
    counts: dict[str, int]
    hashMigrationComplete: bool
    trackedMB: float
    storeDataMB: float
    processRSSMB: float
    goHeapInuseMB: float
    goSysMB: float
    neighborGraphCacheRebuildFailures: int


def role_counts(roles: tuple[stats.RoleCount, ...]) -> dict[str, int]:
    """Active nodes by the roles that clients show."""
    recent = {row.role: row.recent for row in roles}
    return {name: recent.get(role, 0) for name, role in COUNTED.items()}


@get("/api/stats", opt=OPEN, sync_to_thread=True, tags=["stats"])
def get_stats(context: Given) -> Stats:
    """Totals."""
    found = context.counted.get()
    return Stats(
        totalPackets=found.totals.transmissions,
        totalTransmissions=found.totals.transmissions,
        totalObservations=found.totals.observations,
        totalNodes=sum(row.recent for row in found.roles),
        totalNodesAllTime=sum(row.total for row in found.roles),
        totalObservers=found.observers,
        packetsLastHour=found.last_hour,
        packetsLast24h=found.last_day,
        engine="hopscope",
        version=context.version,
        commit=context.commit,
        buildTime=context.build_time,
        counts=role_counts(found.roles),
        hashMigrationComplete=True,
        trackedMB=0.0,
        storeDataMB=round(found.file.size / MIB, 3),
        processRSSMB=round(resident_bytes() / MIB, 1),
        goHeapInuseMB=0.0,
        goSysMB=0.0,
        neighborGraphCacheRebuildFailures=0,
    )


ROUTES = (get_stats,)
