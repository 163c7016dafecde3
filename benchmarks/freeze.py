"""The ways in which one long write makes a SQLite application freeze, each measured beside an idle control.

Everything is as in incident.py; what differs from line to line is how the application holds its connections.
"""

import argparse
import sys

from history import CACHE, SCALES, history
from incident import CONTROL_S, IDLE_S, line
from rig.machine import machine, today, versions
from rig.measure import Bench, Case, measure

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
    parser.add_argument("--only", metavar="TEXT", default="", help="only lines whose name contains this")
    parser.add_argument(
        "--wait-quiet", type=float, default=0.0, metavar="S", help="before each run wait for other programs"
    )
    options = parser.parse_args()
    print(f"{today()}  {machine(CACHE)}  {versions()}")
    rows = SCALES[options.scale].transmissions
    bench = Bench(history(options.scale), rows, IDLE_S[options.scale], CONTROL_S[options.scale], options.wait_quiet)
    wrong = 0
    for case in CASES:
        if options.only in case.name:
            found = measure(case, bench)
            print(line(case.name, found), flush=True)
            wrong += found["wrong_rows"] or 0
    if wrong:
        sys.exit(f"{wrong} wrong rows")


if __name__ == "__main__":
    main()
