"""`inchworm plan`, `doctor` and `verify`: look before a run and check again after it. None of them changes data."""

import json

import click

from inchworm.cli.exits import Exit
from inchworm.cli.loading import load_migrations
from inchworm.cli.options import say_once, with_budget, with_database, with_json, with_known, with_migrations
from inchworm.cli.signals import stop_on_signals
from inchworm.cli.tables import facts_line, findings_lines, forecast_lines
from inchworm.doctor import examine
from inchworm.plan import MigrationPlan, plan_migrations
from inchworm.recheck import Rechecked, recheck
from inchworm.wire import findings_json, plan_json


@click.command("plan", short_help="Forecast a run, or refuse it; changes nothing.")
@with_database
@with_json
@with_budget
@click.option("--explain", is_flag=True, help="Also show how the database would run each statement.")
@with_migrations
def plan(*, database: str, as_json: bool, stall_budget_ms: float, explain: bool, where: str) -> None:
    """Forecast time, stall, log and disk of each migration from samples that are undone, or refuse it.

    Takes some ten write turns of a few milliseconds per migration. Exits with 3 when something is refused.
    """
    migrations = load_migrations(where)
    with stop_on_signals() as signalled:
        found = plan_migrations(
            database, migrations, stall_budget_ms=stall_budget_ms, stop=signalled.stop, on_wait=say_once
        )
    if as_json:
        click.echo(json.dumps(plan_json(found), indent=2, ensure_ascii=False))
    else:
        for one in found.migrations:
            click.echo("\n".join(_plan_lines(one, explain=explain)))
    click.get_current_context().exit(Exit.REFUSED if found.refused else Exit.OK)


def _plan_lines(one: MigrationPlan, *, explain: bool) -> list[str]:
    expected = one.forecast
    if one.refused:
        lines = [f"{one.name}: refused"]
    elif expected is None:
        lines = [f"{one.name}:"]
    else:
        about = "about " if expected.estimated else ""
        lines = [f"{one.name}: {about}{expected.rows:,} rows in about {expected.turns:,} turns"]
    below = forecast_lines(expected) if expected is not None and not one.refused else []
    below += findings_lines(one.findings, about=one.name)
    for statement in one.statements if explain else ():
        below += [f"{statement.role}, {statement.look}:", *(f"    {line}" for line in statement.lines)]
    return [*lines, *(f"    {line}" for line in below)]


@click.command("doctor", short_help="Say why a database is slow or in danger.")
@with_database
@with_json
@with_budget
@with_known
def doctor(*, database: str, as_json: bool, stall_budget_ms: float, where: str | None) -> None:
    """Say why a database is slow or in danger: journal, library, locks, readers, log, disk, and who writes.

    On a server: sessions, locks, vacuum, replication slots, settings and rights.

    Watches it for a second. With MODULE:ATTRIBUTE it also plans those migrations. Exits with 1 for an error.
    """
    migrations = () if where is None else load_migrations(where)
    with stop_on_signals() as signalled:
        found = examine(database, migrations, stall_budget_ms=stall_budget_ms, stop=signalled.stop)
    if as_json:
        click.echo(
            json.dumps({"ok": found.ok, "findings": findings_json(found.findings)}, indent=2, ensure_ascii=False)
        )
    else:
        looked_at = [] if found.facts is None or found.facts.problem is not None else [facts_line(found.facts)]
        lines = findings_lines(found.findings) or ["nothing is wrong with it"]
        click.echo("\n".join([*looked_at, *lines]))
    click.get_current_context().exit(Exit.OK if found.ok else Exit.FAILED)


@click.command("verify", short_help="Check the data again; changes nothing.")
@with_database
@with_json
@with_migrations
def verify(*, database: str, as_json: bool, where: str) -> None:
    """Run the verify statement of every migration over the data as it is now, however long ago it ended.

    Changes nothing, whether the migration is done or not. Exits with 1 when a row is wrong.
    """
    migrations = load_migrations(where)
    with stop_on_signals() as signalled:
        found = recheck(database, migrations, stop=signalled.stop)
    if as_json:
        click.echo(json.dumps([_json(one) for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            click.echo(f"{one.name}: {_sentence(one)}")
    click.get_current_context().exit(Exit.FAILED if any(one.problem for one in found) else Exit.OK)


def _json(one: Rechecked) -> dict[str, object]:
    return {"name": one.name, "checked": one.checked, "problem": one.problem}


def _sentence(one: Rechecked) -> str:
    if not one.checked:
        return "has no verify statement; nothing to check"
    return one.problem or "holds; verify selects no row"


COMMANDS = (plan, doctor, verify)
