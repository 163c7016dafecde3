"""Look at a database before anything is done with it: what would come along, how long, how much disk, log and lock.

Figures are measured on a sample of the file itself, imported into a throw-away database on the same disk.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import inchworm
from hopscope.migrations import corescope_import
from hopscope.migrations.service import DISK_FLOOR_BYTES
from hopscope.store import connection, corescope, imports, schema
from hopscope.store.corescope import Extent, Forgotten, Shape, SourceError
from hopscope.store.imports import TablePlan
from inchworm import Report
from meshwire import KeyRing

SAMPLE = {"transmissions": 4_000, "observations": 20_000}
SAMPLE_OTHERS = 2_000
COUNT_S = 5.0  # at most so long is counted what retention leaves behind
UNDER_LOAD = 2.0  # live ingest and readers beside it: the engine's target is at most twice the idle time


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an import of this file would do. Times in seconds on an idle machine, sizes in bytes."""

    plans: tuple[TablePlan, ...]
    sizes: Mapping[str, int]  # rows of every table
    seconds: float
    bytes_needed: int
    bytes_free: int
    wal_bytes: int
    longest_hold_s: float
    sampled_rows: int
    warnings: tuple[str, ...]
    past_retention: Forgotten  # rows that are read and left behind

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.bytes_free >= self.bytes_needed + DISK_FLOOR_BYTES


def forecast(path: str, database: str, keys: KeyRing, *, stall_budget_ms: int, retention_days: int = 0) -> Forecast:
    """Measure on a sample. Raises SourceError when the file cannot be imported.

    Rows that retention leaves behind are read, but neither stored nor derived from. They are counted for COUNT_S at
    most, oldest first; the figures are upper bounds then, and a warning says so.
    """
    place = _existing(Path(database).resolve().parent)
    earlier = _witnesses(database)
    with corescope.reading_source(path) as source:
        found = corescope.shape(source)
        after = corescope_import.came_already(earlier, partial(corescope.witness, source))
        extents = corescope.extents(source, found, after)
        plans = corescope_import.plan(found, extents, after)
        keep_from = corescope_import.kept_from(retention_days, time.time_ns() // 1_000_000)
        enough = corescope_import.within(COUNT_S)
        left = corescope.forgotten_rows(source, found, extents, after, keep_from=keep_from, enough=enough)
        sizes = corescope.sizes(source, found)
    try:
        with tempfile.TemporaryDirectory(prefix="hopscope-check-", dir=place) as directory:
            trial = _Trial(str(Path(directory) / "sample.db"))
            report = trial.run(path, _sample(found, extents), keys, stall_budget_ms)
            rows, grew = trial.rows, trial.bytes_grown()
    except OSError as exc:
        raise SourceError(
            f"no sample can be written beside {database}: {exc.strerror}: let this user write there"
        ) from exc
    stored = corescope_import.without(plans, left)
    total = sum(plan.total for plan in stored if plan.left_out is None)
    return Forecast(
        plans=tuple(plans),
        sizes=sizes,
        seconds=_seconds(report, plans, stored),
        bytes_needed=_bytes(total, rows, grew, stored),
        bytes_free=shutil.disk_usage(place).free,
        wal_bytes=trial.wal_peak,
        longest_hold_s=report.longest_hold_s,
        sampled_rows=rows,
        warnings=(*report.warnings, *_of_retention(retention_days, found, left)),
        past_retention=left,
    )


def _of_retention(days: int, found: Shape, left: Forgotten) -> tuple[str, ...]:
    if not days:
        return ()
    if not found.indexed:
        why = "the file has no index that tells which, so they come along and are dropped afterwards"
    else:
        counted = f"{left.transmissions:,} packets with {left.observations:,} receptions"
        why = f"{counted} stay behind" if left.whole else f"{counted} stay behind, and more that were not counted"
        why += "" if left.whole else ": time and disk are upper bounds"
    return (f"retention_days is {days}: of packets that nobody heard for so long, {why}",)


def _witnesses(database: str) -> list[Mapping[str, tuple[int, bytes]]]:
    if not Path(database).is_file():
        return []
    db = connection.open_reader(database)
    try:
        schema.check(db)
        return imports.witnesses(db)
    finally:
        db.close()


def _sample(found: Shape, extents: Mapping[str, Extent]) -> list[TablePlan]:
    """The newest rows of each table."""
    after = {name: max(0, one.last - SAMPLE.get(name, SAMPLE_OTHERS)) for name, one in extents.items()}
    return corescope_import.plan(found, extents, after)


class _Trial:
    """A throw-away database that a sample is imported into."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.wal_peak = self.rows = 0

    def run(self, source: str, plans: list[TablePlan], keys: KeyRing, stall_budget_ms: int) -> Report:
        now = time.time_ns() // 1_000_000
        db = connection.open_writer(self._path)
        try:
            schema.prepare(db)
            number = imports.request(db, source, by="cli", now=now)
            imports.begin(db, number, "sample", plans, now=now)
            job = imports.load(db, number)
            assert job is not None  # made above
            over = threading.Event()
            watch = threading.Thread(target=self._watch, args=(over,))
            watch.start()
            try:
                report = inchworm.run(
                    lambda: connection.open_writer(self._path),
                    corescope_import.backfills(job, keys),
                    stall_budget_ms=stall_budget_ms,
                )
            finally:
                over.set()
                watch.join()
            done = imports.load(db, number)
            assert done is not None  # as above
            self.rows = sum(table.read for table in done.tables)
            db.execute("pragma wal_checkpoint(truncate)")
        finally:
            db.close()
        return report

    def _watch(self, over: threading.Event) -> None:
        wal = Path(self._path + "-wal")
        while not over.wait(0.02):
            self.wal_peak = max(self.wal_peak, wal.stat().st_size if wal.exists() else 0)

    def bytes_grown(self) -> int:
        """What the sample takes on the disk."""
        return Path(self._path).stat().st_size if Path(self._path).exists() else 0


def _seconds(report: Report, plans: list[TablePlan], stored: list[TablePlan]) -> float:
    """Each migration's seconds per row of the sample, times the rows that it walks: of the file, or as stored."""
    read, kept = ({plan.name: plan.total for plan in those} for those in (plans, stored))
    seconds = 0.0
    for outcome in report.outcomes:
        walked = _walked(outcome.name, read if outcome.name.startswith("import_") else kept)
        if outcome.counts.examined and walked:
            seconds += outcome.active_s / outcome.counts.examined * walked
    return seconds


def _walked(name: str, totals: Mapping[str, int]) -> int:
    if name.startswith("import_"):
        return totals.get(name.split("_", 2)[2], 0)
    if name in ("rollup_traffic_v1", "rollup_hash_sizes_v1", "rollup_hops_v1"):
        return totals["observations"]
    return totals["observers"] if name == "observer_totals_v1" and "observers" in totals else totals["transmissions"]


def _bytes(total: int, sampled: int, grew: int, plans: list[TablePlan]) -> int:
    """By the sample, or by rows where the sample is too small to tell."""
    by_rows = corescope_import.bytes_needed(plans)
    if sampled < SAMPLE_OTHERS:
        return by_rows
    return max(by_rows, grew * total // sampled + corescope_import.BYTES_BESIDE)


def _existing(place: Path) -> str:
    while not place.exists():
        place = place.parent
    return os.fspath(place)
