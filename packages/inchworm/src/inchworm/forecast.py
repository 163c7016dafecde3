"""Forecast time, log, stall and disk of a migration from measured samples, and set it beside what happened. Pure.

Every figure is an interval; the rules of pace that the loop itself uses make it, so the two cannot drift apart.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from inchworm import checkpoint, pace
from inchworm.pace import Pace, Turned

TURN_OVERHEAD_S = 0.0006  # measured: begin, ledger row and commit at synchronous=normal, 0.3-1 ms
JOURNAL_COMMIT_S = 0.01  # a rollback journal waits for the disk twice per commit
LEDGER_PAGES = 2  # dirty in each turn: the ledger's row and its index
OFTEN_FASTER, OFTEN_SLOWER = 0.5, 2.0  # samples are few, caches warm up, other programs run beside
FRAME_HEADER = 24  # bytes, https://www.sqlite.org/walformat.html
MOST_TURNS = 2_000  # reckoned one by one, enough for sizes and pauses to settle; the rest is like the second half


@dataclass(frozen=True, slots=True)
class Range:
    """Between `low` and `high`, most likely `likely`."""

    low: float
    likely: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Measured:
    """What the samples gave. Seconds per row: lowest, mean and highest over the places sampled.

    read_s, hold_s: outside and inside the write turn. verify_s: of the check at the end, 0 without one.
    pages_per_row: pages of the file that a row makes dirty, None when the statements do not tell.
    growth_bytes_per_row: how much longer the set columns become.
    """

    rows: int
    estimated: bool
    read_s: Range
    hold_s: Range
    verify_s: float
    pages_per_row: float | None
    growth_bytes_per_row: float
    page_bytes: int
    wal: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """seconds of running, ms that another writer may wait, bytes of log written and at its longest, bytes of disk."""

    rows: int
    estimated: bool
    turns: int
    seconds: Range
    stall_ms: Range
    wal_bytes: Range | None
    wal_peak_bytes: Range | None
    disk_bytes: Range | None

    def to_json(self) -> str:
        """As the ledger stores it."""
        return json.dumps(asdict(self), separators=(",", ":"))


def read_forecast(text: str) -> Forecast:
    """The inverse of to_json; ValueError when the text is not a forecast."""
    try:
        values = json.loads(text)
        ranges = {
            name: Range(**values[name]) if values[name] is not None else None
            for name in ("wal_bytes", "wal_peak_bytes", "disk_bytes")
        }
        return Forecast(
            rows=int(values["rows"]),
            estimated=bool(values["estimated"]),
            turns=int(values["turns"]),
            seconds=Range(**values["seconds"]),
            stall_ms=Range(**values["stall_ms"]),
            **ranges,
        )
    except (KeyError, TypeError) as problem:
        raise ValueError(f"{text[:80]!r} is not a stored forecast") from problem


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds: per row outside and inside the write turn, and per turn whatever its rows; pages dirty per row."""

    read_s: float
    hold_s: float
    turn_s: float
    pages: float = 0.0


@dataclass(frozen=True, slots=True)
class Others:
    """Who else writes: `strangers`, how many steps of `pace.gap`'s crowd they make, and whether the lock wakes them."""

    strangers: bool = False
    crowd: int = 0
    woken: bool = False


