"""Look into a PostgreSQL database without changing it: plans, costs in rows and pages, schema facts, proof of an index.

Whatever it writes is rolled back in a turn as short as those of a run; an index is tried on empty temporary copies.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from inchworm.advice import table_names
from inchworm.clock import StopLike
from inchworm.cost import ROWS_AND_PAGES
from inchworm.errors import Busy, DatabaseFault, DeadlineExceeded
from inchworm.ports import Params, Reads, Turn
from inchworm.postgres.catalog import Relation, spelled
from inchworm.postgres.database import PostgresDatabase
from inchworm.postgres.explain import plan_lines, scanned
from inchworm.postgres.session import Session
from inchworm.queries import load, quoted

COUNT_LIMIT_S = 0.3
TRIAL_LIMIT_S = 2.0

SQL = load("postgres_probe")


class Taken:
    """What a transaction has read so far, by its own statistics; the last known figure once it is over or failed."""

    def __init__(self, session: Session, *, writes: bool) -> None:
        self._session, self._is_open = session, True
        self._steps, self._log_bytes = 0, 0 if writes else None
        self._from = self._now()

    def _now(self) -> tuple[int, int]:
        row = self._session.run(SQL["work" if self._log_bytes is None else "written"], {})[0].rows[0]
        return int(str(row[0])), int(str(row[1]))

    def _look(self) -> None:
        if not self._is_open:
            return
        with suppress(DatabaseFault):  # it has failed: what was known stays
            steps, log = self._now()
            self._steps = steps - self._from[0]
            self._log_bytes = None if self._log_bytes is None else log - self._from[1]

    @property
    def steps(self) -> int:
        """Rows and pages looked at since the beginning, system tables not counted."""
        self._look()
        return self._steps

    @property
    def log_bytes(self) -> int | None:
        """Bytes of the server's log since the beginning, other sessions' included; None outside a turn."""
        self._look()
        return self._log_bytes

    def close(self) -> None:
        """The transaction has ended."""
        self._is_open = False


class PostgresProbe:
    """Over a Database that its caller keeps and closes."""

    meter = ROWS_AND_PAGES
    builds_block = False
    checks_keys = True
    wal = True
    page_bytes = 512  # the log is measured; the ledger's part of a turn is about two records of this size

    def __init__(self, db: PostgresDatabase) -> None:
        self._db = db

    def blind(self) -> str | None:
        """Why costs cannot be counted here, or None."""
        with self._db.snapshot() as reads:
            row = reads.select(SQL["track_counts"], {}).one()
        if row is not None and row[0] == "on":
            return None
        return "track_counts is off on this server, so only plans and times were judged, not costs"

    @contextmanager
    def reading(self, *, limit_s: float, stop: StopLike | None = None) -> Iterator[tuple[Reads, Taken]]:
        """A snapshot that counts."""
        with self._db.snapshot(limit_s=limit_s, stop=stop) as reads:
            reads.select(SQL["alone"], {})
            with closing(Taken(self._db.reader, writes=False)) as taken:
                yield reads, taken

    @contextmanager
    def turning(self, *, limit_s: float) -> Iterator[tuple[Turn, Taken]]:
        """A write turn that counts and is rolled back at the end of the block; Busy when rows stay locked."""
        with suppress(_Undo), self._db.turn(limit_s=limit_s) as turn:
            turn.select(SQL["alone"], {})
            with closing(Taken(self._db.writer, writes=True)) as taken:
                yield turn, taken
            raise _Undo

    def explain(self, sql: str, params: Params) -> tuple[str, ...]:
        """The plan for these values. A table that is read whole only because it is small is shown by its index.

        Raises StatementRefused.
        """
        with self._db.snapshot() as reads:
            lines = _explained(reads, sql, params)
            if not scanned(lines):
                return lines
            reads.select(SQL["prefer_indexes"], {})
            sought = _explained(reads, sql, params)
        if scanned(sought) < scanned(lines):
            return ("read whole while it is small; by index:", *sought)
        return lines

    def table(self, name: str) -> Relation | None:
        """A table's facts, or None when there is none of that name."""
        with self._db.snapshot() as reads:
            row = reads.select(SQL["table"], {"relation": spelled(name)}).one()
        if row is None:
            return None
        columns, indexes, triggers, children = (json.loads(str(part)) for part in row)
        return Relation(
            name.rpartition(".")[2],
            tuple(columns),
            tuple((index, tuple(of)) for index, of in indexes),
            tuple((trigger, text) for trigger, text in triggers),
            tuple((child, column) for child, column in children),
            self.rows_in(name),
        )

    def rows_in(self, table: str) -> int | None:
        """Counted when that is quick, else the planner's estimate."""
        try:
            with self._db.snapshot(limit_s=COUNT_LIMIT_S) as reads:
                row = reads.select(SQL["count"].format(table=spelled(table)), {}).one()
            return int(str(row[0])) if row else None
        except (DeadlineExceeded, Busy):
            return self._db.estimated_rows(table)

    def row_bytes(self, table: str, columns: Sequence[str], keys: str, params: Params) -> float | None:
        """Mean bytes of the rows between two keys, None when there are none. All columns: a new version holds all."""
        del columns
        with self._db.snapshot(limit_s=COUNT_LIMIT_S) as reads:
            row = reads.select(SQL["row_bytes"].format(table=spelled(table), conditions=keys), params).one()
        return None if row is None or row[0] is None else float(str(row[0]))

    def with_index(self, create: str, sql: str, params: Params) -> tuple[str, ...] | None:
        """The plan of a statement if that index existed, from empty temporary copies; None: it cannot be told.

        The copies are gone with the rollback; the tables themselves are only looked at.
        """
        lines: tuple[str, ...] | None = None
        tables = sorted(set(table_names(sql).values()))
        try:
            with suppress(_Undo), self._db.turn(limit_s=TRIAL_LIMIT_S) as turn:
                for table in tables:
                    if len(turn.select(SQL["is_table"], {"relation": quoted(table)})):
                        turn.execute(SQL["copy"].format(table=quoted(table)), {})
                turn.execute(create, {})
                turn.select(SQL["prefer_indexes"], {})
                lines = _explained(turn, sql, params)
                raise _Undo
        except DatabaseFault:
            return None  # no right to make temporary tables, or a type that cannot be copied
        return lines


class _Undo(Exception):
    """Rolls a sampled turn back."""


def _explained(reads: Reads, sql: str, params: Params) -> tuple[str, ...]:
    roots = {str(name): str(root) for name, root in reads.select(SQL["partitions"], {}).rows}
    row = reads.select(f"{SQL['explain']}\n{sql}", params).one()
    return plan_lines(str(row[0]), roots) if row else ()
