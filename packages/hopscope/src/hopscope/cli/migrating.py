"""`hopscope migrations`: how the changes of stored data stand, and the operator's verbs for them."""

import json
import time
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hopscope.api.migrations_status import MigrationInfo, status_of
from hopscope.cli.choice import Choice, with_config
from hopscope.cli.failures import MustChange, told
from hopscope.migrations import operating
from hopscope.migrations.operating import NoSuchMigration, RequestRefused
from hopscope.store import connection, ledger
from hopscope.store.connection import DatabaseMissing
from hopscope.store.errors import StoreUnavailable
from inchworm import Verb

BAR = 10  # columns; the longest name, a state and two numbers of seven digits leave that of eighty
COLOURS = {"done": "green", "running": "cyan", "verifying": "cyan", "failed": "red", "cancelled": "yellow"}


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the ledger as JSON.")
@with_config
def migrations(choice: Choice, *, as_json: bool) -> None:
    """Show every migration of stored data with its progress; pause, resume, cancel, retry or acknowledge one."""
    context = click.get_current_context()
    context.obj = choice
    if context.invoked_subcommand is not None:
        return
    with told(DatabaseMissing, failure=MustChange):
        rows = _rows(choice.settings().database)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif not rows:
        click.echo("no migration has run in this database")
    else:
        found = status_of(tuple(rows), now_s=time.time()).migrations
        Console().print(_table(found))
        for one in found:
            if why := one.error_message or one.reason:
                click.echo(f"{one.name}: {why}")


def _verb_command(verb: Verb) -> click.Command:
    @click.command(
        verb.value, help=f"{verb.value.capitalize()} the migration NAME; the writer answers within a second."
    )
    @click.argument("name")
    @with_config
    def ask(choice: Choice, *, name: str) -> None:
        with told(DatabaseMissing, failure=MustChange), told(NoSuchMigration, RequestRefused, StoreUnavailable):
            click.echo(f"{name}: {operating.ask(choice.settings().database, name, verb.value, by='cli')}")

    return ask


for _verb in Verb:
    migrations.add_command(_verb_command(_verb))


def _rows(database: str) -> Sequence[dict[str, Any]]:
    db = connection.open_reader(database)
    try:
        return ledger.rows(db)
    finally:
        db.close()


def _table(found: Sequence[MigrationInfo]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("migration", "state", "", "rows"):
        table.add_column(title, justify="right" if title == "rows" else "left", no_wrap=True)
    for one in found:
        done, total = one.rows_processed or 0, one.rows_total
        table.add_row(
            Text(one.name),
            Text(one.status, style=COLOURS.get(one.status, "")) + (", acknowledged" if _seen(one) else ""),
            ProgressBar(total=total or 1, completed=done if total else float(one.status == "done"), width=BAR),
            f"{done:,}" if total is None else f"{done:,} / {total:,}",
        )
    return table


def _seen(one: MigrationInfo) -> bool:
    """A failure that an operator has acknowledged; a retry forgets that."""
    return one.status == "failed" and one.acknowledged_at is not None
