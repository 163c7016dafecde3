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
NOT_STORED = "transmission_refused"
NOT_STORED_DETAIL = "its transmission is not stored (refused, or dropped by retention)"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which import the rows come from, and from which of its tables."""

    import_id: int
    source_id: int
    table: str
    now: int  # ms, of the import's start


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
    _account(turn, origin, rows, created=len(work.created), merged=len(good) - len(work.created))
    return len(rows)


@dataclass(slots=True)
class _Known:
    """A stored transmission; first_seen as this turn leaves it."""

    id: int
    first_seen: int


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
        made = [{"source_id": self.origin.source_id, "transmission_id": row["id"]} for row in self.created]
        _apply(self.turn, "insert_transmission", self.created)
        _apply(self.turn, "created_transmission", made)
        _apply(self.turn, "touched_transmission", self.touched)
        _apply(self.turn, "take_first_frame", self.earlier)
        _count(self.turn, "transmissions", len(self.created))


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
    refusal: str | None = None
    detail: str | None = None
    record: bytes | None = None


def packed(key: str, rows: Sequence[Observed]) -> list[dict[str, SqlValue]]:
    """Many rows as one for the engine; `unpacked` takes them apart in the same process."""
    return [{key: rows[-1].key, "rows": marshal.dumps([tuple(row) for row in rows])}] if rows else []


def unpacked(rows: Sequence[Row]) -> list[Observed]:
    """What `packed` packed."""
    found: list[Observed] = []
    for row in rows:
        data = row["rows"]
        assert isinstance(data, bytes)
        found += map(Observed._make, marshal.loads(data))
    return found


def observations(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store receptions that are not known; a known one is given what it lacks. The rows are `packed`."""
    received = unpacked(rows)
    good = [row for row in received if row.refusal is None]
    work = _Receptions(turn, origin)
    work.load(good)
    merged, refused = 0, [row for row in received if row.refusal is not None]
    for place, row in enumerate(good):
        outcome = work.add(place, row)
        if outcome == "merged":
            merged += 1
        elif outcome == "lost":
            refused.append(row._replace(refusal=NOT_STORED, detail=NOT_STORED_DETAIL, record=b""))
    work.write()
    _account(turn, origin, [row._asdict() for row in refused], created=len(work.new), merged=merged)
    return len(received)


@dataclass(slots=True)
class _Stored:
    """A stored reception that a row may be a copy of."""

    id: int
    copy: Copy
    signal: tuple[SqlValue, SqlValue]


_Pair = tuple[int, int | None]  # transmission id, observer id


class _Receptions:
    """The observations of one turn."""

    def __init__(self, turn: Turn, origin: Origin) -> None:
        self._turn, self._origin = turn, origin
        self._transmissions: dict[int, _Known] = {}
        self._ids: dict[int, int] = {}  # place in the slice -> transmission id
        self._observers: dict[str, int] = {}
        self._stored: dict[_Pair, dict[int, _Stored]] = {}
        self._completions: list[dict[str, SqlValue]] = []
        self._lowered: dict[int, dict[str, SqlValue]] = {}
        self._touched: dict[int, dict[str, SqlValue]] = {}
        self._next = _newest_ids(turn)[1]
        self.new: list[tuple[SqlValue, ...]] = []

    def load(self, rows: Sequence[Observed]) -> None:
        """Transmissions, observers and possible copies of the slice in one statement."""
        wanted = [[row.hash.hex(), row.observer, row.heard_at, WINDOW_MS if row.observer else 0] for row in rows]
        params: dict[str, SqlValue] = {"rows": json.dumps(wanted), "source_id": self._origin.source_id}
        found: Iterable[Any] = self._turn.select(sql("importing")["match_observations"], params).rows
        for place, tx, first_seen, touched, observer, known, *copy, snr, rssi in found:
            if tx is None:
                continue
            self._ids[place] = tx
            if tx not in self._transmissions:
                self._transmissions[tx] = _Known(tx, first_seen)
                if touched is None:
                    self._touched[tx] = _untouched(self._origin, tx)
            if observer is not None:
                self._observers[str(rows[place].observer)] = observer
            if known is not None:
                self._stored.setdefault((tx, observer), {})[known] = _Stored(known, Copy(*copy), (snr, rssi))

    def add(self, place: int, row: Observed) -> str:
        """What became of the row: new, merged, or lost because its transmission is not stored."""
        tx = self._ids.get(place)
        if tx is None:
            return "lost"
        pair = tx, self._observer(row)
        copy = Copy(None, row.heard_at, row.head, row.path_len, row.path)
        one = _Stored(self._next + 1, copy, (row.snr, row.rssi))
        stored = self._stored.setdefault(pair, {})
        for known in stored.values():
            if _same(known, one, known_observer=pair[1] is not None):
                self._completions.append(
                    {"id": known.id, "head": row.head, "snr": row.snr, "rssi": row.rssi, "score": row.score}
                )
                return "merged"
        self._next += 1
        stored[one.id] = one
        self.new.append((one.id, tx, pair[1], self._origin.source_id, *row[3:11]))
        self._first(self._transmissions[tx], row.heard_at)
        return "new"

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
        if known.id not in self._lowered:
            self._touched[known.id] = _touched(self._turn, self._origin, known)
        self._lowered[known.id] = {"id": known.id, "first_seen": heard_at}
        known.first_seen = heard_at

    def write(self) -> None:
        _apply(self._turn, "touched_transmission", self._touched.values())
        _apply(self._turn, "lower_first_seen", self._lowered.values())
        connection: Any = self._turn.connection
        with as_faults():  # past the engine's own method, which looks at the clock before each row
            connection.executemany(sql("importing")["insert_observation"], self.new)
        _apply(self._turn, "complete_observation", self._completions)
        _count(self._turn, "observations", len(self.new))


