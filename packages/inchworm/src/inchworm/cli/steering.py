"""`inchworm pause|resume|cancel|retry|acknowledge`: an operator's request, left in one short turn."""

import getpass

import click

from inchworm.application import request
from inchworm.cli.options import with_database
from inchworm.states import Verb

SHORT = {
    Verb.PAUSE: "Stop a migration until it is resumed.",
    Verb.RESUME: "Let a paused migration go on.",
    Verb.CANCEL: "Give a migration up; its changes stay.",
    Verb.RETRY: "Let a failed or cancelled migration go on.",
    Verb.ACKNOWLEDGE: "Say that you know of a failure.",
}
_HEEDED = (
    "Takes one short write turn; a living runner heeds it within a second. Exits with 3 when the state forbids it."
)
HELPS = {
    Verb.PAUSE: f"Stop a migration after its current turn, and keep it stopped over restarts, until resume. {_HEEDED}",
    Verb.RESUME: f"Let a paused migration go on after its last committed row. {_HEEDED}",
    Verb.CANCEL: f"Give a migration up. What it has changed stays changed. {_HEEDED}",
    Verb.RETRY: f"Let a failed or cancelled migration go on; quarantined rows are tried again. {_HEEDED}",
    Verb.ACKNOWLEDGE: f"Say that you know of a failure, so that status exits with 0 again. {_HEEDED}",
}
PENDING = "pending; a runner takes it up, or the next `inchworm run`"
REQUESTED = "requested; the runner that holds it answers within a second"


def _command(verb: Verb) -> click.Command:
    @click.command(verb.value, help=HELPS[verb], short_help=SHORT[verb])
    @with_database
    @click.option("--by", default=None, help="Who asks, for the history; your user name otherwise.")
    @click.argument("name")
    def ask(*, database: str, by: str | None, name: str) -> None:
        answer = request(database, name, verb, by=by or _user())
        click.echo(f"{name}: {({'requested': REQUESTED, 'pending': PENDING}).get(answer, answer)}")

    return ask


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None


COMMANDS = tuple(_command(verb) for verb in Verb)
