"""The receptions that an import writes, one slice per turn of the migration engine: new ones, and copies of known ones.

Takes what `migrations.corescope_rows` made of a slice; opens no transaction and reads no source.
"""

import json
import marshal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from hopscope.store.connection import sql
from hopscope.store.faults import as_faults
from hopscope.store.identity import WINDOW_MS, Copy, same_reception
from hopscope.store.import_turns import (
    PAST_RETENTION,
    Known,
    Origin,
    Refusals,
    Row,
    account,
    apply,
    as_int,
    count_up,
    newest_ids,
    store_packets,
    touched,
    untouched,
)
from inchworm.ports import SqlValue, Turn


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


def packed(key: str, rows: Sequence[Observed]) -> list[dict[str, SqlValue]]:
    """Many rows as one for the engine; `_unpacked` takes them apart in the same process.

    Of refused ones only as many go with their records as the quarantine keeps, so that a flood of them costs no more.
    """
    if not rows:
        return []
    refused = Refusals()
    for row in rows:
        if row.refusal is not None:
            refused.add(row.key, row.refusal, row.detail, row.record)
    good = [tuple(row) for row in rows if row.refusal is None]
    return [{key: rows[-1].key, "rows": marshal.dumps((good, dict(refused.counts), refused.shown))}]


def _unpacked(rows: Sequence[Row]) -> tuple[list[Observed], Refusals]:
    """What `packed` packed."""
    good: list[Observed] = []
    refused = Refusals()
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
    account(turn, origin, refused, created=len(work.new), merged=merged)
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
        self._transmissions: dict[bytes, Known] = {}
        self._observers: dict[str, int] = {}
        self._near = _Near()
        self._completions: list[dict[str, SqlValue]] = []
        self._lowered: dict[int, dict[str, SqlValue]] = {}
        self._touched: dict[int, dict[str, SqlValue]] = {}
        self._heard: dict[int, dict[str, SqlValue]] = {}
        self._made: list[dict[str, SqlValue]] = []
        self._next_transmission, self._next = newest_ids(turn)
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
        for digest, tx, first_seen, last_seen, known_here in found:
            self._transmissions[digest] = Known(tx, first_seen, last_seen)
            if known_here is None:
                self._touched[tx] = untouched(self._origin, tx)

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

    def add(self, row: Observed) -> Literal["new", "merged", "forgotten"]:
        """What became of the row. Forgotten: retention would drop it at once."""
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
        heard = row[3:11]  # heard_at to direction, in the order of insert_observation
        self.new.append((one.id, known.id, observer, self._origin.source_id, *heard))
        self._first(known, row.heard_at)
        self._last(known, row.heard_at)
        return "new"

    def _make(self, row: Observed) -> Known:
        """Retention dropped the packet, and here is a newer reception: as ingest would, begin it anew."""
        self._next_transmission += 1
        packet = dict(zip(PACKET, row.packet, strict=True))
        made = {"id": self._next_transmission, "hash": row.hash, "first_seen": row.heard_at, **packet}
        self._made.append(made)
        return Known(self._next_transmission, row.heard_at)

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
            known = self._observers[ident] = as_int(found[0])
        return known

    def _first(self, known: Known, heard_at: int) -> None:
        if heard_at >= known.first_seen:
            return
        made_here = known.id > self._next_transmission - len(self._made)
        if known.id not in self._lowered and not made_here:
            self._touched[known.id] = touched(self._turn, self._origin, known)
        self._lowered[known.id] = {"id": known.id, "first_seen": heard_at}
        known.first_seen = heard_at

    def _last(self, known: Known, heard_at: int) -> None:
        """Retention must not drop a packet between its new reception and the backfill of last_seen."""
        if 0 < known.last_seen < heard_at:
            self._heard[known.id] = {"id": known.id, "last_seen": heard_at}
            known.last_seen = heard_at

    def write(self) -> None:
        store_packets(self._turn, self._origin, self._made)
        apply(self._turn, "touched_transmission", self._touched.values())
        apply(self._turn, "lower_first_seen", self._lowered.values())
        apply(self._turn, "raise_last_seen", self._heard.values())
        connection: Any = self._turn.connection
        with as_faults():  # past the engine's own method, which looks at the clock before each row
            connection.executemany(sql("importing")["insert_observation"], self.new)
        apply(self._turn, "complete_observation", self._completions)
        count_up(self._turn, "observations", len(self.new))
