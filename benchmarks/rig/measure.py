"""Measure one strategy on a fresh copy: live load first alone, then beside the strategy; then count wrong rows."""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from history import CACHE, copy

from rig.child import Child, Sample
from rig.database import set_journal, wrong_rows
from rig.figures import between, spread
from rig.machine import Others, wait_until_quiet

DISTURBED_CPUS = 0.2  # a run beside neighbours that used more than this is marked
SETTLE_S = 0.5  # after the start of the load and after the end of the strategy


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the benchmark. `strategy` None: the idle control. `writers`: how many processes of live writers.

    module: of the rig, which runs the strategy. journal: the journal mode of the copy. pinned: beside a reader that
    never ends its transaction. cooperate: live writers pass inchworm's gate, as a thread beside it or as a process.
    """

    name: str
    strategy: str | None
    writers: int = 1
    readers: bool = True
    module: str = "strategies"
    journal: str = "wal"
    pinned: bool = False
    fills: bool = True  # whether the strategy fills last_seen, so that wrong rows can be counted
    cooperate: Literal["thread", "process"] | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """What all cases of a run share; seconds."""

    history: Path
    transmissions: int
    idle_s: float
    control_s: float
    quiet_patience_s: float = 0.0  # how long to wait for a quiet machine before each case
    tries: int = 1  # how often a case that other programs disturbed is measured again


@contextlib.contextmanager
def fresh_copy(source: Path) -> Iterator[Path]:
    """A copy in the cache directory, removed afterwards; on the same disk as the source, so that blocks can be shared.

    Its folder carries our process id: a folder whose process is gone was left by a killed benchmark.
    """
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"run-{os.getpid()}-") as folder:
        target = Path(folder) / "mesh.db"
        copy(source, target)
        yield target


class LogSize(threading.Thread):
    """Watches how large the write-ahead log gets."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._log = path.with_name(path.name + "-wal")
        self._over = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.look()

    def look(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.peak = max(self.peak, self._log.stat().st_size)

    def end(self) -> int:
        self._over.set()
        self.look()
        return self.peak


@dataclass(slots=True)
class Load:
    """The running writers and readers and, once stopped, what they measured."""

    writers: list[Child]
    readers: list[Child]
    others: list[Child]

    @classmethod
    def start(cls, case: Case, bench: Bench, path: Path, gate: str | None) -> "Load":
        load = cls(
            [Child("writer", db=str(path), gate=gate) for _ in range(case.writers)],
            [Child("readers", db=str(path), transmissions=bench.transmissions)] if case.readers else [],
            [Child("pin", db=str(path))] if case.pinned else [],
        )
        for child in load.children:
            child.wait_ready()
        return load

    @property
    def children(self) -> list[Child]:
        return self.writers + self.readers + self.others

    def stop(self) -> tuple[list[Sample], list[Sample]]:
        """Samples of the writers and of the readers."""
        written, read, _ = (
            [tuple(sample) for child in part for sample in child.result(stop=True)]
            for part in (self.writers, self.readers, self.others)
        )
        return written, read


def measure_quietly(case: Case, bench: Bench) -> dict[str, Any]:
    """One repeat of one case, measured again while others disturb it; the least disturbed try, whatever it says."""
    runs: list[dict[str, Any]] = []
    while len(runs) < bench.tries:
        runs.append(measure(case, bench))
        if runs[-1]["other_programs_cpus"] <= DISTURBED_CPUS:
            break
    return min(runs, key=lambda run: float(run["other_programs_cpus"]))


def measure(case: Case, bench: Bench) -> dict[str, Any]:
    """One repeat of one case, as the figures of the report."""
    wait_until_quiet(bench.quiet_patience_s)
    others = Others()
    with fresh_copy(bench.history) as path, contextlib.ExitStack() as stack:
        set_journal(str(path), case.journal)
        log = LogSize(path)
        log.start()
        gate = str(path) + "-gate" if case.cooperate else None
        load = Load.start(case, bench, path, gate)
        for child in load.children:
            stack.callback(child.end)
        time.sleep(SETTLE_S)
        found = _act(case, bench, path, stack)
        time.sleep(SETTLE_S if load.children else 0.0)
        peak = log.end()
        written, read = load.stop()
        written += [tuple(sample) for sample in found.pop("live", [])]
        read += [tuple(sample) for sample in found.pop("read", [])]
        wrong = wrong_rows(str(path)) if case.strategy and case.fills else None
        return _figures(found, written, read) | {
            "wal_peak_mb": peak / 1e6,
            "wrong_rows": wrong,
            "other_programs_cpus": others.cpus(),
        }


def _act(case: Case, bench: Bench, path: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
    """Let the load run alone, then the strategy beside it; what the strategy found."""
    alone_s = bench.idle_s if case.writers or case.readers or case.module != "strategies" else 0.0
    if case.strategy is None:
        began_idle = time.monotonic()
        time.sleep(alone_s)
        began = time.monotonic()
        time.sleep(bench.control_s)
        return {"began": began, "ended": time.monotonic(), "began_idle": began_idle}
    gate = str(path) + "-gate" if case.cooperate else None
    config = {"strategy": case.strategy, "transmissions": bench.transmissions, "gate": gate}
    runner = Child(case.module, db=str(path), writer_beside=case.cooperate == "thread", **config)
    stack.callback(runner.end)
    runner.wait_ready()
    began_idle = time.monotonic()
    time.sleep(alone_s)
    runner.go()
    found: dict[str, Any] = runner.result(stop=False)
    return found | {"began_idle": began_idle}


def _figures(found: dict[str, Any], written: list[Sample], read: list[Sample]) -> dict[str, Any]:
    began, ended = found["began"], found["ended"]
    writer = spread(between(written, began, ended))
    readers = spread(between(read, began, ended))
    idle = spread(s for s in between(read, found["began_idle"], began) if s[0] + s[1] < began)
    hold = found.get("lock_hold_max_s")
    return {
        "total_s": ended - began,
        "writer_stall_max_ms": writer.max,
        "writer_stall_p99_ms": writer.p99,
        "writer_n": writer.n,
        "writer_errors": sum(not ok for _, _, ok in between(written, began, ended)),
        "reader_p50_ms": readers.p50,
        "reader_p99_ms": readers.p99,
        "reader_max_ms": readers.max,
        "reader_n": readers.n,
        "reader_p99_idle_ms": idle.p99,
        "reader_max_idle_ms": idle.max,
        "reader_n_idle": idle.n,
        "lock_hold_max_ms": None if hold is None else hold * 1e3,
        "rows_examined": found.get("rows_examined"),
        "rows_changed": found.get("rows_changed"),
        "bookkeeping_share": found.get("bookkeeping_share"),
        "turns": found.get("turns"),
        "throttled_s": sum(found.get("throttled_s", {}).values()),
    }
