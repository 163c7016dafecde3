"""A DecodeError says what and where, in one line, and survives a process boundary."""

import pickle

from meshwire import DecodeError


def test_an_error_is_one_line_with_its_position() -> None:
    error = DecodeError("path needs 10 bytes, 3 left", at=2)
    assert str(error) == "path needs 10 bytes, 3 left (at byte 2)"
    assert (error.problem, error.at) == ("path needs 10 bytes, 3 left", 2)
    assert isinstance(error, ValueError)


def test_an_error_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(DecodeError("no payload", at=7)))
    assert (copy.problem, copy.at) == ("no payload", 7)
