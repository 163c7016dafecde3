"""Take samples of a backfill: slices at the start, middle and end of its key space, read and then written and undone.

Holds locks for at most a turn at a time and leaves them free in between. Judges nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from inchworm import cursor
from inchworm.clock import Clock, Stop, StopLike
from inchworm.cost import LARGE_ROWS, SMALL_ROWS, Meter, Pair, Sample
from inchworm.cursor import Bound, Key, Slice
from inchworm.errors import Busy, DatabaseFault, DeadlineExceeded, RowRefused
from inchworm.forms import Counter, Form, Prepared, form_of
from inchworm.keyset import Keyset
from inchworm.model import Backfill
from inchworm.pace import Pace, lock_delay
from inchworm.patience import OnWait, Wait, met_by, unheard
from inchworm.ports import Params, Reads, SqlValue, Turn
from inchworm.statement import parameters

READ_LIMIT_S = 5.0  # a slice that reads longer is refused whatever it does
LOCK_PATIENCE_S = 5.0
GAP_S = 0.025  # between sampled turns: a stock busy handler looks again within this


class Steps(Protocol):
    """A running count."""

    @property
    def steps(self) -> int: ...
    @property
    def log_bytes(self) -> int | None: ...


class Probe(Protocol):
    """What sampling asks of a backend."""

    @property
    def meter(self) -> Meter: ...
    def reading(
        self, *, limit_s: float, stop: StopLike | None = None
    ) -> AbstractContextManager[tuple[Reads, Steps]]: ...
    def turning(self, *, limit_s: float) -> AbstractContextManager[tuple[Turn, Steps]]: ...


@dataclass(slots=True)
class Samples:
    """What was found. `computed`: one row that compute yielded. `problem`: why turns could not be sampled."""

    read: list[Pair] = field(default_factory=list)
    turn: list[Pair] = field(default_factory=list)
    verify: list[Pair] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    computed: Params = field(default_factory=dict)
    changed: int = 0
    examined: int = 0
    growth_bytes: float = 0.0
    problem: str | None = None


class Sampler:
    """Samples of one migration between two keys. `source` and `target` are the same probe for most."""

    def __init__(
        self,
        migration: Backfill,
        source: Probe,
        target: Probe,
        *,
        clock: Clock,
        stop: StopLike | None,
        rules: Pace,
        on_wait: OnWait = unheard,
    ) -> None:
        self._migration, self._source, self._target = migration, source, target
        self._clock, self._stop, self._rules, self._on_wait = clock, stop or Stop(), rules, on_wait
        self._form: Form = form_of(migration)
        self._counter = Counter(migration)
        self._keyset = Keyset(migration.table, migration.keys)

    def take(self, bound: Bound) -> Samples:
        """Sample each place. Raises StatementRefused for what can never work, Stopped, RowRefused of a transform."""
        found = Samples()
        if callable(self._migration.apply):
            found.problem = "apply is a function, which may do more than write; its turns are not sampled"
        for place, start in self._places(bound):
            keys = self._keys(bound, start, last=place == "end")
            if not keys:
                continue
            large = Slice(keys, self._migration.order)
            small = Slice(keys[:SMALL_ROWS], self._migration.order)
            found.slices.append(large)
            self._place(found, place, small, large)
        return found

    def _place(self, found: Samples, place: str, small: Slice, large: Slice) -> None:
        read_small, _ = self._read(small)
        read_large, prepared = self._read(large) if read_small.ended else (read_small, Prepared())
        found.read.append(Pair(place, read_small, read_large))
        if prepared.rows.rows and not found.computed:
            found.computed = prepared.rows.mappings()[0]
        if read_large.ended and found.problem is None:
            self._turns(found, place, small, large)
        if self._migration.verify is not None:
            found.verify += self._verify(place, small, large)

    def _places(self, bound: Bound) -> Iterator[tuple[str, Key | None]]:
        yield "start", None
        low, high = bound.low, bound.high
        if len(low) == 1 and isinstance(low[0], int) and isinstance(high[0], int) and high[0] - low[0] > LARGE_ROWS:
            yield "middle", ((low[0] + high[0]) // 2,)
        yield "end", None

    def _keys(self, bound: Bound, start: Key | None, *, last: bool) -> tuple[Key, ...]:
        walk = replace(self._keyset, order="desc" if last else "asc")
        params = walk.next_params(bound, start, LARGE_ROWS)
        with self._source.reading(limit_s=READ_LIMIT_S, stop=self._stop) as (reads, _):
            rows = reads.select(walk.next_keys(first=start is None), params).rows
        keys = tuple(cursor.keys_of(rows))
        return keys[::-1] if last else keys

    # -- outside the turn

    def _read(self, piece: Slice) -> tuple[Sample, Prepared]:
        prepared: list[Prepared] = []

        def work(reads: Reads) -> None:
            if self._source is self._target:
                prepared.append(self._form.prepare(reads, reads, piece))
                return
            with self._target.reading(limit_s=READ_LIMIT_S, stop=self._stop) as (target, _):
                prepared.append(self._form.prepare(reads, target, piece))

        sample = self._measured(self._source, work, len(piece.keys))
        return sample, prepared[0] if prepared else Prepared()

    def _measured(self, probe: Probe, work: Callable[[Reads], None], rows: int) -> Sample:
        started, count = self._clock.monotonic(), _NOTHING
        try:
            with probe.reading(limit_s=READ_LIMIT_S, stop=self._stop) as (reads, count):
                started = self._clock.monotonic()
                work(reads)
                took_s = self._clock.monotonic() - started
                return Sample(rows, count.steps, took_s, meter=probe.meter)
        except DeadlineExceeded:
            return Sample(rows, count.steps, self._clock.monotonic() - started, ended=False, meter=probe.meter)

    def _verify(self, place: str, small: Slice, large: Slice) -> list[Pair]:
        sql = self._migration.verify or ""
        if not set(self._migration.bound_names) <= set(parameters(sql)):
            return []

        def sample(piece: Slice) -> Sample:
            params = cursor.bounds(self._migration.keys, piece.first, piece.last)
            return self._measured(self._target, lambda reads: _discard(reads, sql, params), len(piece.keys))

        first = sample(small)
        return [Pair(place, first, sample(large) if first.ended else first)]

    # -- inside the turn

    def _turns(self, found: Samples, place: str, small: Slice, large: Slice) -> None:
        try:
            first = self._turn(found, small)
            while not first.ended and first.rows > 1:
                small = Slice(small.keys[: max(1, first.rows // 4)], small.order)
                first = self._turn(found, small)
            found.turn.append(Pair(place, first, self._turn(found, large, last=True) if first.ended else first))
        except Busy:
            found.problem = f"another writer held the lock for {LOCK_PATIENCE_S:.0f} s"
        except RowRefused as refusal:
            found.problem = f"a sampled row was refused ({refusal}); a run would put such rows aside"

    def _turn(self, found: Samples, piece: Slice, *, last: bool = False) -> Sample:
        _, prepared = self._read(piece)
        wait, attempt = Wait(self._clock, LOCK_PATIENCE_S, self._on_wait), 0
        while True:
            try:
                sample = self._once(found, piece, prepared, last=last)
                self._clock.sleep(GAP_S, self._stop)
                return sample
            except Busy as problem:
                if wait.is_over() or self._stop.is_set():
                    raise
                wait.goes_on(met_by(problem))
                self._clock.sleep(lock_delay(attempt), self._stop)
                attempt += 1

    def _once(self, found: Samples, piece: Slice, prepared: Prepared, *, last: bool) -> Sample:
        started, count, rows = self._clock.monotonic(), _NOTHING, len(piece.keys)
        try:
            with self._target.turning(limit_s=self._rules.deadline_s) as (turn, count):
                started = self._clock.monotonic()
                did = self._form.perform(turn, piece, prepared)
                took_s = self._clock.monotonic() - started
                steps, log = count.steps, count.log_bytes
                sample = Sample(rows, steps, took_s, meter=self._target.meter, log_bytes=log)
                if last:
                    found.changed, found.examined = found.changed + did.changed, found.examined + rows
        except DeadlineExceeded:
            took_s = self._clock.monotonic() - started
            return Sample(rows, count.steps, took_s, ended=False, meter=self._target.meter)
        return sample

    def growth(self, piece: Slice) -> float:
        """Bytes by which a row's set columns become longer, mean over a slice; 0 when it cannot be told."""
        _, prepared = self._read(piece)
        try:
            with self._target.turning(limit_s=self._rules.deadline_s) as (turn, _):
                before = _bytes(self._counter.values(turn, piece).values())
                self._form.perform(turn, piece, prepared)
                after = _bytes(self._counter.values(turn, piece).values())
        except DatabaseFault:
            return 0.0
        return (after - before) / len(piece.keys)


class _Nothing:
    steps = 0
    log_bytes: int | None = None


_NOTHING: Steps = _Nothing()


def _discard(reads: Reads, sql: str, params: Params) -> None:
    reads.select(sql, params)


def _bytes(rows: Iterable[Sequence[SqlValue]]) -> int:
    return sum(_length(value) for row in rows for value in row)


def _length(value: SqlValue) -> int:
    """About as SQLite stores it, https://www.sqlite.org/fileformat2.html#record_format."""
    if value is None:
        return 0
    if isinstance(value, int):
        return max(1, (value.bit_length() + 8) // 8)
    return 8 if isinstance(value, float) else len(value)
