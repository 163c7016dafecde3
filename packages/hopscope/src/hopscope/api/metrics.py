"""/metrics: the same figures for Prometheus. Endpoints are route templates, so the number of series is bounded."""

from collections.abc import Callable, Iterable, Iterator

from litestar import Response, get
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from hopscope.api.access import OPEN
from hopscope.api.context import Context, Given
from hopscope.api.health import resident_bytes
from hopscope.api.migrations_status import MigrationInfo, MigrationsStatus
from hopscope.store.pool import CannotRead
from inchworm.metrics import KNOWN_REASONS

# the engine's own names (inchworm.metrics), of the figures that /api/perf tells, too
OF_A_MIGRATION: dict[str, tuple[str, Callable[[MigrationInfo], float | None]]] = {
    "rows_processed": ("Rows examined so far; begins again after a retry", lambda info: info.rows_processed),
    "rows_total": ("Rows between the bounds, possibly an estimate; absent when unknown", lambda info: info.rows_total),
    "rows_quarantined": ("Rows put aside because they could not be changed", lambda info: info.quarantined),
    "rows_per_second": ("Rows a second of working time while it runs; absent otherwise", lambda info: info.rate),
}
KIND = "text/plain; version=0.0.4; charset=utf-8"


@get("/metrics", opt=OPEN, sync_to_thread=True, include_in_schema=False)
def metrics(context: Given) -> Response[bytes]:
    """Figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(context))
    return Response(generate_latest(registry), media_type=KIND)


class Figures(Collector):
    """What is measured, at the moment it is asked for."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterable[Metric]:
        """Every figure."""
        yield from self._answers()
        yield from self._process()
        yield from self._database()
        yield from self._migrations()
        yield from self._writer()

    def _answers(self) -> Iterator[Metric]:
        answers = SummaryMetricFamily("hopscope_answer_seconds", "Time of answers by endpoint", labels=["endpoint"])
        for path, stats in self._context.timings.snapshot().endpoints.items():
            answers.add_metric([path], stats.count, stats.average * stats.count / 1000)
        yield answers
        waits = self._context.pool.waits_ms()
        longest = max(waits, default=0.0) / 1000
        yield GaugeMetricFamily("hopscope_sql_wait_longest_seconds", "Longest wait of the newest 1,000 reads", longest)

    def _process(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("hopscope_resident_bytes", "Memory of this process", resident_bytes())
        yield GaugeMetricFamily("hopscope_live_clients", "Open live connections", len(self._context.hub))

    def _database(self) -> Iterator[Metric]:
        try:
            counted = self._context.counted.get()
        except CannotRead:
            yield GaugeMetricFamily("hopscope_database_up", "1 while the database can be read", 0)
            return
        yield GaugeMetricFamily("hopscope_database_up", "1 while the database can be read", 1)
        yield GaugeMetricFamily("hopscope_database_bytes", "Size of the database file", counted.file.size)
        yield CounterMetricFamily("hopscope_transmissions", "Packets stored", counted.totals.transmissions)
        yield CounterMetricFamily("hopscope_observations", "Receptions stored", counted.totals.observations)
        yield GaugeMetricFamily("hopscope_observers", "Observers known", counted.observers)
        yield GaugeMetricFamily("hopscope_nodes", "Nodes known", sum(role.total for role in counted.roles))

    def _migrations(self) -> Iterator[Metric]:
        found = self._context.migrations.current()
        yield GaugeMetricFamily("hopscope_ledger_readable", "1 while the ledger can be read", int(not found.error))
        states = GaugeMetricFamily("hopscope_migration", "1 for the state a migration is in", labels=["name", "status"])
        for info in found.migrations:
            states.add_metric([info.name, info.status], 1)
        yield states
        for name, (meaning, figure) in OF_A_MIGRATION.items():
            family = GaugeMetricFamily(f"hopscope_migration_{name}", meaning, labels=["migration"])
            for info in found.migrations:
                if (value := figure(info)) is not None:
                    family.add_metric([info.name], value)
            yield family
        yield _throttled(found)

    def _writer(self) -> Iterator[Metric]:
        collects = self._context.writer.current().collects
        if collects is not None:  # a figure that nobody knows is left out
            yield GaugeMetricFamily("hopscope_writer_up", "1 while a process collects packets", int(collects))


def _throttled(found: MigrationsStatus) -> Metric:
    family = GaugeMetricFamily(
        "hopscope_migration_throttled_seconds", "Seconds of not working, by reason", labels=["migration", "reason"]
    )
    for name, by_reason in found.throttled.items():
        by_label: dict[str, float] = {}  # of a bounded set: reasons may hold an operator's name
        for reason, seconds in by_reason.items():
            label = reason if reason in KNOWN_REASONS else "other"
            by_label[label] = by_label.get(label, 0.0) + seconds
        for label, seconds in sorted(by_label.items()):
            family.add_metric([name, label], seconds)
    return family


ROUTES = (metrics,)
