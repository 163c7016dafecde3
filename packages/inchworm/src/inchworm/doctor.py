"""Say why a database is slow or in danger before anybody blames a migration: facts, findings, what to do.

Changes nothing; with migrations it samples them in turns that are undone, as plan does.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from inchworm import ledger
from inchworm.advice import table_names
from inchworm.clock import Clock, Stop, StopLike, SystemClock
from inchworm.errors import DatabaseFault, LedgerTooNew
from inchworm.file_diagnosis import FileFacts, diagnose_file
from inchworm.findings import Finding, Severity, worst_first
from inchworm.model import Backfill, Migration
from inchworm.opening import Target, open_reader, served_by
from inchworm.plan import plan_migrations
from inchworm.server_diagnosis import ServerFacts, diagnose_server
from inchworm.sqlite.examination import examine_file


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Findings, worst first, and the facts behind them."""

    findings: tuple[Finding, ...]
    facts: FileFacts | ServerFacts | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is in danger and everything can work."""
        return all(f.severity is not Severity.ERROR for f in self.findings)


def examine(
    database: Target,
    migrations: Sequence[Migration] = (),
    *,
    stall_budget_ms: float = 50,
    clock: Clock | None = None,
    stop: StopLike | None = None,
    driver: str | None = None,
) -> Diagnosis:
    """Examine a database for about a second, and what each migration would cost it.

    A database that cannot be opened is a finding. Raises DatabaseFault when a migration cannot be planned because the
    database broke meanwhile, Stopped when the token is set.
    """
    clock, stop = clock or SystemClock(), stop or Stop()
    facts: FileFacts | ServerFacts
    try:
        served, database = served_by(database, driver)
    except DatabaseFault as fault:
        return Diagnosis(diagnose_file(FileFacts(str(database), problem=str(fault))))
    if served:
        from inchworm.postgres.examination import examine_server

        facts = examine_server(database, _tables(migrations), clock=clock, stop=stop)
        found, usable = diagnose_server(facts), facts.problem is None and not facts.standby
    else:
        facts = examine_file(database, clock=clock, stop=stop, driver=driver)
        found, usable = diagnose_file(facts), facts.problem is None and not facts.shared_connection
    ledger_problem = _of_the_ledger(database, clock, driver) if usable else ()
    found += ledger_problem
    if migrations and usable and not ledger_problem:
        plan = plan_migrations(
            database, migrations, stall_budget_ms=stall_budget_ms, clock=clock, stop=stop, driver=driver
        )
        found += tuple(f for one in plan.migrations for f in one.findings)
    return Diagnosis(worst_first(found), facts)


def _of_the_ledger(database: Target, clock: Clock, driver: str | None) -> tuple[Finding, ...]:
    """What would keep a run from the ledger, as it would say it."""
    try:
        with closing(open_reader(database, clock=clock, driver=driver)) as db, db.snapshot() as reads:
            ledger.is_ours(reads, db)
    except (LedgerTooNew, DatabaseFault) as problem:
        return (Finding(Severity.ERROR, "ledger", str(problem)),)
    return ()


def _tables(migrations: Sequence[Migration]) -> tuple[str, ...]:
    """The tables that migrations walk, read or write, each once."""
    names: dict[str, None] = {}
    for migration in migrations:
        if isinstance(migration, Backfill):
            own = {} if migration.source is not None else {migration.table: None}
            read = () if migration.compute is None or migration.source is not None else (migration.compute,)
            names |= own | dict.fromkeys(
                name for text in (*read, *migration.statements) for name in table_names(text).values()
            )
    return tuple(names)
