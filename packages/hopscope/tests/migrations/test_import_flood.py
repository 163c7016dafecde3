"""What a slice of an import may cost, whatever the file holds: floods of refused rows, packets heard without end."""

from pathlib import Path
from typing import Any

import apsw
import pytest
from corescope_file import CoreScopeFile
from import_rig import Importing

from hopscope.migrations import report
from hopscope.store import import_receptions, ledger
from hopscope.store.connection import sql
from hopscope.store.writing import QUARANTINE_PER_REASON
from meshwire import encode

AT = 1_779_000_000
ALICE = "A1" * 32
FLOOD = 3_000


def ack(number: int) -> bytes:
    return encode.frame(1, 3, encode.ack(number.to_bytes(4, "little")))


@pytest.fixture
def put_aside(store: apsw.Connection) -> Any:
    """How many records were written to the quarantine, those counted that were pruned again."""
    store.execute("create table written (reason)")
    store.execute("create trigger w after insert on quarantine begin insert into written values (new.reason); end")
    return lambda: dict(store.execute("select reason, count(*) from written group by 1"))


def test_a_flood_of_refused_packets_is_counted_whole_and_writes_no_more_records_than_are_kept(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing, put_aside: Any
) -> None:
    source.db.execute("begin")
    for number in range(FLOOD):
        source.transmission("ff" * 200 if number % 3 else "xyz", AT + number)
    source.db.execute("commit")
    found = bring(source.path)
    assert found.state == "done"
    assert dict(found.reasons) == {"bad_frame": FLOOD * 2 // 3, "not_hex": FLOOD // 3}
    assert report.accounted_for(found, ledger.rows(store))
    assert put_aside() == {"bad_frame": QUARANTINE_PER_REASON, "not_hex": QUARANTINE_PER_REASON}


def test_a_flood_of_observations_of_a_refused_packet_is_counted_whole_and_writes_no_more_records_than_are_kept(
    store: apsw.Connection, source: CoreScopeFile, bring: Importing, put_aside: Any
) -> None:
    alice, broken, good = source.observer(ALICE), source.transmission("ff" * 200, AT), source.transmission(ack(1), AT)
    source.db.execute("begin")
    source.db.execute("drop index idx_dedup")
    for number in range(FLOOD):
        source.observation(broken, alice, AT + number, raw_hex="ff" * 200)
    source.observation(good, alice, AT)
    source.db.execute("commit")
    found = bring(source.path)
    assert dict(found.reasons) == {"bad_frame": 1, "transmission_refused": FLOOD}
    assert report.accounted_for(found, ledger.rows(store))
    assert put_aside() == {"bad_frame": 1, "transmission_refused": QUARANTINE_PER_REASON}
    kept = store.execute("select min(cast(substr(topic, 14) as integer)) from quarantine where topic like 'obs%'").get
    assert kept > FLOOD // 2, "newest rows come first, and the first are kept"


def test_copies_are_found_by_time_however_often_a_packet_was_heard(store: apsw.Connection) -> None:
    text = sql("importing")["match_copies"]
    plan = [row[3] for row in store.execute("explain query plan " + text, {"rows": "[]", "window": 1})]
    looked = [line for line in plan if line.startswith("SEARCH o ")]
    assert len(looked) == 3
    assert all("heard_at>? AND heard_at<?" in line or "heard_at=?" in line for line in looked), plan


@pytest.mark.parametrize("known", [True, False], ids=["one observer", "unknown observers"])
def test_a_packet_heard_without_end_is_compared_with_what_is_near_in_time_only(
    known: bool, tmp_path: Path, store: apsw.Connection, bring: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = CoreScopeFile(tmp_path / "hot.db", "legacy")
    packet, observer = file.transmission(ack(1), AT), file.observer(ALICE) if known else None
    file.db.execute("begin")
    for number in range(2_000):
        file.observation(packet, observer, AT + 6 * number, ["8A"])
        file.observation(packet, observer, AT + 6 * number, ["8A"])
    file.db.execute("commit")
    asked, same = [0], import_receptions.same_reception

    def counted(*args: Any, **named: Any) -> bool:
        asked[0] += 1
        return same(*args, **named)

    monkeypatch.setattr(import_receptions, "same_reception", counted)
    found = bring(file.path)
    file.close()
    table = next(table for table in found.tables if table.name == "observations")
    assert (table.imported, table.merged) == (2_000, 2_000)
    assert asked[0] <= 4 * 4_000
    assert store.execute("select observation_count from transmissions").get == 2_000
