"""The pace aims at short turns, recovers from a spike, and leaves gaps that a stock busy handler meets."""

from hypothesis import given
from hypothesis import strategies as st

from inchworm import pace
from inchworm.pace import Pace, Turned, adapted, next_rows, pace_for


def turned(rows: int, hold_s: float, *, strangers: bool = False, crowd: int = 0) -> Turned:
    return Turned(rows, hold_s, read_s=0.0, strangers=strangers, crowd=crowd)


@given(st.integers(1, 5000), st.floats(0, 1000), st.floats(0, 1000))
def test_a_size_stays_in_bounds_whatever_was_measured(size: int, hold_s: float, read_s: float) -> None:
    size_after = next_rows(Pace(), size, Turned(size, hold_s, read_s, strangers=False))
    assert 1 <= size_after <= max(2, min(pace.MOST_ROWS, 2 * size))


def test_one_spike_is_recovered_from_within_twenty_slices() -> None:
    size = next_rows(Pace(), 1000, turned(1000, hold_s=1.0))
    for _ in range(20):
        size = next_rows(Pace(), size, turned(size, hold_s=size * 0.00625 / 1000))
    assert size >= 800


def test_the_floor_of_one_row_is_left_again() -> None:
    assert next_rows(Pace(), 1, turned(1, hold_s=0.001)) == 2


def test_a_short_last_slice_says_nothing() -> None:
    assert next_rows(Pace(), 250, turned(3, hold_s=0.5)) == 250


def test_an_idle_database_has_no_gap() -> None:
    assert pace.gap(turned(250, 0.005), crowded_s=0.02) == 0.0


def test_a_stranger_that_began_to_wait_during_the_turn_looks_within_the_gap() -> None:
    looks_ms, at = [0.0], 0.0
    for delay in pace.BACKOFF_MS:
        at += delay
        looks_ms.append(at)
    for hold_ms in (1, 2, 5, 8, 10, 20, 50):
        gap_ms = 1000 * pace.gap(turned(1, hold_ms / 1000, strangers=True), crowded_s=0.0)
        for waited in range(1, hold_ms + 1):
            assert any(waited <= look <= waited + gap_ms for look in looks_ms), (hold_ms, waited, gap_ms)


def test_a_crowd_lengthens_the_gap_until_every_handler_has_looked() -> None:
    gaps = [pace.gap(turned(1, 0.006, strangers=True, crowd=crowd), crowded_s=0.0) for crowd in range(9)]
    assert gaps == sorted(gaps)
    assert gaps[1] == 2 * gaps[0]
    assert pace.gap(turned(1, 0.06, strangers=True, crowd=9), crowded_s=0.0) >= pace.BACKOFF_MS[-1] / 1000


def test_a_pause_that_a_clock_rounds_down_is_a_pause() -> None:
    assert pace.crowded(0.1, 0.006, pace.LISTEN_S - 1e-9) == 0.006
    assert pace.crowded(0.1, 0.006, pace.LISTEN_S / 2) > 0.1


def test_a_turn_never_aims_past_ten_milliseconds() -> None:
    assert pace_for(1000).turn_s <= 0.01
    assert pace_for(50).deadline_s == 0.05


def test_turns_are_longer_where_the_database_wakes_who_waits_and_two_of_them_fit_the_budget() -> None:
    polled, woken = (adapted(pace_for(50), wakes_waiters=wakes) for wakes in (False, True))
    assert polled == pace_for(50)
    assert polled.turn_s < woken.turn_s <= woken.stall_budget_s / 2
