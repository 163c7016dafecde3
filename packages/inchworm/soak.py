"""Kill an inchworm migration many times with SIGKILL and print what that cost: `python soak.py --kills 1000`.

A command, not a test: the suite holds 50 of these kills. Exit status 1 when a row is wrong or a kill cost two slices.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from inchworm.testing import Harness, SqliteHarness
from inchworm.testing.kills import Toll, kill


@contextmanager
def opened(backend: str, folder: Path) -> Iterator[Harness]:
    """The harness of a backend; PostgreSQL is started in a folder of its own and leaves nothing behind."""
    if backend != "postgres":
        yield SqliteHarness(folder, backend)
        return
    here = Path(__file__).parent
    sys.path[:0] = [str(here / "tests" / "postgres"), str(here.parents[1] / "tests")]
    tests: Any = import_module("server")
    server = tests.Server()
    try:
        yield tests.PostgresHarness(server)
    finally:
        server.remove()


def integrity(harness: Harness, target: str) -> list[str]:
    """What SQLite's own check finds wrong with a file."""
    if not isinstance(harness, SqliteHarness):
        return []
    found = [str(row[0]) for row in harness.rows(target, "pragma integrity_check")]
    return [] if found == ["ok"] else found


def soak(backend: str, kills: int, seed: int) -> Toll:
    """Half of the kills come before a random step, half from outside after a random time."""
    with tempfile.TemporaryDirectory() as name, opened(backend, Path(name)) as harness:
        return kill(
            harness,
            Path(name),
            kills=kills,
            seed=seed,
            by_clock=0.5,
            integrity=lambda target: integrity(harness, target),
        )


def main() -> int:
    """Parse, soak, print."""
    parser = argparse.ArgumentParser(description="kill a migration with SIGKILL and count the toll")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--backend", choices=("sqlite3", "apsw", "postgres"), action="append")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("inchworm").setLevel(logging.ERROR)  # takeovers are what we came for
    bad = False
    for backend in given.backend or ["sqlite3", "apsw"]:
        started = time.monotonic()
        toll = soak(backend, given.kills, given.seed)
        print(f"{backend}: {toll} in {time.monotonic() - started:.0f} s")
        bad = bad or bool(toll.wrong_rows or toll.damaged or toll.most_repeated > 1)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
