"""The one door for what ingest stores: a batch of records in one transaction, all or nothing.

Keeps nothing in memory between batches that a rollback could make wrong. Decides by `identity`, `upserts`, `rollups`.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field

import apsw

from hopscope.model import Heard, Ignored, Record, Rejected, SourceState, StatusReport, TurnStats
from hopscope.store import subscriptions
from hopscope.store.connection import sql, transaction
from hopscope.store.errors import UnknownSource, translated
from hopscope.store.receptions import Receptions
from hopscope.store.rows import Channels, Nodes, Observers, Value, write_all
from hopscope.store.turns import Turns
from hopscope.store.upserts import reported

QUARANTINE_PER_REASON = 200  # newest records kept to look at; the counts go on
METRICS_EVERY_MS = 300_000  # observers report every five minutes


@dataclass(slots=True)
class Recorded:
    """What became of a batch."""

    receptions: int = 0
    duplicates: int = 0
    transmissions: int = 0  # packets not known before
    statuses: int = 0
    rejected: int = 0
    ignored: int = 0


class Writer:
    """Writes what ingest brings. One per database, used by one thread, given a connection of `open_writer`."""

    def __init__(self, db: apsw.Connection, *, turn: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """`turn` is entered around each transaction of ingest; migrations in this process wait for it."""
        self._db, self._turn = db, turn
        self._sql = sql("writing")
        self._saved: dict[str, SourceState] = {}
        self._repeats_over: frozenset[int] = frozenset()
        self.ingest, self.status = Turns("ingest"), Turns("status")

    def register_source(self, name: str, *, kind: str, address: str | None) -> None:
        """Make a source known before its first record; kind is mqtt, import or demo. Raises StoreUnavailable."""
        with translated(), transaction(self._db):
            self._db.execute(self._sql["register_source"], {"name": name, "kind": kind, "address": address})

    def forget_connections(self) -> None:
        """Mark every source as not connected: the truth when a writer starts. Raises StoreUnavailable."""
        with translated(), transaction(self._db):
            self._db.execute(self._sql["forget_connections"])

    def wanting(self, session: str, topics: Collection[str]) -> tuple[str, ...]:
        """Remember what a broker's session is about to hold; what else it may hold. Raises StoreUnavailable."""
        return subscriptions.wanting(self._db, session, topics)

    def settled(self, session: str, topics: Collection[str]) -> None:
        """Remember that a broker's session holds these and no others. Raises StoreUnavailable."""
        with self._turn():
            subscriptions.settled(self._db, session, topics)

    def database_id(self) -> str:
        """What tells this database from any other."""
        return str(self._db.execute(self._sql["database_id"]).get)

    def record(self, batch: Sequence[Record]) -> Recorded:
        """Store the batch in one transaction; when it returns, the batch is on disk.

        Raises StoreUnavailable (try again later), RecordRefused (one of the records; try them apart) or UnknownSource;
        then nothing of the batch is stored.
        """
        asked = time.perf_counter()
        try:
            with self._turn(), translated(), transaction(self._db):
                began = time.perf_counter()
                work = _Batch(self._db, self._sql, self._repeats_over)
                for record in batch:
                    work.add(record)
                work.write()
        except Exception:
            self.ingest.failed()
            raise
        self._repeats_over = frozenset(work.repeats_over)
        ended = time.perf_counter()
        self.ingest.add(wait_ms=(began - asked) * 1000, hold_ms=(ended - began) * 1000, rows=len(batch))
        return work.done

    def save_status(self, states: Iterable[SourceState], turns: Iterable[TurnStats], *, now_ms: int) -> None:
        """Store how sources and turns do, for readers. Raises StoreUnavailable."""
        asked = time.perf_counter()
        states = list(states)
        try:
            with self._turn(), translated(), transaction(self._db):
                began = time.perf_counter()
                self._db.executemany(self._sql["save_source_state"], [self._since_saved(state) for state in states])
                self._db.executemany(self._sql["save_turns"], [{**asdict(turn), "at": now_ms} for turn in turns])
        except Exception:
            self.status.failed()
            raise
        self._saved |= {state.name: state for state in states}
        ended = time.perf_counter()
        self.status.add(wait_ms=(began - asked) * 1000, hold_ms=(ended - began) * 1000, rows=len(states))

    def _since_saved(self, state: SourceState) -> dict[str, object]:
        """The state with its counts as increments, because the table counts over restarts."""
        saved = self._saved.get(state.name)
        values = asdict(state)
        if saved is not None:
            values["connects"] -= saved.connects
            values["disconnects"] -= saved.disconnects
        return values


@dataclass(slots=True)
class _SourceCount:
    records: int = 0
    last_at: int = 0


