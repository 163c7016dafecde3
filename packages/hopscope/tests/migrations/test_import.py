"""What an import of a CoreScope database leaves in the store: each row once, and nothing lost without a word."""

import hashlib
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from corescope_file import AGES, CoreScopeFile
from import_rig import KEYS, Importing

import meshwire
from hopscope.migrations import operating, report
from hopscope.model import Heard, Reception
from hopscope.store import connection, ledger, schema
from hopscope.store.facts import facts_of
from hopscope.store.writing import Writer
from meshwire import PUBLIC_KEY, encode

AT = 1_779_000_000  # epoch seconds, before NOW
ALICE, BOB = "A1" * 32, "B0" * 32


def ack(number: int, *path: bytes, route: int = 1) -> bytes:
    """A packet of its own, as it looks after these hops."""
    codes = (7, 0) if route in (0, 3) else None
    size = len(path[0]) if path else 1
    payload = encode.ack(number.to_bytes(4, "little"))
    return encode.frame(route, 3, payload, path=path, hash_size=size, transport_codes=codes)


def rows(db: apsw.Connection, text: str) -> list[tuple[Any, ...]]:
    return list(db.execute(text))


def value(db: apsw.Connection, text: str) -> Any:
    return db.execute(text).get


def counts(found: Any, table: str) -> tuple[int, int, int]:
    one = next(t for t in found.tables if t.name == table)
    return one.imported, one.merged, one.quarantined


# -- accounts


