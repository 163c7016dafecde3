"""`inchworm status`: the ledger as a table, as JSON, or watched until everything has ended."""

import json
import time
from collections.abc import Sequence

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from inchworm.cli.exits import Exit
from inchworm.cli.loading import load_migrations
from inchworm.cli.options import terminal_width, with_database, with_json, with_known
from inchworm.cli.tables import one_line, status_lines
from inchworm.states import ENDED, Status
from inchworm.status import MigrationStatus, StatusReader
from inchworm.wire import statuses_json

SETTLED = ENDED | {Status.PARKED, Status.UNKNOWN}


NOTHING = "no migration has been run in this database"
LINE_EVERY_S = 10.0  # where there is no terminal


@click.command("status", short_help="Show how every migration stands.")
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
    else:
        click.echo("\n".join(status_lines(found, terminal_width())) or NOTHING)


def _watched(reader: StatusReader, *, as_json: bool) -> Sequence[MigrationStatus]:
    found = reader.read()
    try:
        if as_json:
            return _lines(reader)
        if not found or terminal_width() is None:
            return _told(reader)
        with Live(_shown(found), console=Console(), auto_refresh=False) as live:
            while not _settled(found):
                time.sleep(1.0)
                found = reader.read()
                live.update(_shown(found), refresh=True)
    except KeyboardInterrupt:
        click.echo(err=True)  # the watcher leaves; the migration does not notice
    return found


def _settled(found: Sequence[MigrationStatus]) -> bool:
    return all(s.status in SETTLED for s in found)


def _shown(found: Sequence[MigrationStatus]) -> Text:
    return Text.from_ansi("\n".join(status_lines(found, terminal_width())))


def _told(reader: StatusReader) -> Sequence[MigrationStatus]:
    """A line per migration when its status changes, and now and then between."""
    told: dict[str, tuple[str, float]] = {}
    while True:
        found, now = reader.read(), time.monotonic()
        for s in found:
            before, at = told.get(s.name, ("", 0.0))
            if str(s.status) != before or (now - at >= LINE_EVERY_S and s.status not in SETTLED):
                told[s.name] = str(s.status), now
                click.echo(f"{s.name}: {one_line(s)}")
        if _settled(found):
            if not found:
                click.echo(NOTHING)
            return found
        time.sleep(1.0)


def _lines(reader: StatusReader) -> Sequence[MigrationStatus]:
    while True:
        found = reader.read()
        click.echo(json.dumps(statuses_json(found), ensure_ascii=False))
        if _settled(found):
            return found
        time.sleep(1.0)


COMMANDS = (status,)