ALONE = Others()
CROWD = Others(strangers=True, crowd=pace.MOST_CROWD)


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk comes to: seconds of work and of gaps, the longest turn, pages of log written and at its longest."""

    turns: int = 0
    rows: int = 0
    active_s: float = 0.0
    waited_s: float = 0.0
    longest_hold_s: float = 0.0
    pages: float = 0.0
    peak_pages: float = 0.0


def walk(rows: int, costs: Costs, rules: Pace, others: Others = ALONE) -> Walked:
    """Reckon a walk turn by turn, by the rules of the loop itself: `pace` for sizes and gaps, `checkpoint` for the log.

    What was "measured" of one turn decides on the next, as it does in `turns`; only the clock is arithmetic.
    """
    loop, half = _Loop(costs, rules, others), Walked()
    while loop.walked.rows < rows and loop.walked.turns < MOST_TURNS:
        loop.turn(rows - loop.walked.rows)
        if loop.walked.turns == MOST_TURNS // 2:
            half = loop.walked
    return _prolonged(half, loop.walked, rows)


class _Loop:
    """The walk so far, and what `turns` would remember of it."""

    def __init__(self, costs: Costs, rules: Pace, others: Others) -> None:
        self._costs, self._rules, self._others = costs, rules, others
        self._size, self._gap_s, self._crowded_s, self._log, self._waiting = pace.FIRST_ROWS, 0.0, 0.0, 0.0, 0.0
        self.walked = Walked()

    def turn(self, left: int) -> None:
        """The next slice, of at most `left` rows; one that a deadline would stop is halved, as by `trouble`."""
        rows, costs, so_far = min(self._size, left), self._costs, self.walked
        read_s, hold_s = rows * costs.read_s, costs.turn_s + rows * costs.hold_s
        stopped = rows > 1 and hold_s > self._rules.deadline_s
        hold_s = self._rules.deadline_s if stopped else hold_s
        self.walked = replace(
            so_far,
            turns=so_far.turns + (not stopped),
            rows=so_far.rows + (0 if stopped else rows),
            active_s=so_far.active_s + read_s + hold_s,
            waited_s=so_far.waited_s + max(0.0, self._gap_s - read_s),
            longest_hold_s=max(so_far.longest_hold_s, hold_s),
        )
        self._crowded_s = pace.crowded(self._crowded_s, hold_s, max(self._gap_s, read_s))
        facts = Turned(rows, hold_s, read_s, self._others.strangers, self._others.crowd)
        if stopped:
            self._size = pace.halved(rows)
            return
        self._gap_s = pace.gap(facts, crowded_s=self._crowded_s, wakes_waiters=self._others.woken)
        self._size = pace.next_rows(self._rules, self._size, facts)
        self._write(LEDGER_PAGES + rows * costs.pages)

    def _write(self, pages: float) -> None:
        """The log after a turn, and after the checkpoint that may follow; a stranger appends a page to each."""
        self._log, self._waiting = self._log + pages, self._waiting + pages
        so_far = self.walked
        self.walked = replace(so_far, pages=so_far.pages + pages, peak_pages=max(so_far.peak_pages, self._log))
        if checkpoint.is_due(int(self._log), int(self._waiting)):
            self._waiting = 1.0 if self._others.strangers else 0.0
            if not self._waiting or checkpoint.wants_restart(int(self._log), int(self._waiting)):
                self._log = self._waiting = 0.0


def _prolonged(half: Walked, whole: Walked, rows: int) -> Walked:
    """The rest like the second half of what was reckoned."""
    if whole.rows >= rows or whole.rows == half.rows:
        return whole
    times = (rows - whole.rows) / (whole.rows - half.rows)
    return replace(
        whole,
        turns=round(whole.turns + times * (whole.turns - half.turns)),
        rows=rows,
        active_s=whole.active_s + times * (whole.active_s - half.active_s),
        waited_s=whole.waited_s + times * (whole.waited_s - half.waited_s),
        pages=whole.pages + times * (whole.pages - half.pages),
    )


def forecast(measured: Measured, rules: Pace, *, wakes_waiters: bool = False) -> Forecast:
    """Walk it alone at the lowest and the likely costs, and at the highest among a crowd that competes for the lock.

    wakes_waiters: see ports.Dialect; no gaps are then needed but for a crowd.
    """

    def walked(read_s: float, hold_s: float, others: Others) -> Walked:
        turn_s = TURN_OVERHEAD_S + (0.0 if measured.wal else JOURNAL_COMMIT_S)
        return walk(
            measured.rows,
            Costs(read_s, hold_s, turn_s, measured.pages_per_row or 0.0),
            rules,
            replace(others, woken=wakes_waiters),
        )

    low = walked(measured.read_s.low, measured.hold_s.low, ALONE)
    likely = walked(measured.read_s.likely, measured.hold_s.likely, ALONE)
    high = walked(measured.read_s.high, measured.hold_s.high, CROWD)
    seconds = _seconds(low, likely, high, measured.rows * measured.verify_s)
    wal, peak, disk = _bytes(measured, likely, high, seconds)
    return Forecast(
        measured.rows,
        measured.estimated,
        likely.turns,
        seconds,
        _stall(rules, low, likely),
        wal if measured.wal else None,
        peak if measured.wal else None,
        disk,
    )


def _seconds(low: Walked, likely: Walked, high: Walked, verify_s: float) -> Range:
    quick, usual = (each.active_s + each.waited_s + verify_s for each in (low, likely))
    slow = OFTEN_SLOWER * max(usual, high.active_s + verify_s) + high.waited_s
    return Range(OFTEN_FASTER * min(quick, usual), usual, slow)


def _stall(rules: Pace, low: Walked, likely: Walked) -> Range:
    """A writer waits for one turn and then for its own busy handler to look again; never for more than a turn's end."""
    turn_s = min(likely.longest_hold_s, rules.deadline_s)
    high = rules.deadline_s + pace.delay_in_force(turn_s)
    return Range(1000 * min(low.longest_hold_s, turn_s), 1000 * (turn_s + pace.delay_in_force(turn_s) / 2), 1000 * high)


