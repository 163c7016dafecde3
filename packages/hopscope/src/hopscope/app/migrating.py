"""Migrations beside live ingest: a child process of the writer while there is work, behind the gate of ingest.

A process of its own, because what an import computes in Python would keep the interpreter from ingest. It ends by
itself when the writer is gone.
"""

import base64
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import hopscope.store.connection as connections
from hopscope import log
from hopscope.app.stop import StopToken
from hopscope.config.settings import Settings
from hopscope.migrations.service import Blocked, Service, Work, has_work
from inchworm.gate import WriteGate
from meshwire import KeyRing

LOOK_S = 1.0  # between two looks at requests
AGAIN_S = 5.0  # after a child that failed: what stopped it is hardly over in a second, and each one says so in the log
NICE = 5  # readers and ingest get the processor first; more would lengthen the turns that ingest waits for
PATIENCE_S = 20.0  # a child that was told to stop ends after its slice; its reading slices take up to 10 s
COMMAND = (sys.executable, "-P", "-c", "from hopscope.app.migrating import child; child()")


@dataclass(frozen=True, slots=True)
class Task:
    """What the child is told when it starts."""

    database: str
    keys: KeyRing
    stall_budget_ms: int
    log_level: str
    retention_days: int


def gate_of(database: str) -> WriteGate:
    """The gate between ingest and migrations of this database, in whatever processes they run."""
    return WriteGate(database + ".gate")


@contextmanager
def migrating(settings: Settings, keys: KeyRing, *, stop: StopToken) -> Iterator[None]:
    """Run imports and migrations in a child while there are any, until `stop` or the end of the block.

    The end waits for the current slice. The reason of `stop` is recorded as the cause of the interruption.
    """
    ended = StopToken()
    task = Task(settings.database, keys, settings.stall_budget_ms, settings.log_level, settings.retention_days)
    thread = threading.Thread(target=_watch, args=(task, stop, ended), name="migrations")
    thread.start()
    try:
        yield
    finally:
        ended.set(stop.reason or "ingest has ended")
        thread.join()


def _watch(task: Task, stop: StopToken, ended: StopToken) -> None:
    """Start a child whenever there is work and none runs."""
    while not (stop.is_set() or ended.is_set()):
        wait_s = LOOK_S
        try:
            if _wanted(task.database) and not _run_child(task, stop, ended):
                wait_s = AGAIN_S
        except Exception:  # noqa: BLE001 - ingest must go on; the next look tries again
            log.exception("migrations.failed")
        _either(stop, ended, wait_s)


def _wanted(database: str) -> bool:
    db = connections.open_reader(database)
    try:
        return has_work(db)
    finally:
        db.close()


def _run_child(task: Task, stop: StopToken, ended: StopToken) -> bool:
    """One child from its start to its end; what it is told when it shall stop is the reason. False: it failed."""
    process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None  # asked for above
    with contextlib.suppress(BrokenPipeError), process:  # outermost: closing the pipe of a child that has ended, too
        _tell(process.stdin, base64.b64encode(pickle.dumps(task)).decode("ascii"))
        while process.poll() is None:
            if _either(stop, ended, 0.1):
                _tell(process.stdin, stop.reason or ended.reason or "the writer stops")
                break
        try:
            process.wait(PATIENCE_S if stop.is_set() or ended.is_set() else None)
        except subprocess.TimeoutExpired:
            log.error("migrations.stuck", pid=process.pid)
            process.kill()
    if process.returncode:
        log.error("migrations.ended", code=process.returncode)
    return process.returncode == 0


def _tell(child: IO[str], words: str) -> None:
    child.write(words + "\n")
    child.flush()


def _either(stop: StopToken, ended: StopToken, seconds: float) -> bool:
    """Wait for one of two tokens; the process's own ends the wait at once, the other within a tenth of a second."""
    return any(ended.is_set() or stop.wait(0.1) for _ in range(max(1, round(seconds / 0.1))))


def child() -> None:
    """The child's main: the task is the first line of standard input, a reason to stop the next, its end another."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal or a supervisor signals the whole group; the writer decides
    task: Task = pickle.loads(base64.b64decode(sys.stdin.readline()))
    log.setup(task.log_level)
    os.nice(NICE)
    stop = StopToken()
    threading.Thread(target=_listen, args=(stop,), daemon=True).start()
    gate = gate_of(task.database)
    service = Service(Work(task.database, task.keys, task.stall_budget_ms, gate, task.retention_days))
    try:
        service.work(stop)
    except Blocked as problem:
        log.error("migrations.blocked", error=str(problem))
        sys.exit(1)
    finally:
        service.close()


def _listen(stop: StopToken) -> None:
    stop.set(sys.stdin.readline().strip() or "the writer is gone")
