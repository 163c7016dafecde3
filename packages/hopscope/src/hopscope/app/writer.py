"""The writer process: lock, database, pipeline and sources, put together, started and stopped in order.

The only process that writes what is received. Refuses to start beside another writer.
"""

import threading
import time
from collections.abc import Sequence

from hopscope import log
from hopscope.app.exit_codes import FAILED, REFUSED, STOPPED
from hopscope.app.migrating import gate_of, migrating
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
from hopscope.ingest.decoding import Decoder
from hopscope.ingest.envelope import Feed
from hopscope.ingest.mqtt import MqttSource, client_id
from hopscope.ingest.pipeline import Pipeline
from hopscope.ingest.sources import AcknowledgingSource, ConnectedSource, Source, StateBoard, SubscribingSource
from hopscope.store import connection, schema
from hopscope.store.errors import StoreDamaged, StoreUnavailable, UnsupportedDatabase, translated
from hopscope.store.lock import LockUnusable, WriterAlive, WriterLock
from hopscope.store.retention import Retention
from hopscope.store.schema import SchemaError
from hopscope.store.writing import Writer
from meshwire import PUBLIC_KEY, KeyRing

WATCH_S = 0.25  # how soon a pipeline that failed is noticed


def run(settings: Settings, *, stop: StopToken, extra_sources: Sequence[Source] = ()) -> int:
    """Ingest until `stop` is set, then drain, and return the exit code: 0, FAILED, or REFUSED (do not start again).

    Blocks. extra_sources deliver beside the configured brokers, as the demo's does.
    """
    try:
        check_database(settings.database)
        with WriterLock.acquire(settings.database):
            return _run_locked(settings, stop, extra_sources)
    except StoreUnavailable as exc:
        log.error("writer.cannot_start", error=str(exc), hint="another program holds the database, or its disk is full")
        return FAILED
    except StoreDamaged as exc:
        log.error("writer.refused", error=f"{settings.database} is damaged ({exc}): put a backup in its place")
        return REFUSED
    except (WriterAlive, LockUnusable, SchemaError, UnsupportedDatabase) as exc:
        log.error("writer.refused", error=str(exc))
        return REFUSED


def check_database(database: str) -> None:
    """Raise UnsupportedDatabase for an address that this version cannot write."""
    if database.startswith(("postgresql://", "postgres://")):
        raise UnsupportedDatabase(
            "PostgreSQL is not supported as a store yet: set HOPSCOPE_DATABASE to the path of an SQLite file"
        )


def key_ring(settings: Settings) -> KeyRing:
    """The keys that open what is received: "Public" and what is configured."""
    channels = {"Public": PUBLIC_KEY, **{channel.name: channel.key for channel in settings.channels}}
    return KeyRing.of(channels=channels, regions=settings.regions)


def feeds(settings: Settings) -> dict[str, Feed]:
    """What the envelope must know of each configured broker."""
    blocked = frozenset(ident.upper() for ident in settings.blocked_observers)
    return {
        source.name: Feed(
            name=source.name,
            regions=frozenset(code.upper() for code in source.iata),
            region=source.region,
            blocked=blocked,
        )
        for source in settings.sources
    }


def _run_locked(settings: Settings, stop: StopToken, extra_sources: Sequence[Source]) -> int:
    with translated():
        db = connection.open_writer(settings.database)
    try:
        with translated():
            schema.prepare(db)
        gate, keys = gate_of(settings.database), key_ring(settings)
        writer = Writer(db, turn=gate.live)
        sources = [*_brokers(settings, writer.database_id()), *extra_sources]
        _introduce(sources, writer)
        retention = Retention(db, days=settings.retention_days, turn=gate.live)
        with migrating(settings, keys, stop=stop):
            return _ingest(Decoder(feeds(settings), keys), writer, retention, sources, stop)
    finally:
        db.close()


def _brokers(settings: Settings, database_id: str) -> list[Source]:
    return [MqttSource(broker, client_id=client_id(database_id, broker.name)) for broker in settings.sources]


