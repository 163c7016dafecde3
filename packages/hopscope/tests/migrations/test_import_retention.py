"""Imports where old packets are dropped: nothing comes only to go again, and every row is named for what it is."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from corescope_file import CoreScopeFile
from import_rig import KEYS, NOW

import meshwire
from hopscope.app.stop import StopToken
from hopscope.migrations import report
from hopscope.migrations.corescope_import import BYTES_BESIDE, BYTES_PER_OTHER_ROW, BYTES_PER_ROW
from hopscope.migrations.service import DISK_FLOOR_BYTES, Service, Work
from hopscope.model import Heard, Reception
from hopscope.store import imports, ledger
from hopscope.store.facts import facts_of
from hopscope.store.imports import Import
from hopscope.store.retention import Dropped, Retention
from hopscope.store.writing import Writer
from inchworm.gate import OpenGate
from meshwire import encode

DAYS = 30
NOW_S = NOW // 1000
OLD, RECENT = NOW_S - 40 * 86_400, NOW_S - 10 * 86_400
ALICE = "A1" * 32
Keeping = Callable[[Path], Import]


def ack(number: int) -> bytes:
    return encode.frame(1, 3, encode.ack(number.to_bytes(4, "little")))


@pytest.fixture
def bring_keeping(store: apsw.Connection) -> Keeping:
    """Import a file where packets not heard for 30 days are dropped."""

    def bring_file(path: Path) -> Import:
        number = imports.request(store, str(path), by="cli", now=NOW)
        service = Service(Work(str(store.filename), KEYS, 50, retention_days=DAYS, now_ms=lambda: NOW))
        service.work(StopToken())
        service.close()
        found = imports.load(store, number)
        assert found is not None
        return found

    return bring_file


def counts(found: Import, table: str) -> tuple[int, int, int]:
    one = next(t for t in found.tables if t.name == table)
    return one.imported, one.merged, one.quarantined


def dropped(store: apsw.Connection) -> Dropped:
    return Retention(store, days=DAYS).turn_when_due(NOW)


def live(store: apsw.Connection, frame: bytes, at_s: int) -> None:
    writer = Writer(store)
    writer.register_source("home", kind="mqtt", address=None)
    reception = Reception("home", ALICE, None, None, at_s * 1000, at_s * 1000, False, frame, None, None, None)
    writer.record([Heard(reception, facts_of(meshwire.decode(frame)))])


def check_derived(store: apsw.Connection) -> None:
    wrong = (
        "select count(*) from transmissions t where observation_count <> (select count(*) from observations o "
        "where o.transmission_id = t.id) or last_seen <> (select max(heard_at) from observations o "
        "where o.transmission_id = t.id) or shown_id is null"
    )
    assert store.execute(wrong).get == 0
    for name in ("transmissions", "observations"):
        stored = store.execute("select value from counters where name = ?", (name,)).get
        assert store.execute(f"select count(*) from {name}").get == stored


@pytest.mark.parametrize("age", ["legacy", "current"])
def test_what_retention_would_drop_is_left_out_and_counted_by_that_name(
    age: str, store: apsw.Connection, tmp_path: Path, bring_keeping: Keeping
) -> None:
    source = CoreScopeFile(tmp_path / "m.db", age)
    alice = source.observer(ALICE)
    gone, heard_again, fresh, orphan = (source.transmission(ack(n), OLD) for n in range(4))
    source.observation(gone, alice, OLD)
    source.observation(gone, alice, OLD + 60, ["8A"])
    source.observation(heard_again, alice, OLD)
    source.observation(heard_again, alice, RECENT, ["8A"])
    source.observation(fresh, alice, RECENT)
    found = bring_keeping(source.path)
    source.close()
    del orphan  # never heard: retention does not touch it
    assert counts(found, "transmissions") == (3, 0, 1)
    assert counts(found, "observations") == (3, 0, 2)
    assert dict(found.reasons) == {"past_retention": 3}
    assert report.accounted_for(found, ledger.rows(store))
    assert "past_retention: last heard before the time that retention_days keeps" in report.as_text(found)
    assert store.execute("select count(*) from quarantine").get == 0, "nothing is wrong with these rows"
    assert dropped(store) == Dropped(0, 0)


@pytest.mark.parametrize(("short", "state"), [(0, "done"), (1, "refused")])
def test_the_disk_needs_room_for_what_is_kept_only(
    short: int, state: str, source: CoreScopeFile, bring_keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = source.observer(ALICE)
    for number in range(600):
        source.observation(source.transmission(ack(number), OLD), alice, RECENT if number < 5 else OLD)
    kept = 5 * (BYTES_PER_ROW["transmissions"] + BYTES_PER_ROW["observations"]) + BYTES_PER_OTHER_ROW
    room = kept + BYTES_BESIDE + DISK_FLOOR_BYTES - short
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda place: real(place)._replace(free=room))
    found = bring_keeping(source.path)
    assert found.state == state, found.error
    assert (state == "refused") == ("MB free" in (found.error or ""))


@pytest.mark.parametrize(
    ("times", "kept"),
    [
        ((OLD, "2026-04-19T00:00:00Z"), False),
        (("2026-04-19 00:00:00", "garbage"), False),
        (("2026-04-19T00:00:00Z", RECENT), True),
        ((OLD, "2026-05-20T00:00:00.250Z"), True),
        ((OLD * 1000,), True),  # not recognised as old: retention takes it afterwards
    ],
)
def test_times_of_every_format_say_whether_a_packet_is_kept(
    times: tuple[object, ...], kept: bool, store: apsw.Connection, source: CoreScopeFile, bring_keeping: Keeping
) -> None:
    packet = source.transmission(ack(1), OLD)
    for number, at in enumerate(times):
        source.observation(packet, source.observer(f"{number:02X}" * 32), at)
    found = bring_keeping(source.path)
    assert counts(found, "transmissions") == ((1, 0, 0) if kept else (0, 0, 1))
    assert store.execute("select count(*) from transmissions").get == int(kept)
    assert report.accounted_for(found, ledger.rows(store))


def test_a_packet_that_retention_dropped_comes_back_with_what_is_newer(
    store: apsw.Connection, source: CoreScopeFile, bring_keeping: Keeping
) -> None:
    scoped = encode.frame(0, 3, encode.ack(b"\1\2\3\4"), transport_codes=(7, 0))
    alice, packet = source.observer(ALICE), source.transmission(scoped, RECENT, scope_name="#mesh")
    source.observation(packet, alice, RECENT)
    assert counts(bring_keeping(source.path), "observations") == (1, 0, 0)
    store.execute("pragma foreign_keys = off")
    store.execute("delete from observations")  # as retention does later, when nobody heard it for long
    store.execute("delete from transmissions")
    store.execute("update counters set value = 0")
    source.observation(packet, alice, RECENT + 600, ["8A"])
    source.observation(packet, alice, RECENT + 1200, ["8A", "8B"])
    again = bring_keeping(source.path)
    assert again.reasons == ()
    assert counts(again, "observations") == (2, 0, 0)
    assert list(store.execute("select first_seen, last_seen, observation_count, region, type from transmissions")) == [
        ((RECENT + 600) * 1000, (RECENT + 1200) * 1000, 2, "#mesh", 3)
    ]
    assert report.accounted_for(again, ledger.rows(store))
    check_derived(store)


def test_a_packet_that_was_dropped_and_is_not_heard_since_is_not_called_refused(
    store: apsw.Connection, source: CoreScopeFile, bring_keeping: Keeping
) -> None:
    alice, packet = source.observer(ALICE), source.transmission(ack(1), OLD)
    source.observation(packet, alice, OLD)
    assert bring_keeping(source.path).reasons == (("past_retention", 2),)
    source.observation(packet, alice, OLD + 600, ["8A"])
    again = bring_keeping(source.path)
    assert again.reasons == (("past_retention", 1),)
    assert store.execute("select count(*) from transmissions").get == 0


def test_retention_between_two_migrations_of_an_import_drops_nothing_that_just_came(
    store: apsw.Connection, source: CoreScopeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A packet stored long ago gets a recent reception: its last_seen moves in the same turn, not only afterwards."""
    live(store, ack(1), OLD)
    alice = source.observer(ALICE)
    source.observation(source.transmission(ack(1), OLD), alice, RECENT, ["8A"])
    seen: list[Dropped] = []

    class Gate:
        """Lets retention have a turn before each turn of a migration, once receptions have come."""

        def migration(self, stop: Any) -> Any:
            if store.execute("select 1 from observations where source_id <> 1").get:
                seen.append(dropped(store))
            return OpenGate().migration(stop)

    number = imports.request(store, str(source.path), by="cli", now=NOW)
    service = Service(Work(str(store.filename), KEYS, 50, Gate(), DAYS, now_ms=lambda: NOW))
    service.work(StopToken())
    service.close()
    job = imports.load(store, number)
    assert job is not None
    assert job.state == "done"
    assert set(seen) == {Dropped(0, 0)}
    assert store.execute("select last_seen, observation_count from transmissions").fetchall() == [(RECENT * 1000, 2)]
    check_derived(store)


def test_without_retention_everything_comes(store: apsw.Connection, source: CoreScopeFile, bring: Any) -> None:
    source.observation(source.transmission(ack(1), OLD), source.observer(ALICE), NOW_S - 3_000 * 86_400)
    assert counts(bring(source.path), "observations") == (1, 0, 0)
