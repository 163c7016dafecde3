"""`inchworm run`: migrations in the foreground with progress bars; stops orderly on SIGINT and SIGTERM."""

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from inchworm.application import Runner
from inchworm.cli.exits import SIGNALLED, exit_of
from inchworm.cli.loading import load_migrations
from inchworm.cli.options import say_once, with_budget, with_database, with_json, with_migrations
from inchworm.cli.signals import Signalled, stop_on_signals
from inchworm.cli.tables import findings_lines, one_line, report_lines
from inchworm.errors import Busy, PlanRefused, Stopped
from inchworm.findings import Severity
from inchworm.model import Migration
from inchworm.plan import Plan, plan_migrations, record
from inchworm.progress import Progress
from inchworm.states import ACTIVE, Status
from inchworm.status import read_status
from inchworm.wire import report_json

WIDE = 100  # columns of a terminal that has room for a bar beside the figures
LINE_EVERY_S = 10.0  # where there is no terminal, so that a log does not grow by a line a second


@click.command("run", short_help="Run migrations, or continue them; safe to repeat.")
@with_database
@with_json
@with_budget
@click.option("--no-wait", is_flag=True, help="Return instead of waiting for the resume of a paused migration.")
@click.option("--strict-version", is_flag=True, help="Refuse SQLite versions with the WAL-reset bug.")
@click.option("--no-plan", is_flag=True, help="Neither forecast nor refuse what `plan` refuses.")
@with_migrations
def run(
    *,
    database: str,
    as_json: bool,
    stall_budget_ms: float,
    no_wait: bool,
    strict_version: bool,
    no_plan: bool,
    where: str,
) -> None:
    """Run migrations to their end, or continue them. Safe to repeat: what is done stays done.

    Looks first, as plan does, and runs nothing when that refuses one. Waits for a migration that another process
    works on, and for the resume of a paused one. Ctrl-C or SIGTERM ends it after the current turn.
    """
    migrations = load_migrations(where)
    done_before = _look_around(database, migrations, waits=not no_wait)
    with stop_on_signals() as signalled, Shown() as shown:
        if not no_plan:
            _look_first(database, migrations, stall_budget_ms, signalled, done_before)
        report = Runner(
            database,
            migrations,
            stall_budget_ms=stall_budget_ms,
            on_progress=shown.update,
            wait_paused=not no_wait,
            strict_version=strict_version,
        ).run(stop=signalled.stop)
    if as_json:
        click.echo(json.dumps(report_json(report), indent=2, ensure_ascii=False))
    else:
        for line in report_lines(report, budget_ms=stall_budget_ms, done_before=done_before):
            click.echo(line)
    click.get_current_context().exit(exit_of(report, signal=signalled.number))


def _look_around(database: str, migrations: Sequence[Migration], *, waits: bool) -> frozenset[str]:
    """The names that are done already; says for which another process is at work, because `run` waits for those."""
    names = {m.name for m in migrations}
    found = [s for s in read_status(database) if s.name in names]
    for s in found:
        if s.status in ACTIVE and s.holder is not None:
            click.echo(f"{s.name}: {s.holder} works on it; waiting for its end", err=True)
        elif s.status is Status.PAUSED and waits:
            click.echo(f"{s.name}: {s.reason or 'paused'}; waiting for `inchworm resume {s.name}`", err=True)
    return frozenset(s.name for s in found if s.status is Status.DONE)


def _look_first(
    database: str,
    migrations: Sequence[Migration],
    stall_budget_ms: float,
    signalled: Signalled,
    done_before: frozenset[str],
) -> None:
    """Plan, keep the forecasts, and leave when something is refused or a signal came."""
    try:
        found = plan_migrations(
            database, migrations, stall_budget_ms=stall_budget_ms, stop=signalled.stop, on_wait=say_once
        )
        if not found.refused:
            _keep(database, found, migrations)
    except Stopped:
        if signalled.number is None:
            raise
        click.get_current_context().exit(SIGNALLED + signalled.number)
    for one in () if found.refused else found.migrations:
        unmeasured = one.forecast is None and one.name not in done_before
        known = [f for f in one.findings if f.severity is Severity.WARNING or unmeasured]
        click.echo("\n".join(findings_lines(known)), err=True, nl=bool(known))
    if found.refused:
        for one in found.migrations:
            click.echo("\n".join(findings_lines(one.findings)), err=True, nl=bool(one.findings))
        raise PlanRefused(
            f"plan refuses {', '.join(found.refused)}; nothing was run (mend it, or leave the look out with --no-plan)"
        )


def _keep(database: str, found: Plan, migrations: Sequence[Migration]) -> None:
    """The forecasts, unless somebody has taken the lock meanwhile: the run has more patience, and needs none."""
    try:
        record(database, found, migrations)
    except Busy as problem:
        click.echo(f"the forecast is not kept for the report: {problem}", err=True)


class Shown:
    """Progress events as bars on a terminal, as a line now and then elsewhere; both on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._line: tuple[str, float] = ("", float("-inf"))
        if sys.stderr.isatty():
            line = "{task.description}: {task.fields[line]}"  # in one, so that the name is the last to be cut off
            bar = [BarColumn(bar_width=20)] if self._console.width >= WIDE else []
            columns: list[ProgressColumn] = [*bar, TextColumn(line, markup=False)]
            self._bars = Bars(*columns, console=self._console)

    def __enter__(self) -> "Shown":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, event: Progress) -> None:
        """Show one event."""
        if self._bars is None:
            return self._say(event)
        if event.name not in self._tasks:
            self._tasks[event.name] = self._bars.add_task(event.name, total=event.total.rows, line="")
        at = self._tasks[event.name]
        self._bars.update(at, completed=event.counts.examined, total=event.total.rows, line=one_line(event))
        return None

    def _say(self, event: Progress) -> None:
        state, now = f"{event.name} {event.status}", time.monotonic()
        if state == self._line[0] and now - self._line[1] < LINE_EVERY_S:
            return
        self._line = (state, now)
        click.echo(f"{event.name}: {one_line(event)}", err=True)


COMMANDS = (run,)
