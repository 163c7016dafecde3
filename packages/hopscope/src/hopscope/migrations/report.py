"""The report of an import: every row of the source accounted for, per table, and what stayed behind and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hopscope.migrations.corescope_import import NOTES
from hopscope.migrations.corescope_values import Refusal
from hopscope.migrations.derived import FIRST_NAMES
from hopscope.store.imports import Import, TableCount

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows of the tables that come along. `vanished`: there at the start, gone before they were read."""

    total: int
    read: int
    imported: int
    merged: int
    quarantined: int
    vanished: int


def names_of(job: Import) -> tuple[str, ...]:
    """The ledger's names of the import's migrations, those that derive values from it included."""
    plain = FIRST_NAMES.values()
    return (*tables_of(job), *(name if job.id == 1 else f"{name}.import_{job.id}" for name in plain))


def tables_of(job: Import) -> tuple[str, ...]:
    """The ledger's names of the import's migrations that read its tables."""
    return tuple(f"import_{job.id}_{table.name}" for table in job.tables if table.left_out is None)


def totals(job: Import) -> Totals:
    """Sums over the tables that come along."""
    tables = [table for table in job.tables if table.left_out is None]
    return Totals(
        total=sum(t.total for t in tables),
        read=sum(t.read for t in tables),
        imported=sum(t.imported for t in tables),
        merged=sum(t.merged for t in tables),
        quarantined=sum(t.quarantined for t in tables),
        vanished=sum(vanished(t) for t in tables),
    )


def vanished(table: TableCount) -> int:
    """Rows that were there at the start and gone before they were read; says so only once the import has ended."""
    return max(0, table.total - table.read)


def accounted_for(job: Import, ledger: Sequence[Row]) -> bool:
    """Whether the import and every migration after it have ended well, and each row has its account."""
    status = {row["name"]: row["status"] for row in ledger}
    ended = all(status.get(name) == "done" for name in names_of(job))
    return (
        job.state == "done"
        and job.error is None
        and ended
        and sum(count for _, count in job.reasons) == totals(job).quarantined
    )


def standing(job: Import, ledger: Sequence[Row], *, works: bool | None) -> str:
    """The state of an import as it is: what is stored stays `running` when the process that worked has died.

    `works`: whether a process lives that imports, None: not known. Adds to the stored states `waiting` (asked for, and
    nobody is there to begin), `interrupted` and `paused`. Of each row of the ledger status is read, as it is too.
    """
    if job.state == "requested":
        return "waiting" if works is False else job.state
    if job.state != "running":
        return job.state
    if works is False:
        return "interrupted"
    names = names_of(job)
    found = {row["status"] for row in ledger if row["name"] in names}
    if found & {"running", "verifying"}:
        return job.state
    return next((state for state in ("paused", "interrupted") if state in found), job.state)


def as_json(job: Import, ledger: Sequence[Row], *, state: str | None = None) -> dict[str, Any]:
    """The report for machines; times RFC 3339 UTC. `state`: what `standing` says; None: what is stored."""
    names = set(names_of(job))
    ended = job.state == "done"
    return {
        "import": job.id,
        "file": job.path,
        "state": state or job.state,
        "error": job.error,
        "requestedAt": _time(job.requested_at),
        "startedAt": _time(job.started_at),
        "endedAt": _time(job.ended_at),
        "accountedFor": accounted_for(job, ledger),
        "tables": [_table(table, ended=ended) for table in job.tables if table.left_out is None],
        "leftOut": [{"table": t.name, "reason": t.left_out} for t in job.tables if t.left_out is not None],
        "quarantine": [{"reason": reason, "count": count} for reason, count in job.reasons],
        "migrations": [
            {"name": row["name"], "status": row["status"], "error": row.get("error")}
            for row in ledger
            if row["name"] in names
        ],
        "notes": list(NOTES),
    }


def _table(table: TableCount, *, ended: bool) -> dict[str, Any]:
    return {
        "table": table.name,
        "rowsAtStart": table.total,
        "rowsRead": table.read,
        "imported": table.imported,
        "merged": table.merged,
        "quarantined": table.quarantined,
        "vanished": vanished(table) if ended else None,
        "alreadyImportedUpTo": table.key_after or None,
    }


def as_text(job: Import) -> str:
    """The report for people."""
    lines = [f"import {job.id} of {job.path}: {job.state}" + (f" ({job.error})" if job.error else "")]
    if not job.tables:
        return lines[0] + "\n"
    head = f"{'table':<18}{'rows read':>12}{'imported':>12}{'merged':>12}{'quarantined':>13}{'vanished':>10}"
    lines += ["", head, "-" * len(head)]
    for table in job.tables:
        if table.left_out is None:
            lines.append(
                f"{table.name:<18}{table.read:>12,}{table.imported:>12,}{table.merged:>12,}{table.quarantined:>13,}"
                f"{vanished(table) if job.state == 'done' else '?':>10}"
            )
    lines += _why(job)
    return "\n".join(lines) + "\n"


# what a word of the quarantine says of a row
EXPLAINED = {
    Refusal.NO_FRAME: "its raw_hex is empty",
    Refusal.NOT_HEX: "its raw_hex is not whole bytes in hex",
    Refusal.FRAME_TOO_LONG: "its frame is longer than 255 bytes",
    Refusal.BAD_FRAME: "its frame breaks a rule of the protocol",
    Refusal.BAD_TIME: "it has no time, or one before 2000 or more than a day ahead",
    Refusal.BAD_PATH: "its path_json is no list of hops, and it has no frame of its own",
    Refusal.NO_TRANSMISSION: "its transmission is not in the file",
    Refusal.TRANSMISSION_REFUSED: "its transmission was refused, for a reason of this list",
    Refusal.PAST_RETENTION: "last heard before the time that retention_days keeps; no record is kept",
    Refusal.BAD_OBSERVER: "its observer is neither 64 hex digits nor a plain word",
    Refusal.BAD_KEY: "its public key is not 64 hex digits",
    Refusal.NO_NEIGHBOUR: "one of its ends is not known",
}


def _why(job: Import) -> list[str]:
    quarantined = [
        f"  {count:>10,}  {reason}" + (f": {EXPLAINED[Refusal(reason)]}" if reason in set(Refusal) else "")
        for reason, count in job.reasons
    ]
    left = [f"  {table.name}: {table.left_out}" for table in job.tables if table.left_out is not None]
    lines: list[str] = []
    if quarantined:
        lines += ["", "quarantined, by reason (the newest of each: /api/ingest/quarantine):", *quarantined]
    if left:
        lines += ["", "left behind:", *left]
    if job.tables:
        lines += ["", *(f"note: {note}" for note in NOTES)]
    return lines


def _time(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
