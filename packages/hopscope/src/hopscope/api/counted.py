"""The totals that /api/stats, /api/perf and /metrics show, from one snapshot."""

from dataclasses import dataclass

from hopscope.store import stats
from hopscope.store.pool import Snapshot
from hopscope.store.stats import HOUR_MS

ACTIVE_MS = 7 * 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Counted:
    """What one snapshot says."""

    totals: stats.Totals
    roles: tuple[stats.RoleCount, ...]
    observers: int
    last_hour: int
    last_day: int
    file: stats.FileFacts


def count(db: Snapshot, now: int) -> Counted:
    """Everything of the page in one snapshot."""
    return Counted(
        totals=stats.totals(db),
        roles=stats.node_roles(db, since=now - ACTIVE_MS),
        observers=stats.observer_total(db),
        last_hour=sum(stats.receptions_last_hour(db, now=now).values()),
        last_day=stats.receptions_last_day(db, now=now),
        file=stats.file_facts(db),
    )