def _same(stored: _Stored, new: _Stored, *, known_observer: bool) -> bool:
    """Two receptions of unknown observers are one only when time and signal agree exactly."""
    if not known_observer and (stored.signal != new.signal or stored.copy.heard_at != new.copy.heard_at):
        return False
    return same_reception(stored.copy, new.copy)


def observers(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Make or complete observers. What the row describes and measures is as old as its last_seen."""
    good = _good(rows)
    idents = {str(row["ident"]) for row in good}
    known = _number(turn, "known_observers", {"idents": json.dumps(sorted(idents))})
    _apply(turn, "upsert_observer", [_dated(row) for row in good])
    created = len(idents) - known
    _account(turn, origin, rows, created=created, merged=len(good) - created)
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
    _account(turn, origin, rows, created=created, merged=len(good) - created)
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
    _account(turn, origin, rows, created=created, merged=len(good) - created)
    return len(rows)


def edges(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store neighbour edges; a known one keeps the greater count and the later time."""
    good = _good(rows)
    pairs = {(_hex(row["node_a"]), _hex(row["node_b"])) for row in good}
    known = _number(turn, "known_edges", {"rows": json.dumps(sorted(pairs))})
    _apply(turn, "upsert_edge", good)
    created = len(pairs) - known
    _account(turn, origin, rows, created=created, merged=len(good) - created)
    return len(rows)


Write = Callable[[Turn, Sequence[Row], Origin], int]


def _account(turn: Turn, origin: Origin, rows: Sequence[Row], *, created: int, merged: int) -> None:
    """Put the refused rows aside and count the slice."""
    refused = [row for row in rows if row["refusal"]]
    _quarantine(turn, origin, refused)
    counts: dict[str, SqlValue] = {"imported": created, "merged": merged, "quarantined": len(refused)}
    turn.execute(sql("importing")["count_rows"], counts | {"import_id": origin.import_id, "name": origin.table})


def _quarantine(turn: Turn, origin: Origin, refused: Sequence[Row]) -> None:
    if not refused:
        return
    values: list[dict[str, SqlValue]] = [
        {
            "now": origin.now,
            "source_id": origin.source_id,
            "reason": row["refusal"],
            "detail": row["detail"],
            "topic": f"{origin.table}/{next(iter(row.values()))!r}",
            "record": row["record"],
        }
        for row in refused
    ]
    by_reason = Counter(str(row["refusal"]) for row in refused)
    _apply(turn, "insert_quarantine", values)
    _apply(turn, "prune_quarantine", [{"reason": reason, "kept": QUARANTINE_PER_REASON} for reason in by_reason])
    counts: list[dict[str, SqlValue]] = [
        {"source_id": origin.source_id, "reason": reason, "count": count, "now": origin.now}
        for reason, count in by_reason.items()
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
