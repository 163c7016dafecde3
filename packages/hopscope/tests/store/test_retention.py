"""What retention drops, and what it leaves alone."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hopscope.model import ChannelFacts, Heard, PacketFacts, Reception
from hopscope.store import connection, schema
from hopscope.store.retention import DAY_MS, LOOK_MS, TRANSMISSIONS_A_TURN, Dropped, Retention
from hopscope.store.writing import Writer

NOW = 1_790_000_000_000
OLD, RECENT = NOW - 31 * DAY_MS, NOW - 29 * DAY_MS


@pytest.fixture
def db(tmp_path: Path) -> Iterator[apsw.Connection]:
    db = connection.open_writer(str(tmp_path / "mesh.db"))
    schema.prepare(db)
    yield db
    db.close()


@pytest.fixture
def writer(db: apsw.Connection) -> Writer:
    writer = Writer(db)
    writer.register_source("home", kind="mqtt", address=None)
    return writer


def heard(number: int, *, at: int, by: str = "A1" * 32, channel: ChannelFacts | None = None) -> Heard:
    frame = b"\x0d\x00" + number.to_bytes(4, "big")
    facts = PacketFacts(
        hash=number.to_bytes(8, "big"),
        type=3,
        route=1,
        version=0,
        frame=frame,
        head=b"\x0d",
        path_len=0,
        path=b"",
        payload_at=2,
        hop_count=0,
        hash_size=1,
        region=None,
        channel=channel,
    )
    reception = Reception(
        source="home",
        observer=by,
        observer_name=None,
        iata=None,
        heard_at=at,
        published_at=at,
        clock_naive=False,
        frame=frame,
        snr=None,
        rssi=None,
        score=None,
    )
    return Heard(reception, facts)


def counts(db: apsw.Connection) -> dict[str, int]:
    counted = {name: db.execute(f"select count(*) from {name}").get for name in ("transmissions", "observations")}
    assert counted == dict(db.execute("select name, value from counters"))
    return counted


def test_what_nobody_heard_for_longer_is_dropped_with_its_receptions(db: apsw.Connection, writer: Writer) -> None:
    writer.record([heard(1, at=OLD), heard(1, at=OLD + 1, by="B0" * 32), heard(2, at=RECENT)])
    assert Retention(db, days=30).turn_when_due(NOW) == Dropped(1, 2)
    assert counts(db) == {"transmissions": 1, "observations": 1}


def test_a_packet_first_heard_long_ago_stays_while_it_is_still_heard(db: apsw.Connection, writer: Writer) -> None:
    writer.record([heard(1, at=OLD), heard(1, at=RECENT, by="B0" * 32)])
    assert Retention(db, days=30).turn_when_due(NOW) == Dropped(0, 0)


def test_a_transmission_whose_last_seen_is_not_computed_yet_stays(db: apsw.Connection, writer: Writer) -> None:
    writer.record([heard(1, at=OLD)])
    db.execute("update transmissions set last_seen = 0")
    assert Retention(db, days=30).turn_when_due(NOW) == Dropped(0, 0)


def test_a_turn_is_bounded_and_the_next_follows_at_once(db: apsw.Connection, writer: Writer) -> None:
    writer.record([heard(number, at=OLD) for number in range(TRANSMISSIONS_A_TURN + 3)])
    retention = Retention(db, days=30)
    assert [retention.turn_when_due(NOW).transmissions for _ in range(3)] == [TRANSMISSIONS_A_TURN, 3, 0]


def test_it_looks_again_a_minute_after_it_found_nothing(db: apsw.Connection, writer: Writer) -> None:
    retention = Retention(db, days=30)
    assert retention.turn_when_due(NOW) == Dropped()
    writer.record([heard(1, at=OLD)])
    assert retention.turn_when_due(NOW + LOOK_MS - 1) == Dropped()
    assert retention.turn_when_due(NOW + LOOK_MS) == Dropped(1, 1)


def test_zero_days_keep_everything(db: apsw.Connection, writer: Writer) -> None:
    writer.record([heard(1, at=1)])
    assert Retention(db, days=0).turn_when_due(NOW) == Dropped()


def test_a_channel_forgets_a_message_that_is_gone(db: apsw.Connection, writer: Writer) -> None:
    channel = ChannelFacts(name="#test", hash=0xD9, encrypted=False)
    writer.record([heard(1, at=OLD, channel=channel)])
    Retention(db, days=30).turn_when_due(NOW)
    assert list(db.execute("select message_count, last_message_id, last_seen from channels")) == [(0, None, 0)]


def test_a_channel_shows_the_newest_message_that_is_left(db: apsw.Connection, writer: Writer) -> None:
    channel = ChannelFacts(name="#test", hash=0xD9, encrypted=False)
    still_heard, older = heard(1, at=OLD, channel=channel), heard(2, at=OLD + 1, channel=channel)
    writer.record([still_heard, older, heard(1, at=RECENT, by="B0" * 32, channel=channel)])
    Retention(db, days=30).turn_when_due(NOW)
    assert list(db.execute("select message_count, last_message_id, last_seen from channels")) == [(1, 1, OLD)]


def test_it_finds_what_is_old_by_its_index(db: apsw.Connection) -> None:
    query = connection.sql("retention")["expired"]
    plan = "; ".join(row[3] for row in db.execute("explain query plan " + query, {"before": NOW, "limit": 1}))
    assert "transmissions_by_latest" in plan
    assert "TEMP B-TREE" not in plan
