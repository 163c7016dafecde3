"""Change millions of rows of a live database while nobody notices.

    import inchworm

    last_seen = inchworm.Backfill(
        name="tx_last_seen_backfill_v1",
        table="transmissions",
        compute="select transmission_id as id, max(timestamp) as last_seen from observations"
        " where transmission_id between :first and :last group by 1",
        apply="update transmissions set last_seen = :last_seen where id = :id and last_seen < :last_seen",
    )
    inchworm.run("mesh.db", [last_seen])

What is here:

    say it        Backfill, IndexBuild, IndexTable, Guard, Skip
    run it        run, Runner, Stop, WriteGate, quiet_hours; Report, Outcome, Progress
    steer it      request, Verb
    watch it      read_status, StatusReader, MigrationStatus, Status; require_done for start-up code
    look first    plan_migrations, Plan; examine, Diagnosis (what `doctor` does)
    errors        InchwormError and what to expect of it; all of them are in `inchworm.errors`

What needs an import of its own: `inchworm.recheck` (recheck: `verify` once more), `inchworm.asgi` (MigrationsApp),
`inchworm.metrics` (MigrationCollector, needs the extra `metrics`), `inchworm.testing` (FakeClock, conformance suite;
its pytest plugin is active by itself). The command line `inchworm` needs the extra `cli`.

How the parts fit, top to bottom (each knows only what is below it):

    cli asgi testing     the edges: a shell, HTTP, what users test with
    metrics wire         statuses, plans and reports as Prometheus gauges and as JSON
    application doctor   run, Runner, request: composes everything; why a database is slow
    plan runner          what a migration would cost, or why not; many migrations: order of work, their ends, the report
    claims               a row that no attempt holds: registration, a changed definition, taking the lease
    lint walk indexwalk  findings from samples; one migration: slices, bisection, quarantine; an index table's fill
    indexbuild           an index in one piece, until the stop token or an operator ends it
    requests recheck     operators' requests for migrations that nobody holds; `verify` long after the end
    attempt sampling     its ledger row between claim and end: lease, waiting with a reason; slices that are undone
    status               the ledger for others: cached, never through the writer
    turns                one write turn: gap, gate, lock, deadline, measurement, checkpoints
    planwatch            the query plan of a slice that was read, beside that of one that was stopped
    forms bounds verify  what happens to a slice outside the lock and inside the turn; begin and end; before `done`
    ledger opening       `_async_migrations` and its sisters; path, URL or factory -> Database
    order report         `after`; what a run returns
    sqlite postgres      the adapters behind `ports.Database`
    model keyset indextable   a migration as data; the statements that walk a key; an index as a table
    gate quiet ports patience   live writers first; hours of rest; what an adapter implements; trying again
    file_diagnosis server_diagnosis   what is wrong with a SQLite file, with a PostgreSQL server
    advice diagnosis forecast findings   which index, what both diagnoses share, how long: from facts to sentences
    states cursor pace checkpoint drift trouble cost progress statement queries   pure: no clock, no database
    lease clock errors events   who lives; time and stopping; every error that is raised on purpose; the log's lines

Walk of a slice: `walk` selects the next keys and lets `forms` compute on one snapshot; `turns` takes a write turn in
which `forms` applies and `ledger` writes cursor and counters; after the commit `pace` chooses the next size and gap.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from inchworm.application import Runner, request, run
from inchworm.clock import Stop
from inchworm.errors import (
    Busy,
    DatabaseFault,
    DefinitionError,
    InchwormError,
    LedgerTooNew,
    LedgerUnreadable,
    LockNeverFree,
    PlanRefused,
    RequestRefused,
    UnsafeConnection,
    UnsafeVersion,
)
from inchworm.gate import WriteGate
from inchworm.model import Backfill, Guard, IndexBuild, IndexTable, Skip
from inchworm.progress import Progress
from inchworm.quiet import quiet_hours
from inchworm.report import Outcome, Report
from inchworm.states import Status, Verb
from inchworm.status import MigrationStatus, StatusReader, read_status, require_done

if TYPE_CHECKING:
    from inchworm.doctor import Diagnosis, examine
    from inchworm.plan import Plan, plan_migrations

# Whether and where log lines appear is the application's to say; Python would print warnings to standard error.
logging.getLogger("inchworm").addHandler(logging.NullHandler())

_LATER = {
    "Diagnosis": "doctor",
    "examine": "doctor",
    "Plan": "plan",
    "plan_migrations": "plan",
}


def __getattr__(name: str) -> object:
    """What most programs do not need, so that `import inchworm` stays quick and loads no database driver."""
    if name not in _LATER:
        raise AttributeError(f"module 'inchworm' has no attribute {name!r}")
    return getattr(import_module(f"inchworm.{_LATER[name]}"), name)


__all__ = [
    "Backfill",
    "Busy",
    "DatabaseFault",
    "DefinitionError",
    "Diagnosis",
    "Guard",
    "InchwormError",
    "IndexBuild",
    "IndexTable",
    "LedgerTooNew",
    "LedgerUnreadable",
    "LockNeverFree",
    "MigrationStatus",
    "Outcome",
    "Plan",
    "PlanRefused",
    "Progress",
    "Report",
    "RequestRefused",
    "Runner",
    "Skip",
    "Status",
    "StatusReader",
    "Stop",
    "UnsafeConnection",
    "UnsafeVersion",
    "Verb",
    "WriteGate",
    "examine",
    "plan_migrations",
    "quiet_hours",
    "read_status",
    "request",
    "require_done",
    "run",
]