@dataclass(slots=True)
class _Rejects:
    """Refused and ignored records of a batch."""

    counts: defaultdict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    last_at: dict[tuple[int, str], int] = field(default_factory=dict)
    rows: list[tuple[int, int, str, str, str, bytes]] = field(default_factory=list)

    def count(self, source_id: int, record: Rejected | Ignored) -> None:
        key = source_id, str(record.reason)
        self.counts[key] += 1
        self.last_at[key] = max(record.at, self.last_at.get(key, record.at))


class _Batch:
    """The work of one transaction: rows are loaded once, changed in memory, and written at the end.

    repeats_over: sources whose broker repeated something that was not stored before. A broker repeats in its order, and
    we store in that order: what it repeats after such a record is new as well, however familiar it looks.
    """

    def __init__(self, db: apsw.Connection, statements: dict[str, str], repeats_over: frozenset[int]) -> None:
        self._db, self._sql = db, statements
        self.repeats_over = set(repeats_over)
        self._source_ids: dict[str, int] = {}
        self._sources: defaultdict[int, _SourceCount] = defaultdict(_SourceCount)
        self._observers = Observers(db, statements)
        self._receptions = Receptions(db, statements, self._observers, Nodes(db, statements), Channels(db, statements))
        self._metrics: list[tuple[Value, ...]] = []
        self._rejects = _Rejects()
        self.done = Recorded()

    def add(self, record: Record) -> None:
        match record:
            case Heard():
                source_id = self._count(record.reception.source, record.reception.heard_at)
                self._add_heard(record, source_id)
            case StatusReport():
                self._count(record.source, record.at)
                self._add_status(record)
                self.done.statuses += 1
            case Rejected():
                self._add_rejected(record, self._count(record.source, record.at))
                self.done.rejected += 1
            case Ignored():
                self._rejects.count(self._count(record.source, record.at), record)
                self.done.ignored += 1

    def write(self) -> None:
        """Everything that `add` collected. Order follows the foreign keys."""
        self._receptions.write()
        self._observers.write()
        self._write("insert_metrics", self._metrics)
        self._write(
            "count_source_records", [(key, count.records, count.last_at) for key, count in self._sources.items()]
        )
        rejects = self._rejects
        self._write("insert_quarantine", rejects.rows)
        reasons = {row[2] for row in rejects.rows}
        self._write("prune_quarantine", [(reason, QUARANTINE_PER_REASON) for reason in reasons])
        counts = [(*key, count, rejects.last_at[key]) for key, count in rejects.counts.items()]
        self._write("add_rejects", counts)
        self.done.transmissions = self._receptions.new_transmissions

    def _count(self, source: str, at: int) -> int:
        """The source's id, with one more record counted."""
        source_id = self._source_ids.get(source)
        if source_id is None:
            source_id = self._db.execute(self._sql["source_id"], (source,)).get
            if source_id is None:
                raise UnknownSource(source)
            self._source_ids[source] = source_id
        count = self._sources[source_id]
        count.records += 1
        count.last_at = max(count.last_at, at)
        return source_id

    def _add_heard(self, heard: Heard, source_id: int) -> None:
        repeated = heard.reception.redelivered
        known = self._receptions.add(heard, source_id, repeated=repeated and source_id not in self.repeats_over)
        self.done.duplicates += known
        self.done.receptions += not known
        self._note_repeat(source_id, repeated=repeated, known=known)

    def _note_repeat(self, source_id: int, *, repeated: bool, known: bool) -> None:
        if not repeated:
            self.repeats_over.discard(source_id)
        elif not known:
            self.repeats_over.add(source_id)

    def _add_status(self, report: StatusReport) -> None:
        row = self._observers.get(report.observer, report.at)
        reported(row, report)
        stats = report.stats
        if stats is None or report.retained:
            return
        slot = report.at - report.at % METRICS_EVERY_MS
        values = (stats.noise_floor, stats.battery_mv, stats.tx_air_s, stats.rx_air_s, stats.recv_errors)
        self._metrics.append((row.id, slot, *values, stats.packets_sent, stats.packets_received))

    def _add_rejected(self, record: Rejected, source_id: int) -> None:
        text = record.record[:4096]
        reason = str(record.reason)
        if record.redelivered and source_id not in self.repeats_over:
            key = (reason, source_id, record.topic, text)
            if self._db.execute(self._sql["is_quarantined"], key).get:
                return
        self._note_repeat(source_id, repeated=record.redelivered, known=False)
        self._rejects.count(source_id, record)
        self._rejects.rows.append((record.at, source_id, reason, record.detail[:300], record.topic, text))

    def _write(self, name: str, rows: Sequence[Sequence[Value]]) -> None:
        write_all(self._db, self._sql[name], rows)
