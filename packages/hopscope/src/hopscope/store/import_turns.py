"""What the slices of an import share: whose rows they are, their account, what is refused, how packets are stored.

Opens no transaction; the modules that write the tables call it inside the engine's turn.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hopscope.store.connection import sql
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


@dataclass(slots=True)
class Known:
    """A stored transmission; first_seen as this turn leaves it. last_seen 0: not computed yet."""

    id: int
    first_seen: int
    last_seen: int = 0


def store_packets(turn: Turn, origin: Origin, rows: Sequence[Row]) -> None:
    """Insert transmissions under ids given out before, as made by this import."""
    made = [{"source_id": origin.source_id, "transmission_id": row["id"]} for row in rows]
    apply(turn, "insert_transmission", rows)
    apply(turn, "created_transmission", made)
    count_up(turn, "transmissions", len(rows))


def touched(turn: Turn, origin: Origin, known: Known) -> dict[str, SqlValue]:
    """The transmission's first_seen moves: remember where the rollup counts it now."""
    found = turn.select(sql("importing")["first_observer"], {"id": known.id}).one()
    before = {"first_seen_before": known.first_seen, "observer_before": found[0] if found else 0}
    return {"source_id": origin.source_id, "transmission_id": known.id, **before}


def untouched(origin: Origin, transmission_id: int) -> dict[str, SqlValue]:
    """The transmission gets receptions; its first_seen stays."""
    before = {"first_seen_before": None, "observer_before": None}
    return {"source_id": origin.source_id, "transmission_id": transmission_id, **before}


@dataclass(slots=True)
class Refusals:
    """How many rows of a slice are refused for each reason, and the first of each with their records."""

    counts: Counter[str] = field(default_factory=Counter)
    shown: list[tuple[SqlValue, ...]] = field(default_factory=list)  # key, reason, detail, record

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Refusals":
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


def account(turn: Turn, origin: Origin, refused: Refusals, *, created: int, merged: int) -> None:
    """Put the refused rows aside and count the slice."""
    _quarantine(turn, origin, refused)
    counts: dict[str, SqlValue] = {"imported": created, "merged": merged, "quarantined": refused.counts.total()}
    turn.execute(sql("importing")["count_rows"], counts | {"import_id": origin.import_id, "name": origin.table})


def _quarantine(turn: Turn, origin: Origin, refused: Refusals) -> None:
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
    apply(turn, "insert_quarantine", values)
    apply(turn, "prune_quarantine", [{"reason": reason, "kept": QUARANTINE_PER_REASON} for reason in reasons])
    counts = [
        {**source, "reason": reason, "count": count, "now": origin.now} for reason, count in refused.counts.items()
    ]
    apply(turn, "add_rejects", counts)


def good_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that can be stored."""
    return [row for row in rows if not row["refusal"]]


def apply(turn: Turn, name: str, rows: Iterable[Row]) -> None:
    """Run a statement of importing.sql once per row."""
    found = list(rows)
    if found:
        columns = tuple(found[0])
        turn.apply(sql("importing")[name], Rows(columns, [tuple(row[c] for c in columns) for row in found]))


def count_up(turn: Turn, name: str, count: int) -> None:
    """Raise one of the totals that no page counts."""
    if count:
        turn.execute(sql("importing")["add_counter"], {"name": name, "count": count})


def number_of(turn: Turn, name: str, params: Mapping[str, SqlValue]) -> int:
    """The number that a statement of importing.sql counts."""
    found = turn.select(sql("importing")[name], params).one()
    return as_int(found[0]) if found else 0


def newest_ids(turn: Turn) -> tuple[int, int]:
    """The newest ids of transmissions and observations."""
    found = turn.select(sql("importing")["newest_ids"], {}).one()
    assert found is not None  # a select without a table has one row
    return as_int(found[0]), as_int(found[1])


def as_int(value: SqlValue) -> int:
    """A value that is an integer."""
    assert isinstance(value, int), value
    return value


def as_hex(value: SqlValue) -> str:
    """A value that is bytes, in hex."""
    assert isinstance(value, bytes), value
    return value.hex()
