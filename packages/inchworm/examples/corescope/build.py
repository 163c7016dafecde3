"""Build a small database in the shape of CoreScope's: every 50th transmission is an orphan, nothing has last_seen.

`python build.py mesh.db --transmissions 20000`; the same arguments give the same file. Refuses to overwrite one.
"""

import argparse
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

SCHEMA = """
create table transmissions (
    id integer primary key autoincrement, raw_hex text not null, hash text not null unique, first_seen text not null,
    route_type integer, payload_type integer, payload_version integer, decoded_json text,
    created_at text default (datetime('now')), channel_hash text, from_pubkey text, scope_name text,
    last_seen integer not null default 0
);
create table observations (
    id integer primary key autoincrement, transmission_id integer not null references transmissions (id),
    observer_idx integer, direction text, snr real, rssi real, score integer, path_json text,
    timestamp integer not null, raw_hex text, resolved_path text
);
create index idx_observations_transmission_id on observations (transmission_id);
"""
BEGIN_S = 1_750_000_000
ORPHAN_EVERY = 50
WIDEST = 40


def transmissions(count: int) -> Iterator[tuple[object, ...]]:
    for number in range(1, count + 1):
        yield number, f"{number:096x}", f"{number:016x}", "2025-06-15T15:06:40Z", 1, number % 12, 0, "{}"


def observations(count: int) -> Iterator[tuple[int, int, str, float, float, str, int]]:
    """In order of arrival: the receptions of one packet lie apart from each other, as observers report late."""
    for late in range(WIDEST):
        for number in range(1, count + 1):
            if number % ORPHAN_EVERY and late < 1 + number * 7919 % WIDEST:
                yield number, late + 1, "rx", -3.25, -101.0, "[]", BEGIN_S + number * 5 + late


def build(path: Path, count: int) -> None:
    """Create the file. Raises FileExistsError."""
    if path.exists():
        raise FileExistsError(path)
    db = sqlite3.connect(path)
    try:
        db.execute("pragma journal_mode = wal")
        db.executescript(SCHEMA)
        with db:
            db.executemany(
                "insert into transmissions (id, raw_hex, hash, first_seen, route_type, payload_type, payload_version,"
                " decoded_json) values (?, ?, ?, ?, ?, ?, ?, ?)",
                transmissions(count),
            )
            db.executemany(
                "insert into observations (transmission_id, observer_idx, direction, snr, rssi, path_json, timestamp)"
                " values (?, ?, ?, ?, ?, ?, ?)",
                observations(count),
            )
    finally:
        db.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("path", type=Path)
    parser.add_argument("--transmissions", type=int, default=20_000)
    options = parser.parse_args()
    try:
        build(options.path, options.transmissions)
    except FileExistsError:
        sys.exit(f"{options.path} exists; it is not overwritten")
    print(f"{options.path}: {options.path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
