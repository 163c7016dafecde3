"""On PostgreSQL too the suite rejects wrong engines, by the tests meant for them.

Not "no gap after long turns": writers of PostgreSQL wait in a queue for a row and are woken when the turn ends, so the
engine itself leaves no gap there, and an engine without one is not wrong. The suite skips that test on this backend.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from inchworm.testing.conformance import Conformance
from inchworm.testing.kills import kill
from inchworm.testing.mutants import MUTANTS, SeparateCursorDatabase, failing

from .server import PostgresHarness, Server

pytestmark = pytest.mark.postgres

PARTIAL = "test_other_connections_see_partial_work_and_can_write_between_turns"
RESUMES = "test_it_resumes_where_it_stopped_and_keeps_the_partial_work"
CAUGHT_BY: dict[str, Sequence[str]] = {
    "a single statement": (PARTIAL, RESUMES),
    "one outer transaction around all slices": (PARTIAL, RESUMES),
    "counters that are not the database's": ("test_counters_are_those_of_the_table",),
    "the cursor in another transaction": ("test_killed_at_any_step_it_loses_nothing_and_repeats_nothing",),
    "a predicate loop without a cursor": ("test_it_ends_although_some_rows_can_never_match",),
}
NOT_WRONG_HERE = {"no gap after long turns": "test_a_stock_writer_that_met_a_long_turn_is_served_before_the_next"}


def on_postgres(suite: type[Conformance]) -> type[Conformance]:
    return type(f"{suite.__name__}OnPostgres", (suite,), {"one_write_lock": False})


@pytest.mark.parametrize("mutant", sorted(CAUGHT_BY))
def test_the_suite_rejects(mutant: str, server: Server) -> None:
    caught = failing(on_postgres(MUTANTS[mutant]), lambda: PostgresHarness(server), CAUGHT_BY[mutant])
    assert set(caught) == set(CAUGHT_BY[mutant])


def test_the_engine_itself_passes_what_the_mutants_fail(server: Server) -> None:
    tests = sorted({name for names in CAUGHT_BY.values() for name in names})
    assert failing(on_postgres(Conformance), lambda: PostgresHarness(server), tests) == {}


@pytest.mark.parametrize("mutant", sorted(NOT_WRONG_HERE))
def test_what_is_no_mistake_on_this_backend_is_not_tried(mutant: str, server: Server) -> None:
    suite = on_postgres(MUTANTS[mutant])
    assert failing(suite, lambda: PostgresHarness(server), [NOT_WRONG_HERE[mutant]]) == {}
    assert CAUGHT_BY.keys() | NOT_WRONG_HERE.keys() == MUTANTS.keys()


def test_a_cursor_in_another_transaction_does_not_survive_kills(harness: PostgresHarness, tmp_path: Path) -> None:
    toll = kill(harness, tmp_path, kills=25, wrap=SeparateCursorDatabase)
    assert toll.wrong_rows > 0
