"""Forecast time, log, stall and disk of a migration from measured samples, and set it beside what happened. Pure.

Every figure is an interval; the rules of pace that the loop itself uses make it, so the two cannot drift apart.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from inchworm import pace
from inchworm.pace import Pace

TURN_OVERHEAD_S = 0.0006  # measured: begin, ledger row and commit at synchronous=normal, 0.3-1 ms
JOURNAL_COMMIT_S = 0.01  # a rollback journal waits for the disk twice per commit
OFTEN_FASTER, OFTEN_SLOWER = 0.5, 2.0  # samples are few, caches warm up, other programs run beside
CHECKPOINT_PAGES = 1_000
FRAME_HEADER = 24  # bytes, https://www.sqlite.org/walformat.html
MACHINE_WAITS = frozenset(
    {"stall budget", "another writer holds the lock", "live writer first", "checkpoint", "database busy"}
)


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


def forecast(measured: Measured, rules: Pace) -> Forecast:
    """Apply the rules of pace to the measured cost per row."""
    size = _rows_per_turn(measured, rules)
    turns = -(-measured.rows // size)
    overhead_s = TURN_OVERHEAD_S + (0.0 if measured.wal else JOURNAL_COMMIT_S)
    hold_s = Range(*(each * size + overhead_s for each in _ends(measured.hold_s)))
    seconds = _seconds(measured, rules, turns, hold_s)
    wal, peak, disk = _bytes(measured, size, turns, seconds)
    return Forecast(
        measured.rows,
        measured.estimated,
        turns,
        seconds,
        _stall(rules, hold_s),
        wal if measured.wal else None,
        peak if measured.wal else None,
        disk,
    )


def _ends(each: Range) -> tuple[float, float, float]:
    return each.low, each.likely, each.high


def _rows_per_turn(measured: Measured, rules: Pace) -> int:
    held, read = measured.hold_s.likely, measured.read_s.likely
    fitting = [rules.most_rows, max(1, measured.rows)]
    if held > 0:
        fitting.append(int(rules.turn_s / held))
    if read > 0:
        fitting.append(int(rules.read_s / read))
    return max(1, min(fitting))


def _seconds(measured: Measured, rules: Pace, turns: int, hold_s: Range) -> Range:
    size = measured.rows / max(1, turns)
    overhead_s = turns * (hold_s.likely - measured.hold_s.likely * size)

    def work(read: float, hold: float) -> float:
        return measured.rows * (read + hold + measured.verify_s) + overhead_s

    crowded = turns * hold_s.likely / pace.CROWD_S if measured.read_s.likely * size < pace.LISTEN_S else 0.0
    likely = work(measured.read_s.likely, measured.hold_s.likely) + crowded * pace.LISTEN_S
    contended = 2.4 * pace.delay_in_force(min(hold_s.high, rules.deadline_s)) - measured.read_s.low * size
    low = OFTEN_FASTER * min(likely, work(measured.read_s.low, measured.hold_s.low))
    high = OFTEN_SLOWER * max(likely, work(measured.read_s.high, measured.hold_s.high)) + turns * max(0.0, contended)
    return Range(low, likely, high)


def _stall(rules: Pace, hold_s: Range) -> Range:
    """A writer waits for one turn and then for its own busy handler to look again; never for more than a turn's end."""
    turn_s = min(max(hold_s.likely, TURN_OVERHEAD_S), rules.deadline_s)
    high = max(rules.deadline_s, turn_s) + pace.delay_in_force(turn_s)
    return Range(1000 * min(hold_s.low, turn_s), 1000 * (turn_s + pace.delay_in_force(turn_s) / 2), 1000 * high)


def _bytes(
    measured: Measured, size: int, turns: int, seconds: Range
) -> tuple[Range | None, Range | None, Range | None]:
    if measured.pages_per_row is None:
        return None, None, None
    frame = measured.page_bytes + FRAME_HEADER
    per_turn = 2 + measured.pages_per_row * size  # two: the ledger's row and its index
    total = turns * per_turn * frame
    wal = Range(total / 2, total, total * 2)
    full = CHECKPOINT_PAGES * frame
    a_while = total / max(seconds.likely, 0.2) * 0.2  # checkpoints are looked at five times a second
    peak = Range(min(total / 2, full / 2), min(total, full + a_while), min(total * 2, 4 * full + 4 * a_while))
    growth = measured.rows * measured.growth_bytes_per_row
    disk = Range(growth / 2, growth * 1.3 + peak.likely, growth * 3 + peak.high)
    return wal, peak, disk


def actual_seconds(active_s: float, throttled: Mapping[str, float]) -> float:
    """The seconds that a forecast speaks of: work and the machine's own waits, not pauses of operators."""
    return active_s + sum(s for reason, s in throttled.items() if reason in MACHINE_WAITS)


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
