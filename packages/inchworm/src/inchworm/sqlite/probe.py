"""Look into a SQLite database without changing it: plans, costs in VM steps, schema facts, and proof of an index.

Everything it writes is rolled back, or happens in a copy of the schema in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from inchworm.clock import StopLike
from inchworm.cost import VM_STEPS
from inchworm.errors import DatabaseFault, DeadlineExceeded
from inchworm.ports import Params, Reads, Turn
from inchworm.queries import load, quoted
from inchworm.sqlite.database import SqliteDatabase
from inchworm.sqlite.driver import Driver, open_path

GRAIN = 100  # VM steps between two counts: resolves a slice of 32 rows, and costs 10 % of a scan (measured)
COUNT_LIMIT_S = 0.3

SQL = load("probe")


@dataclass(slots=True)
class Count:
    """Steps counted so far. What a turn writes to the log is computed from pages, not measured."""

    steps: int = 0
    log_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What matters of a table. `rows` may be an estimate, None when even that is unknown."""

    name: str
    columns: tuple[str, ...]
    rowid_key: str | None
    indexes: tuple[tuple[str, tuple[str, ...]], ...]
    triggers: tuple[tuple[str, str], ...]
    children: tuple[tuple[str, str], ...]
    parents: tuple[tuple[str, str], ...]
    rows: int | None


class SqliteProbe:
    """Over a Database that its caller keeps and closes."""

    meter = VM_STEPS
    builds_block = True

    def __init__(self, db: SqliteDatabase) -> None:
        self._db = db

    def blind(self) -> str | None:
        """Steps are always counted."""
        return None

    @property
    def checks_keys(self) -> bool:
        """Whether the connection that writes checks foreign keys."""
        return bool(_number(self._db.writer.run(SQL["foreign_keys"]).one()))

    @property
    def page_bytes(self) -> int:
        return self._db.page_size

    @property
    def wal(self) -> bool:
        return self._db.journal_mode == "wal"

    @contextmanager
    def reading(self, *, limit_s: float, stop: StopLike | None = None) -> Iterator[tuple[Reads, Count]]:
        """A snapshot that counts."""
        with self._db.snapshot(limit_s=limit_s, stop=stop) as reads:
            yield reads, _counted(self._db.reader, reads.is_over)

    @contextmanager
    def turning(self, *, limit_s: float) -> Iterator[tuple[Turn, Count]]:
        """A write turn that counts and is rolled back at the end of the block; Busy when it cannot begin."""
        try:
            with self._db.turn(limit_s=limit_s) as turn:
                yield turn, _counted(self._db.writer, turn.is_over)  # type: ignore[attr-defined]
                raise _Undo
        except _Undo:
            pass

    def explain(self, sql: str, params: Params) -> tuple[str, ...]:
        """The lines of EXPLAIN QUERY PLAN. Raises StatementRefused."""
        with self._db.snapshot() as reads:
            return _explained(reads.select("explain query plan " + sql, params).rows)

    def table(self, name: str) -> Table | None:
        """A table's facts, or None when there is none of that name."""
        schema, _, bare = name.rpartition(".")
        where = {"table": bare, "schema": schema or "main"}
        with self._db.snapshot() as reads:
            columns = reads.select(SQL["columns"], where).rows
            if not columns:
                return None
            keys = [str(n) for n, kind, pk in columns if pk and str(kind).lower() == "integer"]
            indexes = tuple(
                (str(index), tuple(str(r[0]) for r in reads.select(SQL["index_columns"], {"index": index}).rows))
                for (index,) in reads.select(SQL["indexes"], where).rows
            )
            triggers = reads.select(SQL["triggers"], {"table": bare}).rows
            children = reads.select(SQL["children"], {"table": bare}).rows
            parents = reads.select(SQL["parents"], where).rows
        return Table(
            bare,
            tuple(str(r[0]).lower() for r in columns),
            keys[0].lower() if len(keys) == 1 and sum(bool(r[2]) for r in columns) == 1 else None,
            indexes,
            tuple((str(n), str(text)) for n, text in triggers),
            tuple((str(child), str(column)) for child, column in children),
            tuple((str(column), str(parent)) for column, parent in parents),
            self.rows_in(name),
        )

    def rows_in(self, table: str) -> int | None:
        """Counted when that is quick, else the planner's estimate, else the span of rowids."""
        parts = ".".join(quoted(p) for p in table.split("."))
        try:
            with self._db.snapshot(limit_s=COUNT_LIMIT_S) as reads:
                return _number(reads.select(SQL["count"].format(table=parts), {}).one())
        except DeadlineExceeded:
            pass
        if (known := self._db.estimated_rows(table)) is not None:
            return known
        try:
            with self._db.snapshot(limit_s=COUNT_LIMIT_S) as reads:
                return _number(reads.select(SQL["rowid_span"].format(table=parts), {}).one())
        except DatabaseFault:
            return None  # a table without rowids

    def row_bytes(self, table: str, columns: Sequence[str], keys: str, params: Params) -> float | None:
        """Mean bytes of the rows between two keys, None when there are none."""
        lengths = " + ".join(f"coalesce(length(cast({quoted(c)} as blob)), 0) + 1" for c in columns)
        parts = ".".join(quoted(p) for p in table.split("."))
        with self._db.snapshot(limit_s=COUNT_LIMIT_S) as reads:
            row = reads.select(SQL["row_bytes"].format(lengths=lengths, table=parts, conditions=keys), params).one()
        return float(row[0]) if row and isinstance(row[0], int | float) else None

    def with_index(self, create: str, sql: str, params: Params) -> tuple[str, ...] | None:
        """The plan of a statement if that index existed, from an empty copy of the schema; None: it cannot be told."""
        with self._db.snapshot() as reads:
            ddl = [str(row[0]) for row in reads.select(SQL["schema"], {}).rows]
            statistics = self._statistics(reads)
        memory = open_path("file:probe?mode=memory", read_only=False, library=self._db.writer.library)
        try:
            for statement in (*ddl, create):
                memory.run(statement)
            if statistics:
                memory.run("analyze")
                memory.many(SQL["put_statistics"], statistics)
                memory.run("analyze sqlite_master")
            return _explained(memory.run("explain query plan " + sql, params).rows)
        except Exception as problem:
            if memory.fault(problem) is None:
                raise
            return None  # a virtual table or function that only the application has
        finally:
            memory.close()

    def _statistics(self, reads: Reads) -> list[tuple[Any, ...]]:
        if not len(reads.select(SQL["has_statistics"], {})):
            return []
        return list(reads.select(SQL["statistics"], {}).rows)


class _Undo(Exception):
    """Rolls a sampled turn back."""


def _counted(driver: Driver, is_over: Any) -> Count:
    """From now on; the database takes its own handler back when the transaction ends."""
    count = Count()

    def look() -> bool:
        count.steps += GRAIN
        return bool(is_over())

    driver.connection.set_progress_handler(look, GRAIN)
    return count


def _explained(rows: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    return tuple(str(row[3]) for row in rows)


def _number(row: tuple[Any, ...] | None) -> int | None:
    return int(row[0]) if row and isinstance(row[0], int) else None
