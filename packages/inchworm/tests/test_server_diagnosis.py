"""Each fact of a server leads to its finding and to nothing else; an unknown fact leads to none."""

from dataclasses import replace

import pytest

from inchworm.diagnosis import Process
from inchworm.findings import Severity
from inchworm.server_diagnosis import (
    Blocked,
    Prepared,
    Replica,
    ServerFacts,
    ServerSession,
    Slot,
    TableHealth,
    TableLock,
    diagnose_server,
)

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
        ServerSession(Process(5, "app", "ann"), "active", 2.0, 0.1, 3),
        ServerSession(Process(6, "app", "ann"), "idle in transaction", 20.0, 1.0, 3),
    ),
    slots=(Slot("used", active=True, status="reserved", kept=1 << 20, age=0),),
    replicas=(Replica("copy", 1 << 20),),
    tables=(TableHealth("t", live=1_000_000, dead=150_000),),
)


def test_a_sound_server_gets_no_finding() -> None:
    assert diagnose_server(SOUND) == ()


def session(state: str, open_s: float, age: int | None = 7) -> dict[str, object]:
    return {"sessions": (ServerSession(Process(9, "report", "bob"), state, open_s, open_s, age),)}


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
            {"locks": (TableLock("t", Process(9, "psql"), "ShareLock"),)},
            Severity.WARNING,
            "psql (pid 9) holds ShareLock on t: nobody else can write",
        ),
        (
            {"blocked": (Blocked(Process(4, "app"), 3.0, Process(9, "psql")),)},
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
