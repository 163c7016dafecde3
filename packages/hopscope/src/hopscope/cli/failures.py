"""Expected failures become one clear message and an exit code; a trace is for defects only."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from hopscope.config.load import ConfigError


class Failure(click.ClickException):
    """A message for the user; the command ends with exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message to standard error."""
        click.echo(f"hopscope: {self.message}", file=file, err=True)


class MustChange(Failure):
    """As Failure, but nothing except a change of configuration or surroundings will help."""

    exit_code = 78  # EX_CONFIG of sysexits.h


@contextmanager
def told(*expected: type[Exception], failure: type[Failure] = Failure) -> Iterator[None]:
    """Turn exceptions of these kinds into a Failure with their own words."""
    try:
        yield
    except expected as exc:
        raise failure(str(exc)) from exc


@contextmanager
def config_told() -> Iterator[None]:
    """Turn a configuration that cannot be used into a Failure that lists all its problems."""
    try:
        yield
    except ConfigError as exc:
        count = len(exc.problems)
        head = "the configuration has a problem" if count == 1 else f"the configuration has {count} problems"
        raise MustChange("\n  ".join([head, *str(exc).splitlines()])) from exc
