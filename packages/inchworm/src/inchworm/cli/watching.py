"""`inchworm status`: the ledger as a table, as JSON, or watched until everything has ended."""

import json
import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.live import Live

from inchworm.cli.exits import Exit
from inchworm.cli.loading import load_migrations
from inchworm.cli.options import with_database, with_json, with_known
from inchworm.cli.tables import status_table
from inchworm.states import ENDED, Status
from inchworm.status import MigrationStatus, StatusReader
from inchworm.wire import statuses_json

SETTLED = ENDED | {Status.PARKED, Status.UNKNOWN}


@click.command("status")
@with_database
@with_json
@click.option("--watch", is_flag=True, help="Show it again every second until every migration has ended.")
@with_known
def status(*, database: str, as_json: bool, watch: bool, where: str | None) -> None:
    """Show how every migration stands. Reads on a connection of its own and never waits for a writer.

    With MODULE:ATTRIBUTE, a name that the code no longer defines is shown as parked. Exits with 1 while a failure is
    not acknowledged.
    """
    known = None if where is None else [m.name for m in load_migrations(where)]
    with StatusReader(database, known=known, ttl_s=0) as reader:
        if watch:
            found = _watched(reader, as_json=as_json)
        else:
            found = reader.read()
            _print(found, as_json=as_json)
    click.get_current_context().exit(Exit.FAILED if any(s.needs_acknowledgement for s in found) else Exit.OK)


def _print(found: Sequence[MigrationStatus], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(statuses_json(found), indent=2, ensure_ascii=False))
    elif not found:
        click.echo("no migration has been run in this database")
    else:
        Console().print(status_table(found))


def _watched(reader: StatusReader, *, as_json: bool) -> Sequence[MigrationStatus]:
    found = reader.read()
    try:
        if as_json:
            return _lines(reader)
        with Live(status_table(found), console=Console(), refresh_per_second=2) as live:
            while not all(s.status in SETTLED for s in found):
                time.sleep(1.0)
                found = reader.read()
                live.update(status_table(found))
    except KeyboardInterrupt:
        click.echo(err=True)  # the watcher leaves; the migration does not notice
    return found


def _lines(reader: StatusReader) -> Sequence[MigrationStatus]:
    while True:
        found = reader.read()
        click.echo(json.dumps(statuses_json(found), ensure_ascii=False))
        if all(s.status in SETTLED for s in found):
            return found
        time.sleep(1.0)


COMMANDS = (status,)
