"""The page of failure modes names tests that exist, and leaves out no line."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "failure-modes.md"
LINES = 88


def rows(text: str) -> dict[int, str]:
    """Number and last column of each table row."""
    found = re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", text, re.MULTILINE)
    assert len({number for number, _ in found}) == len(found), "a number is given twice"
    return {int(number): caught for number, caught in found}


def defined() -> set[str]:
    """Every test of this package, the conformance suite included."""
    files = [*HERE.rglob("test_*.py"), HERE.parent / "src" / "inchworm" / "testing" / "conformance.py"]
    return {
        name for file in files for name in re.findall(r"^\s*def (test_\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }


def named(text: str) -> set[str]:
    return set(re.findall(r"`(test_\w+)`", text))


def test_every_line_has_a_test_or_a_reason() -> None:
    found = rows(PAGE.read_text("utf-8"))
    assert set(found) == set(range(1, LINES + 1))
    assert [n for n, caught in found.items() if not named(caught) and not caught.startswith("Does not apply: ")] == []


def test_every_test_that_the_page_names_exists() -> None:
    missing = named(PAGE.read_text("utf-8")) - defined()
    assert missing == set()


def test_a_name_that_does_not_exist_would_be_noticed() -> None:
    assert named("| 1 | x | `test_nobody_wrote_this` |") - defined() == {"test_nobody_wrote_this"}


def test_a_number_given_twice_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="twice"):
        rows("| 1 | x | y |\n| 1 | x | y |")