def _introduce(sources: Sequence[Source], writer: Writer) -> None:
    """Make sources known before their first record, and tell them what their brokers may remember from before."""
    writer.forget_connections()
    for source in sources:
        address = source.address if isinstance(source, ConnectedSource) else None
        writer.register_source(source.name, kind=source.kind, address=address)
        if isinstance(source, SubscribingSource):
            source.unwanted = writer.wanting(source.session, source.topics)


def _ingest(decoder: Decoder, writer: Writer, retention: Retention, sources: Sequence[Source], stop: StopToken) -> int:
    """Run until told to stop. The pipeline has a thread of its own, so that this one can watch."""
    chores = _Chores(writer, retention, sources)
    pipeline = Pipeline(decoder, writer, tick=chores.do_what_is_due)
    failure: list[BaseException] = []
    thread = threading.Thread(target=_guarded, args=(pipeline, failure), name="pipeline")
    thread.start()
    log.info("writer.started", sources=len(sources))
    try:
        for source in sources:
            source.start(pipeline.deliver)
        while not stop.wait(WATCH_S) and thread.is_alive():
            pass
        log.info("writer.stopping", reason=stop.reason or "the pipeline failed")
    finally:
        _wind_down(sources, pipeline, thread)
    if failure:
        return FAILED
    chores.save()
    log.info("writer.stopped")
    return STOPPED


def _wind_down(sources: Sequence[Source], pipeline: Pipeline, thread: threading.Thread) -> None:
    """Deliver no more, store what was delivered, acknowledge it, disconnect. Safe for sources that never started."""
    for source in sources:
        source.stop()
    pipeline.stop()
    thread.join()
    for source in sources:
        if isinstance(source, AcknowledgingSource):
            source.close()


def _guarded(pipeline: Pipeline, failure: list[BaseException]) -> None:
    try:
        pipeline.run()
    except Exception as exc:  # noqa: BLE001  (the watching thread stops the rest in order; the trace is logged)
        log.exception("pipeline.failed")
        failure.append(exc)


class _Chores:
    """What the storing thread does between batches: drop what is too old, store how sources and the writer do."""

    def __init__(self, writer: Writer, retention: Retention, sources: Sequence[Source]) -> None:
        self._writer, self._retention = writer, retention
        self._board = StateBoard(source for source in sources if isinstance(source, ConnectedSource))
        self._giving_back = [one for one in sources if isinstance(one, SubscribingSource) and one.unwanted]
        self._turns = -1

    def do_what_is_due(self) -> None:
        """One short turn of retention, and states and turns when they changed, at most every two seconds."""
        now_ms = time.time_ns() // 1_000_000
        try:
            self._retention.turn_when_due(now_ms)
        except StoreUnavailable as exc:
            log.debug("retention.not_now", error=str(exc))
        self._save_when_due(now_ms)
        if self._giving_back:
            self._remember_what_is_given_back()

    def _save_when_due(self, now_ms: int) -> None:
        if not self._board.due(now_ms):
            return
        states = self._board.states()
        if self._board.changed(states) or self._writer.ingest.turns != self._turns:
            self.save()
        else:
            self._board.saved(states, now_ms)

    def _remember_what_is_given_back(self) -> None:
        for source in [one for one in self._giving_back if not one.unwanted]:
            try:
                self._writer.settled(source.session, source.topics)
            except StoreUnavailable as exc:
                log.debug("subscriptions.not_saved", error=str(exc))
            else:
                self._giving_back.remove(source)

    def save(self) -> None:
        """Store them now. A busy database is no reason to stop: the next time will do."""
        now_ms = time.time_ns() // 1_000_000
        states = self._board.states()
        self._turns = self._writer.ingest.turns
        try:
            self._writer.save_status(states, (self._writer.ingest.stats(), self._writer.status.stats()), now_ms=now_ms)
        except StoreUnavailable as exc:
            log.debug("status.not_saved", error=str(exc))
        else:
            self._board.saved(states, now_ms)
