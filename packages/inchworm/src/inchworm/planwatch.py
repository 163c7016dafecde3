"""Remember how the database plans to read a migration's slices, and ask again when one was stopped.

Owns the plans of one attempt; what a change of plan means is decided in `drift`. Never fails a walk.
"""

from inchworm import cursor, drift
from inchworm.cursor import Slice
from inchworm.errors import DatabaseFault
from inchworm.model import Backfill
from inchworm.ports import Database, Reads
from inchworm.statement import parameters

LIMIT_S = 1.0  # planning takes a millisecond; a snapshot on a busy server a little longer


class PlanWatch:
    """The statements that read a slice outside the turn, on the database that they read."""

    def __init__(self, migration: Backfill, source: Database) -> None:
        self._keys, self._source = migration.keys, source
        given = (migration.compute, migration.relies_on)
        self._statements = [sql for sql in given if isinstance(sql, str)]
        self._piece: Slice | None = None
        self._usual: drift.Plan = ()
        self._tries: list[int] = []

    def went_well(self, piece: Slice) -> None:
        """A slice was read and written; the first one's plan is what later ones are compared with."""
        self._tries.clear()
        if self._piece is None:
            self._piece, self._usual = piece, self._plan(piece)

    def stopped(self, piece: Slice | None, rows: int, limit_s: float) -> str | None:
        """A read of `rows` rows was stopped at its limit; why the migration should pause, or None to go on."""
        self._tries.append(rows)
        at = self._piece or piece  # the same bounds as before, because they may be part of a plan
        return drift.stopped(self._usual, self._plan(at) if at else (), self._tries, limit_s)

    def change(self) -> str | None:
        """How the plan differs from the one that went well, in words; None when it does not or is not known."""
        return drift.changed(self._usual, self._plan(self._piece)) if self._piece else None

    def _plan(self, piece: Slice) -> drift.Plan:
        inside = cursor.bounds(self._keys, piece.first, piece.last)
        explain = self._source.dialect.schema["explain"]

        def lines(reads: Reads, sql: str) -> list[str]:
            params = {name: inside[name] for name in parameters(sql) if name in inside}
            return [str(row[-1]) for row in reads.select(f"{explain}\n{sql}", params).rows]

        try:
            with self._source.snapshot(limit_s=LIMIT_S) as reads:
                return tuple(line for sql in self._statements for line in lines(reads, sql))
        except DatabaseFault:
            return ()  # then it is not known, and nothing is concluded from it
