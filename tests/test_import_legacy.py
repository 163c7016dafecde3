"""A real legacy CoreScope database, imported and recounted from the file by a program that shares no code with us.

The file is not in the repository: HOPSCOPE_LEGACY_DB says where it is, else it is looked for beside the checkout.
"""

import hashlib
import json
import os
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest
from import_rig import KEYS

from hopscope.app.stop import StopToken
from hopscope.migrations import report
from hopscope.migrations.service import Service, Work
from hopscope.store import connection, imports, ledger, schema

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data" / "corescope-legacy.db"
LEGACY = Path(os.environ.get("HOPSCOPE_LEGACY_DB", BESIDE))
TRACE, CODES = 9, (0, 3)

pytestmark = pytest.mark.skipif(not LEGACY.is_file(), reason="no legacy database (HOPSCOPE_LEGACY_DB)")


@dataclass
class Packet:
    """What the source says about one packet, recomputed."""

    frame: bytes
    last_seen: int = 0
    receptions: set[tuple[int, int, str]] = field(default_factory=set)  # observer rowid, time, path as JSON


@dataclass
class Recount:
    packets: dict[bytes, Packet] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    merged: Counter[str] = field(default_factory=Counter)


def parts(frame: bytes) -> tuple[int, bytes, bytes] | None:
    """Type, path length byte and payload; None for a frame that the firmware rejects."""
    at = 5 if frame[0] & 3 in CODES else 1
    length = frame[at]
    size = (length & 63) * ((length >> 6) + 1)
    if frame[0] >> 6 or length >> 6 == 3 or size > 64 or at + 1 + size >= len(frame):
        return None
    return frame[0] >> 2 & 15, frame[at : at + 1], frame[at + 1 + size :]


def packet_hash(frame: bytes) -> bytes | None:
    found = parts(frame)
    if found is None:
        return None
    kind, length, payload = found
    return hashlib.sha256(bytes([kind]) + (length + b"\0" if kind == TRACE else b"") + payload).digest()[:8]


def recount(path: Path) -> Recount:
    source, found, by_id = apsw.Connection(str(path)), Recount(), {}
    for number, raw in source.execute("select id, raw_hex from transmissions"):
        frame = bytes.fromhex(raw)
        digest = by_id[number] = packet_hash(frame)
        if digest is None:
            found.refused["transmissions"] += 1
        elif digest in found.packets:
            found.merged["transmissions"] += 1
        else:
            found.packets[digest] = Packet(frame)
    text = "select transmission_id, observer_idx, timestamp, path_json from observations"
    for number, observer, at, path_json in source.execute(text):
        digest = by_id.get(number)
        if digest is None:
            found.refused["observations"] += 1
            continue
        packet, reception = found.packets[digest], (observer, at, path_json)
        found.merged["observations"] += reception in packet.receptions
        packet.receptions.add(reception)
        packet.last_seen = max(packet.last_seen, at * 1000)
    source.close()
    return found


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("legacy")
    source, database = place / "meshcore.db", str(place / "hopscope.db")
    shutil.copyfile(LEGACY, source)
    db = connection.open_writer(database)
    schema.prepare(db)
    number = imports.request(db, str(source), by="cli", now=1)
    service = Service(Work(database, KEYS, stall_budget_ms=50))
    service.work(StopToken())
    service.close()
    yield db, imports.load(db, number), recount(source)
    db.close()


def test_every_row_of_the_legacy_file_is_accounted_for(imported: Any) -> None:
    db, job, wanted = imported
    assert (job.state, job.error) == ("done", None)
    assert report.accounted_for(job, ledger.rows(db))
    tables = {table.name: table for table in job.tables}
    for name in ("transmissions", "observations"):
        assert tables[name].total == tables[name].read
        assert tables[name].merged == wanted.merged[name]
        assert tables[name].quarantined == wanted.refused[name]


def test_hash_last_seen_and_count_of_every_packet_are_those_of_the_file(imported: Any) -> None:
    db, _, wanted = imported
    stored = {
        bytes(row[0]): row[1:]
        for row in db.execute("select hash, frame, last_seen, observation_count from transmissions")
    }
    assert stored.keys() == wanted.packets.keys()
    for digest, packet in wanted.packets.items():
        assert stored[digest] == (packet.frame, packet.last_seen, len(packet.receptions)), digest.hex()


def test_the_path_of_every_reception_is_that_of_the_file(imported: Any) -> None:
    """Except for TRACE, whose path_json holds its route and not the path: the report says so."""
    db, job, wanted = imported
    assert any("TRACE" in note for note in report.as_json(job, ledger.rows(db))["notes"])
    stored: defaultdict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
    text = (
        "select t.hash, o.heard_at, o.path from observations o join transmissions t on t.id = o.transmission_id "
        "where t.type <> 9"
    )
    for digest, at, path in db.execute(text):
        stored[bytes(digest)].append((at, bytes(path)))
    for digest, packet in wanted.packets.items():
        if packet.frame[0] >> 2 & 15 == TRACE:
            continue
        hops = sorted((at * 1000, bytes.fromhex("".join(json.loads(path)))) for _, at, path in packet.receptions)
        assert sorted(stored[digest]) == hops, digest.hex()


def test_times_do_not_contradict_each_other(imported: Any) -> None:
    db, _, _ = imported
    assert db.execute("select count(*) from transmissions where last_seen < first_seen").get == 0
