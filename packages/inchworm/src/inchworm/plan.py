"""Look before leaping: explain every statement, sample its cost in turns that are undone, forecast, or refuse.

Changes nothing but `record`, which writes forecasts into the ledger. Samples hold locks for a turn each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from inchworm import cursor, ledger
from inchworm.clock import Clock, Stop, StopLike, SystemClock, rfc3339
from inchworm.cost import Pair
from inchworm.cursor import Bound
from inchworm.errors import (
    Busy,
    DeadlineExceeded,
    DefinitionChanged,
    LedgerTooNew,
    PlanRefused,
    RowRefused,
    StatementRefused,
)
from inchworm.findings import Finding, Severity, worst_first
from inchworm.forecast import FRAME_HEADER, Forecast, Measured, Range, forecast
from inchworm.indextable import NOT_HERE, read_base
from inchworm.keyset import Keyset
from inchworm.ledger import Entry
from inchworm.lint import Explained, Facts, Look, Schema, index_findings, index_table_findings, lint
from inchworm.model import Backfill, IndexBuild, IndexTable, Migration
from inchworm.opening import Target, open_database
from inchworm.pace import Pace, adapted, pace_for
from inchworm.patience import OnWait, unheard
from inchworm.ports import Database, Params
from inchworm.progress import Total
from inchworm.sampling import Probe, Sampler, Samples
from inchworm.sqlite.database import SqliteDatabase
from inchworm.sqlite.probe import SqliteProbe
from inchworm.statement import parameters, update_shape
from inchworm.states import Status

COUNT_LIMIT_S = 0.3
UNFIT_KEY = "choose a key that is unique and never NULL"
RECORD_PATIENCE_S = 5.0


class Inspector(Probe, Schema, Protocol):
    """What a backend lets a plan see; `wal` and `page_bytes` say how its log is written."""

    @property
    def page_bytes(self) -> int: ...
    @property
    def wal(self) -> bool: ...
    def blind(self) -> str | None: ...
    def explain(self, sql: str, params: Params) -> tuple[str, ...]: ...
    def row_bytes(self, table: str, columns: Sequence[str], keys: str, params: Params) -> float | None: ...


def inspector(db: Database) -> Inspector:
    """The probe of an open database."""
    if isinstance(db, SqliteDatabase):
        return SqliteProbe(db)
    from inchworm.postgres.database import PostgresDatabase
    from inchworm.postgres.probe import PostgresProbe

    if not isinstance(db, PostgresDatabase):
        raise TypeError(f"plan cannot look into {type(db).__name__}")
    return PostgresProbe(db)


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What is known of one migration. `forecast` None: it was not measured, and a finding says why."""

    name: str
    findings: tuple[Finding, ...] = ()
    statements: tuple[Explained, ...] = ()
    samples: Samples = field(default_factory=Samples)
    forecast: Forecast | None = None

    @property
    def refused(self) -> bool:
        """Whether it should not run as it is."""
        return any(f.severity is Severity.ERROR for f in self.findings)


