"""Answers kept between commits, and the small parts that need no server."""

from collections.abc import Callable
from typing import Any

import pytest
from meshes import Mesh

from hopscope.api import answers, query, times
from hopscope.api.answers import Answer, Answers
from hopscope.api.errors import BadRequest
from hopscope.api.memo import Memo
from hopscope.api.timings import SLOW_KEPT, WINDOW, Timings
from hopscope.percentile import percentile

Start = Callable[..., Any]

KEY = ("/api/packets", b"limit=1")


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answer(size: int = 10) -> Answer:
    return Answer("/api/packets", (), b"e", bytes(size))


def test_an_answer_is_given_again_until_something_is_committed() -> None:
    kept = Answers(now_s=Time())
    kept.keep(KEY, (1, 5), answer())
    assert kept.find(KEY, (1, 5)) == answer()
    assert kept.find(KEY, (1, 6)) is None
    assert kept.find(("/api/packets", b""), (1, 5)) is None
    assert (kept.hits, kept.misses) == (1, 2)


def test_an_answer_is_not_given_again_when_it_is_old() -> None:
    time = Time()
    kept = Answers(now_s=time)
    kept.keep(KEY, (1, 5), answer())
    time.now = answers.LONGEST_S + 0.1
    assert kept.find(KEY, (1, 5)) is None


def test_without_a_reading_nothing_is_kept() -> None:
    kept = Answers()
    kept.keep(KEY, None, answer())
    assert kept.find(KEY, None) is None


def test_kept_answers_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "BYTES", 25)
    monkeypatch.setattr(answers, "ENTRY_BYTES", 0)
    monkeypatch.setattr(answers, "BODY_BYTES", 20)
    kept = Answers()
    for number in range(5):
        kept.keep((str(number), b""), (1, 1), answer(10))
    kept.keep(("large", b""), (1, 1), answer(21))
    assert [number for number in range(5) if kept.find((str(number), b""), (1, 1))] == [3, 4]
    assert kept.find(("large", b""), (1, 1)) is None


@pytest.mark.parametrize("address", [1, 10_000])
def test_a_flood_of_small_answers_is_bounded_by_what_it_takes_in_memory(address: int) -> None:
    kept = Answers()
    for number in range(10_000):
        kept.keep(("/api/nodes", str(number).encode().ljust(address)), (1, 1), answer(10))
    assert 0 < len(kept) <= answers.BYTES // (answers.ENTRY_BYTES + address)


def test_a_commit_is_seen_by_the_very_next_request(mesh: Mesh, start: Start) -> None:
    client = start()
    for number in range(1, 20):
        mesh.ack(number)
        for _ in range(2):
            assert client.get("/api/packets").json()["total"] == number
    assert client.get("/api/perf").json()["cache"]["hits"] == 19


def test_a_name_that_changes_is_seen_by_the_very_next_request(mesh: Mesh, start: Start) -> None:
    mesh.ack(1)
    client = start()
    for name in ("one", "two"):
        mesh.db.execute("update observers set name = ?", (name,))
        assert client.get("/api/packets").json()["packets"][0]["observer_name"] == name


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-09-21T14:13:20.5+02:00", 1_789_992_800_500),
        ("2026-09-21", 1_789_948_800_000),
        ("1790000000", 1_790_000_000_000),
        ("1790000000123", 1_790_000_000_123),
        ("9" * 30, times.YEAR_10000_MS),
        ("1969-12-31T23:59:59Z", -1000),
    ],
)
def test_times_in_queries(text: str, ms: int) -> None:
    assert times.parse(text) == ms


@pytest.mark.parametrize("text", ["", "now", "2026-13-01", "१७", "2026-09-21T25:00:00Z", "+1"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        times.parse(text)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_790_000_000_123, "2026-09-21T14:13:20.123Z"),
        (-5, "1970-01-01T00:00:00.000Z"),
        (2**63 - 1, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_in_answers(ms: int, text: str) -> None:
    assert times.iso(ms) == text


def test_a_cursor_comes_back_as_it_went_out() -> None:
    assert query.cursor("p", query.write_cursor("p", (-5, 7))) == (-5, 7)
    assert query.write_cursor("p", None) is None
    with pytest.raises(BadRequest):
        query.cursor("g", query.write_cursor("p", (1, 2)))


def test_a_memo_computes_once_until_it_is_old() -> None:
    time, made = Time(), []

    def compute() -> int:
        made.append(1)
        return len(made)

    memo = Memo(compute, every_s=1, now_s=time)
    assert [memo.get(), memo.get()] == [1, 1]
    time.now = 1
    assert memo.get() == 2


def test_a_failure_is_not_remembered() -> None:
    outcomes: list[Any] = [OSError("disk"), 7]

    def compute() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    memo = Memo(compute, every_s=1)
    with pytest.raises(OSError, match="disk"):
        memo.get()
    assert memo.get() == 7


def test_percentiles_are_of_the_newest_answers_and_slow_ones_are_listed() -> None:
    timings = Timings(now_ms=lambda: 5)
    for number in range(WINDOW + 100):
        timings.record("/a", float(number), 200)
    found = timings.snapshot().endpoints["/a"]
    assert (found.count, found.p50, found.longest) == (WINDOW + 100, 100 + WINDOW / 2 - 1, WINDOW + 99)
    assert len(timings.snapshot().slow) == SLOW_KEPT
    timings.reset()
    assert timings.snapshot().requests == 0


@pytest.mark.parametrize(
    ("values", "share", "found"), [([], 0.5, 0), ([1], 0.99, 1), ([1, 2, 3, 4], 0.5, 2), ([1, 2], 1.0, 2)]
)
def test_a_percentile_is_a_value_that_occurred(values: list[float], share: float, found: float) -> None:
    assert percentile(values, share) == found
