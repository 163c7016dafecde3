"""Quiet hours are read as written, pass midnight, and give a reason with their end."""

from datetime import UTC, datetime

import pytest

import inchworm
from inchworm.testing import FakeClock


def reason(at: str, *spans: str) -> str | None:
    clock = FakeClock(datetime.fromisoformat(f"2026-11-23T{at}:00+00:00").timestamp())
    return inchworm.quiet_hours(*spans, zone=UTC, clock=clock)()


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("21:59", None),
        ("22:00", "quiet hours until 06:00"),
        ("03:00", "quiet hours until 06:00"),
        ("06:00", None),
        ("12:15", "quiet hours until 12:30"),
    ],
)
def test_a_span_begins_at_its_first_minute_and_ends_before_its_last(at: str, said: str | None) -> None:
    assert reason(at, "22:00-06:00", "12:00-12:30") == said


@pytest.mark.parametrize("span", ["22-", "22:00", "22:00-22:00", "25:00-26:00", "a-b"])
def test_a_span_that_means_nothing_is_refused(span: str) -> None:
    with pytest.raises(inchworm.DefinitionError, match="quiet hours"):
        inchworm.quiet_hours(span)
