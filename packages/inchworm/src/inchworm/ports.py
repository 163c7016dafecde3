"""What the engine asks of a database: a handful of methods and a table of DDL. An adapter implements these.

Owned by the runner's side; adapters translate their driver's errors into `inchworm.errors` and own no policy.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from inchworm.clock import StopLike

SqlValue = int | float | str | bytes | None
Params = Mapping[str, SqlValue]


@dataclass(frozen=True, slots=True)
class Rows:
    """A result in memory. `columns` may be empty when there are no rows."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[SqlValue, ...]]

    def __len__(self) -> int:
        return len(self.rows)

    def one(self) -> tuple[SqlValue, ...] | None:
        """The first row, or None."""
        return self.rows[0] if self.rows else None

    def mappings(self) -> list[dict[str, SqlValue]]:
        """The rows with their columns by name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Reads(Protocol):
    """Statements on one read snapshot: everything selected through it is of the same instant."""

    def select(self, sql: str, params: Params) -> Rows:
        """All rows of a statement with `:name` parameters. Raises DatabaseFault."""
        ...


class Turn(Reads, Protocol):
    """An open write transaction. After a DatabaseFault it is over: every further call raises, nothing is committed."""

    def execute(self, sql: str, params: Params) -> int:
        """Run one writing statement; the number of rows of its own that it matched (triggers not counted)."""
        ...

    def apply(self, sql: str, rows: Rows) -> Sequence[bool]:
        """Run a statement once per row, its columns as parameters by name; per row, whether it matched anything.

        Between rows the deadline is checked too, because an interrupt does not reach many small statements.
        """
        ...

    def hold(self, sql: str, params: Params) -> None:
        """Keep the rows of a plain SELECT as they are until the turn ends; nothing to do where one writer is alone."""
        ...

    @property
    def connection(self) -> object:
        """The driver's own connection, for an `apply` callable that brings its own statements. Never commit on it."""
        ...


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What the database says after a turn. `hold`: a reason to wait before the next turn, or None.

    read_steps: instructions that snapshots took since the last call, None where they are not counted.
    """

    hold: str | None = None
    wal_bytes: int | None = None
    read_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the governor of an adapter keeps: bytes of log not yet checkpointed, bytes left free on the disk."""

    wal_cap_bytes: int = 64 << 20
    disk_floor_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """A backend's name, its ledger DDL (named statements of sql/<name>.sql) and what its SQL cannot say.

    wakes_waiters: writers that wait for a lock are queued and woken by its release, so that no gap has to meet them.
    """

    name: str
    schema: Mapping[str, str]
    warnings: tuple[str, ...] = field(default=())
    wakes_waiters: bool = False


class Database(Protocol):
    """One database, used by one thread at a time; opening another for another thread is cheap."""

    @property
    def dialect(self) -> Dialect: ...

    def snapshot(self, *, limit_s: float | None = None, stop: StopLike | None = None) -> AbstractContextManager[Reads]:
        """A read transaction outside the write lock; statements in it end with DeadlineExceeded or Stopped."""
        ...

    def turn(self, *, limit_s: float) -> AbstractContextManager[Turn]:
        """A write transaction: begun at once or Busy; committed at the end of the block, rolled back on any exception.

        The limit counts from the moment the lock is held and does not cover the commit itself. Never waits for a lock.
        """
        ...

    def others_wrote(self) -> bool:
        """Whether another connection has committed since the last call (True when the backend cannot know)."""
        ...

    def upkeep(self, limits: Limits) -> Upkeep:
        """Work between turns, outside any transaction: checkpoints; and whether log or disk call for a pause."""
        ...

    def key_problem(self, table: str, key: Sequence[str]) -> str | None:
        """Why these columns cannot be the key of a walk (not unique, may be NULL, no such table), or None."""
        ...

    def estimated_rows(self, table: str) -> int | None:
        """The planner's idea of a table's rows, or None; never a scan."""
        ...

    def build_index(self, create: str, *, limit_s: float, stop: StopLike | None = None) -> None:
        """Run a CREATE INDEX IF NOT EXISTS without blocking writers where the backend can.

        SQLite cannot: it holds the write lock throughout and is stopped after `limit_s` with DeadlineExceeded, or with
        Busy when somebody is `announced`. Raises Stopped, and leaves nothing behind, when the token is set.
        """
        ...

    def announced(self) -> AbstractContextManager[None]:
        """Around an operator's wait for the lock: an index build gives it back. Nothing to do where none holds it."""
        ...

    def is_gone(self, holder: str) -> bool:
        """Whether a holder on another machine has certainly no connection any more; False when the backend cannot know.

        Called between turns and inside one.
        """
        ...

    def close(self) -> None:
        """Release every connection; may be called twice."""
        ...


Opener = Callable[[], Database]
