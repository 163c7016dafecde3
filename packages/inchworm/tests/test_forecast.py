"""Forecasts are intervals made of measured costs and the rules of pace, and stand beside what happened."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import inchworm
from inchworm import checkpoint, pace, sqlite
from inchworm.errors import Busy
from inchworm.forecast import (
    ALONE,
    CROWD,
    MOST_TURNS,
    Beside,
    Costs,
    Forecast,
    Measured,
    Others,
    Range,
    Walked,
    beside,
    forecast,
    read_forecast,
    walk,
)
from inchworm.pace import pace_for
from inchworm.testing import FakeClock, Observed
from inchworm.testing.conformance import count_up

RULES = pace_for(50)
MEASURED = Measured(
    rows=70_000,
    estimated=False,
    read_s=Range(20e-6, 30e-6, 60e-6),
    hold_s=Range(2e-6, 3e-6, 4e-6),
    verify_s=0.0,
    pages_per_row=0.02,
    growth_bytes_per_row=20,
    page_bytes=4096,
    wal=True,
)


def test_every_range_holds_its_own_likely_value() -> None:
    made = forecast(MEASURED, RULES)
    for each in (made.seconds, made.stall_ms, made.wal_bytes, made.wal_peak_bytes, made.disk_bytes):
        assert each is not None
        assert each.low <= each.likely <= each.high


def test_the_time_is_work_plus_turns_and_the_pauses_between() -> None:
    made = forecast(MEASURED, RULES)
    assert made.seconds.likely == pytest.approx(70_000 * 33e-6, rel=0.2)
    assert made.turns == pytest.approx(70_000 / ((0.00625 - 0.0006) / 3e-6), rel=0.15)  # sizes begin small


def test_a_smaller_budget_means_more_turns_and_a_shorter_stall() -> None:
    small, large = forecast(MEASURED, pace_for(10)), forecast(MEASURED, pace_for(100))
    assert small.turns > large.turns
    assert small.stall_ms.likely < large.stall_ms.likely


def test_slow_reading_makes_slices_smaller() -> None:
    slow = replace(MEASURED, read_s=Range(0.01, 0.02, 0.05))
    assert forecast(slow, RULES).turns == pytest.approx(70_000 * 0.02 / RULES.read_s, rel=0.02)


def test_the_log_never_grows_past_what_checkpoints_leave() -> None:
    many = replace(MEASURED, rows=50_000_000)
    made = forecast(many, RULES)
    assert made.wal_bytes is not None
    assert made.wal_peak_bytes is not None
    assert made.wal_bytes.likely > 100e6
    assert made.wal_peak_bytes.high < 64e6


def test_a_rollback_journal_has_no_log_and_dearer_turns() -> None:
    made = forecast(replace(MEASURED, wal=False), RULES)
    assert made.wal_bytes is None
    assert made.seconds.likely > forecast(MEASURED, RULES).seconds.likely


def test_what_the_statements_do_not_tell_is_absent_and_not_zero() -> None:
    made = forecast(replace(MEASURED, pages_per_row=None), RULES)
    assert (made.wal_bytes, made.disk_bytes) == (None, None)


def test_an_empty_rest_is_no_division_by_zero() -> None:
    assert forecast(replace(MEASURED, rows=0), RULES).turns == 0


def test_a_forecast_survives_the_ledger() -> None:
    for made in (forecast(MEASURED, RULES), forecast(replace(MEASURED, pages_per_row=None), RULES)):
        assert read_forecast(made.to_json()) == made


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"rows": 3}'])
def test_what_is_no_forecast_is_refused_and_never_breaks_a_report(text: str) -> None:
    with pytest.raises(ValueError):
        read_forecast(text)
    assert beside(text, 1.0, {}) is None


def test_pauses_of_operators_are_not_held_against_a_forecast() -> None:
    made = Forecast(1, False, 1, Range(1, 2, 4), Range(0, 1, 2), None, None, None)
    both = beside(made.to_json(), 2.0, {"stall budget": 1.0, "paused by ann": 600.0, "no runner": 99.0})
    assert both == Beside(made, 3.0)
    assert both.within
    assert str(both) == "took 3.0 s, forecast 2.0 s (1.0 to 4.0): as forecast"


def test_a_walk_that_is_not_reckoned_to_its_end_goes_on_as_it_was() -> None:
    costs = Costs(read_s=0.0, hold_s=0.001, turn_s=0.0006, pages=0.5)  # six rows a turn
    long, longer = walk(6 * 10 * MOST_TURNS, costs, RULES), walk(6 * 20 * MOST_TURNS, costs, RULES)
    assert long.turns > 9 * MOST_TURNS
    for total in ("turns", "rows", "active_s", "waited_s", "pages"):
        assert getattr(longer, total) == pytest.approx(2 * getattr(long, total), rel=0.02)
    assert longer.peak_pages == long.peak_pages


def test_where_the_lock_wakes_its_waiters_only_a_crowd_gets_gaps() -> None:
    def waited(others: Others) -> float:
        return walk(20_000, Costs(read_s=2e-6, hold_s=150e-6, turn_s=0.0006), RULES, others).waited_s

    assert waited(Others(woken=True)) == waited(Others(strangers=True, woken=True)) == 0.0
    assert waited(Others(strangers=True)) > waited(ALONE) > 0.0
    assert waited(replace(CROWD, woken=True)) == waited(CROWD) > 0.0


def test_a_slice_that_the_deadline_stops_is_reckoned_and_tried_smaller() -> None:
    found = walk(1_000, Costs(read_s=0.0, hold_s=0.004, turn_s=0.0), RULES)
    assert found.rows == 1_000
    assert found.longest_hold_s == RULES.deadline_s
    assert found.active_s > 4.0


def test_a_log_is_as_long_as_the_rules_of_checkpoints_let_it_become() -> None:
    costs = Costs(read_s=20e-6, hold_s=3e-6, turn_s=0.0006, pages=0.05)
    quiet, contended = walk(2_000_000, costs, RULES), walk(2_000_000, costs, RULES, Others(strangers=True))
    assert checkpoint.CHECKPOINT_PAGES <= quiet.peak_pages < checkpoint.CHECKPOINT_PAGES + 200
    assert checkpoint.RESTART_PAGES <= contended.peak_pages < checkpoint.RESTART_PAGES + 200


# -- beside what a run really does: the same loop on a fake clock, where every row costs what it is told to cost

ROWS = 6_000
COSTS = Costs(read_s=40e-6, hold_s=20e-6, turn_s=0.0006)


class Run:
    """A run over ROWS rows at COSTS, with somebody before each of its turns."""

    def __init__(self, path: Path, costs: Costs) -> None:
        self._path, self._costs, self._clock = str(path), costs, FakeClock()
        path.touch()
        with closing(sqlite3.connect(path)) as db:
            db.executescript(
                "pragma journal_mode = wal; create table live (at int);"
                "create table parents (id integer primary key, n int not null default 0);"
                f"with recursive c (i) as (values (1) union all select i + 1 from c where i < {ROWS})"
                " insert into parents (id) select i from c"
            )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        for name, seconds in (("read_it", self._costs.read_s), ("hold_it", self._costs.hold_s)):
            connection.create_function(name, 1, lambda key, s=seconds: self._clock.advance(s))
        return connection

    def go(self, others: Others) -> inchworm.Outcome:
        """To the end, beside strangers that write between its turns, and, in a crowd, are met at each first look."""
        met: Iterator[bool] = iter(())

        def step(what: str, sql: str) -> None:
            nonlocal met
            if what == "commit":
                self._clock.advance(self._costs.turn_s)
            if what == "select" and "read_it" in sql and others.strangers:
                met = iter([True])
                with closing(sqlite3.connect(self._path, isolation_level=None)) as stranger:
                    stranger.execute("insert into live values (1)")
            if what == "begin" and others.crowd and next(met, False):
                raise Busy("database is locked")

        counted = count_up(
            compute="select id, read_it(id) as unused from parents where id between :first and :last",
            apply="update parents set n = n + 1 + coalesce(hold_it(id), 0) where id = :id",
        )
        report = inchworm.run(
            self._path,
            [counted],
            clock=self._clock,
            open_with=lambda _: Observed(sqlite.connect(self._connect, clock=self._clock), step),
            disk_floor_mb=0,
        )
        assert report.ok, report["count_up"].error
        return report["count_up"]


@pytest.mark.parametrize(
    "costs", [COSTS, replace(COSTS, read_s=2e-6), replace(COSTS, hold_s=150e-6)], ids=["usual", "quick", "dear"]
)
@pytest.mark.parametrize("others", [ALONE, Others(strangers=True), CROWD], ids=["quiet", "contended", "crowd"])
def test_a_reckoned_walk_takes_the_turns_the_work_and_the_gaps_of_a_real_one(
    tmp_path: Path, costs: Costs, others: Others
) -> None:
    actual, reckoned = Run(tmp_path / "mesh.db", costs).go(others), walk(ROWS, costs, pace_for(50), others)
    assert isinstance(reckoned, Walked)
    assert reckoned.turns == pytest.approx(actual.slices, abs=1 + actual.slices // 50)
    assert reckoned.active_s == pytest.approx(actual.active_s, rel=0.03)
    gaps_s = actual.throttled.get(pace.BUDGET, 0.0)
    assert reckoned.waited_s == pytest.approx(gaps_s, rel=0.1, abs=0.03)
    if others.strangers:
        assert gaps_s > 0
    expected = forecast(_measured(costs), pace_for(50))
    assert beside(expected.to_json(), actual.active_s, actual.throttled) == Beside(
        expected, pytest.approx(actual.active_s + sum(actual.throttled.values()))
    )
    assert actual.active_s + sum(actual.throttled.values()) in expected.seconds


def _measured(costs: Costs) -> Measured:
    read, hold = (Range(each, each, each) for each in (costs.read_s, costs.hold_s))
    return replace(MEASURED, rows=ROWS, read_s=read, hold_s=hold)
