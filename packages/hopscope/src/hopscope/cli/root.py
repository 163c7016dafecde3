"""The group of commands, and the options that all share."""

from importlib.metadata import version
from pathlib import Path

import click

from hopscope.cli.choice import CONFIG_OPTION, Choice
from hopscope.cli.configuration import config
from hopscope.cli.generating import generate
from hopscope.cli.importing import import_file, upgrade_check
from hopscope.cli.migrating import migrations
from hopscope.cli.running import api, demo, ingest, serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@CONFIG_OPTION
@click.option("--demo", "as_demo", is_flag=True, hidden=True, help="Use the demo's settings and sources.")
@click.pass_context
def main(context: click.Context, file: Path | None, *, as_demo: bool) -> None:
    """Shows a MeshCore mesh live, from what its observers publish over MQTT."""
    context.obj = Choice(file, as_demo)


@main.command("version")
def show_version() -> None:
    """Print the versions of hopscope and of its two libraries."""
    click.echo("  ".join(f"{name} {version(name)}" for name in ("hopscope", "inchworm", "meshwire")))


for command in (serve, ingest, api, demo, import_file, upgrade_check, migrations, generate, config):
    main.add_command(command)
