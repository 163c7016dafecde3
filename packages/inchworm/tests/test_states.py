"""The table of states is the only place that allows a move."""

import pytest

from inchworm.errors import RequestRefused
from inchworm.states import ENDED, MOVES, Status, Verb, asked, diagram, move, read_status_name


def test_done_is_final() -> None:
    assert not any(old is Status.DONE for old, _ in MOVES)


def test_parked_and_unknown_are_readings_and_never_stored() -> None:
    assert not {Status.PARKED, Status.UNKNOWN} & {status for pair in MOVES for status in pair}


def test_every_move_has_a_sentence_and_is_in_the_diagram() -> None:
    assert all(len(why) > 15 for why in MOVES.values())
    assert all(f"{old} --> {new}" in diagram() for old, new in MOVES if old is not new)


def test_a_move_outside_the_table_names_both_states() -> None:
    with pytest.raises(ValueError, match="a done migration cannot become running"):
        move(Status.DONE, Status.RUNNING)


@pytest.mark.parametrize("verb", Verb)
def test_a_verb_leads_where_the_table_of_moves_allows(verb: Verb) -> None:
    for status in set(Status) - {Status.PARKED, Status.UNKNOWN}:
        try:
            new = asked(verb, status)
        except RequestRefused:
            continue
        assert new is None or (status, new) in MOVES


def test_every_unsuccessful_end_can_be_retried() -> None:
    assert all(asked(Verb.RETRY, status) is Status.PENDING for status in ENDED - {Status.DONE})


def test_an_unheard_of_status_is_unknown_and_never_running() -> None:
    assert read_status_name("wat") is Status.UNKNOWN
    assert read_status_name("pending_async") is Status.INTERRUPTED
