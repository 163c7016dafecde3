"""Where a walk begins and ends, and how many rows lie between: read once, when a migration begins. Writes nothing."""

from inchworm import cursor
from inchworm.clock import StopLike
from inchworm.cursor import Bound
from inchworm.errors import Busy, DeadlineExceeded, StatementRefused
from inchworm.keyset import Keyset
from inchworm.model import Backfill
from inchworm.ports import Database, SqlValue
from inchworm.progress import Total

READ_LIMIT_S = 10.0  # a read that takes longer is stopped; keeps heartbeats inside the lease
COUNT_LIMIT_S = 0.3  # past this rows_total is an estimate: a start must not wait for COUNT(*)


def bound_of(source: Database, keyset: Keyset, stop: StopLike) -> Bound | None:
    """The lowest and the highest key of now, None for an empty table. Raises DatabaseFault."""
    try:
        with source.snapshot(limit_s=READ_LIMIT_S, stop=stop) as reads:
            low, high = (reads.select(sql, {}).one() for sql in (keyset.lowest, keyset.highest))
    except DeadlineExceeded as problem:
        raise StatementRefused(
            f"reading the lowest and highest {', '.join(keyset.key)} of {keyset.table} took more than "
            f"{READ_LIMIT_S:.0f} s; a walk needs an index on exactly these columns in this order"
        ) from problem
    return Bound(cursor.key_of(low), cursor.key_of(high)) if low and high else None


def total_of(source: Database, migration: Backfill, keyset: Keyset, bound: Bound, stop: StopLike) -> Total:
    """Rows between the bounds: as the definition says, counted, or estimated when counting takes too long."""
    wanted = migration.count
    if isinstance(wanted, int):
        return Total(wanted, estimated=True)
    params = keyset.range_params(bound.low, bound.high)
    try:
        with source.snapshot(limit_s=COUNT_LIMIT_S, stop=stop) as reads:
            row = reads.select(wanted or keyset.count, {} if wanted else params).one()
        return Total(_whole(row))
    except (DeadlineExceeded, Busy):
        return Total(_estimate(source, migration.table, bound), estimated=True)


def _whole(row: tuple[SqlValue, ...] | None) -> int | None:
    if row is None:
        return None
    try:
        return int(str(row[0]))
    except ValueError:
        raise StatementRefused(f"count yields {row[0]!r}; it must yield one whole number") from None


def _estimate(source: Database, table: str, bound: Bound) -> int | None:
    known = source.estimated_rows(table)
    low, high = bound.low[0], bound.high[0]
    if known is None and isinstance(low, int) and isinstance(high, int) and len(bound.low) == 1:
        span = high - low + 1
        return span if span < 1 << 63 else None  # more than the ledger's integers hold
    return known
