"""`hopscope import` and `upgrade-check`: a CoreScope database, brought along or only looked at."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hopscope import log
from hopscope.api.migrations_status import as_it_is
from hopscope.app import importing, preflight, writer
from hopscope.app.child import stop_on_signals
from hopscope.app.importing import ImportStopped, Look
from hopscope.app.preflight import CannotStart
from hopscope.app.stop import StopToken
from hopscope.cli.choice import Choice, with_config
from hopscope.cli.failures import Failure, MustChange, told
from hopscope.cli.forecasting import forecast_json, forecast_text
from hopscope.migrations import report
from hopscope.migrations.forecast import forecast
from hopscope.store.corescope import SourceError, is_hopscope
from hopscope.store.errors import StoreUnavailable, UnsupportedDatabase
from hopscope.store.lock import LockUnusable, writer_alive
from hopscope.store.schema import SchemaError

FILE = click.argument(
    "source", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True)
)


@click.command("import")
@FILE
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--no-wait", is_flag=True, help="Leave the request to the writer and return.")
@with_config
def import_file(choice: Choice, *, source: Path, as_json: bool, no_wait: bool) -> None:
    """Bring the history of a CoreScope database along; the file is only read.

    A running writer does the work beside live ingest; without one this command does it. Returns when the import and
    every migration after it have ended. Running it again takes what is newer, or continues what was interrupted.
    """
    settings = choice.settings()
    log.setup("warning" if settings.log_level == "info" else settings.log_level)
    stop = StopToken()
    stop_on_signals(stop)
    with told(UnsupportedDatabase, SchemaError, CannotStart, LockUnusable, failure=MustChange), told(StoreUnavailable):
        writer.check_database(settings.database)
        preflight.check_database(settings.database)
        if no_wait:
            number = importing.ask_only(settings, source, stop)
            who = "the running writer" if writer_alive(settings.database) else "no writer runs now, the next one"
            click.echo(
                json.dumps({"import": number, "state": "requested"})
                if as_json
                else f"import {number} is asked for; {who} takes it up"
            )
            return
        try:
            with _Bars(enabled=not as_json) as bars:
                look = importing.bring(settings, source, stop, bars.show)
        except ImportStopped as stopped:
            if as_json:
                _print(_stopped_json(stopped, settings.database))
            raise Failure(str(stopped)) from stopped
    _end(look, as_json=as_json)


def _end(look: Look, *, as_json: bool) -> None:
    """The report on standard output, and what is wrong, once, on standard error."""
    job, text = look.job, report.as_text(look.job)
    if as_json:
        _print(report.as_json(job, look.ledger))
    elif job.tables:
        click.echo(text, nl=False)
    else:  # nothing was begun: that it was refused is all there is to say
        raise Failure(text.rstrip())
    if not report.accounted_for(job, look.ledger):
        told_above = job.error and not as_json
        raise Failure(
            "not every row and every migration is accounted for" if told_above or not job.error else job.error
        )


def _stopped_json(stopped: ImportStopped, database: str) -> dict[str, Any]:
    """How an import stands that goes on later, and why: `stopped`."""
    if stopped.number is None:
        return {"state": "unknown", "stopped": str(stopped)}
    look = importing.look_again(database, stopped.number)  # what worked here has ended since
    job, rows = look.job, as_it_is(look.ledger, now_s=time.time())
    state = report.standing(job, rows, works=writer_alive(database))
    return {**report.as_json(job, rows, state=state), "stopped": str(stopped)}


def _print(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


class _Bars:
    """One progress bar per migration that has begun, on standard error."""

    def __init__(self, *, enabled: bool) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}"),
        )
        self._progress = Progress(*columns, console=console, disable=not (enabled and sys.stderr.isatty()))
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, look: Look) -> None:
        names = set(report.names_of(look.job))
        for row in look.ledger:
            if row["name"] in names and row["status"] != "pending":
                self._update(row)

    def _update(self, row: dict[str, Any]) -> None:
        name = str(row["name"])
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=row["rows_total"], state="")
        state = str(row.get("reason") or row["status"])
        self._progress.update(
            self._tasks[name], completed=row["rows_processed"] or 0, total=row["rows_total"], state=state
        )


@click.command("upgrade-check")
@FILE
@click.option("--json", "as_json", is_flag=True, help="Print the forecast as JSON.")
@with_config
def upgrade_check(choice: Choice, *, source: Path, as_json: bool) -> None:
    """Say what an import of FILE would do, how long it would take and what it needs, before anything is done.

    Measures on a sample that is thrown away. FILE may also be a hopscope database; then its schema is checked.
    """
    settings = choice.settings()
    log.setup("warning" if settings.log_level == "info" else settings.log_level)
    with told(SourceError, SchemaError):
        if is_hopscope(str(source)):
            click.echo(importing.check_ours(source))
            return
        found = forecast(
            str(source),
            settings.database,
            writer.key_ring(settings),
            stall_budget_ms=settings.stall_budget_ms,
            retention_days=settings.retention_days,
        )
    click.echo(json.dumps(forecast_json(found), indent=2) if as_json else forecast_text(found), nl=as_json)
    if not found.fits:
        raise Failure("the disk has no room for this import")
