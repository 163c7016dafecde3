"""A scan that replaced a look-up is told from rows that really cost more, and pauses the migration."""

from inchworm.drift import CONFIRMATIONS, WARM_SLICES, Usual, Verdict, judge, sentence, stopped


def warmed(rows: int = 1_000, per_row: int = 100) -> Usual:
    usual = Usual()
    for _ in range(WARM_SLICES):
        usual, verdict = judge(usual, rows, rows * per_row)
        assert verdict is Verdict.USUAL
    return usual


def test_a_scan_costs_the_same_however_small_the_slice_is() -> None:
    usual, rows = warmed(), 1_000
    verdicts: list[Verdict] = []
    while not verdicts or verdicts[-1] is Verdict.SMALLER:
        usual, verdict = judge(usual, rows, 7_500_000)
        verdicts.append(verdict)
        rows //= 4
    assert verdicts == [Verdict.SMALLER, Verdict.SMALLER, Verdict.JUMPED]


def test_rows_with_many_more_children_become_the_new_usual() -> None:
    usual, verdict = judge(warmed(), 1_000, 5_000_000)
    assert verdict is Verdict.SMALLER
    usual, verdict = judge(usual, 250, 1_250_000)
    assert verdict is Verdict.USUAL
    assert judge(usual, 1_000, 5_000_000)[1] is Verdict.USUAL


def test_a_scan_for_each_row_is_a_jump_although_smaller_slices_cost_less() -> None:
    usual, _ = judge(warmed(), 1_000, 1_000 * 60_000)
    assert judge(usual, 250, 250 * 60_000)[1] is Verdict.JUMPED


def test_one_dear_row_is_no_jump() -> None:
    usual, _ = judge(warmed(), 1_000, 9_000_000)
    assert judge(usual, 250, 25_000)[1] is Verdict.USUAL


def test_nothing_is_unusual_before_enough_slices_or_below_what_harms_anybody() -> None:
    assert judge(Usual(), 1_000, 90_000_000)[1] is Verdict.USUAL
    assert judge(warmed(per_row=1), 1_000, 900_000)[1] is Verdict.USUAL


def test_the_reason_names_both_costs() -> None:
    said = sentence(warmed(), 250, 7_500_000)
    assert "7,500,000" in said
    assert "25,000" in said


LOOK_UP = ("SEARCH children USING INDEX by_parent (parent_id>? AND parent_id<?)",)
SCAN = ("SCAN children", "USE TEMP B-TREE FOR GROUP BY")


def test_a_stopped_slice_whose_plan_is_another_one_names_both_plans() -> None:
    said = stopped(LOOK_UP, SCAN, [250], 10.0)
    assert said is not None
    assert LOOK_UP[0] in said
    assert "'SCAN children'" in said


def test_a_stopped_slice_whose_plan_is_as_before_holds_a_fat_row() -> None:
    assert stopped(LOOK_UP, LOOK_UP, [250, 125, 62, 31, 15, 7, 3, 1, 1], 10.0) is None
    assert stopped(LOOK_UP, (), [250], 10.0) is None  # nobody could ask for the plan


def test_without_a_slice_that_went_well_smaller_ones_must_be_stopped_too_and_the_plan_must_scan() -> None:
    tries = [250, 125, 62]
    assert len(tries) == CONFIRMATIONS + 1
    assert [stopped((), SCAN, tries[: n + 1], 10.0) is None for n in range(3)] == [True, True, False]
    assert "250, 125, 62 rows" in str(stopped((), SCAN, tries, 10.0))
    assert stopped((), LOOK_UP, tries, 10.0) is None
    assert stopped((), ("SCAN CONSTANT ROW",), tries, 10.0) is None
    assert "Seq Scan" in str(stopped((), ("HashAggregate", "  ->  Seq Scan on children"), tries, 10.0))
