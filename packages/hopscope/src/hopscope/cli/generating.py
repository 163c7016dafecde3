"""`hopscope generate`: the simulated mesh as MQTT traffic or as a file."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hopscope.cli.failures import told
from hopscope.generate import Pace, Record, Simulation, Truth
from hopscope.generate.output import write_record, write_truth

FILE_START = datetime(2026, 1, 1, tzinfo=UTC)  # of files, so that the same command writes the same bytes
FILE_BROKERS = 2


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same mesh and traffic.")
@click.option("--rate", type=click.FloatRange(0.01, 1_000_000), default=10.0, show_default=True, help="Records/s.")
@click.option("--count", type=click.IntRange(0), default=1000, show_default=True, help="Records; 0: until Ctrl-C.")
@click.option(
    "--mqtt", "urls", multiple=True, metavar="URL", help="Broker to publish to; several: observers share them."
)
@click.option("--jsonl", type=click.Path(path_type=Path, dir_okay=False), help="File to write instead.")
@click.option(
    "--truth", "truth_file", type=click.Path(path_type=Path, dir_okay=False), help="File for what must be stored."
)
@click.option("--qos", type=click.IntRange(0, 1), default=1, show_default=True)
@click.option(
    "--start", type=click.DateTime(), help="UTC time of the first record [default: now, for files 2026-01-01]."
)
def generate(
    *,
    seed: int,
    rate: float,
    count: int,
    urls: tuple[str, ...],
    jsonl: Path | None,
    truth_file: Path | None,
    qos: int,
    start: datetime | None,
) -> None:
    """Publish the records of a simulated mesh, and state what must be stored of them."""
    if bool(urls) == bool(jsonl):
        raise click.UsageError("say where to: either --mqtt URL (may be repeated) or --jsonl FILE")
    if jsonl and not count:
        raise click.UsageError("a file needs a --count")
    began = _start_ms(start, live=bool(urls))
    brokers = len(urls) or FILE_BROKERS
    simulation = Simulation(seed, Pace(began, rate), brokers=brokers)
    truth = Truth({"seed": seed, "rate": rate, "start_ms": began, "brokers": brokers})
    records = islice(simulation, count or None)
    try:
        if jsonl:
            _write_file(records, jsonl, truth)
        else:
            _publish(records, urls, qos, truth, count or None)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    finally:
        if truth_file:
            with told(OSError):
                write_truth(truth_file, truth)
    click.echo(", ".join(f"{number} {name}" for name, number in truth.totals().items()), err=True)


def _start_ms(start: datetime | None, *, live: bool) -> int:
    if start is not None:
        return int(start.replace(tzinfo=UTC).timestamp() * 1000)
    return time.time_ns() // 1_000_000 if live else int(FILE_START.timestamp() * 1000)


def _write_file(records: Iterable[Record], path: Path, truth: Truth) -> None:
    with told(OSError), path.open("wb") as file:
        for record in records:
            write_record(file, record)
            truth.add(record.fate)


def _publish(records: Iterator[Record], urls: tuple[str, ...], qos: int, truth: Truth, count: int | None) -> None:
    from hopscope.generate.publish import Broker, PublishError, publish

    with told(PublishError), ExitStack() as stack:
        brokers = [stack.enter_context(Broker(url, qos=qos)) for url in urls]
        bar = stack.enter_context(_bar())
        task = bar.add_task(", ".join(broker.shown for broker in brokers), total=count)
        publish(records, brokers, wait_until=_wait_until(time.time), published=lambda r: _count(r, truth, bar, task))


def _count(record: Record, truth: Truth, bar: Progress, task: object) -> None:
    truth.add(record.fate)
    bar.advance(task)  # type: ignore[arg-type]


def _wait_until(now_s: Callable[[], float]) -> Callable[[int], None]:
    def wait(at_ms: int) -> None:
        ahead_s = at_ms / 1000 - now_s()
        if ahead_s > 0:
            time.sleep(ahead_s)

    return wait


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal or "CI" in os.environ)