@dataclass(frozen=True, slots=True)
class Plan:
    """The plans in the order given."""

    migrations: tuple[MigrationPlan, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        """Names of those that should not run."""
        return tuple(m.name for m in self.migrations if m.refused)

    def require(self) -> None:
        """Raise PlanRefused, with the sentences, when anything is refused."""
        errors = [f for m in self.migrations for f in m.findings if f.severity is Severity.ERROR]
        if errors:
            raise PlanRefused("; ".join(f"{f.about}: {f.sentence}" for f in errors))


def plan_migrations(
    database: Target,
    migrations: Sequence[Migration],
    *,
    stall_budget_ms: float = 50,
    clock: Clock | None = None,
    stop: StopLike | None = None,
    driver: str | None = None,
    on_wait: OnWait = unheard,
) -> Plan:
    """Plan each migration for the rows that it still has to do.

    Takes some ten write turns of a few milliseconds per migration, all rolled back; `on_wait` is told once a second of
    a lock that somebody else keeps, for which it waits 5 s. Raises DatabaseFault when the
    database cannot be read, Stopped when the token is set.
    """
    clock, stop = clock or SystemClock(), stop or Stop()
    db = open_database(database, clock=clock, driver=driver)
    try:
        try:
            known = _entries(db)
        except LedgerTooNew as newer:
            return Plan(tuple(_refused(m.name, str(newer), "") for m in migrations))
        rules = adapted(pace_for(stall_budget_ms), wakes_waiters=db.dialect.wakes_waiters)
        place = _Place(db, clock, stop, rules, driver, on_wait)
        look = _Planner(place, migrations, known)
        return Plan(tuple(look.plan(migration) for migration in migrations))
    finally:
        db.close()


def record(database: Target, plan: Plan, migrations: Sequence[Migration], *, clock: Clock | None = None) -> None:
    """Write the forecasts of migrations that have not begun into the ledger, for the report to set beside the actual.

    Creates the ledger when there is none. Raises Busy when the lock is not free for 5 s.
    """
    clock = clock or SystemClock()
    forecasts = {m.name: m.forecast.to_json() for m in plan.migrations if m.forecast is not None}
    db = open_database(database, clock=clock)
    until = clock.monotonic() + RECORD_PATIENCE_S
    try:
        while True:
            try:
                return _record(db, [m for m in migrations if m.name in forecasts], forecasts, rfc3339(clock.wall()))
            except Busy:
                if clock.monotonic() > until:
                    raise
                clock.sleep(0.01, Stop())
    finally:
        db.close()


def _record(db: Database, migrations: Sequence[Migration], forecasts: dict[str, str], now: str) -> None:
    if not migrations:
        return
    ledger.ensure(db, now)
    with db.turn(limit_s=5.0) as turn:
        for migration in migrations:
            entry = ledger.entry(turn, migration.name)
            if entry is None:
                kind = "index" if isinstance(migration, IndexBuild) else "backfill"
                ledger.register(turn, migration.name, kind, migration.fingerprint, now)
            if entry is None or entry.attempts == 0:
                ledger.set_forecast(turn, migration.name, forecasts[migration.name])


def _entries(db: Database) -> dict[str, Entry]:
    """By name; none before there is a ledger. Raises LedgerTooNew."""
    with db.snapshot() as reads:
        ledger.is_ours(reads, db)
        return {e.name: e for e in ledger.entries(reads)} if ledger.exists(reads, db) else {}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where and how samples are taken."""

    db: Database
    clock: Clock
    stop: StopLike
    rules: Pace
    driver: str | None
    on_wait: OnWait


class _Planner:
    """One open database and what its migrations have in common."""

    def __init__(self, place: _Place, migrations: Sequence[Migration], known: dict[str, Entry]) -> None:
        self._place, self._known, self._stop = place, known, place.stop
        self._coming = tuple(m for m in migrations if isinstance(m, IndexBuild) and not self._is_done(m.name))

        self._tables = tuple(m for m in migrations if isinstance(m, IndexTable) and not self._is_done(m.name))

    def _index_table(self, spec: IndexTable, db: Database) -> MigrationPlan:
        if not isinstance(db, SqliteDatabase):
            return _refused(spec.name, NOT_HERE, "nothing was changed")
        with db.snapshot(limit_s=10.0, stop=self._stop) as reads:
            base = read_base(reads, spec.table)
        rows = None if isinstance(base, str) else SqliteProbe(db).rows_in(spec.table)
        return MigrationPlan(spec.name, index_table_findings(spec, base, rows))

    def _is_done(self, name: str) -> bool:
        return name in self._known and self._known[name].status is Status.DONE

    def plan(self, migration: Migration) -> MigrationPlan:
        if self._is_done(migration.name):
            return _noted(migration.name, "is done; nothing is left to plan")
        if _began_otherwise(self._known.get(migration.name), migration):
            return _refused(migration.name, str(DefinitionChanged(migration.name)), "")
        db = self._place.db
        if isinstance(migration, IndexTable):
            return self._index_table(migration, db)
        if coming := [m.index_table for m in self._tables if m.name in migration.after]:
            return _noted(migration.name, f"waits for the index table {', '.join(coming)}; plan again when it is there")
        probe = inspector(db)
        if isinstance(migration, IndexBuild):
            return MigrationPlan(migration.name, index_findings(migration, probe))
        if migration.source is None:
            return self._backfill(migration, db, probe, probe)
        source = open_database(migration.source, clock=self._place.clock, driver=self._place.driver)
        try:
            return self._backfill(migration, source, inspector(source), probe)
        finally:
            source.close()

    def _backfill(self, migration: Backfill, source: Database, keyed: Inspector, target: Inspector) -> MigrationPlan:
        name = migration.name
        try:
            if problem := source.key_problem(migration.table, migration.keys):
                unfit = "NULL" in problem or "unique" in problem
                return _refused(name, problem, UNFIT_KEY if unfit else "correct the definition; nothing was changed")
            bound = self._bound(source, migration)
            if bound is None:
                return _noted(name, "the table is empty; nothing has to be done")
            place = self._place
            sampler = Sampler(
                migration,
                keyed,
                target,
                clock=place.clock,
                stop=place.stop,
                rules=place.rules,
                on_wait=place.on_wait,
            )
            samples = sampler.take(bound)
            statements = _explained(migration, samples, bound, keyed, target)
        except (StatementRefused, RowRefused) as problem:
            return _refused(name, str(problem), "correct the definition; nothing was changed")
        except Busy as problem:
            return _noted(name, f"was not measured, because another session keeps the table locked: {problem}")
        total = self._total(source, migration, bound)
        facts = Facts(migration, statements, samples, total, self._coming)
        found = lint(facts, keyed, target)
        measured = _measured(migration, sampler, samples, total, target) if found.measured else None
        wakes = place.db.dialect.wakes_waiters
        expected = forecast(measured, place.rules, wakes_waiters=wakes) if measured is not None else None
        if expected is not None and wakes:
            expected = _beside_versions(expected, migration, samples, target, place.rules)
        blind = [Finding(Severity.WARNING, name, why) for why in {keyed.blind(), target.blind()} if why is not None]
        return MigrationPlan(name, worst_first([*found.findings, *blind]), statements, samples, expected)

    def _bound(self, source: Database, migration: Backfill) -> Bound | None:
        """What is left: from the cursor of a run that was interrupted to the bound that it took."""
        walk = Keyset(migration.table, migration.keys, migration.order)
        entry = self._known.get(migration.name)
        if entry is not None and entry.bound is not None:
            at, whole = entry.cursor, entry.bound
            if at is None:
                return whole
            return replace(whole, low=at) if migration.order == "asc" else replace(whole, high=at)
        with source.snapshot(limit_s=10.0, stop=self._stop) as reads:
            low, high = (reads.select(sql, {}).one() for sql in (walk.lowest, walk.highest))
        return Bound(cursor.key_of(low), cursor.key_of(high)) if low and high else None

    def _total(self, source: Database, migration: Backfill, bound: Bound) -> Total:
        if isinstance(migration.count, int):
            return Total(migration.count, estimated=True)
        walk = Keyset(migration.table, migration.keys)
        try:
            with source.snapshot(limit_s=COUNT_LIMIT_S, stop=self._stop) as reads:
                row = reads.select(walk.count, walk.range_params(bound.low, bound.high)).one()
            return Total(int(str(row[0])) if row else None)
        except (DeadlineExceeded, Busy):
            return Total(source.estimated_rows(migration.table) or _span(bound), estimated=True)


def _span(bound: Bound) -> int | None:
    low, high = bound.low[0], bound.high[0]
    return high - low + 1 if len(bound.low) == 1 and isinstance(low, int) and isinstance(high, int) else None


def _began_otherwise(entry: Entry | None, migration: Migration) -> bool:
    """Whether a run would refuse it for that, as the runner does; a retry begins the new definition anew."""
    if entry is None or entry.attempts == 0 or entry.stage in ("retry", "restart"):
        return False
    return entry.fingerprint not in (None, migration.fingerprint)


def _noted(name: str, sentence: str) -> MigrationPlan:
    return MigrationPlan(name, (Finding(Severity.NOTE, name, sentence),))


def _refused(name: str, sentence: str, todo: str) -> MigrationPlan:
    return MigrationPlan(name, (Finding(Severity.ERROR, name, sentence, todo),))


def _explained(
    migration: Backfill, samples: Samples, bound: Bound, keyed: Inspector, target: Inspector
) -> tuple[Explained, ...]:
    piece = samples.slices[0]
    inside = cursor.bounds(migration.keys, piece.first, piece.last)
    walk = Keyset(migration.table, migration.keys, migration.order)
    found = [_look(keyed, Look.READ, "next keys", walk.next_keys(first=False), walk.next_params(bound, bound.low, 250))]
    if migration.compute is not None:
        found.append(_look(keyed, Look.READ, "compute", migration.compute, inside))
    if isinstance(migration.relies_on, str):
        found.append(_look(keyed, Look.READ, "relies_on", migration.relies_on, inside))
    for at, sql in enumerate(migration.statements, 1):
        role = (
            "update" if migration.update is not None else "apply" if len(migration.statements) == 1 else f"apply {at}"
        )
        row = dict(inside) if migration.update is not None else dict(samples.computed)
        params = row or dict.fromkeys(parameters(sql))
        found.append(_look(target, Look.TURN, role, sql, params))
    if migration.verify is not None:
        whole = not set(migration.bound_names) <= set(parameters(migration.verify))
        look = Look.ONCE if whole else Look.VERIFY
        found.append(_look(target, look, "verify", migration.verify, {} if whole else inside))
    return tuple(found)


def _look(probe: Inspector, look: Look, role: str, sql: str, params: Params) -> Explained:
    used = {name: params.get(name) for name in parameters(sql)}
    return Explained(look, role, sql, used, probe.explain(sql, used))


def _measured(
    migration: Backfill, sampler: Sampler, samples: Samples, total: Total, target: Inspector
) -> Measured | None:
    if not samples.turn or total.rows is None:
        return None
    growth = max(0.0, sampler.growth(samples.slices[len(samples.slices) // 2]))
    verify = _seconds_per_row(samples.verify).likely if samples.verify else 0.0
    return Measured(
        rows=total.rows,
        estimated=total.estimated,
        read_s=_seconds_per_row(samples.read),
        hold_s=_seconds_per_row(samples.turn),
        verify_s=verify,
        pages_per_row=_pages_per_row(migration, samples, target, growth),
        growth_bytes_per_row=growth,
        page_bytes=target.page_bytes,
        wal=target.wal,
    )


def _seconds_per_row(pairs: Sequence[Pair]) -> Range:
    each = [p.large.seconds / max(1, p.large.rows) for p in pairs]
    return Range(min(each), sum(each) / len(each), max(each))


def _pages_per_row(migration: Backfill, samples: Samples, target: Inspector, growth: float) -> float | None:
    """Leaf pages that a row makes dirty: its own, shared with its neighbours in key order, and those of indexes.

    Where the log was measured: its bytes per row. Other sessions write to it too, so the smallest of the samples.
    """
    logged = [p.large.log_bytes / p.large.rows for p in samples.turn if p.large.log_bytes is not None and p.large.rows]
    if logged:
        return min(logged) / (target.page_bytes + FRAME_HEADER)
    shapes = [update_shape(sql) for sql in migration.statements]
    if not shapes or samples.examined == 0:
        return None
    pages = 0.0
    for shape in shapes:
        table = target.table(shape.table) if shape is not None else None
        if shape is None or table is None:
            return None
        indexes = sum(bool(set(columns) & set(shape.columns)) for _, columns in table.indexes)
        in_order = migration.keys == (table.rowid_key,) and shape.table == migration.table.rpartition(".")[2].lower()
        share = _share_of_page(migration, samples, target, table.columns, growth) if in_order else 1.0
        pages += share + 0.5 * indexes
    return pages * samples.changed / samples.examined


def _beside_versions(
    expected: Forecast, migration: Backfill, samples: Samples, target: Inspector, rules: Pace
) -> Forecast:
    """The forecast where waiters are woken and a changed row is a new version of it, as on PostgreSQL.

    Only who wants the same rows waits, for the rest of one turn. The log is kept by checkpoints of the server's own,
    and the old versions take room until vacuum has been there.
    """
    size = -(-expected.rows // max(1, expected.turns))
    held_ms = [1000 * p.large.seconds / max(1, p.large.rows) * size for p in samples.turn if p.large.ended]
    likely_ms = min(sum(held_ms) / max(1, len(held_ms)), 1000 * rules.deadline_s)
    piece = samples.slices[len(samples.slices) // 2]
    walk = Keyset(migration.table, migration.keys)
    row = target.row_bytes(migration.table, (), walk.inside, walk.range_params(piece.first, piece.last))
    changed = expected.rows * samples.changed / max(1, samples.examined)
    disk = None if row is None else Range(0.0, changed * row, 2 * changed * row)
    stall = Range(0.0, likely_ms, max(likely_ms, 1000 * rules.deadline_s))
    return replace(expected, stall_ms=stall, wal_peak_bytes=None, disk_bytes=disk)


def _share_of_page(
    migration: Backfill, samples: Samples, target: Inspector, columns: Sequence[str], growth: float
) -> float:
    piece = samples.slices[len(samples.slices) // 2]
    walk = Keyset(migration.table, migration.keys)
    row = target.row_bytes(migration.table, columns, walk.inside, walk.range_params(piece.first, piece.last))
    size = row or target.page_bytes
    splits = min(4.0, 1 + 2 * growth / size)  # rows that grow split full pages, which writes both halves
    return min(1.0, splits * size / (0.9 * target.page_bytes))
