"""SIGINT and SIGTERM as a stop token: the first ends the run after its current turn, the second ends it as usual."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from inchworm.clock import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Signalled:
    """The stop token, and which signal set it."""

    stop: Stop = field(default_factory=Stop)
    number: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[Signalled]:
    """Install the handlers for the block and put the earlier ones back."""
    state = Signalled()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        state.number = state.number or number
        state.stop.set(signal.Signals(number).name)
        for each in SIGNALS:
            signal.signal(each, before[each])  # a second one is not answered with patience

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield state
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])
