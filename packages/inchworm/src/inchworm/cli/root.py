"""The group `inchworm`, the options its commands share, and one sentence instead of a traceback for what can fail."""

import logging
import os
from collections.abc import Callable
from typing import Any

import click

from inchworm.cli.exits import HELP, exit_for
from inchworm.errors import InchwormError

F = Callable[..., Any]


class Told(click.Group):
    """A group that ends with a sentence and an exit code when a command raises what the library raises on purpose."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InchwormError as problem:
            click.echo(f"inchworm: {problem}", err=True)
            ctx.exit(exit_for(problem))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are needed."""
        del ctx
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        formatter.write_paragraph()
        title, *lines = HELP.splitlines()
        with formatter.section(title.rstrip(":")):
            formatter.write_dl([(code, why.strip()) for code, _, why in (line.partition(" ") for line in lines)])


@click.group(cls=Told, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="inchworm")
@click.option("-v", "--verbose", is_flag=True, help="Log what the engine does, to standard error.")
def inchworm(*, verbose: bool) -> None:
    """Change millions of rows of a live database while nobody notices."""
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        click.get_current_context().color = False
    logging.getLogger("psycopg").addHandler(logging.NullHandler())  # its faults are in our sentences already
    log = logging.getLogger("inchworm")
    if verbose and not any(isinstance(h, _Log) for h in log.handlers):
        log.addHandler(_Log())
        log.setLevel(logging.DEBUG)
    elif not log.handlers:
        log.addHandler(logging.NullHandler())  # what matters is in the report; no half sentences in between


class _Log(logging.Handler):
    """One line per record, and its traceback if it has one; to click's current standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"{record.levelname.lower()} {self.format(record)}", err=True)


def _register() -> None:
    from inchworm.cli import checking, running, steering, watching

    plan, *checks = checking.COMMANDS
    for command in (plan, *running.COMMANDS, *watching.COMMANDS, *checks, *steering.COMMANDS):
        inchworm.add_command(command)


_register()
