"""What the handlers of one application share. Made once by the composition root; holds no request."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from litestar.di import NamedDependency

from hopscope.api.access import Streams
from hopscope.api.answers import Answers
from hopscope.api.counted import Counted
from hopscope.api.facts import FactsReader
from hopscope.api.memo import Memo
from hopscope.api.migrations_status import StatusReader
from hopscope.api.shown import Decoder
from hopscope.api.timings import Timings
from hopscope.api.writer_status import WriterWatch
from hopscope.config.settings import Settings
from hopscope.live.hub import Hub
from hopscope.store.pool import ReadPool
from hopscope.store.watch import Clock


def wall_clock_ms() -> int:
    """Now, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class WebFiles:
    """Where the web app lies: its files, the shell served for every page, the page that shows the API."""

    static: Path
    index: Path
    api_docs: Path


@dataclass(frozen=True, slots=True)
class Context:
    """The parts that handlers use."""

    settings: Settings
    pool: ReadPool
    clock: Clock
    facts: FactsReader
    counted: Memo[Counted]
    decoder: Decoder
    migrations: StatusReader
    writer: WriterWatch
    timings: Timings
    answers: Answers
    streams: Streams
    hub: Hub
    web: WebFiles
    version: str
    commit: str  # hex, or "unknown"
    build_time: str  # RFC 3339, or "unknown"
    now_ms: Callable[[], int] = wall_clock_ms


Given = NamedDependency[Context]  # how a handler asks for it: `context: Given`
