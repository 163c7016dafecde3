"""The parent of `serve`: starts the children, restarts one that crashed, stops all in order, and leaves none behind.

Knows processes only; what they do is in their arguments. The decision about an ended child is app.restart's.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hopscope import log
from hopscope.app import restart
from hopscope.app.restart import Ended, GiveUp
from hopscope.app.stop import StopToken

LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child to keep running. It must end on SIGTERM, and when its standard input ends."""

    name: str
    argv: tuple[str, ...]
    grace_s: float  # how long it may take to stop before it is killed


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    failures: int = 0
    start_at_s: float = 0.0  # when it is started (again); meaningless while it runs


class Supervisor:
    """Runs children until told to stop. Children are stopped in the order in which they are given."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        stop: StopToken,
        hurry: threading.Event,
        on_look: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hurry` set: kill instead of waiting. `on_look` is called some times a second while all is well."""
        self._children = [_Child(spec) for spec in specs]
        self._stop, self._hurry, self._on_look, self._now_s = stop, hurry, on_look, now_s

    def run(self) -> int:
        """Keep the children running until `stop` is set or one gives up; stop them all; return the exit code."""
        code = 0
        try:
            while not self._stop.is_set():
                for child in self._children:
                    gave_up = self._look_at(child)
                    if gave_up is not None:
                        code = gave_up.code
                        self._stop.set(f"{child.spec.name} cannot run")
                        break
                else:
                    self._on_look()
                self._stop.wait(LOOK_EVERY_S)
        finally:
            self._stop_all()
        return code

    def _look_at(self, child: _Child) -> GiveUp | None:
        """Start the child when it is due; decide when it ended."""
        if child.process is None:
            if self._now_s() >= child.start_at_s:
                self._start(child)
            return None
        code = child.process.poll()
        if code is None:
            return None
        self._close_pipe(child)
        ran_s = self._now_s() - child.started_s
        decision = restart.decide(Ended(code, ran_s, child.failures))
        child.process = None
        if isinstance(decision, GiveUp):
            log.error("child.gave_up", name=child.spec.name)
            return decision
        child.failures, child.start_at_s = decision.failures, self._now_s() + decision.after_s
        log.warning("child.ended", name=child.spec.name, how=restart.told(code), restart_in_s=decision.after_s)
        return None

    def _start(self, child: _Child) -> None:
        child.started_s = self._now_s()
        child.process = subprocess.Popen(
            child.spec.argv,
            stdin=subprocess.PIPE,
            process_group=0,  # a Ctrl-C of the terminal is for the parent, which stops its children in order
        )
        log.info("child.started", name=child.spec.name, process=child.process.pid)

    def _stop_all(self) -> None:
        log.info("serve.stopping", reason=self._stop.reason or "failure")
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
                self._await_end(child, child.process)
            self._close_pipe(child)

    def _await_end(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        deadline = self._now_s() + child.spec.grace_s
        while process.poll() is None:
            if self._hurry.is_set() or self._now_s() > deadline:
                log.warning("child.killed", name=child.spec.name, waited_s=child.spec.grace_s)
                process.kill()
                process.wait()
                return
            self._hurry.wait(0.02)
        log.info("child.stopped", name=child.spec.name, how=restart.told(process.returncode))

    @staticmethod
    def _close_pipe(child: _Child) -> None:
        if child.process is not None and child.process.stdin is not None:
            child.process.stdin.close()
