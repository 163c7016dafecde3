"""Log lines: a plain formatter shows the facts, a collector gets them as fields, and no value forges a line."""

import logging
from collections.abc import Iterator

import pytest

from inchworm import Backfill, events, run
from inchworm.testing.memory import memory_database


class Kept(logging.Handler):
    """Keeps records, and lines as most applications format them."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, log = Kept(), logging.getLogger("inchworm")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield handler
    log.removeHandler(handler)
    log.setLevel(level)


def test_a_plain_formatter_shows_the_facts(kept: Kept) -> None:
    events.warning("inchworm.fault", migration="tx_last_seen", error='no column "b"', faults=4, hold_ms=1.5)
    assert kept.lines == [
        'WARNING inchworm inchworm.fault migration=tx_last_seen error="no column \\"b\\"" faults=4 hold_ms=1.5'
    ]


def test_a_collector_gets_the_event_and_whole_facts_as_fields(kept: Kept) -> None:
    events.info("inchworm.status", migration="m", status="done", why=None)
    events.error("inchworm.status", migration="m", status="failed", why="x" * 10_000)
    done, failed = (vars(record) for record in kept.records)
    assert (done["event"], done["migration"], done["status"], done["why"]) == ("inchworm.status", "m", "done", None)
    assert failed["why"] == "x" * 10_000
    assert kept.lines[0].endswith("inchworm.status migration=m status=done")


@pytest.mark.parametrize(
    "hostile",
    ["two\nlines", "a\r\nERROR root forged", "\x1b[2J\u202egone\x00", "\ud800", "long " * 2_000, "\\\n" * 5_000],
)
def test_any_value_stays_one_bounded_line(kept: Kept, hostile: str) -> None:
    events.warning("inchworm.fault", migration="m", error=hostile, faults=1)
    (line,) = kept.lines
    assert line.isprintable()
    assert len(line) < 10 * events.LONGEST_VALUE
    assert line.endswith('" faults=1'), "what follows it is still there"


def test_records_of_a_kind_have_one_template_and_name_who_logged(kept: Kept) -> None:
    for at in range(2):
        events.warning("inchworm.quarantine", migration="m 100 %", key=str((at,)))
    assert {record.msg for record in kept.records} == {"inchworm.quarantine migration=%s key=%s"}
    assert {record.filename for record in kept.records} == {"test_events.py"}
    assert kept.lines[1].endswith('migration="m 100 %" key="(1,)"')


def test_a_defect_is_logged_with_its_error_and_its_traceback(kept: Kept) -> None:
    def raising() -> str | None:
        raise ZeroDivisionError("a defect of the application")

    change = Backfill(
        name="change", table="t", update="update t set a = 1 where a is null and id between :first and :last"
    )
    with memory_database("create table t (id integer primary key, a integer)", "insert into t values (1, 2)") as target:
        assert not run(target, [change], throttle=raising).ok
    (bug,) = (line for line in kept.lines if "inchworm.bug" in line)
    first, *trace = bug.splitlines()
    assert first == (
        'ERROR inchworm inchworm.bug migration=change error="ZeroDivisionError: a defect of the application"'
    )
    assert trace[0].startswith("Traceback")
