"""inchworm's turn in the benchmark: the incident's backfill with all defaults, and how long its ledger takes.

Reads the engine's own report for counts and holds; wrong rows are counted elsewhere, without it.
"""

import functools
import inspect
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import inchworm
from inchworm import ledger
from rig.database import statements
from rig.done import Done


def run(path: str, gate: inchworm.WriteGate | None) -> Done:
    """Fill last_seen; RuntimeError when it does not end as done."""
    sql = statements()
    last_seen = inchworm.Backfill(
        name="tx_last_seen_backfill_v1",
        table="transmissions",
        key="id",
        compute=sql["compute"],
        apply=sql["apply"],
    )
    books = Stopwatch(ledger)
    began = time.monotonic()
    report = inchworm.run(path, [last_seen], gate=gate)
    took_s = time.monotonic() - began
    outcome = report[last_seen.name]
    if not report.ok:
        raise RuntimeError(f"{outcome.status}: {outcome.error or outcome.reason}")
    return Done(
        rows_examined=outcome.counts.examined,
        rows_changed=outcome.counts.changed,
        lock_hold_max_s=report.longest_hold_s,
        turns=report.turns,
        bookkeeping_share=books.seconds / took_s,
        throttled_s=dict(outcome.throttled),
    )


class Stopwatch:
    """Adds up the seconds spent inside the functions that a package offers; a call from one to another counts once."""

    def __init__(self, package: ModuleType) -> None:
        self.seconds = 0.0
        self._inside = False
        own = [
            (name, function)
            for name, function in inspect.getmembers(package, inspect.isfunction)
            if function.__module__.startswith(package.__name__)
        ]
        if not own:
            raise RuntimeError(f"{package.__name__} offers no function to time")
        for name, function in own:
            setattr(package, name, self._timed(function))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            self._inside, began = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began
                self._inside = False

        return timed
