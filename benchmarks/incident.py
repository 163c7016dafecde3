"""The incident as a benchmark: fill transmissions.last_seen of a large history while others write and read.

Every strategy gets a fresh copy of one generated database, a live writer, four readers, and an idle control.
Checks what it measures: a strategy that leaves a wrong row fails the benchmark.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median as median_of
from typing import Any

from history import CACHE, SCALES, history
from rig.chart import Bars, Panel, draw
from rig.figures import median
from rig.machine import machine, today, versions
from rig.measure import Bench, Case, measure_quietly
from rig.words import line, table

CONTROL = "idle control"
LIVE = (
    Case(CONTROL, None),
    Case("one statement", "one statement"),
    Case("5,000 rows + 100 ms", "5,000 rows + 100 ms"),
    Case("500 rows + 1 ms", "500 rows + 1 ms"),
    Case("inchworm", "inchworm"),
    Case("inchworm, three writers", "inchworm", writers=3),
    Case("inchworm, gate in its process", "inchworm", writers=0, cooperate="thread"),
    Case("inchworm, gate between processes", "inchworm", cooperate="process"),
)
QUIET = (
    Case("one statement idle", "one statement", writers=0, readers=False),
    Case("inchworm idle", "inchworm", writers=0, readers=False),
    Case("bare turns idle", "bare turns", writers=0, readers=False),
)
CASES = LIVE + QUIET
IDLE_S = {"tiny": 1.0, "small": 3.0, "full": 10.0}  # load alone, before each strategy
CONTROL_S = {"tiny": 2.0, "small": 6.0, "full": 30.0}
REPEATS = {"tiny": 1, "small": 1, "full": 3}
INDEXES = {"without": False, "with": True}  # the index (transmission_id, timestamp)
STALL_LIMIT_MS = 100.0
QUIET_HELP = "before each run wait at most so many seconds for other programs to rest"
TRIES_HELP = "measure a run that other programs disturbed up to so many times; the least disturbed counts"

Run = dict[str, Any]
Results = dict[tuple[str, str], list[Run]]  # (index, case) -> its repeats


@dataclass(frozen=True, slots=True)
class Target:
    """One promise: `value` has to be at most `limit`."""

    index: str
    what: str
    value: float
    limit: float

    @property
    def met(self) -> bool:
        return self.value <= self.limit


def run_all(options: argparse.Namespace) -> Results:
    """Every chosen case, repeat after repeat, so that each repeat has its own control."""
    results: Results = {}
    for repeat in range(options.repeats):
        for index in options.index:
            path = history(options.scale, composite_index=INDEXES[index])
            rows = SCALES[options.scale].transmissions
            waits = (IDLE_S[options.scale], CONTROL_S[options.scale], options.wait_quiet)
            bench = Bench(path, rows, *waits, options.tries)
            print(f"\nrun {repeat + 1} of {options.repeats}, {index} the index (transmission_id, timestamp)")
            for case in chosen(options.only):
                found = measure_quietly(case, bench)
                results.setdefault((index, case.name), []).append(found)
                print(line(case.name, found), flush=True)
    return results


def chosen(only: str | None) -> Iterable[Case]:
    return [case for case in CASES if only is None or only in case.name]


def targets(results: Results) -> list[Target]:
    """The promises of the documentation: medians over the repeats, of figures that come from one repeat each."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for index in INDEXES:
        cases = {name: runs for (where, name), runs in results.items() if where == index}
        for repeat in range(min(map(len, cases.values()), default=0)):
            for what, value, limit in _promises({name: runs[repeat] for name, runs in cases.items()}):
                found.setdefault((index, what), []).append((value, limit))
    return [
        Target(index, what, round(median_of(v for v, _ in pairs), 3), round(median_of(n for _, n in pairs), 3))
        for (index, what), pairs in found.items()
    ]


