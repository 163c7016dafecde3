"""Check a migration's `verify` statement over the whole table, in slices, on read snapshots. Writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inchworm import cursor, pace
from inchworm.clock import Clock, StopLike
from inchworm.cursor import Bound, Key, Slice
from inchworm.errors import VerificationFailed
from inchworm.keyset import Keyset
from inchworm.model import Backfill
from inchworm.ports import Database, SqlValue
from inchworm.statement import parameters

FIRST_ROWS = 1_000
MOST_ROWS = 50_000
SHOWN_KEYS = 5
RETRY = "then retry"
READ_LIMIT_S = 10.0  # of a slice; as `bounds.READ_LIMIT_S`


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a verification has come; `ended` when no key is left."""

    at: Key | None = None
    size: int = FIRST_ROWS
    ended: bool = False


class Verifier:
    """`aside`: quarantined keys, known to be wrong and not reported again. `then`: what mends the rows it finds."""

    def __init__(
        self,
        migration: Backfill,
        source: Database,
        target: Database,
        clock: Clock,
        aside: set[Key],
        *,
        then: str = RETRY,
    ) -> None:
        self._migration, self._source, self._target, self._clock = migration, source, target, clock
        self._then = then
        self._keyset = Keyset(migration.table, migration.keys, migration.order)
        self._sql, self._aside = migration.verify or "", aside

    @property
    def in_slices(self) -> bool:
        """Whether the statement uses the bounds of a slice."""
        return set(self._migration.bound_names) <= set(parameters(self._sql))

    def whole(self, stop: StopLike) -> None:
        """One statement over everything. Raises VerificationFailed, Stopped and other faults."""
        with self._target.snapshot(stop=stop) as reads:
            self._judge(reads.select(self._sql, {}).rows)

    def piece(self, bound: Bound, checked: Checked, limit_s: float, stop: StopLike) -> Checked:
        """The next slice. Raises VerificationFailed, DeadlineExceeded, Stopped and other faults."""
        started = self._clock.monotonic()
        sql = self._keyset.next_keys(first=checked.at is None)
        with self._source.snapshot(limit_s=limit_s, stop=stop) as keyed:
            rows = keyed.select(sql, self._keyset.next_params(bound, checked.at, checked.size)).rows
            if not rows:
                return replace(checked, ended=True)
            keys = tuple(cursor.keys_of(rows))
            order = self._migration.order
            piece = Slice(keys if order == "asc" else keys[::-1], order)
            params = cursor.bounds(self._migration.keys, piece.first, piece.last)
            wrong = keyed.select(self._sql, params).rows if self._source is self._target else None
        if wrong is None:
            with self._target.snapshot(limit_s=limit_s, stop=stop) as target:
                wrong = target.select(self._sql, params).rows
        self._judge(wrong)
        quick = self._clock.monotonic() - started < pace.LONGEST_READ_S / 2
        return Checked(piece.cursor, min(checked.size * 2, MOST_ROWS) if quick else checked.size)

    def _judge(self, wrong: Sequence[tuple[SqlValue, ...]]) -> None:
        width = len(self._migration.keys)
        left = [row for row in wrong if tuple(row[:width]) not in self._aside]
        if left:
            shown = ", ".join(str(row[0] if width == 1 else row[:width]) for row in left[:SHOWN_KEYS])
            raise VerificationFailed(
                f"verify still selects rows, among them {shown}; if a process that does not maintain the new value "
                f"wrote them, stop it; {self._then}"
            )


def selected(
    db: Database, walk: Keyset, check: str, bound: Bound, checked: Checked, *, clock: Clock, stop: StopLike
) -> tuple[Checked, list[Key]]:
    """The keys that a check over the bounds of `walk` selects in its next slice.

    Raises DeadlineExceeded, Stopped and other faults.
    """
    started = clock.monotonic()
    with db.snapshot(limit_s=READ_LIMIT_S, stop=stop) as reads:
        params = walk.next_params(bound, checked.at, checked.size)
        rows = reads.select(walk.next_keys(first=checked.at is None), params).rows
        if not rows:
            return replace(checked, ended=True), []
        first, last = cursor.key_of(rows[0]), cursor.key_of(rows[-1])
        found = reads.select(check, walk.range_params(first, last)).rows
    quick = clock.monotonic() - started < pace.LONGEST_READ_S / 2
    size = min(checked.size * 2, MOST_ROWS) if quick else checked.size
    return Checked(last, size), cursor.keys_of(found)
