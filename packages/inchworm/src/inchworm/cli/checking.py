"""`inchworm verify`: what migrations promised, checked again without changing anything."""

import json

import click

from inchworm.cli.exits import Exit
from inchworm.cli.loading import load_migrations
from inchworm.cli.options import with_database, with_json, with_migrations
from inchworm.cli.signals import stop_on_signals
from inchworm.recheck import Rechecked, recheck


@click.command("verify")
@with_database
@with_json
@with_migrations
def verify(*, database: str, as_json: bool, where: str) -> None:
    """Run the verify statement of every migration over the data as it is now. Changes nothing."""
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
    return one.problem or "holds"


COMMANDS = (verify,)
