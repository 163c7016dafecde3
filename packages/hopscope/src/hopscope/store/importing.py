"""What an import writes, one slice per turn of the migration engine. Counts every row it is given, exactly once.

Takes the mappings of `migrations.corescope_rows`; opens no transaction and reads no source.
"""

import json
import marshal
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hopscope.store.connection import sql
from hopscope.store.faults import as_faults
from hopscope.store.identity import WINDOW_MS, Copy, same_reception
from hopscope.store.writing import QUARANTINE_PER_REASON
from inchworm.ports import Rows, SqlValue, Turn

Row = Mapping[str, SqlValue]
PAST_RETENTION = "past_retention"  # counted, but no record of it is put aside: nothing is wrong with the row


@dataclass(frozen=True, slots=True)
class Origin:
    """Which import the rows come from, and from which of its tables."""

    import_id: int
    source_id: int
    table: str
    now: int  # ms, of the import's start
    keep_from: int = 0  # ms; what was last heard before it, retention would drop at once; 0: everything is kept


def transmissions(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store packets that are not known; of a known one, keep the earlier first_seen and its frame."""
    good = _good(rows)
    known = _known(turn, good)
    work = _Packets(turn, origin)
    for row in good:
        digest = row["hash"]
        assert isinstance(digest, bytes)
        if digest in known:
            work.merge(row, known[digest])
        else:
            known[digest] = work.create(row)
    work.write()
    _account(turn, origin, _Refused.of(rows), created=len(work.created), merged=len(good) - len(work.created))
    return len(rows)


@dataclass(slots=True)
class _Known:
    """A stored transmission; first_seen as this turn leaves it. last_seen 0: not computed yet."""

    id: int
    first_seen: int
    last_seen: int = 0


def _known(turn: Turn, rows: Sequence[Row]) -> dict[bytes, _Known]:
    hashes = json.dumps([row["hash"].hex() for row in rows if isinstance(row["hash"], bytes)])
    found = turn.select(sql("importing")["known_transmissions"], {"hashes": hashes})
    return {row[0]: _Known(_int(row[1]), _int(row[2])) for row in found.rows if isinstance(row[0], bytes)}


@dataclass(slots=True)
class _Packets:
    """The transmissions of one turn."""

    turn: Turn
    origin: Origin
    created: list[dict[str, SqlValue]] = field(default_factory=list)
    earlier: list[dict[str, SqlValue]] = field(default_factory=list)
    touched: list[dict[str, SqlValue]] = field(default_factory=list)
    _next: int = 0

    def create(self, row: Row) -> _Known:
        if not self._next:
            self._next = _newest_ids(self.turn)[0]
        self._next += 1
        self.created.append({**row, "id": self._next})
        return _Known(self._next, _int(row["first_seen"]))

    def merge(self, row: Row, known: _Known) -> None:
        first_seen = _int(row["first_seen"])
        if first_seen < known.first_seen:
            self.touched.append(_touched(self.turn, self.origin, known))
            self.earlier.append({**row, "id": known.id})
            known.first_seen = first_seen
        else:
            self.touched.append(_untouched(self.origin, known.id))

    def write(self) -> None:
        _store_packets(self.turn, self.origin, self.created)
        _apply(self.turn, "touched_transmission", self.touched)
        _apply(self.turn, "take_first_frame", self.earlier)


def _store_packets(turn: Turn, origin: Origin, rows: Sequence[Row]) -> None:
    made = [{"source_id": origin.source_id, "transmission_id": row["id"]} for row in rows]
    _apply(turn, "insert_transmission", rows)
    _apply(turn, "created_transmission", made)
    _count(turn, "transmissions", len(rows))


def _touched(turn: Turn, origin: Origin, known: _Known) -> dict[str, SqlValue]:
    """The transmission's first_seen moves: remember where the rollup counts it now."""
    found = turn.select(sql("importing")["first_observer"], {"id": known.id}).one()
    before = {"first_seen_before": known.first_seen, "observer_before": found[0] if found else 0}
    return {"source_id": origin.source_id, "transmission_id": known.id, **before}


def _untouched(origin: Origin, transmission_id: int) -> dict[str, SqlValue]:
    before = {"first_seen_before": None, "observer_before": None}
    return {"source_id": origin.source_id, "transmission_id": transmission_id, **before}


class Observed(NamedTuple):
    """An observation of the source as it is to be stored, or why it is not. The columns are those of schema.sql."""

    key: int  # in the source
    hash: bytes = b""
    observer: str | None = None
    heard_at: int = 0
    head: bytes | None = None
    path_len: int = 0
    path: bytes = b""
    snr: float | None = None
    rssi: int | None = None
    score: int | None = None
    direction: int = 0
    packet: tuple[SqlValue, ...] = ()  # its transmission's PACKET columns, for the case that we do not have it
    refusal: str | None = None
    detail: str | None = None
    record: bytes | None = None


PACKET = ("type", "route", "version", "frame", "payload_at", "region")


@dataclass(slots=True)
class _Refused:
    """How many rows of a slice are refused for each reason, and the first of each with their records."""

    counts: Counter[str] = field(default_factory=Counter)
    shown: list[tuple[SqlValue, ...]] = field(default_factory=list)  # key, reason, detail, record

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "_Refused":
        """Of mappings whose first column is the key."""
        found = cls()
        for row in rows:
            if row["refusal"]:
                found.add(next(iter(row.values())), str(row["refusal"]), row["detail"], row["record"])
        return found

    def add(self, key: SqlValue, reason: str, detail: SqlValue, record: SqlValue) -> None:
        if self.counts[reason] < QUARANTINE_PER_REASON and reason != PAST_RETENTION:
            self.shown.append((key, reason, detail, record))
        self.counts[reason] += 1


def packed(key: str, rows: Sequence[Observed]) -> list[dict[str, SqlValue]]:
    """Many rows as one for the engine; `_unpacked` takes them apart in the same process.

    Of refused ones only as many go with their records as the quarantine keeps, so that a flood of them costs no more.
    """
    if not rows:
        return []
    refused = _Refused()
    for row in rows:
        if row.refusal is not None:
            refused.add(row.key, row.refusal, row.detail, row.record)
    good = [tuple(row) for row in rows if row.refusal is None]
    return [{key: rows[-1].key, "rows": marshal.dumps((good, dict(refused.counts), refused.shown))}]


def _unpacked(rows: Sequence[Row]) -> tuple[list[Observed], _Refused]:
    """What `packed` packed."""
    good: list[Observed] = []
    refused = _Refused()
    for row in rows:
        data = row["rows"]
        assert isinstance(data, bytes)
        observed, counts, shown = marshal.loads(data)
        good += map(Observed._make, observed)
        refused.counts.update(counts)
        refused.shown += shown
    return good, refused


def observations(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store receptions that are not known; a known one is given what it lacks. The rows are `packed`.

    The packet of a reception that retention dropped, or that had no usable time of its own, is stored with it again.
    """
    good, refused = _unpacked(rows)
    received = len(good) + refused.counts.total()
    work = _Receptions(turn, origin)
    work.load(good)
    merged = 0
    for row in good:
        outcome = work.add(row)
        merged += outcome == "merged"
        if outcome == "forgotten":
            refused.add(row.key, PAST_RETENTION, None, None)
    work.write()
    _account(turn, origin, refused, created=len(work.new), merged=merged)
    return received


@dataclass(slots=True)
class _Stored:
    """A stored reception that a row may be a copy of."""

    id: int
    copy: Copy
    signal: tuple[SqlValue, SqlValue]


class _Near:
    """Stored receptions by what a copy of them must have in common: packet, observer, path, and about the same time.

    However often a packet was heard, a look meets only what lies within the window.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[SqlValue, ...], dict[Any, list[_Stored]]] = {}

    def add(self, tx: int, observer: int | None, one: _Stored) -> None:
        by_time = self._found.setdefault((tx, observer, one.copy.path_len, one.copy.path), {})
        by_time.setdefault(_moment(observer, one), []).append(one)

    def like(self, tx: int, observer: int | None, new: _Stored) -> _Stored | None:
        """The stored reception that `new` is."""
        by_time = self._found.get((tx, observer, new.copy.path_len, new.copy.path))
        if by_time is None:
            return None
        at = _moment(observer, new)
        moments = (at,) if observer is None else (at, at - 1, at + 1)
        around = (one for moment in moments for one in by_time.get(moment, ()))
        return next((one for one in around if same_reception(one.copy, new.copy)), None)


def _moment(observer: int | None, one: _Stored) -> Any:
    """Two receptions of unknown observers are one only when time and signal agree exactly."""
    return (one.copy.heard_at, *one.signal) if observer is None else one.copy.heard_at // WINDOW_MS


class _Receptions:
    """The observations of one turn."""

    def __init__(self, turn: Turn, origin: Origin) -> None:
        self._turn, self._origin = turn, origin
        self._transmissions: dict[bytes, _Known] = {}
        self._observers: dict[str, int] = {}
        self._near = _Near()
        self._completions: list[dict[str, SqlValue]] = []
        self._lowered: dict[int, dict[str, SqlValue]] = {}
        self._touched: dict[int, dict[str, SqlValue]] = {}
        self._heard: dict[int, dict[str, SqlValue]] = {}
        self._made: list[dict[str, SqlValue]] = []
        self._next_transmission, self._next = _newest_ids(turn)
        self.new: list[tuple[SqlValue, ...]] = []

    def load(self, rows: Sequence[Observed]) -> None:
        """Transmissions, observers and possible copies of the slice, each in one statement."""
        self._load_packets({row.hash for row in rows})
        self._load_observers({row.observer for row in rows if row.observer is not None})
        self._load_copies(rows)

    def _load_packets(self, hashes: set[bytes]) -> None:
        params: dict[str, SqlValue] = {"hashes": json.dumps([digest.hex() for digest in hashes])}
        found: Iterable[Any] = self._turn.select(
            sql("importing")["match_packets"], {**params, "source_id": self._origin.source_id}
        ).rows
        for digest, tx, first_seen, last_seen, touched in found:
            self._transmissions[digest] = _Known(tx, first_seen, last_seen)
            if touched is None:
                self._touched[tx] = _untouched(self._origin, tx)

    def _load_observers(self, idents: set[str]) -> None:
        params: dict[str, SqlValue] = {"idents": json.dumps(list(idents))}
        found: Iterable[Any] = self._turn.select(sql("importing")["match_observers"], params).rows
        self._observers = dict(found)

    def _load_copies(self, rows: Sequence[Observed]) -> None:
        wanted = [
            (known.id, row.observer and self._observers[row.observer], row.heard_at)
            for row in rows
            if (known := self._transmissions.get(row.hash)) and (not row.observer or row.observer in self._observers)
        ]
        params: dict[str, SqlValue] = {"rows": json.dumps(wanted), "window": WINDOW_MS}
        found: Iterable[Any] = self._turn.select(sql("importing")["match_copies"], params).rows
        for tx, observer, known_id, *copy, snr, rssi in {one[2]: one for one in found}.values():
            self._near.add(tx, observer, _Stored(known_id, Copy(*copy), (snr, rssi)))

    def add(self, row: Observed) -> str:
        """What became of the row: new, merged, or forgotten because retention would drop it at once."""
        known = self._transmissions.get(row.hash)
        if known is None:
            if row.heard_at < self._origin.keep_from:
                return "forgotten"
            known = self._transmissions[row.hash] = self._make(row)
        observer = self._observer(row)
        copy = Copy(None, row.heard_at, row.head, row.path_len, row.path)
        one = _Stored(self._next + 1, copy, (row.snr, row.rssi))
        stored = self._near.like(known.id, observer, one)
        if stored is not None:
            self._completions.append(
                {"id": stored.id, "head": row.head, "snr": row.snr, "rssi": row.rssi, "score": row.score}
            )
            return "merged"
        self._next += 1
        self._near.add(known.id, observer, one)
        self.new.append((one.id, known.id, observer, self._origin.source_id, *row[3:11]))
        self._first(known, row.heard_at)
        self._last(known, row.heard_at)
        return "new"

    def _make(self, row: Observed) -> _Known:
        """Retention dropped the packet, and here is a newer reception: as ingest would, begin it anew."""
        self._next_transmission += 1
        packet = dict(zip(PACKET, row.packet, strict=True))
        made = {"id": self._next_transmission, "hash": row.hash, "first_seen": row.heard_at, **packet}
        self._made.append(made)
        return _Known(self._next_transmission, row.heard_at)

    def _observer(self, row: Observed) -> int | None:
        ident = row.observer
        if ident is None:
            return None
        known = self._observers.get(ident)
        if known is None:
            statements = sql("importing")
            self._turn.execute(statements["insert_observer"], {"ident": ident, "at": row.heard_at})
            found = self._turn.select(statements["observer_id"], {"ident": ident}).one()
            assert found is not None  # just inserted
            known = self._observers[ident] = _int(found[0])
        return known

    def _first(self, known: _Known, heard_at: int) -> None:
        if heard_at >= known.first_seen:
            return
        made_here = known.id > self._next_transmission - len(self._made)
        if known.id not in self._lowered and not made_here:
            self._touched[known.id] = _touched(self._turn, self._origin, known)
        self._lowered[known.id] = {"id": known.id, "first_seen": heard_at}
        known.first_seen = heard_at

    def _last(self, known: _Known, heard_at: int) -> None:
        """Retention must not drop a packet between its new reception and the backfill of last_seen."""
        if 0 < known.last_seen < heard_at:
            self._heard[known.id] = {"id": known.id, "last_seen": heard_at}
            known.last_seen = heard_at

    def write(self) -> None:
        _store_packets(self._turn, self._origin, self._made)
        _apply(self._turn, "touched_transmission", self._touched.values())
        _apply(self._turn, "lower_first_seen", self._lowered.values())
        _apply(self._turn, "raise_last_seen", self._heard.values())
        connection: Any = self._turn.connection
        with as_faults():  # past the engine's own method, which looks at the clock before each row
            connection.executemany(sql("importing")["insert_observation"], self.new)
        _apply(self._turn, "complete_observation", self._completions)
        _count(self._turn, "observations", len(self.new))


def observers(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Make or complete observers. What the row describes and measures is as old as its last_seen."""
    good = _good(rows)
    idents = {str(row["ident"]) for row in good}
    known = _number(turn, "known_observers", {"idents": json.dumps(sorted(idents))})
    _apply(turn, "upsert_observer", [_dated(row) for row in good])
    created = len(idents) - known
    _account(turn, origin, _Refused.of(rows), created=created, merged=len(good) - created)
    return len(rows)


def _dated(row: Row) -> dict[str, SqlValue]:
    groups = {
        "name_at": ("name",),
        "iata_at": ("iata",),
        "info_at": ("model", "firmware", "client_version", "radio"),
        "stats_at": ("battery_mv", "uptime_s", "noise_floor"),
        "clock_at": ("clock_skew_ms",),
    }
    said = {at: any(row[name] is not None for name in names) for at, names in groups.items()}
    return {**row, **{at: row["last_seen"] if any_said else None for at, any_said in said.items()}}


def nodes(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Make nodes as not verified, or complete those that no signed advert described."""
    good = _good(rows)
    keys = {_hex(row["pubkey"]) for row in good}
    known = _number(turn, "known_nodes", {"keys": json.dumps(sorted(keys))})
    _apply(turn, "upsert_node", good)
    created = len(keys) - known
    _account(turn, origin, _Refused.of(rows), created=created, merged=len(good) - created)
    return len(rows)


def metrics(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store samples; one that exists for its five minutes is given what it lacks."""
    good = _good(rows)
    slots = {(str(row["observer"]), _int(row["at"])) for row in good}
    known = _number(turn, "known_metrics", {"rows": json.dumps(sorted(slots))})
    first: dict[str, int] = {}
    for ident, at in slots:
        first[ident] = min(at, first.get(ident, at))
    _apply(turn, "insert_observer", [{"ident": ident, "at": at} for ident, at in first.items()])
    _apply(turn, "upsert_metric", good)
    created = len(slots) - known
    _account(turn, origin, _Refused.of(rows), created=created, merged=len(good) - created)
    return len(rows)


def edges(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store neighbour edges; a known one keeps the greater count and the later time."""
    good = _good(rows)
    pairs = {(_hex(row["node_a"]), _hex(row["node_b"])) for row in good}
    known = _number(turn, "known_edges", {"rows": json.dumps(sorted(pairs))})
    _apply(turn, "upsert_edge", good)
    created = len(pairs) - known
    _account(turn, origin, _Refused.of(rows), created=created, merged=len(good) - created)
    return len(rows)


Write = Callable[[Turn, Sequence[Row], Origin], int]


def _account(turn: Turn, origin: Origin, refused: _Refused, *, created: int, merged: int) -> None:
    """Put the refused rows aside and count the slice."""
    _quarantine(turn, origin, refused)
    counts: dict[str, SqlValue] = {"imported": created, "merged": merged, "quarantined": refused.counts.total()}
    turn.execute(sql("importing")["count_rows"], counts | {"import_id": origin.import_id, "name": origin.table})


def _quarantine(turn: Turn, origin: Origin, refused: _Refused) -> None:
    """Count every row; put the first of each reason aside, which are the newest, because newest rows come first."""
    if not refused.counts:
        return
    source: dict[str, SqlValue] = {"source_id": origin.source_id}
    before: Counter[str] = Counter(dict(turn.select(sql("importing")["rejects"], source).rows))  # type: ignore[arg-type]
    values: list[dict[str, SqlValue]] = []
    for key, reason, detail, record in refused.shown:
        before[str(reason)] += 1
        if before[str(reason)] <= QUARANTINE_PER_REASON:
            said = {"reason": reason, "detail": detail, "topic": f"{origin.table}/{key!r}", "record": record}
            values.append({"now": origin.now, **source, **said})
    reasons = {str(value["reason"]) for value in values}
    _apply(turn, "insert_quarantine", values)
    _apply(turn, "prune_quarantine", [{"reason": reason, "kept": QUARANTINE_PER_REASON} for reason in reasons])
    counts = [
        {**source, "reason": reason, "count": count, "now": origin.now} for reason, count in refused.counts.items()
    ]
    _apply(turn, "add_rejects", counts)


def _good(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row["refusal"]]


def _apply(turn: Turn, name: str, rows: Iterable[Row]) -> None:
    found = list(rows)
    if found:
        columns = tuple(found[0])
        turn.apply(sql("importing")[name], Rows(columns, [tuple(row[c] for c in columns) for row in found]))


def _count(turn: Turn, name: str, count: int) -> None:
    if count:
        turn.execute(sql("importing")["add_counter"], {"name": name, "count": count})


def _number(turn: Turn, name: str, params: Mapping[str, SqlValue]) -> int:
    found = turn.select(sql("importing")[name], params).one()
    return _int(found[0]) if found else 0


def _newest_ids(turn: Turn) -> tuple[int, int]:
    found = turn.select(sql("importing")["newest_ids"], {}).one()
    assert found is not None  # a select without a table has one row
    return _int(found[0]), _int(found[1])


def _int(value: SqlValue) -> int:
    assert isinstance(value, int), value
    return value


def _hex(value: SqlValue) -> str:
    assert isinstance(value, bytes), value
    return value.hex()
