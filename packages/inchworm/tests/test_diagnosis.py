"""Each fact leads to its finding and to nothing else; an unknown fact leads to none."""

from dataclasses import replace

import pytest

from inchworm.diagnosis import (
    Blocked,
    FileFacts,
    Log,
    Pin,
    Prepared,
    Process,
    Replica,
    ServerFacts,
    ServerSession,
    Slot,
    TableHealth,
    TableLock,
    diagnose,
    diagnose_server,
)
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
    assert diagnose(HEALTHY) == ()


def test_unknown_facts_lead_to_no_finding() -> None:
    assert diagnose(FileFacts(path="mesh.db")) == ()


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
    found = diagnose(replace(HEALTHY, **other))  # type: ignore[arg-type]
    matching = [f for f in found if words in f.sentence]
    assert [f.severity for f in matching] == [severity], found
    assert matching[0].todo


def test_errors_come_first_and_keep_their_order() -> None:
    found = [
        Finding(s, str(n), "") for n, s in enumerate((Severity.NOTE, Severity.ERROR, Severity.WARNING, Severity.ERROR))
    ]
    assert [f.about for f in worst_first(found)] == ["1", "3", "2", "0"]


SOUND = ServerFacts(
    version_number=150_014,
    version="15.14",
    most_connections=100,
    connections=10,
    frozen_age=1_000_000,
    settings={
        "fsync": "on",
        "full_page_writes": "on",
        "autovacuum": "on",
        "track_counts": "on",
        "lock_timeout": "2000",
        "idle_in_transaction_session_timeout": "0",
    },
    sessions=(
        ServerSession(5, "app", "ann", "active", 2.0, 0.1, 3),
        ServerSession(6, "app", "ann", "idle in transaction", 20.0, 1.0, 3),
    ),
    slots=(Slot("used", active=True, status="reserved", kept=1 << 20, age=0),),
    replicas=(Replica("copy", 1 << 20),),
    tables=(TableHealth("t", live=1_000_000, dead=150_000),),
)


def test_a_sound_server_gets_no_finding() -> None:
    assert diagnose_server(SOUND) == ()


def session(state: str, open_s: float, age: int | None = 7) -> dict[str, object]:
    return {"sessions": (ServerSession(9, "report", "bob", state, open_s, open_s, age),)}


def table(**other: object) -> dict[str, object]:
    return {"tables": (TableHealth("t", **other),)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "severity", "words"),
    [
        ({"problem": "connection refused"}, Severity.ERROR, "cannot be asked: connection refused"),
        ({"standby": True}, Severity.ERROR, "this is a standby"),
        ({"sees_all": False}, Severity.NOTE, "cannot see what other sessions do"),
        ({"version_number": 120_001, "version": "12.1"}, Severity.WARNING, "PostgreSQL 12.1 gets no corrections"),
        ({"version_number": 140_003, "version": "14.3"}, Severity.WARNING, "can leave rows out of an index"),
        ({"settings": {"fsync": "off"}}, Severity.ERROR, "fsync is off"),
        ({"settings": {"autovacuum": "off"}}, Severity.WARNING, "autovacuum is off: dead rows"),
        ({"settings": {"lock_timeout": "0"}}, Severity.NOTE, "lock_timeout is 0"),
        (
            session("idle in transaction", 1_200),
            Severity.WARNING,
            "report (pid 9, user bob) has a transaction open for 20 min and does nothing in it; vacuum keeps",
        ),
        (session("idle in transaction (aborted)", 40, None), Severity.WARNING, "for 40 s and does nothing in it"),
        (session("active", 400), Severity.WARNING, "report (pid 9, user bob) works in one transaction for 7 min"),
        ({"prepared": (Prepared("x", 90.0, 5),)}, Severity.WARNING, "the prepared transaction x is open for 90 s"),
        (
            {"locks": (TableLock("t", 9, "psql", "ShareLock"),)},
            Severity.WARNING,
            "psql (pid 9) holds ShareLock on t: nobody else can write",
        ),
        (
            {"blocked": (Blocked(4, "app", 3.0, 9, "psql"),)},
            Severity.WARNING,
            "app (pid 4) waits up to 3 s for psql (pid 9)",
        ),
        (
            {"slots": (Slot("old", active=False, status="reserved", kept=5 << 30, age=0),)},
            Severity.WARNING,
            "nobody uses the replication slot old, which keeps 5,368.7 MB of log",
        ),
        (
            {"slots": (Slot("new", active=False, status="reserved", kept=1 << 20, age=0),)},
            Severity.NOTE,
            "nobody uses the replication slot new",
        ),
        (
            {"slots": (Slot("late", active=True, status="extended", kept=1 << 30, age=0),)},
            Severity.WARNING,
            "the replication slot late keeps",
        ),
        (
            {"slots": (Slot("gone", active=False, status="lost", kept=0, age=0),)},
            Severity.WARNING,
            "has lost log that its replica still needs (lost)",
        ),
        ({"replicas": (Replica("copy", 100 << 20),)}, Severity.WARNING, "copy is 104.9 MB behind"),
        (table(live=1_000_000, dead=300_000), Severity.NOTE, "300,000 dead rows beside 1,000,000 living"),
        (table(live=1_000, dead=300_000), Severity.WARNING, "300,000 dead rows beside 1,000 living"),
        (table(autovacuum_off=True), Severity.WARNING, "autovacuum is off for this table"),
        (table(analyzed=False), Severity.WARNING, "never analyzed"),
        (table(invalid_indexes=("i",)), Severity.WARNING, "its index i is not valid"),
        ({"frozen_age": 1_500_000_000}, Severity.WARNING, "1,500,000,000 transactions old"),
        ({"connections": 98}, Severity.WARNING, "98 of 100 connections are in use"),
    ],
)
def test_one_fact_of_a_server_leads_to_one_finding(other: dict[str, object], severity: Severity, words: str) -> None:
    found = diagnose_server(replace(SOUND, **other))  # type: ignore[arg-type]
    assert [f.severity for f in found if words in f.sentence] == [severity], found
    assert len(found) == 1, found
    assert found[0].todo


def test_an_unlogged_table_is_said() -> None:
    (found,) = diagnose_server(replace(SOUND, tables=(TableHealth("t", unlogged=True),)))
    assert (found.severity, found.about) == (Severity.NOTE, "t")


def test_nothing_is_said_of_a_server_of_which_nothing_is_known() -> None:
    assert diagnose_server(ServerFacts()) == ()
