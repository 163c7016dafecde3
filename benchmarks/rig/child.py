"""A child process of the rig and its protocol: a JSON line in, "ready", optionally "go", a JSON line out.

The end of its standard input tells a child to finish, so none outlives the benchmark.
"""

import itertools
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parent.parent
Sample = tuple[float, float, bool]  # due (monotonic seconds), seconds from due to done, succeeded


class Child:
    """One running module of the rig, seen from the benchmark."""

    def __init__(self, module: str, **config: Any) -> None:
        self.module = module
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"rig.{module}"],
            cwd=BENCHMARKS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._send(config)

    def _send(self, message: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def _receive(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"rig.{self.module} ended with status {self.process.wait()}")
        return json.loads(line)

    def wait_ready(self) -> None:
        if (answer := self._receive()) != "ready":
            raise RuntimeError(f"rig.{self.module} said {answer!r}")

    def go(self) -> None:
        """Let a child that waits in `Parent.wait_go` continue."""
        self._send("go")

    def result(self, *, stop: bool) -> Any:
        """What the child found out; `stop` asks it to finish first."""
        if stop:
            assert self.process.stdin is not None
            self.process.stdin.close()
        found = self._receive()
        self.process.wait()
        return found

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Parent:
    """The benchmark, seen from a child."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = json.loads(sys.stdin.readline())
        self.stopped = threading.Event()

    def ready(self) -> None:
        print(json.dumps("ready"), flush=True)

    def wait_go(self) -> None:
        if not sys.stdin.readline():
            sys.exit("the benchmark is gone")

    def watch_stop(self) -> None:
        """Set `stopped` when the benchmark closes our standard input."""

        def wait_for_the_end() -> None:
            sys.stdin.read()
            self.stopped.set()

        threading.Thread(target=wait_for_the_end, daemon=True).start()

    def report(self, found: object) -> None:
        print(json.dumps(found), flush=True)


def open_loop(
    per_second: float, stopped: threading.Event, work: Callable[[], bool], *, after_s: float = 0.0
) -> list[Sample]:
    """Do `work` at fixed times until stopped; (due, seconds from due to done, succeeded) of each that fell due.

    Work that is late starts at once and its lateness counts: a stalled client keeps its arrivals. Times are
    of the monotonic clock, which all processes of a machine share. `after_s` keeps several loops out of step.
    """
    samples: list[Sample] = []
    began = time.monotonic() + after_s
    ended = math.inf
    for number in itertools.count():
        due = began + number / per_second
        if stopped.wait(max(due - time.monotonic(), 0.0)):
            ended = min(ended, time.monotonic())
            if due > ended:
                break
        succeeded = work()
        samples.append((due, time.monotonic() - due, succeeded))
    return samples
