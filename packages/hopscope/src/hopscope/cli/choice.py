"""What the user chose before a command: the configuration file and whether it is the demo. Finds the settings."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from hopscope.cli.failures import config_told
from hopscope.config.load import load
from hopscope.config.settings import Settings

CONFIG_OPTION = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; else HOPSCOPE_CONFIG, else hopscope.toml of the working directory.",
)


@dataclass(slots=True)
class Choice:
    """What was asked for on the command line before the command."""

    file: Path | None = None
    demo: bool = False

    def settings(self) -> Settings:
        """The settings to use. Ends the command with all problems when they cannot be used."""
        with config_told():
            settings = load(self.file, os.environ)
        if not self.demo:
            return settings
        from hopscope.app.demo import demo_settings

        return demo_settings(settings)

    def options(self) -> tuple[str, ...]:
        """The same choice as arguments, for a child process."""
        file = () if self.file is None else ("--config", str(self.file))
        return (*file, "--demo") if self.demo else file


def with_config(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take --config as well as the group, and hand it the Choice."""

    @wraps(command)
    def run(choice: Choice, /, *, file: Path | None, **arguments: Any) -> Any:
        choice.file = file or choice.file
        return command(choice, **arguments)

    return CONFIG_OPTION(click.make_pass_decorator(Choice, ensure=True)(run))
