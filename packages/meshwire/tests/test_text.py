"""Text from strangers: broken UTF-8 shows as such, controls and direction overrides are gone, emoji stay whole."""

import pytest

from meshwire import clean_name, clean_text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"Repeater 7", "Repeater 7"),
        ("Dépôt 🏷️ 👩‍🚒".encode(), "Dépôt 🏷️ 👩‍🚒"),
        (b"padded\0\0\0", "padded"),
        (b"bell\x07 esc\x1b[31m del\x7f c1\xc2\x9b", "bell esc[31m del c1"),
        ("safe\u202egnp.exe\u2066x\u2069\u200f".encode(), "safegnp.exex"),
        ("two\u2028lines\ufeff".encode(), "twolines"),
        (b"line\nfeed\ttab", "linefeedtab"),
        ("cut 🦆".encode()[:-2], "cut \ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (b"", ""),
    ],
)
def test_a_name_is_made_fit_to_be_shown(raw: bytes, shown: str) -> None:
    assert clean_name(raw) == shown


def test_a_message_keeps_its_line_feeds_and_tabs() -> None:
    assert clean_text(b"one\ntwo\tthree\r\x00\x1b") == "one\ntwo\tthree"


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2067, 0x200E, 0x61C, 0xFEFF])
def test_no_control_or_direction_character_is_left(code: int) -> None:
    assert clean_name(f"a{chr(code)}b".encode()) == "ab"