def test_every_row_is_imported_merged_or_quarantined_with_its_reason(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    alice = source.observer(ALICE)
    good = source.transmission(ack(1), "2026-05-17T06:40:00Z")
    source.transmission(ack(1, b"\x8a", route=2), "2026-05-17T06:41:00Z")  # another hash of old, the same packet
    broken = source.transmission("ff" * 20, "2026-05-17T06:40:00Z")
    source.transmission("", "2026-05-17T06:40:00Z")
    source.transmission("0d0", "2026-05-17T06:40:00Z")
    source.observation(good, alice, AT)
    source.observation(good, alice, AT + 1, None)  # a path that was never written: the same as no hop
    source.observation(good, alice, AT + 60, ["8A"])
    source.observation(good, alice, AT + 61, '["8A", 5]')
    source.observation(good, alice, "garbage", ["8B"])
    source.observation(broken, alice, AT)
    source.observation(999, alice, AT)
    found = bring(source.path)
    assert found.state == "done"
    assert counts(found, "transmissions") == (1, 1, 3)
    assert counts(found, "observations") == (2, 1, 4)
    assert dict(found.reasons) == {
        "bad_frame": 1,
        "no_frame": 1,
        "not_hex": 1,
        "bad_path": 1,
        "bad_time": 1,
        "transmission_refused": 1,
        "no_transmission": 1,
    }
    assert report.accounted_for(found, ledger.rows(store))
    assert value(store, "select count(*) from quarantine where topic like 'observations/%'") == 4
    assert rows(store, "select name, value from counters order by 1") == [("observations", 2), ("transmissions", 1)]


def test_the_source_is_not_changed(source: CoreScopeFile, bring: Importing) -> None:
    source.observation(source.transmission(ack(1), "2026-05-17T06:40:00Z"), source.observer(ALICE), AT)
    source.close()
    before = hashlib.sha256(source.path.read_bytes()).hexdigest()
    assert bring(source.path).state == "done"
    assert hashlib.sha256(source.path.read_bytes()).hexdigest() == before


def without_shared_memory(path: Path) -> None:
    """As on a read-only medium, also for root: SQLite cannot make the file it shares the log's index by."""
    index = path.with_name(path.name + "-shm")
    index.unlink(missing_ok=True)
    index.symlink_to(path.with_name("no directory") / "at all")


def test_a_file_on_a_read_only_medium_is_read(source: CoreScopeFile, bring: Importing, store: apsw.Connection) -> None:
    source.observation(source.transmission(ack(1), "2026-05-17T06:40:00Z"), source.observer(ALICE), AT)
    source.close()
    without_shared_memory(source.path)
    assert bring(source.path).state == "done"
    assert value(store, "select count(*) from observations") == 1


def test_a_file_whose_newest_rows_are_in_a_log_that_cannot_be_read_is_refused_with_the_cause(
    tmp_path: Path, source: CoreScopeFile, bring: Importing
) -> None:
    """Reading it without its log would import an older history and call it whole."""
    source.transmission(ack(1), "2026-05-17T06:40:00Z")
    for end in ("", "-wal"):
        shutil.copyfile(f"{source.path}{end}", tmp_path / f"medium.db{end}")
    without_shared_memory(tmp_path / "medium.db")
    found = bring(tmp_path / "medium.db")
    assert found.state == "refused"
    assert "its newest rows are still in medium.db-wal" in (found.error or "")


@pytest.mark.parametrize("age", AGES)
def test_a_file_of_any_age_is_read(age: str, tmp_path: Path, store: apsw.Connection, bring: Importing) -> None:
    file = CoreScopeFile(tmp_path / f"{age}.db", age)
    rowid = file.observer(ALICE.lower())
    file.add("nodes", public_key="cd" * 32, name="Node", role="repeater", last_seen="2026-05-01T00:00:00Z")
    packet = file.transmission(ack(1), "2026-05-17T06:40:00.125Z")
    file.observation(packet, ALICE if age == "ancient" else rowid, str(AT) if age == "ancient" else AT, ["8A"])
    found = bring(file.path)
    file.close()
    assert found.state == "done"
    assert rows(
        store,
        "select ident, heard_at, path_len, hex(path), snr from observations o join observers b on b.id = o.observer_id",
    ) == [(ALICE, AT * 1000, 1, "8A", None)]
    assert rows(store, "select last_seen, observation_count, shown_hops from transmissions") == [(AT * 1000, 1, 1)]
    assert rows(store, "select name, role, verified from nodes") == [("Node", 2, 0)]


def test_a_file_of_another_program_is_refused_with_a_reason(tmp_path: Path, bring: Importing) -> None:
    other = apsw.Connection(str(tmp_path / "other.db"))
    other.execute("create table transmissions (id integer primary key)")
    other.close()
    found = bring(tmp_path / "other.db")
    assert found.state == "refused"
    assert "no CoreScope database" in (found.error or "")
    assert bring(tmp_path / "missing.db").error == f"there is no file {tmp_path / 'missing.db'}"
    (tmp_path / "text.db").write_text("not a database at all" * 100)
    assert "cannot be read" in (bring(tmp_path / "text.db").error or "")


def test_tables_that_stay_behind_are_named_with_the_reason(source: CoreScopeFile, bring: Importing) -> None:
    source.db.execute("create table somebody_elses (x)")
    left = {table.name: table.left_out for table in bring(source.path).tables if table.left_out}
    assert set(left) == {"dropped_packets", "client_receptions", "_migrations", "somebody_elses"}
    assert left["somebody_elses"] == "not a table that hopscope knows"


def test_an_import_without_room_on_the_disk_does_not_begin(
    source: CoreScopeFile, bring: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopscope.migrations.service.DISK_FLOOR_BYTES", 1 << 60)
    source.transmission(ack(1), "2026-05-17T06:40:00Z")
    found = bring(source.path)
    assert found.state == "refused"
    assert "MB free" in (found.error or "")


# -- the same reception twice


def live(store: apsw.Connection, frame: bytes, at_s: float, *, by: str = ALICE, published: int | None = -1) -> None:
    """As ingest stores a reception from a broker."""
    writer = Writer(store)
    writer.register_source("home", kind="mqtt", address=None)
    at = round(at_s * 1000)
    writer.record([heard(frame, at, by=by, published=at - 400 if published == -1 else published)])


def heard(frame: bytes, at: int, *, by: str = ALICE, published: int | None = None) -> Heard:
    return Heard(
        Reception("home", by, None, None, at, published, False, frame, None, None, None),
        facts_of(meshwire.decode(frame, keys=KEYS)),
    )


@pytest.mark.parametrize(("apart_s", "receptions"), [(0, 1), (4.9, 1), (-4.9, 1), (5.1, 2)])
def test_a_reception_that_ingest_stored_already_is_merged_within_five_seconds(
    apart_s: float, receptions: int, store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    live(store, ack(1, b"\x8a"), AT + apart_s)
    packet = source.transmission(ack(1), "2026-05-18T00:00:00Z")
    source.observation(packet, source.observer(ALICE), AT, ["8A"], snr=-7.25, rssi=-101)
    found = bring(source.path)
    assert value(store, "select count(*) from observations") == receptions
    assert counts(found, "observations") == (receptions - 1, 2 - receptions, 0)
    if receptions == 1:
        assert rows(store, "select snr, rssi, published_at is null from observations") == [(-7.25, -101, 0)]
    assert value(store, "select observation_count from transmissions") == receptions


def test_ingest_knows_a_reception_that_an_import_brought(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    packet = source.transmission(ack(1), "2026-05-17T06:40:00Z")
    source.observation(packet, source.observer(ALICE), AT, ["8A"])
    bring(source.path)
    live(store, ack(1, b"\x8a"), AT + 2)
    live(store, ack(1, b"\x8b"), AT + 2)
    assert value(store, "select count(*) from observations") == 2
    assert value(store, "select observation_count from transmissions") == 2


def test_the_same_row_twice_in_the_source_is_one_reception(
    store: apsw.Connection, tmp_path: Path, bring: Importing
) -> None:
    file = CoreScopeFile(tmp_path / "legacy.db", "legacy")  # before there was an index against it
    alice, packet = file.observer(ALICE), file.transmission(ack(1), "2026-05-17T06:40:00Z")
    for at in (AT, AT, AT + 3, AT + 30):
        file.observation(packet, alice, at)
    found = bring(file.path)
    file.close()
    assert counts(found, "observations") == (2, 2, 0)


def test_receptions_of_unknown_observers_are_one_only_when_time_and_signal_agree(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    packet = source.transmission(ack(1), "2026-05-17T06:40:00Z")
    for at, snr in ((AT, 5.0), (AT, 5.0), (AT, 6.0), (AT + 1, 5.0)):
        source.observation(packet, None, at, snr=snr)
    found = bring(source.path)
    assert counts(found, "observations") == (3, 1, 0)
    assert value(store, "select count(*) from observations where observer_id is null") == 3
    assert value(store, "select sum(observations) from traffic_hourly where observer_id = 0") == 3


def test_observers_and_nodes_of_either_case_are_one(store: apsw.Connection, tmp_path: Path, bring: Importing) -> None:
    file = CoreScopeFile(tmp_path / "case.db")
    file.observer("ab" * 32, first_seen="2026-01-01T00:00:00Z", last_seen="2026-02-01T00:00:00Z", name="old")
    file.observer("AB" * 32, first_seen="2026-01-15T00:00:00Z", last_seen="2026-03-01T00:00:00Z", name="new")
    file.observer("<script>")
    file.add("nodes", public_key="cd" * 32, name="now", role="room", last_seen="2026-05-01T00:00:00Z")
    file.add("inactive_nodes", public_key="CD" * 32, name="then", role="sensor", last_seen="2026-01-01T00:00:00Z")
    file.add("nodes", public_key="cd", name="prefix", role="room", last_seen="2026-05-01T00:00:00Z")
    found = bring(file.path)
    file.close()
    assert rows(store, "select ident, name, first_seen, last_seen from observers") == [
        ("AB" * 32, "new", 1_767_225_600_000, 1_772_323_200_000)
    ]
    assert rows(store, "select lower(hex(pubkey)), name, role, first_seen from nodes") == [
        ("cd" * 32, "now", 3, 1_767_225_600_000)
    ]
    assert counts(found, "observers") == (1, 1, 1)
    assert counts(found, "nodes") == (1, 0, 1)
    assert counts(found, "inactive_nodes") == (0, 1, 0)


def test_names_of_strangers_come_along_whatever_their_bytes(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    source.observer(ALICE, name="x")
    source.add("nodes", public_key="cd" * 32, name="y", role="room", last_seen="2026-05-01T00:00:00Z")
    source.db.execute("update observers set name = cast(x'4fff4b' as text)")
    source.db.execute("update nodes set name = cast(x'3c623ef09f9880ff' as text)")
    found = bring(source.path)
    assert found.state == "done"
    assert value(store, "select name from observers") == "O\ufffdK"
    assert "<b>\U0001f600" in value(store, "select name from nodes")


def test_edges_and_samples_come_along_once(store: apsw.Connection, source: CoreScopeFile, bring: Importing) -> None:
    source.observer(ALICE)
    for a, b in (("aa" * 32, "BB" * 32), ("bb" * 32, "AA" * 32), ("", "aa" * 32)):
        source.add("neighbor_edges", node_a=a, node_b=b, count=4, last_seen="2026-05-01T00:00:00Z")
    for at in ("2026-05-01T00:00:00Z", "2026-05-01T00:01:00Z", "2026-05-01 00:05:00", "soon"):
        source.add("observer_metrics", observer_id=ALICE.lower(), timestamp=at, noise_floor=-101.5, packets_recv=7)
    found = bring(source.path)
    assert counts(found, "neighbor_edges") == (1, 1, 1)
    assert counts(found, "observer_metrics") == (2, 1, 1)
    assert rows(store, "select hex(node_a), count from neighbor_edges") == [("AA" * 32, 4)]
    assert rows(store, "select at, noise_floor, packets_received from observer_metrics order by 1") == [
        (1_777_593_600_000, -101.5, 7),
        (1_777_593_900_000, -101.5, 7),
    ]


# -- again


def test_a_second_import_takes_what_is_newer(store: apsw.Connection, source: CoreScopeFile, bring: Importing) -> None:
    alice, packet = source.observer(ALICE), source.transmission(ack(1), "2026-05-17T06:40:00Z")
    source.observation(packet, alice, AT)
    first = bring(source.path)
    source.observation(packet, alice, AT + 60, ["8A"])
    source.observation(source.transmission(ack(2), "2026-05-17T06:50:00Z"), alice, AT + 600)
    second = bring(source.path)
    assert (first.state, second.state) == ("done", "done")
    assert counts(second, "transmissions") == (1, 0, 0)
    assert counts(second, "observations") == (2, 0, 0)
    assert rows(store, "select observation_count, last_seen, shown_hops from transmissions order by id") == [
        (2, (AT + 60) * 1000, 1),
        (1, (AT + 600) * 1000, 0),
    ]
    assert value(store, "select sum(observations) || '/' || sum(transmissions) from traffic_hourly") == "3/2"


def test_a_second_import_walks_and_counts_only_what_is_newer(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    alice, packets = source.observer(ALICE), [source.transmission(ack(n), AT) for n in range(40)]
    for number in range(400):
        source.observation(packets[number % 40], alice, AT + 60 * number, [f"{number % 256:02X}"])
    bring(source.path)
    for number in range(3):
        source.observation(packets[number], alice, AT + 90_000 + number)
    second = bring(source.path)
    assert counts(second, "observations") == (3, 0, 0)
    figures = {row["name"]: (row["rows_processed"], row["rows_total"]) for row in ledger.rows(store)}
    assert figures["import_1_observations"] == (400, 400)
    assert figures["import_2_observations"] == (3, 3)
    assert figures["import_2_transmissions"] == (0, 0)
    assert next(table.total for table in second.tables if table.name == "observations") == 3


def test_asking_again_for_a_file_that_is_not_done_is_the_same_request(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    database = str(store.filename)
    asked = [operating.ask_for_import(database, source.path, by="api", now_ms=1) for _ in range(2)]
    assert asked == [1, 1]
    assert operating.ask_for_import(database, source.path.with_name("other.db"), by="api", now_ms=1) == 2
    store.execute("update imports set state = 'running' where id = 1")
    assert operating.ask_for_import(database, source.path, by="api", now_ms=1) == 1
    store.execute("update imports set state = 'done'")
    assert operating.ask_for_import(database, source.path, by="api", now_ms=1) == 3


def test_a_copy_of_a_file_that_came_already_brings_nothing_twice(
    store: apsw.Connection, tmp_path: Path, source: CoreScopeFile, bring: Importing
) -> None:
    source.observation(source.transmission(ack(1), "2026-05-17T06:40:00Z"), source.observer(ALICE), AT)
    source.observation(source.transmission(ack(2), "2026-05-17T06:40:00Z"), None, AT)
    bring(source.path)
    source.close()
    (tmp_path / "copy.db").write_bytes(source.path.read_bytes())
    again = bring(tmp_path / "copy.db")
    assert counts(again, "observations") == (0, 0, 0)
    assert value(store, "select count(*) from observations") == 2


def test_another_file_with_the_same_history_is_merged_row_by_row(
    store: apsw.Connection, tmp_path: Path, source: CoreScopeFile, bring: Importing
) -> None:
    source.observation(source.transmission(ack(1), "2026-05-17T06:40:00Z"), source.observer(ALICE), AT)
    bring(source.path)
    other = CoreScopeFile(tmp_path / "other.db")
    other.transmission(ack(9), "2026-05-17T06:40:00Z")
    other.observation(other.transmission(ack(1), "2026-05-17T06:39:00Z"), other.observer(ALICE), AT)
    found = bring(other.path)
    other.close()
    assert counts(found, "transmissions") == (1, 1, 0)
    assert counts(found, "observations") == (0, 1, 0)
    assert value(store, "select sum(observation_count) from transmissions") == 1
    assert value(store, "select sum(transmissions) from traffic_hourly") == 2


def test_a_cancelled_import_leaves_what_came_along_complete_and_the_next_one_brings_the_rest(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    alice, bob = source.observer(ALICE), source.observer(BOB)
    packet = source.transmission(ack(1), "2026-05-17T06:40:00Z")
    source.observation(packet, alice, AT)
    source.observation(packet, bob, AT + 60, ["8A"])
    store.execute(
        "create trigger no before insert on observations when new.path_len = 0 begin select raise(abort, 'x'); end"
    )
    assert bring(source.path).state == "failed"
    database = str(source.path.with_name("hopscope.db"))
    operating.ask(database, "import_1_observations", "cancel", by="cli")
    assert bring(source.path.with_name("missing.db")).state == "refused"
    assert rows(store, "select state from imports") == [("cancelled",), ("refused",)]
    assert {row["status"] for row in ledger.rows(store)} == {"done", "cancelled"}
    assert rows(store, "select observation_count, shown_hops from transmissions") == [(1, 1)]
    with pytest.raises(operating.RequestRefused, match="import the file again"):
        operating.ask(database, "import_1_observations", "retry", by="cli")
    store.execute("drop trigger no")
    again = bring(source.path)
    assert (again.state, counts(again, "observations")) == ("done", (1, 1, 0))
    assert rows(store, "select observation_count, shown_hops from transmissions") == [(2, 1)]
    assert value(store, "select sum(observations) || '/' || sum(transmissions) from traffic_hourly") == "2/1"


def failed_half_way(store: apsw.Connection, source: CoreScopeFile, bring: Importing) -> str:
    """An import that failed at its observations; the database."""
    alice = source.observer(ALICE)
    packet = source.transmission(ack(1), "2026-05-17T06:40:00Z")
    source.observation(packet, alice, AT)
    source.observation(packet, alice, AT + 60, ["8A"])
    store.execute(
        "create trigger no before insert on observations when new.path_len = 0 begin select raise(abort, 'x'); end"
    )
    assert bring(source.path).state == "failed"
    return str(source.path.with_name("hopscope.db"))


def test_a_failed_import_says_to_the_next_one_what_to_do_and_stands_in_its_way_no_longer_than_that(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing, tmp_path: Path
) -> None:
    database = failed_half_way(store, source, bring)
    other = CoreScopeFile(tmp_path / "other.db")
    other.transmission(ack(2), "2026-05-17T06:40:00Z")
    refused = bring(other.path)
    assert (refused.state, refused.error) == (
        "refused",
        "import 1 failed and stands in the way: retry or cancel import_1_observations "
        "(hopscope migrations retry import_1_observations)",
    )
    operating.ask(database, "import_1_observations", "cancel", by="cli")
    assert bring(other.path).state == "done"
    other.close()
    assert rows(store, "select state from imports") == [("cancelled",), ("refused",), ("done",)]


def test_a_cancelled_part_is_not_retried_once_values_are_derived_from_the_rest(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    """They are added exactly once: rows that came afterwards would never be counted."""
    database = failed_half_way(store, source, bring)
    operating.ask(database, "import_1_observations", "cancel", by="cli")
    store.execute("create trigger nor before insert on traffic_hourly begin select raise(abort, 'y'); end")
    assert bring(source.path.with_name("missing.db")).state == "refused"
    store.execute("drop trigger no")
    with pytest.raises(operating.RequestRefused, match="import the file again"):
        operating.ask(database, "import_1_observations", "retry", by="cli")
    store.execute("drop trigger nor")
    assert operating.ask_for_import(database, source.path, by="cli", now_ms=1) == 1, "what failed goes on"
    again = bring(source.path)
    assert rows(store, "select state from imports") == [("cancelled",), ("refused",), ("done",)]
    assert counts(again, "observations") == (1, 1, 0)
    assert rows(store, "select observation_count, last_seen from transmissions") == [(2, (AT + 60) * 1000)]
    assert value(store, "select sum(observations) || '/' || sum(transmissions) from traffic_hourly") == "2/1"


def test_a_derived_value_that_was_given_up_is_said_to_be_missing_and_can_be_retried(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing
) -> None:
    """A later import derives from its own rows only: nothing else would ever add these."""
    source.observation(source.transmission(ack(1), "2026-05-17T06:40:00Z"), source.observer(ALICE), AT)
    store.execute(
        "create trigger no before update of observation_count on transmissions begin select raise(abort, 'x'); end"
    )
    assert bring(source.path).state == "failed"
    database = str(source.path.with_name("hopscope.db"))
    operating.ask(database, "tx_observation_count_v1", "cancel", by="cli")
    bring(source.path.with_name("missing.db"))
    assert rows(store, "select state, error from imports where id = 1") == [
        ("cancelled", "an operator cancelled tx_observation_count_v1: what it computes is missing until it is retried")
    ]
    store.execute("drop trigger no")
    operating.ask(database, "tx_observation_count_v1", "retry", by="cli")
    bring(source.path.with_name("missing.db"))
    assert rows(store, "select state, error from imports where id = 1") == [("done", None)]
    assert rows(store, "select observation_count from transmissions") == [(1,)]


# -- derived values


@dataclass(frozen=True)
class Received:
    """One reception of the comparison, as both ways are given it."""

    frame: bytes
    observer: str
    at_s: int


def traffic(seed: int, count: int) -> list[Received]:
    """Receptions of adverts, channel texts, traces and others, with paths that grow, in order of time."""
    dice = random.Random(seed)
    nodes = [dice.randbytes(32) for _ in range(5)]
    packets: list[tuple[int, bytes, int]] = []
    for number in range(count // 4):
        kind = dice.choice((3, 4, 4, 5, 5, 9))
        payload = {
            3: lambda n=number: encode.ack(n.to_bytes(4, "little")),
            4: lambda n=number: encode.advert(
                dice.choice(nodes), AT + n, dice.randint(1, 4), name=f"n{n % 7}", lat=47.0 + n / 1000, lon=11.0
            ),
            5: lambda n=number: encode.group_text(PUBLIC_KEY if n % 3 else b"k" * 16, AT + n, "me", f"text {n}"),
            9: lambda n=number: encode.trace(n, 7, 0, [b"\x01", b"\x02"]),
        }[kind]()
        packets.append((kind, payload, dice.choice((1, 1, 2, 3))))
    found: list[Received] = []
    for place in range(count):
        kind, payload, size = dice.choice(packets[: max(4, place // 3)])
        hops = () if kind == 9 else tuple(dice.randbytes(size) for _ in range(dice.randint(0, 4)))
        frame = encode.frame(1, kind, payload, path=hops, hash_size=1 if kind == 9 else size)
        found.append(Received(frame, dice.choice((ALICE, BOB, "C3" * 32)), AT + place * 97))
    return found


def stored_live(tmp_path: Path, receptions: Sequence[Received], name: str = "live.db") -> apsw.Connection:
    db = connection.open_writer(str(tmp_path / name))
    schema.prepare(db)
    writer = Writer(db)
    writer.register_source("home", kind="mqtt", address=None)
    writer.record([heard(one.frame, one.at_s * 1000, by=one.observer) for one in receptions])
    return db


DERIVED = {
    "transmissions": "select hex(t.hash), t.first_seen, t.last_seen, t.observation_count, t.type, hex(t.frame), "
    "t.shown_hops, o.heard_at, hex(o.path), hex(n.pubkey), c.name from transmissions t "
    "left join observations o on o.id = t.shown_id left join nodes n on n.id = t.node_id "
    "left join channels c on c.id = t.channel_id order by 1",
    "observations": "select hex(t.hash), b.ident, o.heard_at, hex(o.head), o.path_len, hex(o.path) from observations o "
    "join transmissions t on t.id = o.transmission_id left join observers b on b.id = o.observer_id order by 1, 2, 3",
    "traffic_hourly": "select h.hour, b.ident, h.type, h.observations, h.transmissions from traffic_hourly h "
    "left join observers b on b.id = h.observer_id where h.observations or h.transmissions order by 1, 2, 3",
    "hash_sizes_hourly": "select * from hash_sizes_hourly order by 1, 2",
    "hops": "select hash_size, hex(hop), observations, last_seen from hops order by 1, 2",
    "channels": "select c.name, c.hash, c.encrypted, c.message_count, c.last_seen, hex(t.hash) from channels c "
    "left join transmissions t on t.id = c.last_message_id order by 1",
    "nodes": "select hex(pubkey), name, role, lat_e6, lon_e6, first_seen, last_seen, advert_at, hex(advert_hash), "
    "advert_heard_at, advert_count, verified, hash_sizes, hash_size from nodes order by 1",
    "observers": "select ident, observation_count, last_packet_at from observers order by 1",
    "counters": "select name, value from counters order by 1",
}


def as_corescope(file: CoreScopeFile, receptions: Sequence[Received]) -> None:
    """What CoreScope would have stored."""
    observers = {ident: file.observer(ident) for ident in sorted({one.observer for one in receptions})}
    known: dict[bytes, int] = {}
    file.db.execute("drop index idx_dedup")  # it would let only the first reception of each path through
    for one in receptions:
        packet = meshwire.decode(one.frame)
        if packet.hash not in known:
            known[packet.hash] = file.transmission(one.frame, one.at_s)
        hops = [hop.hex().upper() for hop in packet.path.hops]
        file.observation(known[packet.hash], observers[one.observer], one.at_s, hops, raw_hex=one.frame.hex())


@pytest.mark.parametrize("split", [0, 60, 200], ids=["all imported", "some live first", "most live first"])
@pytest.mark.parametrize("seed", [1, 2])
def test_derived_values_are_what_live_ingest_would_have_made_of_the_same_receptions(
    split: int, seed: int, *, tmp_path: Path, source: CoreScopeFile, bring: Importing, store: apsw.Connection
) -> None:
    receptions = traffic(seed, 300)
    order = list(range(len(receptions)))
    random.Random(seed).shuffle(order)
    before = sorted(order[:split])  # what ingest had stored before the import began
    writer = Writer(store)
    writer.register_source("home", kind="mqtt", address=None)
    writer.record([heard(receptions[n].frame, receptions[n].at_s * 1000, by=receptions[n].observer) for n in before])
    as_corescope(source, receptions)
    found = bring(source.path)
    assert (found.state, found.error) == ("done", None)
    wanted = stored_live(tmp_path, receptions)
    try:
        for table, text in DERIVED.items():
            assert rows(store, text) == rows(wanted, text), table
    finally:
        wanted.close()
