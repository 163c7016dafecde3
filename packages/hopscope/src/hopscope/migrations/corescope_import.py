"""The import of a CoreScope database as a plan of migrations: which tables come along, and how each is walked.

Newest rows first, so that yesterday is there before last year. Runs nothing itself.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hopscope.migrations import corescope_rows as convert
from hopscope.migrations.corescope_rows import Frames
from hopscope.migrations.derived import Derivation, derivations
from hopscope.model import PacketFacts
from hopscope.store import corescope, import_receptions, importing
from hopscope.store.corescope import Forgotten, Shape, SourceError
from hopscope.store.facts import facts_of
from hopscope.store.import_turns import Origin
from hopscope.store.imports import Import, TableCount, TablePlan
from hopscope.store.retention import DAY_MS
from inchworm.errors import DatabaseBroken
from inchworm.model import Backfill, Row
from inchworm.ports import SqlValue, Turn
from meshwire import DecodeError, KeyRing, decode

LEFT_OUT = {
    "dropped_packets": "packets that CoreScope refused; they are no part of the history",
    "client_receptions": "coverage reports of phones; hopscope has no counterpart",
    "client_observers": "senders of coverage reports; hopscope has no counterpart",
    "packets_v": "a view of tables that come along",
    "_migrations": "CoreScope's own bookkeeping",
    "_async_migrations": "CoreScope's own bookkeeping",
}
NOTES = (
    "Times are the server's receive times of the source, in whole seconds where it kept no more.",
    "first_seen of a packet is lowered to its earliest observation where the source has a later one.",
    "Hashes are recomputed from the frames; rows that differ only by an older hash become one packet.",
    "advert_count of a node is counted from the packets that came along, not copied.",
    "A packet that retention had dropped comes back with the receptions that are newer than those imported before.",
    "A TRACE observation without its own frame keeps its packet's path: path_json holds its route, not the path.",
)
# a row with its indexes, measured on generated histories; the log and the ledger come on top
BYTES_PER_ROW = {"transmissions": 520, "observations": 150, "observer_metrics": 80}
BYTES_PER_OTHER_ROW = 250
BYTES_BESIDE = 96 << 20  # write-ahead log, ledger, quarantine


def plan(
    found: Shape, extents: Mapping[str, corescope.Extent], after: Mapping[str, int], *, keep_from: int = 0
) -> list[TablePlan]:
    """What becomes of every table of the file. keep_from: ms, what retention keeps begins there; 0: it keeps all."""
    return [_table_plan(name, found, extents, after, keep_from) for name in sorted(found.tables)]


def kept_from(retention_days: int, now: int) -> int:
    """The time (ms) before which retention drops what nobody heard since; 0: it drops nothing."""
    return now - retention_days * DAY_MS if retention_days else 0


def _table_plan(
    name: str, found: Shape, extents: Mapping[str, corescope.Extent], after: Mapping[str, int], keep_from: int
) -> TablePlan:
    if name not in extents:
        lacking = sorted(corescope.NEEDED.get(name, set()) - found.tables[name])
        reason = f"it lacks the columns {', '.join(lacking)}" if lacking else "not a table that hopscope knows"
        return TablePlan(name, left_out=LEFT_OUT.get(name, reason))
    extent, first = extents[name], after.get(name, 0)
    return TablePlan(
        name,
        key_after=first,
        key_last=extent.last,
        witness=extent.witness,
        total=extent.total,
        walked_by="id" if name in corescope.KEYED_BY_ID else "rowid",
        reading=corescope.reading(name, found, after=first, bound=extent.last, keep_from=keep_from),
    )


def came_already(
    earlier: Sequence[Mapping[str, tuple[int, bytes]]], witness: Callable[[str, int], bytes | None]
) -> dict[str, int]:
    """The keys up to which this file's rows came with an earlier import, by the rows that stand there.

    earlier: what finished imports left, newest first. witness: the digest of this file's row at a key.
    """
    for marks in earlier:
        if marks and all(witness(name, key) == digest for name, (key, digest) in marks.items()):
            return {name: key for name, (key, _) in marks.items()}
    return {}


def without(plans: Sequence[TablePlan], left: Forgotten) -> list[TablePlan]:
    """The plans with the rows that are stored as their totals: without those that retention leaves behind."""
    fewer = {"transmissions": left.transmissions, "observations": left.observations}
    return [replace(one, total=max(0, one.total - fewer.get(one.name, 0))) for one in plans]


def within(seconds: float) -> Callable[[], bool]:
    """Says whether so much time has passed since now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def bytes_needed(plans: Sequence[TablePlan]) -> int:
    """Forecast of what the import adds to the disk, when it stores every row of the plans."""
    rows = sum(p.total * BYTES_PER_ROW.get(p.name, BYTES_PER_OTHER_ROW) for p in plans if p.left_out is None)
    return rows + BYTES_BESIDE


