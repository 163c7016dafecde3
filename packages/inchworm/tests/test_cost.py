"""Costs are judged by what they follow: rows, slices, or the table."""

import pytest

from inchworm.cost import MOST_STEPS_PER_ROW, Pair, Sample, judge


def pair(place: str, small: int, large: int, *, rows: tuple[int, int] = (32, 256), ended: bool = True) -> Pair:
    return Pair(place, Sample(rows[0], small, 0.001, ended), Sample(rows[1], large, 0.01))


def test_a_cost_per_row_is_not_refused_however_it_differs_along_the_keys() -> None:
    pairs = [pair("start", 8_000, 64_000), pair("middle", 80_000, 640_000), pair("end", 320_000, 2_560_000)]
    assert judge(pairs) is None


def test_a_scan_per_slice_is_refused_and_named_as_growing_with_the_table() -> None:
    verdict = judge([pair(place, 1_600_000, 1_650_000) for place in ("start", "middle", "end")])
    assert verdict is not None
    assert verdict.per_slice
    assert "grows with the table" in verdict.why


def test_a_prefix_scan_is_refused_although_it_is_cheap_at_the_start() -> None:
    pairs = [pair("start", 9_000, 76_000), pair("middle", 1_010_000, 1_077_000), pair("end", 1_984_000, 2_051_000)]
    verdict = judge(pairs)
    assert verdict is not None
    assert "at the start" not in verdict.why


def test_one_unlucky_place_is_not_enough() -> None:
    pairs = [pair("start", 9_000, 76_000), pair("middle", 9_000_000, 9_077_000), pair("end", 9_000, 76_000)]
    assert judge(pairs) is None


def test_a_dear_row_is_refused_as_out_of_proportion() -> None:
    each = MOST_STEPS_PER_ROW + 1
    verdict = judge([pair(place, 32 * each, 256 * each) for place in ("start", "end")])
    assert verdict is not None
    assert not verdict.per_slice
    assert "out of proportion" in verdict.why


def test_what_does_not_end_is_refused() -> None:
    pairs = [Pair(place, Sample(1, 900_000, 5.0, ended=False), Sample(1, 900_000, 5.0, ended=False)) for place in "ab"]
    verdict = judge(pairs)
    assert verdict is not None
    assert "not ended after 900,000 steps" in verdict.why


def test_a_large_slice_that_was_stopped_is_judged_by_the_small_one() -> None:
    stopped = Pair("start", Sample(1, 1_600_000, 0.03), Sample(256, 1_100_000, 0.07, ended=False))
    assert stopped.per_row == 1_600_000
    assert judge([stopped]) is not None


@pytest.mark.parametrize("rows", [(3, 3), (32, 40)])
def test_a_small_table_is_never_refused_for_its_fixed_cost(rows: tuple[int, int]) -> None:
    assert judge([pair("start", 60_000, 60_100, rows=rows)]) is None


def test_nothing_measured_is_nothing_refused() -> None:
    assert judge([]) is None
