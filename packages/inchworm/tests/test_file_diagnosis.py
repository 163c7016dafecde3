"""Each fact of a file leads to its finding and to nothing else; an unknown fact leads to none."""

from dataclasses import replace

import pytest

from inchworm.diagnosis import Process
from inchworm.file_diagnosis import FileFacts, Log, Pin, diagnose_file
from inchworm.findings import Finding, Severity, worst_first

HEALTHY = FileFacts(
    path="mesh.db",
    library="apsw",
    version="3.54.1",
    journal_mode="wal",
    page_bytes=4096,
    pages=100_000,
    read_s=0.001,
    log=Log(1_000, 900, 4_120_032),
    writers=((Process(7, "ingest"), 4),),
    looks=40,
    file_system="ext4",
    disk_free=50 << 30,
)


def test_a_healthy_file_gets_no_finding() -> None:
    assert diagnose_file(HEALTHY) == ()


def test_unknown_facts_lead_to_no_finding() -> None:
    assert diagnose_file(FileFacts(path="mesh.db")) == ()


@pytest.mark.parametrize(
    ("other", "severity", "words"),
    [
        ({"problem": "unable to open database file"}, Severity.ERROR, "cannot be opened"),
        ({"journal_mode": "delete"}, Severity.WARNING, "journal mode delete"),
        ({"version": "3.51.2", "wal_reset_bug": True}, Severity.WARNING, "SQLite 3.51.2, which has the WAL-reset bug"),
        ({"file_system": "nfs4"}, Severity.ERROR, "lies on nfs4"),
        ({"file_system": "nfs4", "journal_mode": "wal2"}, Severity.WARNING, "nfs4"),
        ({"folder_writable": False}, Severity.ERROR, "folder cannot be written"),
        ({"shm_writable": False}, Severity.ERROR, "mesh.db-shm cannot be written"),
        ({"disk_free": 10 << 20}, Severity.ERROR, "10.5 MB of disk are free"),
        ({"disk_free": 70 << 20, "pages": 1_000_000}, Severity.WARNING, "beside a database of 4,096.0 MB"),
        ({"pins": (Pin(Process(9, "report"), 500),)}, Severity.WARNING, "report (pid 9) holds a read transaction"),
        ({"log": Log(30_000, 0, 123 << 20)}, Severity.WARNING, "122.9 MB of the log wait"),
        ({"log": Log(30_000, 30_000, 123 << 20)}, Severity.NOTE, "nearly all of it is checkpointed"),
        ({"writers": ((Process(7, "ingest"), 30),)}, Severity.WARNING, "held at 30 of 40 looks, mostly by ingest"),
        ({"writers": ((Process(7), 2), (Process(8), 1))}, Severity.NOTE, "several processes write: pid 7, pid 8"),
        ({"already_open_here": True}, Severity.WARNING, "this process had the file open before"),
        ({"copies": ((Process(3, "app"), ("apsw", "libsqlite3")),)}, Severity.NOTE, "2 SQLite libraries"),
        ({"shared_connection": True}, Severity.ERROR, "the same connection each time"),
        ({"shared_cache": True}, Severity.WARNING, "shared cache"),
        ({"busy_timeout_ms": 0}, Severity.WARNING, "no busy_timeout"),
        ({"read_s": 0.4}, Severity.WARNING, "took 400 ms"),
        ({"free_pages": 60_000}, Severity.NOTE, "are free pages"),
        ({"mmap_bytes": 1 << 30}, Severity.NOTE, "memory mapping is on"),
    ],
)
def test_one_fact_leads_to_one_finding(other: dict[str, object], severity: Severity, words: str) -> None:
    found = diagnose_file(replace(HEALTHY, **other))  # type: ignore[arg-type]
    matching = [f for f in found if words in f.sentence]
    assert [f.severity for f in matching] == [severity], found
    assert matching[0].todo


def test_errors_come_first_and_keep_their_order() -> None:
    found = [
        Finding(s, str(n), "") for n, s in enumerate((Severity.NOTE, Severity.ERROR, Severity.WARNING, Severity.ERROR))
    ]
    assert [f.about for f in worst_first(found)] == ["1", "3", "2", "0"]