@dataclass(frozen=True, slots=True)
class _Table:
    """How a table is converted and written."""

    transform: Callable[[Sequence[Row]], Iterable[dict[str, SqlValue]]]
    write: importing.Write


def backfills(job: Import, keys: KeyRing, *, retention_days: int = 0) -> list[Backfill]:
    """The import's migrations and those that derive values from it, in order. The plan decides, not the file."""
    if job.source_id is None or job.started_at is None:
        raise ValueError(f"import {job.id} has no plan yet")
    convert_by, counts = _tables(keys, job.started_at), {table.name: table for table in job.tables}
    migrations: list[Backfill] = []
    for name in corescope.ORDER:
        table = counts.get(name)
        if table is not None and table.reading is not None:
            after = (migrations[-1].name,) if migrations else ()
            keep_from = kept_from(retention_days, job.started_at)
            origin = Origin(job.id, job.source_id, name, job.started_at, keep_from)
            migrations.append(_backfill(job, table, convert_by[name], origin, after))
    return [*migrations, *derivations(Derivation(job.id, job.source_id, (migrations[-1].name,)), keys)]


def derived_only(job: Import, keys: KeyRing) -> list[Backfill]:
    """What follows from the rows that came along, whether or not all of them did."""
    if job.source_id is None:
        raise ValueError(f"import {job.id} has no plan yet")
    return derivations(Derivation(job.id, job.source_id, ()), keys)


def _backfill(job: Import, table: TableCount, how: _Table, origin: Origin, after: tuple[str, ...]) -> Backfill:
    name = origin.table
    again = name in corescope.KEYED_BY_ID and table.key_after > 0
    newer = partial(corescope.open_newer, name=name, after=table.key_after, last=table.key_last)
    return Backfill(
        name=f"import_{job.id}_{name}",
        table=corescope.walked(name) if again else name,
        key=table.walked_by or "rowid",
        source=partial(_open, job.path, newer if again else corescope.open_source),
        order="desc",
        compute=table.reading,
        transform=lambda rows: list(how.transform(rows)),
        apply=_writing(how.write, origin),
        guard="frozen",  # the source is read only, and each slice is written exactly once
        after=after,
        version="1",
    )


def _writing(write: importing.Write, origin: Origin) -> Callable[[Turn, Sequence[Row]], int]:
    def write_slice(turn: Turn, rows: Sequence[Row]) -> int:
        return write(turn, rows, origin)

    return write_slice


def _open(path: str, opening: Callable[[str], Any]) -> Any:
    try:
        return opening(path)
    except SourceError as exc:
        raise DatabaseBroken(str(exc)) from exc


def _tables(keys: KeyRing, now: int) -> dict[str, _Table]:
    frames = Frames.of(partial(_facts, keys=KeyRing(regions=keys.regions)))
    nodes = _Table(partial(convert.nodes, now=now), importing.nodes)
    return {
        "observers": _Table(partial(convert.observers, now=now), importing.observers),
        "nodes": nodes,
        "inactive_nodes": nodes,
        "transmissions": _Table(partial(convert.transmissions, frames=frames, now=now), importing.transmissions),
        "observations": _Table(partial(convert.observations, frames=frames, now=now), import_receptions.observations),
        "observer_metrics": _Table(partial(convert.metrics, now=now), importing.metrics),
        "neighbor_edges": _Table(partial(convert.edges, now=now), importing.edges),
    }


def _facts(frame: bytes, *, keys: KeyRing) -> PacketFacts | str:
    try:
        return facts_of(decode(frame, keys=keys, verify=False))
    except DecodeError as exc:
        return str(exc)


def source_name(number: int, path: str) -> str:
    """What the import is called among the sources."""
    return f"import {number}: {Path(path).name}"
