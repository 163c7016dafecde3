"""Migrations beside live ingest in the writer process: a thread for them, behind the gate that ingest passes first."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
from hopscope.migrations.service import Service, Work
from inchworm.gate import WriteGate
from meshwire import KeyRing

LOOK_S = 0.2
SWITCH_S = (
    0.0005  # ingest takes the interpreter back after each of a batch's dozens of statements; 5 ms each would add up
)


class _Either:
    """Set when the process is to stop, or when ingest has ended by itself."""

    def __init__(self, process: StopToken, ended: StopToken) -> None:
        self._process, self._ended = process, ended

    @property
    def reason(self) -> str | None:
        return self._process.reason or self._ended.reason

    def is_set(self) -> bool:
        return self._process.is_set() or self._ended.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Ends at once with the process's token, and soon with the other, which is set by failures only."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = LOOK_S if until is None else min(LOOK_S, until - time.monotonic())
            if left <= 0:
                return False
            self._process.wait(left)
        return True


@contextmanager
def migrating(settings: Settings, keys: KeyRing, gate: WriteGate, *, stop: StopToken) -> Iterator[None]:
    """Run imports and migrations in a thread until `stop` or the end of the block, which waits for their turn's end.

    The reason of `stop` is recorded as the cause of the interruption.
    """
    ended = StopToken()
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    service = Service(Work(settings.database, keys, settings.stall_budget_ms, gate))
    thread = threading.Thread(target=service.run, args=(_Either(stop, ended),), name="migrations")
    thread.start()
    try:
        yield
    finally:
        ended.set("ingest has ended")
        thread.join()
        service.close()
        sys.setswitchinterval(before)
