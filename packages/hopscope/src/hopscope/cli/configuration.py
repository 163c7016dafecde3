"""`hopscope config check`, `sample`, `docs` and `import`."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hopscope.cli.choice import Choice, with_config
from hopscope.cli.failures import Failure, MustChange, config_told, told
from hopscope.config import load, sample
from hopscope.config.corescope_import import NotCoreScope, convert, render
from hopscope.config.settings import Settings


@click.group()
def config() -> None:
    """Check, write or take over a configuration."""


@config.command()
@click.argument("checked", metavar="[FILE]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@with_config
def check(choice: Choice, checked: Path | None) -> None:
    """Read the configuration as `serve` would, and say everything that is wrong with it."""
    choice.file = checked or choice.file
    settings = choice.settings()
    console = Console(soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _summary(settings):
        table.add_row(name, Text(value))
    console.print(table)
    console.print("the configuration can be used", style="green")


@config.command("sample")
def print_sample() -> None:
    """Print a commented configuration file."""
    click.echo(sample.sample(), nl=False)


@config.command("docs", hidden=True)
def print_documentation() -> None:
    """Print docs/configuration.md."""
    click.echo(sample.documentation(), nl=False)


@config.command("import")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("hopscope.toml"),
    show_default=True,
    help="File to write; - prints it.",
)
@click.option("--force", is_flag=True, help="Replace the file when it exists.")
def import_(source: Path, output: Path, *, force: bool) -> None:
    """Make a hopscope.toml from CoreScope's config.json, and name what has no counterpart."""
    try:
        draft = convert(source.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as exc:
        raise Failure(f"{source}: {exc.strerror if isinstance(exc, OSError) else 'is no text'}") from exc
    except NotCoreScope as exc:
        raise MustChange(f"{source} {exc}") from exc
    text = render(draft, source.name)
    with config_told():
        load.build(load.parse(text, str(output)), {})
    if str(output) == "-":
        click.echo(text, nl=False)
    else:
        _write(output, text, force=force)
        click.echo(f"wrote {output} (readable by you only: it may hold passwords)", err=True)
    for key, note in draft.notes:
        click.echo(f"  {key}: {note}", err=True)


def _write(output: Path, text: str, *, force: bool) -> None:
    if output.exists() and not force:
        raise Failure(f"{output} exists; --force replaces it, --output writes another")
    with told(OSError):
        draft = output.with_name(output.name + ".part")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(output)


def _summary(settings: Settings) -> list[tuple[str, str]]:
    sources = ", ".join(f"{source.name} ({urlsplit(source.url).netloc})" for source in settings.sources)
    return [
        ("database", settings.database),
        ("listen", f"{settings.host}:{settings.port}"),
        ("api key", "set" if settings.api_key else "none: nobody may pause, retry or import"),
        ("sources", sources or "none: the first page says how to connect one"),
        ("channels", ", ".join(["Public", *(channel.name for channel in settings.channels)])),
        ("retention", f"{settings.retention_days} days" if settings.retention_days else "for ever"),
    ]
