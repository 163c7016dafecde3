"""What an import writes, one slice per turn of the migration engine. Counts every row it is given, exactly once.

Takes the mappings of `migrations.corescope_rows`; opens no transaction and reads no source. `import_receptions` has
the observations.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hopscope.store.connection import sql
from hopscope.store.import_turns import (
    Known,
    Origin,
    Refusals,
    Row,
    account,
    apply,
    as_hex,
    as_int,
    good_rows,
    newest_ids,
    number_of,
    store_packets,
    touched,
    untouched,
)
from inchworm.ports import SqlValue, Turn


def transmissions(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store packets that are not known; of a known one, keep the earlier first_seen and its frame."""
    good = good_rows(rows)
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
    return _accounted(turn, rows, origin, created=len(work.created))


def _accounted(turn: Turn, rows: Sequence[Row], origin: Origin, *, created: int) -> int:
    """Count the slice: what was neither refused nor created was known. Returns its rows."""
    refused = Refusals.of(rows)
    account(turn, origin, refused, created=created, merged=len(rows) - refused.counts.total() - created)
    return len(rows)


def _known(turn: Turn, rows: Sequence[Row]) -> dict[bytes, Known]:
    hashes = json.dumps([row["hash"].hex() for row in rows if isinstance(row["hash"], bytes)])
    found = turn.select(sql("importing")["known_transmissions"], {"hashes": hashes})
    return {row[0]: Known(as_int(row[1]), as_int(row[2])) for row in found.rows if isinstance(row[0], bytes)}


@dataclass(slots=True)
class _Packets:
    """The transmissions of one turn."""

    turn: Turn
    origin: Origin
    created: list[dict[str, SqlValue]] = field(default_factory=list)
    earlier: list[dict[str, SqlValue]] = field(default_factory=list)
    touched: list[dict[str, SqlValue]] = field(default_factory=list)
    _next: int = 0

    def create(self, row: Row) -> Known:
        if not self._next:
            self._next = newest_ids(self.turn)[0]
        self._next += 1
        self.created.append({**row, "id": self._next})
        return Known(self._next, as_int(row["first_seen"]))

    def merge(self, row: Row, known: Known) -> None:
        first_seen = as_int(row["first_seen"])
        if first_seen < known.first_seen:
            self.touched.append(touched(self.turn, self.origin, known))
            self.earlier.append({**row, "id": known.id})
            known.first_seen = first_seen
        else:
            self.touched.append(untouched(self.origin, known.id))

    def write(self) -> None:
        store_packets(self.turn, self.origin, self.created)
        apply(self.turn, "touched_transmission", self.touched)
        apply(self.turn, "take_first_frame", self.earlier)


def observers(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Make or complete observers. What the row describes and measures is as old as its last_seen."""
    good = good_rows(rows)
    idents = {str(row["ident"]) for row in good}
    known = number_of(turn, "known_observers", {"idents": json.dumps(sorted(idents))})
    apply(turn, "upsert_observer", [_dated(row) for row in good])
    return _accounted(turn, rows, origin, created=len(idents) - known)


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
    good = good_rows(rows)
    keys = {as_hex(row["pubkey"]) for row in good}
    known = number_of(turn, "known_nodes", {"keys": json.dumps(sorted(keys))})
    apply(turn, "upsert_node", good)
    return _accounted(turn, rows, origin, created=len(keys) - known)


def metrics(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store samples; one that exists for its five minutes is given what it lacks."""
    good = good_rows(rows)
    slots = {(str(row["observer"]), as_int(row["at"])) for row in good}
    known = number_of(turn, "known_metrics", {"rows": json.dumps(sorted(slots))})
    first: dict[str, int] = {}
    for ident, at in slots:
        first[ident] = min(at, first.get(ident, at))
    apply(turn, "insert_observer", [{"ident": ident, "at": at} for ident, at in first.items()])
    apply(turn, "upsert_metric", good)
    return _accounted(turn, rows, origin, created=len(slots) - known)


def edges(turn: Turn, rows: Sequence[Row], origin: Origin) -> int:
    """Store neighbour edges; a known one keeps the greater count and the later time."""
    good = good_rows(rows)
    pairs = {(as_hex(row["node_a"]), as_hex(row["node_b"])) for row in good}
    known = number_of(turn, "known_edges", {"rows": json.dumps(sorted(pairs))})
    apply(turn, "upsert_edge", good)
    return _accounted(turn, rows, origin, created=len(pairs) - known)


Write = Callable[[Turn, Sequence[Row], Origin], int]
