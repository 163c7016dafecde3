"""What every process does about stopping: signals, and the end of the parent that started it.

A child of `serve` ends by itself when its parent is gone, however that happened: its standard input is a pipe whose
other end only the parent holds, and where the kernel can, it sends a signal besides.
"""

import ctypes
import os
import signal
import sys
import threading
from types import FrameType

from hopscope import log
from hopscope.app.stop import StopToken

PR_SET_PDEATHSIG = 1  # of linux/prctl.h
ORPHAN_GRACE_S = 30.0  # an orphan that has not stopped after so long ends at once

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_on_signals(stop: StopToken, *, again: threading.Event | None = None) -> None:
    """Set `stop` on the first SIGINT, SIGTERM or SIGHUP, and `again` on the next. Main thread only."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and again is not None:
            again.set()
        stop.set(signal.Signals(number).name)

    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup: to outlive the terminal
            signal.signal(number, handle)


def stop_with_parent(stop: StopToken) -> None:
    """Set `stop` when the parent is gone; end the process when that does not help in time."""
    _ask_kernel()
    threading.Thread(target=_watch_parent, args=(stop,), name="parent", daemon=True).start()


def _watch_parent(stop: StopToken) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass  # the parent never writes; the end of the pipe is the message
    stop.set("the parent is gone")
    threading.Event().wait(ORPHAN_GRACE_S)
    log.error("process.stuck", reason="the parent is gone, and stopping took too long")
    os._exit(1)


def _ask_kernel() -> None:
    """SIGTERM at the parent's death, on Linux. The pipe alone would do, except while a thread holds the interpreter."""
    if sys.platform == "linux":
        prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
        if prctl is not None and prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
            log.debug("process.no_death_signal", errno=ctypes.get_errno())