def _promises(runs: dict[str, Run]) -> Iterable[tuple[str, float, float]]:
    control = runs.get(CONTROL)
    for name, run in runs.items():
        if not name.startswith("inchworm"):
            continue
        if control and run["writer_n"]:
            limit = max(STALL_LIMIT_MS, 3 * control["writer_stall_max_ms"])
            yield f"{name}: longest stall of a writer, ms", run["writer_stall_max_ms"], limit
        if run["reader_n"]:
            yield f"{name}: reader p99 during / idle", run["reader_p99_ms"] / run["reader_p99_idle_ms"], 1.5
        whole = runs.get("one statement" if run["writer_n"] else "one statement idle")
        if whole:
            limit = 2.0 if run["writer_n"] else 1.25
            yield f"{name}: total / one statement", run["total_s"] / whole["total_s"], limit
        yield f"{name}: WAL peak, MB", run["wal_peak_mb"], 16.0
        if run["bookkeeping_share"] is not None:
            yield f"{name}: bookkeeping share", run["bookkeeping_share"], 0.03
        yield f"{name}: wrong rows", run["wrong_rows"], 0


def report(options: argparse.Namespace, results: Results, facts: dict[str, object]) -> dict[str, object]:
    """Everything measured, as JSON."""
    return {
        "date": today(),
        "machine": facts,
        "versions": versions(),
        "scale": options.scale,
        "transmissions": SCALES[options.scale].transmissions,
        "observations": SCALES[options.scale].observations,
        "repeats": options.repeats,
        "strategies": [
            {"name": name, "index": index, **median(runs), "repeats": runs} for (index, name), runs in results.items()
        ],
        "targets": [
            {"index": t.index, "what": t.what, "value": t.value, "limit": t.limit, "met": t.met}
            for t in targets(results)
        ],
    }


def picture(options: argparse.Namespace, results: Results, facts: dict[str, object]) -> str:
    """The plot: medians of the strategies that ran beside a live writer."""
    panels = []
    for index in options.index:
        medians = {name: median(runs) for (where, name), runs in results.items() if where == index}
        bars = [
            Bars(name, run["writer_stall_max_ms"], run["total_s"] * 1e3)
            for name, run in medians.items()
            if run["writer_n"] and name != CONTROL
        ]
        panels.append(Panel(f"{index.capitalize()} an index that fits", bars))
    scale = SCALES[options.scale]
    caption = (
        f"{scale.transmissions:,} transmissions, {scale.observations:,} observations; {facts['cpus']} CPUs, "
        f"{facts['file_system']}, SQLite {versions()['sqlite']}; median of {options.repeats}, {today()}; dashed: 100 ms"
    )
    return draw([panel for panel in panels if panel.bars], limit_ms=STALL_LIMIT_MS, caption=caption)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--repeats", type=int, help="runs of everything; default 3 at full scale, else 1")
    parser.add_argument("--index", choices=INDEXES, action="append", help="only this database; default both")
    parser.add_argument("--only", metavar="TEXT", help="only strategies whose name contains this")
    parser.add_argument("--wait-quiet", type=float, default=0.0, metavar="S", help=QUIET_HELP)
    parser.add_argument("--tries", type=int, default=1, help=TRIES_HELP)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg")
    options = parser.parse_args()
    options.repeats = options.repeats or REPEATS[options.scale]
    options.index = options.index or list(INDEXES)
    CACHE.mkdir(exist_ok=True)
    facts = machine(CACHE)
    print(f"{today()}  {facts}  {versions()}")
    results = run_all(options)
    for index in options.index:
        print(f"\n{index} the index (transmission_id, timestamp), medians of {options.repeats} run(s)\n")
        print(table({name: median(runs) for (where, name), runs in results.items() if where == index}))
    only = "" if options.scale == "full" else "; promised at full scale only"
    print(f"\ntargets, medians of {options.repeats} run(s){only}:")
    for target in targets(results):
        verdict = "met   " if target.met else "MISSED"
        print(f"  {verdict} {target.index:<8} {target.what:<70} {target.value:10.3f}  (at most {target.limit:g})")
    if options.json:
        options.json.write_text(json.dumps(report(options, results, facts), indent=1) + "\n", encoding="utf-8")
    if options.plot:
        options.plot.write_text(picture(options, results, facts), encoding="utf-8")
    wrong = [name for (_, name), runs in results.items() if any(run["wrong_rows"] for run in runs)]
    if wrong:
        sys.exit(f"wrong rows after: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
