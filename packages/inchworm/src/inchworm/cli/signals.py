"""SIGINT and SIGTERM as a stop token: the first ends the run after its current turn, the second ends it as usual.

Says so at once, on standard error. What the token ended has the exit code that shells give for the signal.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from inchworm.cli.exits import SIGNALLED
from inchworm.clock import Stop
from inchworm.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Signalled:
    """The stop token, and which signal set it."""

    stop: Stop = field(default_factory=Stop)
    number: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[Signalled]:
    """Install the handlers for the block and put the earlier ones back. Exits for a Stopped that a signal caused."""
    state = Signalled()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        state.number = state.number or number
        name = signal.Signals(number).name
        state.stop.set(name)
        os.write(2, f"\ninchworm: {name}: stopping after the current turn; once more ends it at once\n".encode())
        for each in SIGNALS:
            signal.signal(each, before[each])  # a second one is not answered with patience

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield state
    except Stopped:
        if state.number is None:
            raise
        raise SystemExit(SIGNALLED + state.number) from None
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])
