"""/metrics: the same figures for Prometheus. Endpoints are route templates, so the number of series is bounded."""

from collections.abc import Iterable, Iterator

from litestar import Response, get
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from hopscope.api.access import OPEN
from hopscope.api.context import Context, Given
from hopscope.api.health import resident_bytes
from hopscope.store.pool import CannotRead

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
        states = GaugeMetricFamily("hopscope_migration", "1 for the state a migration is in", labels=["name", "status"])
        for info in self._context.migrations.current().migrations:
            states.add_metric([info.name, info.status], 1)
        yield states

    def _writer(self) -> Iterator[Metric]:
        collects = self._context.writer.current().collects
        if collects is not None:  # a figure that nobody knows is left out
            yield GaugeMetricFamily("hopscope_writer_up", "1 while a process collects packets", int(collects))


ROUTES = (metrics,)
