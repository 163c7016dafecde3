"""Single values of CoreScope databases, in every form that was found in one."""

import pytest

from hopscope.migrations.corescope_values import (
    Path,
    Refusal,
    Refused,
    frame_bytes,
    microdegrees,
    node_key,
    number,
    observer_ident,
    path_of,
    role,
    text,
    time_ms,
    whole,
)

NOW = 1_780_000_000_000
AT = 1_779_041_349_000  # 2026-05-17T18:09:09Z


@pytest.mark.parametrize(
    "value",
    [
        "2026-05-17T18:09:09Z",
        "2026-05-17T18:09:09.000Z",
        "2026-05-17T20:09:09+02:00",
        "2026-05-17 18:09:09",
        " 2026-05-17T18:09:09 ",
        1_779_041_349,
        1_779_041_349.0,
        1_779_041_349_000,
        "1779041349",
        "1779041349000",
    ],
)
def test_every_format_of_one_moment_is_the_same_moment(value: object) -> None:
    assert time_ms(value, now=NOW) == AT  # type: ignore[arg-type]


def test_milliseconds_are_kept_where_the_source_has_them() -> None:
    assert time_ms("2026-03-17T21:47:58.081Z", now=NOW) == 1_773_784_078_081


@pytest.mark.parametrize(
    "value",
    [None, "", "   ", "yesterday", "0", 0, -5, "1970-01-01T00:00:00Z", "2090-01-01 00:00:00", float("inf"),
     float("nan"), b"2026-05-17", 10**30, "9" * 400, "2026-13-45T99:00:00Z", "0001-01-01"],
)  # fmt: skip
def test_what_is_no_plausible_time_is_none(value: object) -> None:
    assert time_ms(value, now=NOW) is None  # type: ignore[arg-type]


def test_a_clock_may_run_ahead_by_a_day_and_no_more() -> None:
    day = 86_400_000
    assert time_ms(NOW + day, now=NOW) == NOW + day
    assert time_ms(NOW + day + 1, now=NOW) is None


@pytest.mark.parametrize("raw", ["0d04B891", "0D04b891", " 0D04B891 "])
def test_a_frame_is_read_in_any_case(raw: str) -> None:
    assert frame_bytes(raw) == bytes.fromhex("0d04b891")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, Refusal.NO_FRAME),
        ("", Refusal.NO_FRAME),
        ("  ", Refusal.NO_FRAME),
        ("0d04b", Refusal.NOT_HEX),
        ("not hex!", Refusal.NOT_HEX),
        ("0d 04", Refusal.NOT_HEX),
        (b"0d04", Refusal.NOT_HEX),
        (17, Refusal.NOT_HEX),
        ("00" * 256, Refusal.FRAME_TOO_LONG),
    ],
)
def test_what_is_no_frame_says_why(raw: object, reason: Refusal) -> None:
    found = frame_bytes(raw)  # type: ignore[arg-type]
    assert isinstance(found, Refused)
    assert found.reason is reason


@pytest.mark.parametrize("value", [None, "", "  ", "null"])
def test_a_path_that_was_never_written_is_unknown(value: str | None) -> None:
    assert path_of(value, hash_size=1) is None


def test_an_empty_path_keeps_the_hash_size_of_its_packet() -> None:
    assert path_of("[]", hash_size=2) == Path(0x40, b"")


def test_hops_become_a_path_as_it_stands_in_a_frame() -> None:
    assert path_of('["7D1D","da2a"]', hash_size=1) == Path(0x42, bytes.fromhex("7d1dda2a"))
    assert path_of('["8A"]', hash_size=1) == Path(0x01, b"\x8a")


@pytest.mark.parametrize(
    "value",
    ['["8A","7D1D"]', '["8A", 5]', '["XY"]', '["8A8"]', '{"a": 1}', "garbage", '["01020304"]', 7, b"[]",
     "[" + ",".join(['"8A"'] * 64) + "]", "[" + ",".join(['"8A8A"'] * 40) + "]", "[" * 100_000],
)  # fmt: skip
def test_a_path_that_no_frame_could_hold_is_refused(value: object) -> None:
    found = path_of(value, hash_size=1)  # type: ignore[arg-type]
    assert isinstance(found, Refused)
    assert found.reason is Refusal.BAD_PATH


def test_numbers_are_read_from_text_with_units() -> None:
    assert number("-7.5 dB") == -7.5
    assert whole("-91.6 dBm") == -92
    assert number(9) == 9.0


@pytest.mark.parametrize("value", [None, "", "loud", b"1", float("nan"), float("-inf"), 1e300, " "])
def test_what_is_no_number_is_none(value: object) -> None:
    assert number(value) is None  # type: ignore[arg-type]


def test_keys_are_one_value_in_any_case() -> None:
    assert node_key("aB" * 32) == node_key("Ab" * 32) == b"\xab" * 32
    assert observer_ident("ab" * 32) == "AB" * 32
    assert observer_ident("companion") == "companion"
    assert observer_ident("ha-bridge.home_2") == "ha-bridge.home_2"  # as live ingest writes it


@pytest.mark.parametrize("value", [None, "", "abcd", "zz" * 32, "ab " * 21 + "a", 5, b"\xab" * 32, "ab" * 33])
def test_a_prefix_or_garbage_is_no_node_key(value: object) -> None:
    assert node_key(value) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, "", "<b>x</b>", "a b", "-", "x" * 65, "ä", 5])
def test_markup_is_no_observer(value: object) -> None:
    assert observer_ident(value) is None  # type: ignore[arg-type]


def test_positions_out_of_range_are_none() -> None:
    assert microdegrees(37.888, 90) == 37_888_000
    assert microdegrees(-122.268, 180) == -122_268_000
    assert microdegrees(91, 90) is None
    assert microdegrees("north", 90) is None


def test_roles_are_numbers() -> None:
    words = ("none", "companion", "Repeater", "room", "sensor", "type-7", "type-99", None, "boss")
    assert [role(word) for word in words] == [0, 1, 2, 3, 4, 7, 15, 0, 0]


def test_text_is_trimmed_and_cut() -> None:
    assert text("  x ") == "x"
    assert text(" ") is None
    assert text(5) is None
    assert len(text("y" * 500) or "") == 128
