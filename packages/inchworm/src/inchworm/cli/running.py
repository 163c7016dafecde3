"""`inchworm run`: migrations in the foreground with progress bars; stops orderly on SIGINT and SIGTERM."""

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from inchworm.application import Runner
from inchworm.cli.exits import SIGNALLED, exit_of
from inchworm.cli.loading import load_migrations
from inchworm.cli.options import with_budget, with_database, with_json, with_migrations
from inchworm.cli.signals import Signalled, stop_on_signals
from inchworm.cli.tables import duration, findings_lines, report_sentences
from inchworm.errors import PlanRefused, Stopped
from inchworm.model import Migration
from inchworm.plan import plan_migrations, record
from inchworm.progress import Progress
from inchworm.wire import report_json

LINE_EVERY_S = 10.0  # where there is no terminal, so that a log does not grow by a line a second


@click.command("run")
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
    """Run migrations to their end, or continue them. Safe to repeat: what is done stays done."""
    migrations = load_migrations(where)
    with stop_on_signals() as signalled, Shown() as shown:
        if not no_plan:
            _look_first(database, migrations, stall_budget_ms, signalled)
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
        for line in report_sentences(report):
            click.echo(line)
    click.get_current_context().exit(exit_of(report, signal=signalled.number))


def _look_first(database: str, migrations: Sequence[Migration], stall_budget_ms: float, signalled: Signalled) -> None:
    """Plan, keep the forecasts, and leave when something is refused or a signal came."""
    try:
        found = plan_migrations(database, migrations, stall_budget_ms=stall_budget_ms, stop=signalled.stop)
        if not found.refused:
            record(database, found, migrations)
    except Stopped:
        click.get_current_context().exit(SIGNALLED + (signalled.number or 0))
    if found.refused:
        for one in found.migrations:
            click.echo("\n".join(findings_lines(one.findings)), err=True, nl=bool(one.findings))
        raise PlanRefused(
            f"{', '.join(found.refused)} would not work well; nothing was changed (--no-plan runs it anyway)"
        )


class Shown:
    """Progress events as bars on a terminal, as a line now and then elsewhere; both on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._line: tuple[str, float] = ("", float("-inf"))
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[why]}"),
            )
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
            self._tasks[event.name] = self._bars.add_task(event.name, total=event.total.rows, why="")
        self._bars.update(
            self._tasks[event.name], completed=event.counts.examined, total=event.total.rows, why=_why(event)
        )
        return None

    def _say(self, event: Progress) -> None:
        state, now = f"{event.name} {event.status}", time.monotonic()
        if state == self._line[0] and now - self._line[1] < LINE_EVERY_S:
            return
        self._line = (state, now)
        click.echo(f"{event}; {_why(event)}", err=True)


def _why(event: Progress) -> str:
    left = f"{duration(event.eta_s)} left" if event.eta_s is not None else ""
    speed = f"{event.rate:,.0f} rows/s" if event.rate is not None else ""
    return ", ".join(part for part in (str(event.status), event.reason or "", speed, left) if part)


COMMANDS = (run,)
