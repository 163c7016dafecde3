"""Forecasts are intervals made of measured costs and the rules of pace, and stand beside what happened."""

from dataclasses import replace

import pytest

from inchworm import turns
from inchworm.forecast import MACHINE_WAITS, Beside, Forecast, Measured, Range, beside, forecast, read_forecast
from inchworm.pace import pace_for
from inchworm.sqlite import governor

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
    assert made.turns == pytest.approx(70_000 / (0.00625 / 3e-6), rel=0.05)


def test_a_smaller_budget_means_more_turns_and_a_shorter_stall() -> None:
    small, large = forecast(MEASURED, pace_for(10)), forecast(MEASURED, pace_for(100))
    assert small.turns > large.turns
    assert small.stall_ms.likely < large.stall_ms.likely


def test_slow_reading_makes_slices_smaller() -> None:
    slow = replace(MEASURED, read_s=Range(0.01, 0.02, 0.05))
    assert forecast(slow, RULES).turns >= 70_000 * 0.02 / RULES.read_s


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


def test_reasons_and_page_counts_are_those_of_the_engine() -> None:
    assert {turns.BUDGET, turns.LOCKED, turns.LIVE, turns.CHECKPOINT} <= MACHINE_WAITS
    from inchworm import forecast as module

    assert module.CHECKPOINT_PAGES == governor.CHECKPOINT_PAGES
