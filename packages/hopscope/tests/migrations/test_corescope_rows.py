"""Rows of CoreScope's tables as rows of ours."""

import pytest

from hopscope.migrations import corescope_rows
from hopscope.migrations.corescope_rows import Row
from hopscope.store.corescope import WANTED

NOW = 1_780_000_000_000
AHEAD_S = NOW // 1000 + 3_600


def observer(**values: object) -> Row:
    return {"rowid": 1, "ident": "AB" * 32, **dict.fromkeys(WANTED["observers"]), **values}  # type: ignore[dict-item]


def node(**values: object) -> Row:
    return {"rowid": 1, **dict.fromkeys(WANTED["nodes"]), "public_key": "cd" * 32, **values}  # type: ignore[dict-item]


@pytest.mark.parametrize("first", [AHEAD_S - 60, AHEAD_S + 60, None])
def test_nobody_was_seen_in_the_future_or_first_after_last(first: int | None) -> None:
    times = {"first_seen": first, "last_seen": AHEAD_S}
    (seen,) = corescope_rows.observers([observer(**times)], now=NOW)
    assert (seen["first_seen"], seen["last_seen"]) == (NOW, NOW)
    (seen,) = corescope_rows.nodes([node(**times)], now=NOW)
    assert (seen["first_seen"], seen["last_seen"]) == (NOW, NOW)


@pytest.mark.parametrize("name", ["\u202e Föhn\x07 \u2028", "\u202e Föhn\x07 \u2028".encode()])
def test_names_are_fit_to_be_shown_whoever_has_them(name: str | bytes) -> None:
    (seen,) = corescope_rows.observers([observer(name=name, last_seen=AHEAD_S)], now=NOW)
    assert seen["name"] == "Föhn"
    (seen,) = corescope_rows.nodes([node(name=name, last_seen=AHEAD_S)], now=NOW)
    assert seen["name"] == "Föhn"
