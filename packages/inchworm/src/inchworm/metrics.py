"""Prometheus metrics of all migrations, read from the ledger when scraped. Needs the `metrics` extra.

prometheus_client.REGISTRY.register(MigrationCollector(StatusReader("mesh.db")))
"""

import re
from collections.abc import Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from inchworm.errors import InchwormError
from inchworm.status import MigrationStatus, StatusReader

_PLAIN: tuple[tuple[str, str], ...] = (
    ("rows_processed", "Rows examined so far; starts again after a retry from the beginning"),
    ("rows_changed", "Rows really changed"),
    ("rows_total", "Rows between the bounds, possibly an estimate; absent when unknown"),
    ("rows_quarantined", "Rows put aside because they could not be changed"),
    ("rows_per_second", "Rows examined per second of active time in this attempt; absent when unknown"),
    ("eta_seconds", "Seconds left at that rate; absent when unknown"),
    ("active_seconds", "Seconds spent working"),
    ("needs_acknowledgement", "1 when it failed and no operator has acknowledged that"),
)
KNOWN_REASONS = frozenset(
    {
        "stall budget",
        "another writer holds the lock",
        "live writer first",
        "checkpoint",
        "WAL too long (pinned reader)",
        "disk floor",
        "disk full",
        "no runner",
        "database busy",
        "retry after an error",
        "replica lag",
        "dead rows (autovacuum is behind)",
    }
)


class MigrationCollector(Collector):
    """Gauges by migration, through a reader that the caller keeps and closes.

    `inchworm_ledger_readable` is 0 while the ledger cannot be read; the others are then absent, not zero.
    """

    def __init__(self, reader: StatusReader) -> None:
        self._reader = reader

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        readable = GaugeMetricFamily("inchworm_ledger_readable", "Whether the ledger could be read")
        try:
            found = self._reader.read()
        except InchwormError:
            readable.add_metric([], 0)
            return [readable]
        readable.add_metric([], 1)
        return [readable, _states(found), *_plain(found), _throttled(found)]


def _states(found: Sequence[MigrationStatus]) -> Metric:
    family = GaugeMetricFamily(
        "inchworm_migration_status", "1 for the status that a migration has", labels=["migration", "status"]
    )
    for s in found:
        family.add_metric([s.name, str(s.status)], 1)
    return family


def _plain(found: Sequence[MigrationStatus]) -> Iterable[Metric]:
    for name, meaning in _PLAIN:
        family = GaugeMetricFamily(f"inchworm_migration_{name}", meaning, labels=["migration"])
        for s in found:
            value = _figures(s)[name]
            if value is not None:
                family.add_metric([s.name], float(value))
        yield family


def _figures(s: MigrationStatus) -> dict[str, float | None]:
    return {
        "rows_processed": s.counts.examined,
        "rows_changed": s.counts.changed,
        "rows_total": s.total.rows,
        "rows_quarantined": s.quarantined,
        "rows_per_second": s.rate,
        "eta_seconds": s.eta_s,
        "active_seconds": s.active_s,
        "needs_acknowledgement": s.needs_acknowledgement,
    }


def _throttled(found: Sequence[MigrationStatus]) -> Metric:
    family = GaugeMetricFamily(
        "inchworm_migration_throttled_seconds", "Seconds of not working, by reason", labels=["migration", "reason"]
    )
    for s in found:
        by_label: dict[str, float] = {}
        for reason, seconds in s.throttled.items():
            label = _label(reason)
            by_label[label] = by_label.get(label, 0.0) + seconds
        for label, seconds in sorted(by_label.items()):
            family.add_metric([s.name, label], seconds)
    return family


def _label(reason: str) -> str:
    """A label of a bounded set: reasons may hold an operator's name or a throttle's own words."""
    if reason in KNOWN_REASONS:
        return reason
    first = re.split(r" by | until |:", reason, maxsplit=1)[0]
    return first if first in ("paused", "interrupted", "cancelled", "failed", "quiet hours") else "other"
