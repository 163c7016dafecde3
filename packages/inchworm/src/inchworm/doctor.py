"""Say why a database is slow or in danger before anybody blames a migration: facts, findings, what to do.

Changes nothing; with migrations it samples them in turns that are undone, as plan does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inchworm.clock import Clock, Stop, StopLike, SystemClock
from inchworm.diagnosis import FileFacts, diagnose
from inchworm.findings import Finding, Severity, worst_first
from inchworm.model import Migration
from inchworm.opening import Target, is_postgres
from inchworm.plan import plan_migrations
from inchworm.sqlite.examination import examine_file


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Findings, worst first, and for SQLite the facts behind them."""

    findings: tuple[Finding, ...]
    facts: FileFacts | None = None

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
    if is_postgres(database) or driver == "postgres":
        sentence = "doctor examines SQLite files; of PostgreSQL only the migrations are looked at"
        found: tuple[Finding, ...] = (Finding(Severity.NOTE, "the database", sentence),)
        facts = None
    else:
        facts = examine_file(database, clock=clock, stop=stop, driver=driver)
        found = diagnose(facts)
    if migrations and (facts is None or (facts.problem is None and not facts.shared_connection)):
        plan = plan_migrations(
            database, migrations, stall_budget_ms=stall_budget_ms, clock=clock, stop=stop, driver=driver
        )
        found += tuple(f for one in plan.migrations for f in one.findings)
    return Diagnosis(worst_first(found), facts)
