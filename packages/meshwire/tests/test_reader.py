"""Layouts: values and byte map from one pass, and errors that point at the missing field."""

import pytest

from meshwire.errors import DecodeError
from meshwire.reader import ByteMap, Layout, Span, decibels, split

LAYOUT = Layout(("kind", "B"), ("tag", "I"), ("level", "b"), tail="rest", tail_min=1)
RAW = bytes.fromhex("07 01000000 ff 6869")


def test_a_layout_gives_its_values_and_the_tail() -> None:
    assert LAYOUT.read(RAW) == (7, 1, -1, b"hi")


def test_the_byte_map_names_what_was_read_from_where() -> None:
    byte_map = ByteMap()
    byte_map.base = 10
    LAYOUT.read(RAW, byte_map)
    assert byte_map.spans == [
        Span("kind", 10, 11, 7),
        Span("tag", 11, 15, 1),
        Span("level", 15, 16, -1),
        Span("rest", 16, 18, b"hi"),
    ]


def test_a_note_says_what_a_field_means() -> None:
    byte_map = ByteMap()
    LAYOUT.read(RAW, byte_map)
    byte_map.note("kind", "seven")
    assert byte_map.spans[0] == Span("kind", 0, 1, "seven")


@pytest.mark.parametrize(
    ("size", "problem", "at"),
    [
        (0, "kind needs 1 byte, 0 left", 0),
        (1, "tag needs 4 bytes, 0 left", 1),
        (4, "tag needs 4 bytes, 3 left", 1),
        (5, "level needs 1 byte, 0 left", 5),
        (6, "rest needs 1 byte, 0 left", 6),
    ],
)
def test_too_few_bytes_are_an_error_at_the_field_that_is_cut(size: int, problem: str, at: int) -> None:
    with pytest.raises(DecodeError) as caught:
        LAYOUT.read(RAW[:size])
    assert (caught.value.problem, caught.value.at) == (problem, at)


def test_a_field_without_bytes_leaves_no_span() -> None:
    byte_map = ByteMap()
    assert Layout(("absent", "0s"), tail="rest").read(b"", byte_map) == (b"", b"")
    assert byte_map.spans == []


def test_split_keeps_a_shorter_last_piece() -> None:
    assert split(b"abcde", 2) == (b"ab", b"cd", b"e")
    assert split(b"", 3) == ()


def test_snr_bytes_are_quarters_of_a_decibel_with_sign() -> None:
    assert decibels(bytes((0x00, 0x31, 0x7F, 0x80, 0xFF))) == (0.0, 12.25, 31.75, -32.0, -0.25)
