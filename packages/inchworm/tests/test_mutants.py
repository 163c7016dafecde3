"""The conformance suite rejects engines that have the mistakes of real migrations, and by the tests meant for them."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from inchworm.testing import Harness, SqliteHarness
from inchworm.testing.conformance import Conformance
from inchworm.testing.kills import kill
from inchworm.testing.mutants import MUTANTS, SeparateCursorDatabase, failing

CAUGHT_BY = {
    "a single statement": {
        "test_other_connections_see_partial_work_and_can_write_between_turns",
        "test_it_resumes_where_it_stopped_and_keeps_the_partial_work",
    },
    "one outer transaction around all slices": {
        "test_other_connections_see_partial_work_and_can_write_between_turns",
        "test_it_resumes_where_it_stopped_and_keeps_the_partial_work",
    },
    "counters that are not the database's": {"test_counters_are_those_of_the_table"},
    "the cursor in another transaction": {"test_killed_at_any_step_it_loses_nothing_and_repeats_nothing"},
    "a predicate loop without a cursor": {"test_it_ends_although_some_rows_can_never_match"},
    "no gap after long turns": {"test_a_stock_writer_that_met_a_long_turn_is_served_before_the_next"},
}


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Harness]:
    numbers = itertools.count()

    def harness() -> Harness:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        return SqliteHarness(folder, "sqlite3")

    return harness


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_the_suite_rejects(mutant: str, fresh: Callable[[], Harness]) -> None:
    caught = failing(MUTANTS[mutant], fresh)
    assert CAUGHT_BY[mutant] <= set(caught)


def test_the_judge_finds_nothing_in_the_engine_itself(fresh: Callable[[], Harness]) -> None:
    assert failing(Conformance, fresh) == {}


def test_a_cursor_in_another_transaction_does_not_survive_fifty_kills(tmp_path: Path) -> None:
    toll = kill(SqliteHarness(tmp_path, "sqlite3"), tmp_path, kills=50, wrap=SeparateCursorDatabase)
    assert toll.wrong_rows > 0
