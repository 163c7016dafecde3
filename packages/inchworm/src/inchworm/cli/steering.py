"""`inchworm pause|resume|cancel|retry|acknowledge`: an operator's request, left in one short turn."""

import getpass

import click

from inchworm.application import request
from inchworm.cli.options import with_database
from inchworm.states import Verb

HELPS = {
    Verb.PAUSE: "Stop a migration after its current turn, and keep it stopped over restarts, until `resume`.",
    Verb.RESUME: "Let a paused migration go on after its last committed row.",
    Verb.CANCEL: "Give a migration up. What it has changed stays changed.",
    Verb.RETRY: "Let a failed or cancelled migration go on; quarantined rows are tried again.",
    Verb.ACKNOWLEDGE: "Say that you know of a failure, so that health checks turn green again.",
}


def _command(verb: Verb) -> click.Command:
    @click.command(verb.value, help=HELPS[verb])
    @with_database
    @click.option("--by", default=None, help="Who asks, for the history; your user name otherwise.")
    @click.argument("name")
    def ask(*, database: str, by: str | None, name: str) -> None:
        answer = request(database, name, verb, by=by or _user())
        done = {"requested": "requested; the runner that holds it answers within a second"}.get(answer, answer)
        click.echo(f"{name}: {done}")

    return ask


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None


COMMANDS = tuple(_command(verb) for verb in Verb)
