"""The ways in which one long write makes a SQLite application freeze, each measured beside an idle control.

Everything is as in incident.py; what differs from line to line is how the application holds its connections.
"""

import argparse
import sys

from history import CACHE, SCALES, history
from incident import CONTROL_S, IDLE_S, QUIET_HELP, TRIES_HELP, Run
from rig.figures import median
from rig.machine import machine, today, versions
from rig.measure import Bench, Case, measure_quietly
from rig.words import line, table

CASES = (
    Case("idle control", None),
    Case("own connections, WAL", "one statement"),
    Case("own connections, rollback journal", "one statement", journal="delete"),
    Case("one connection for everything", "one statement", module="shared", writers=0, readers=False),
    Case("500 rows + 1 ms, WAL", "500 rows + 1 ms"),
    Case("one statement, pinned reader", "one statement", pinned=True),
    Case("500 rows + 1 ms, pinned reader", "500 rows + 1 ms", pinned=True),
    Case("create index, WAL", "create index", fills=False),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--only", metavar="TEXT", default="", help="only lines whose name contains this")
    parser.add_argument("--wait-quiet", type=float, default=0.0, metavar="S", help=QUIET_HELP)
    parser.add_argument("--tries", type=int, default=1, help=TRIES_HELP)
    options = parser.parse_args()
    print(f"{today()}  {machine(CACHE)}  {versions()}")
    rows = SCALES[options.scale].transmissions
    waits = (IDLE_S[options.scale], CONTROL_S[options.scale], options.wait_quiet, options.tries)
    bench = Bench(history(options.scale), rows, *waits)
    results: dict[str, list[Run]] = {}
    for _ in range(options.repeats):
        for case in CASES:
            if options.only in case.name:
                found = measure_quietly(case, bench)
                results.setdefault(case.name, []).append(found)
                print(line(case.name, found), flush=True)
    print(f"\nmedians of {options.repeats} run(s)\n")
    print(table({name: median(runs) for name, runs in results.items()}))
    if wrong := [name for name, runs in results.items() if any(run["wrong_rows"] for run in runs)]:
        sys.exit(f"wrong rows after: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
