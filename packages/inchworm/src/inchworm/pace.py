"""How many rows the next turn takes and how long the lock then stays free; pure arithmetic on measured facts.

The numbers follow from SQLite's stock busy handler and from measurements named beside them. No clock, no database.
"""

from dataclasses import dataclass, replace

# Delays of sqlite3_busy_timeout's handler, in ms (main.c, sqliteDefaultBusyCallback); from then on every 100 ms.
BACKOFF_MS = (1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100)

# Reasons for not working that are the machine's own; what operators ask for, and full disks, are not among them.
BUDGET = "stall budget"  # gaps and shortened turns
LOCKED = "another writer holds the lock"
LIVE = "live writer first"
CHECKPOINT = "checkpoint"
BUSY = "database busy"
MACHINE_WAITS = frozenset({BUDGET, LOCKED, LIVE, CHECKPOINT, BUSY})

FIRST_ROWS = 250  # measured: 250 rows of one column are 2-3 ms of lock on a laptop-class machine
MOST_ROWS = 5_000  # more rows gain < 3 % of total time and make an interrupted slice expensive
LONGEST_TURN_S = 0.008  # short turns matter more than any lock order; a stranger is then served within 20-40 ms
WOKEN_SHARE = 0.4  # of the budget: who is woken when a turn ends waits for nobody else, and twice as long still fits
LONGEST_READ_S = 0.25  # compute per slice: bounds how long a stop, an operator or the write-ahead log waits for us
GROW = 2.0  # at most double: one lucky slice must not become one very long one
SHRINK = 0.25  # at most a quarter: one stalled disk must not cost a hundred tiny slices


@dataclass(frozen=True, slots=True)
class Pace:
    """What a stall budget means for turns; seconds."""

    stall_budget_s: float = 0.05
    turn_s: float = 0.00625
    deadline_s: float = 0.05
    read_s: float = LONGEST_READ_S
    most_rows: int = MOST_ROWS


@dataclass(frozen=True, slots=True)
class Turned:
    """What was measured around one turn; seconds. `crowd`: see Lock in `turns`, 0 unless several strangers compete."""

    rows: int
    hold_s: float
    read_s: float
    strangers: bool
    crowd: int = 0


def pace_for(stall_budget_ms: float) -> Pace:
    """Turns of an eighth of the budget (at most 8 ms); a turn past the whole budget, twice its share, is stopped."""
    if stall_budget_ms <= 0:
        raise ValueError(f"stall_budget_ms is {stall_budget_ms}; it must be greater than 0")
    budget_s = stall_budget_ms / 1000
    return Pace(stall_budget_s=budget_s, turn_s=min(budget_s / 8, LONGEST_TURN_S), deadline_s=budget_s)


def adapted(pace: Pace, *, wakes_waiters: bool) -> Pace:
    """Longer turns where the database wakes who waits for the lock (wakes_waiters, see ports.Dialect)."""
    return replace(pace, turn_s=max(pace.turn_s, WOKEN_SHARE * pace.stall_budget_s)) if wakes_waiters else pace


def next_rows(pace: Pace, size: int, turned: Turned) -> int:
    """Rows for the next slice: aim at the turn's length, never more than doubling or quartering, at least one.

    A short last slice says nothing about a full one, so it does not change the size.
    """
    if turned.rows < size:
        return size
    wanted = size * GROW
    if turned.hold_s > 0:
        wanted = min(wanted, size * pace.turn_s / turned.hold_s)
    if turned.read_s > 0:
        wanted = min(wanted, size * pace.read_s / turned.read_s)
    # +1 so that a floor reached by rounding down is left again
    grown = max(int(wanted), size + 1) if wanted > size else int(wanted)
    return max(1, int(size * SHRINK), min(grown, pace.most_rows))


def halved(size: int) -> int:
    """The size after a slice that was stopped or refused."""
    return max(1, size // 2)


ROW_ATTEMPTS = 5  # 50 ms doubled five times is 1.6 s: past that a row is put aside, not the other writers


def delay_in_force(waited_s: float) -> float:
    """How long a stock busy handler sleeps at a time after waiting this long, in seconds."""
    waited_ms, passed = waited_s * 1000, 0.0
    for delay in BACKOFF_MS:
        passed += delay
        if passed > waited_ms:
            return delay / 1000
    return BACKOFF_MS[-1] / 1000


CROWD_S = 0.1  # without a known stranger: this much lock time …
LISTEN_S = 0.015  # … is followed by one pause, so that a first stranger is met (costs a write-only form 13 %)
MOST_CROWD = 2  # the gap is then four times the one for a single stranger: 80 % of the time is theirs
CROWD_TURNS = 4  # turns that had the lock at once before the crowd counts as one smaller
LONGEST_GAP_S = 0.12  # 1.2 polls of a handler that has backed off as far as it goes: then everybody has looked


def crowded(crowded_s: float, hold_s: float, free_s: float) -> float:
    """Lock time since the last pause that meets a first stranger, after a turn that began `free_s` after the last."""
    return hold_s + (crowded_s if free_s < 0.99 * LISTEN_S else 0.0)  # a clock may round the pause down


def gap(turned: Turned, *, crowded_s: float, wakes_waiters: bool = False) -> float:
    """Seconds for which the lock stays free after a turn; time spent on computing the next slice counts as free.

    With a stranger: 1.2 times the delay in force after a wait as long as our hold, so that one that began to wait
    during the turn looks at least once. Doubled for each step of the crowd: strangers that compete for the gap lose
    it to each other and back off to looks 100 ms apart, each of which fails as often as the lock is taken. (Measured
    with three strangers at 50 writes/s: after one slow fsync their backlog keeps the lock busy by itself, idle control
    included, 60-630 ms; what we can do is to add little to it: a turn of 6 ms in 20 more than doubled that wait.)

    Where the database wakes who waits for the lock (wakes_waiters, see ports.Dialect) none is left, but for a crowd.
    """
    if wakes_waiters and not turned.crowd:
        return 0.0
    if turned.strangers:
        return min(LONGEST_GAP_S, 1.2 * delay_in_force(turned.hold_s) * 2.0 ** min(turned.crowd, MOST_CROWD))
    return LISTEN_S if crowded_s >= CROWD_S else 0.0


def retry_delay(attempt: int) -> float:
    """Seconds before the next attempt of a slice that failed: 0.1, 0.2, … doubled up to 10."""
    return min(10.0, 0.1 * 2.0 ** min(attempt, 10))


RETRIES = 6  # consecutive failures of one slice that no smaller slice can cure: about 6 s, then `failed`


def lock_delay(attempt: int) -> float:
    """Seconds between two looks at a lock that somebody else holds: 1 ms doubled up to 25, politely behind."""
    return min(0.025, 0.001 * 2.0 ** min(attempt, 5))
