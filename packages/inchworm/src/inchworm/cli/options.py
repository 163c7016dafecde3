"""What several commands share: options, the width of the terminal that they print on, a word about waiting."""

import shutil
import sys

import click

from inchworm.patience import Waiting

with_database = click.option(
    "--db",
    "database",
    required=True,
    envvar="INCHWORM_DB",
    metavar="FILE|URL",
    help="A SQLite file or a postgresql:// URL; or the variable INCHWORM_DB.",
)
with_migrations = click.argument("where", metavar="MODULE:ATTRIBUTE")
with_known = click.argument("where", metavar="[MODULE:ATTRIBUTE]", required=False)
with_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _positive(context: click.Context, option: click.Parameter, value: float) -> float:
    del context, option
    if value <= 0:
        raise click.BadParameter("it must be greater than 0")
    return value


with_budget = click.option(
    "--stall-budget-ms",
    type=float,
    default=50,
    show_default=True,
    callback=_positive,
    help="How long another writer may be kept waiting.",
)


def terminal_width() -> int | None:
    """Columns of the terminal on standard output; None when it is a pipe or a file, which is as wide as it must be."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say_once(waiting: Waiting) -> None:
    """What a look waits for, on standard error, after its first second."""
    if waiting.times == 1:
        click.echo(f"looking first: {waiting}", err=True)