def _bytes(
    measured: Measured, likely: Walked, high: Walked, seconds: Range
) -> tuple[Range | None, Range | None, Range | None]:
    if measured.pages_per_row is None:
        return None, None, None
    frame = measured.page_bytes + FRAME_HEADER
    total = likely.pages * frame
    wal = Range(total / 2, total, total * 2)
    often = checkpoint.CHECKPOINT_EVERY_S  # how often the log is looked at where its length cannot be asked for
    unseen = total / max(seconds.likely, often) * often
    longest = OFTEN_SLOWER * (min(high.peak_pages, high.pages) * frame + unseen)
    likely_peak = likely.peak_pages * frame
    peak = Range(min(likely_peak, checkpoint.CHECKPOINT_PAGES * frame) / 2, likely_peak, max(likely_peak, longest))
    growth = measured.rows * measured.growth_bytes_per_row
    disk = Range(growth / 2, growth * 1.3 + peak.likely, growth * 3 + peak.high)
    return wal, peak, disk


def actual_seconds(active_s: float, throttled: Mapping[str, float]) -> float:
    """The seconds that a forecast speaks of: work and the machine's own waits, not pauses of operators."""
    return active_s + sum(s for reason, s in throttled.items() if reason in pace.MACHINE_WAITS)


@dataclass(frozen=True, slots=True)
class Beside:
    """Forecast beside actual; `within`: the actual time lies inside the interval."""

    forecast: Forecast
    seconds: float

    @property
    def within(self) -> bool:
        return self.seconds in self.forecast.seconds

    def __str__(self) -> str:
        expected = self.forecast.seconds
        verdict = "as forecast" if self.within else "outside the forecast"
        interval = f"{expected.likely:.1f} s ({expected.low:.1f} to {expected.high:.1f})"
        return f"took {self.seconds:.1f} s, forecast {interval}: {verdict}"


def beside(recorded: str | None, active_s: float, throttled: Mapping[str, float]) -> Beside | None:
    """What the ledger recorded beside what a run took; None without a forecast that can be read."""
    try:
        return None if recorded is None else Beside(read_forecast(recorded), actual_seconds(active_s, throttled))
    except ValueError:
        return None  # of another version; a forecast is not worth an error
