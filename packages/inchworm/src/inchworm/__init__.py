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

How the parts fit, top to bottom (each knows only what is below it):

    application   run, Runner, request: composes everything
    status        read_status, StatusReader: the ledger for others, cached, never through the writer
    opening       path, URL or factory -> Database
    sqlite/ postgres   the adapters behind `ports.Database`
    runner        many migrations: registration, leases, order of work
    requests      an operator's request for a migration that nobody holds
    walk, verify  one migration: slices, bisection, quarantine; the check before `done`
    attempt       its ledger row between claim and end: lease, waiting with a reason, status, progress
    turns         one write turn: gap, gate, lock, deadline, measurement, checkpoints
    forms, bounds what happens to a slice outside the lock and inside the turn; where a walk begins and ends
    ledger        `_async_migrations` and its sisters; written only through an open turn
    gate lease report quiet   live writers first; who lives; what a run returns; hours of rest
    model keyset order        a migration as data; the statements that walk a key; `after`
    ports         what an adapter implements
    states cursor pace checkpoint drift trouble cost progress statement queries   pure: no clock, no database
    errors clock

Walk of a slice: `walk` selects the next keys and lets `forms` compute on one snapshot; `turns` takes a write turn in
which `forms` applies and `ledger` writes cursor and counters; after the commit `pace` chooses the next size and gap.
"""

from inchworm.application import Runner, request, run
from inchworm.clock import Stop
from inchworm.errors import DefinitionError, InchwormError, RequestRefused
from inchworm.gate import WriteGate
from inchworm.model import Backfill, Guard, IndexBuild, IndexTable, Skip
from inchworm.progress import Progress
from inchworm.quiet import quiet_hours
from inchworm.report import Outcome, Report
from inchworm.states import Status, Verb
from inchworm.status import MigrationStatus, StatusReader, read_status, require_done

__all__ = [
    "Backfill",
    "DefinitionError",
    "Guard",
    "InchwormError",
    "IndexBuild",
    "IndexTable",
    "MigrationStatus",
    "Outcome",
    "Progress",
    "Report",
    "RequestRefused",
    "Runner",
    "Skip",
    "Status",
    "StatusReader",
    "Stop",
    "Verb",
    "WriteGate",
    "quiet_hours",
    "read_status",
    "request",
    "require_done",
    "run",
]
