"""`hopscope serve`, `ingest`, `api` and `demo`: the processes."""

import time

import click

from hopscope import log
from hopscope.app import serve as composition
from hopscope.app.child import stop_on_signals, stop_with_parent
from hopscope.app.preflight import CannotStart, check_database, check_listen
from hopscope.app.stop import StopToken
from hopscope.cli.choice import Choice, with_config
from hopscope.cli.failures import MustChange, told

WITH_PARENT = click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input ends.")


@click.command()
@with_config
def serve(choice: Choice) -> None:
    """Run the writer and the API from one command; Ctrl-C stops both in order."""
    settings = choice.settings()
    log.setup(settings.log_level)
    _run_both(choice, f"{settings.title} is on {{}} (Ctrl-C stops it)")


@click.command()
@with_config
def demo(choice: Choice) -> None:
    """Show a simulated mesh: no broker needed, a database of its own that starts empty each time."""
    from hopscope.app.demo import start_afresh
    from hopscope.store.lock import WriterAlive

    choice.demo = True
    settings = choice.settings()
    log.setup("warning" if settings.log_level == "info" else settings.log_level)
    with told(CannotStart, failure=MustChange):
        check_listen(settings.host, settings.port)
    with told(WriterAlive, failure=MustChange):
        start_afresh(settings.database)
    click.echo("starting the demo: a simulated mesh in Tyrol, no radio and no broker …")
    _run_both(choice, "\n  hopscope demo: {}\n\n  Ctrl-C stops it. Its database is made anew at each start.\n")


@click.command()
@WITH_PARENT
@with_config
def ingest(choice: Choice, *, with_parent: bool) -> None:
    """Run the writer alone: receive, decode and store."""
    from hopscope.app import demo as demo_parts
    from hopscope.app import writer

    settings = choice.settings()
    log.setup(_level(choice, settings.log_level))
    with told(CannotStart, failure=MustChange):
        check_database(settings.database)
    sources = demo_parts.sources(time.time_ns() // 1_000_000) if choice.demo else ()
    raise SystemExit(writer.run(settings, stop=_stop_token(with_parent=with_parent), extra_sources=sources))


@click.command()
@WITH_PARENT
@with_config
def api(choice: Choice, *, with_parent: bool) -> None:
    """Run the API and the web page alone; several may read one database."""
    from hopscope.app import reader

    settings = choice.settings()
    log.setup(_level(choice, settings.log_level))
    stop = _stop_token(with_parent=with_parent)
    with told(CannotStart, reader.WeakKey, failure=MustChange):
        check_listen(settings.host, settings.port)
        code = reader.run(settings, stop=stop)
    raise SystemExit(code)


def _run_both(choice: Choice, words: str) -> None:
    settings = choice.settings()
    with told(CannotStart, failure=MustChange):
        code = composition.run(settings, choice.options(), announce=lambda address: click.echo(words.format(address)))
    if code:
        raise MustChange("stopped, because a process could not run; its message stands above")


def _stop_token(*, with_parent: bool) -> StopToken:
    stop = StopToken()
    stop_on_signals(stop)
    if with_parent:
        stop_with_parent(stop)
    return stop


def _level(choice: Choice, level: str) -> str:
    """The demo's terminal belongs to its address: only warnings join it."""
    return "warning" if choice.demo and level == "info" else level
