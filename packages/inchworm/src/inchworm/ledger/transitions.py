"""Every transition of a migration, one line each, written in the transaction that makes it."""

from dataclasses import dataclass

from inchworm.ledger.rows import numeric
from inchworm.ports import Reads, SqlValue, Turn
from inchworm.queries import load
from inchworm.states import Status

SQL = load("ledger")


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One transition as it was recorded; times RFC 3339 UTC."""

    name: str
    at: str
    from_status: str | None
    to_status: str
    reason: str | None
    by: str | None
    epoch: int
    rows_processed: int


def remember(
    turn: Turn,
    name: str,
    old: str | None,
    new: Status,
    reason: str | None,
    *,
    by: str | None,
    epoch: int,
    rows: int,
    now: str,
) -> None:
    """One line of the history."""
    values: dict[str, SqlValue] = {"name": name, "from_status": old, "to_status": str(new), "reason": reason, "by": by}
    turn.execute(SQL["remember"], {**values, "epoch": epoch, "rows_processed": rows, "now": now})


def history(reads: Reads, name: str) -> tuple[HistoryLine, ...]:
    """All transitions of a migration, oldest first."""
    return tuple(
        HistoryLine(
            str(r["name"]),
            str(r["at"]),
            None if r["from_status"] is None else str(r["from_status"]),
            str(r["to_status"]),
            None if r["reason"] is None else str(r["reason"]),
            None if r["by_whom"] is None else str(r["by_whom"]),
            int(numeric(r["epoch"])),
            int(numeric(r["rows_processed"])),
        )
        for r in reads.select(SQL["history"], {"name": name}).mappings()
    )
