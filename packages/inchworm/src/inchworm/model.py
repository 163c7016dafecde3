"""A migration as data: what its author states. Refuses, with a sentence, what could lose or repeat work.

Frozen values without behaviour beyond checking themselves; nothing here knows a database or a clock.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from inchworm.cursor import Key, Order
from inchworm.errors import DefinitionError
from inchworm.ports import SqlValue, Turn
from inchworm.statement import normalised, orders_its_own_column, parameters, update_shape

Row = Mapping[str, SqlValue]


class Guard(StrEnum):
    """Why nothing is lost when another writer changes a row between `compute` and `apply`."""

    MONOTONE = "monotone"
    COMPARE = "compare"
    FROZEN = "frozen"
    REREAD = "reread"


@dataclass(frozen=True, slots=True)
class Skip:
    """What a `transform` returns for a row that it leaves alone on purpose; counted as skipped, its reason logged."""

    key: Key
    reason: str = ""


Transform = Callable[[Sequence[Row]], Iterable[Row | Skip]]
ApplyCall = Callable[[Turn, Sequence[Row]], int]

_NAME = re.compile(r"[A-Za-z_][\w.:-]{0,199}")
NAME_HELP = "a name is a letter followed by up to 199 letters, digits or _ . : -"

GUARD_HELP = (
    "a row may change between compute and apply, so say why nothing is lost: give apply a condition on the column it "
    "sets (… and last_seen < :last_seen), or guard='monotone' (apply only moves a value one way), guard='compare' with "
    "relies_on=… (the engine reads those columns again inside the turn and computes again what changed), "
    "guard='frozen' (what compute reads no longer changes below the bound), or guard='reread' (compute runs inside "
    "the turn: always right, but holds the lock longer)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """Change every row of a table between the lowest and highest key of the moment it begins.

    Forms: `compute` + `apply` (default), `transform` between the two, or one `update` statement.

    name: identifies the migration in the ledger for ever; the same name never runs twice.
    table, key: what is walked; `key` is one column or a tuple of them, unique and never NULL.
    compute: a SELECT over `:first`..`:last` (inclusive; `:first_a`, `:last_a`, … for a composite key) that yields the
        key columns by name and what apply needs. A key it yields nothing for was examined and is unchanged.
    apply: one or several statements, each run once per computed row with its columns as `:names`; or a callable
        `(turn, rows) -> number of keys changed`.
    update: one statement over `:first`..`:last`, run inside the write turn.
    transform: `(rows) -> rows`, pure Python between compute (default: the whole rows of the table) and apply.
        It may return `Skip(key, reason)`. Change `version` when its meaning changes.
    guard, relies_on: see Guard. `relies_on` are columns of the table, or a SELECT over the same bounds that yields
        the key columns and the values that compute relied on.
    source: a second database, opened read-only; table, key, compute, bound and count are then of that database.
    order: "asc" or "desc", the direction of the walk.
    verify: a SELECT that must yield nothing before the migration is done; in slices when it uses the bounds.
    after: names of migrations that must be done first.
    count: rows_total, as a SELECT or a number, when counting the table would cost too much.
    on_quarantine: whether rows that could not be changed let it end as "failed" or as "done".

    SQLite checks foreign keys, and cascades, only where the connection says `pragma foreign_keys = on`, which a
    connection factory can and a bare path does not. Raises DefinitionError.
    """

    name: str
    table: str
    key: str | tuple[str, ...] = "id"
    compute: str | None = None
    apply: str | tuple[str, ...] | ApplyCall | None = None
    update: str | None = None
    transform: Transform | None = None
    guard: Guard | Literal["monotone", "compare", "frozen", "reread"] | None = None
    relies_on: str | tuple[str, ...] | None = None
    source: Any = field(default=None, compare=False)
    order: Order = "asc"
    verify: str | None = None
    after: str | tuple[str, ...] = ()
    count: str | int | None = None
    on_quarantine: Literal["failed", "done"] = "failed"
    version: str = ""

    def __post_init__(self) -> None:
        def fix(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        fix("key", (self.key,) if isinstance(self.key, str) else tuple(self.key))
        fix("after", (self.after,) if isinstance(self.after, str) else tuple(self.after))
        if isinstance(self.apply, list):
            fix("apply", tuple(self.apply))
        if isinstance(self.relies_on, str) and re.fullmatch(r"\w+", self.relies_on):
            fix("relies_on", (self.relies_on,))  # one column; a SELECT has more than one word
        if isinstance(self.relies_on, list):
            fix("relies_on", tuple(self.relies_on))
        try:
            fix("guard", Guard(self.guard) if self.guard is not None else None)
        except ValueError:
            raise self._refused(f"guard={self.guard!r} is none of {', '.join(Guard)}; {GUARD_HELP}") from None
        self._check_form()
        self._check_guard()
        self._check_key_stays()

    def _refused(self, problem: str) -> DefinitionError:
        return DefinitionError(f"{self.name}: {problem}")

    def _check_form(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise self._refused(NAME_HELP)
        if not self.keys:
            raise self._refused("key names no column")
        if self.order not in ("asc", "desc"):
            raise self._refused(f"order={self.order!r}; it is 'asc' or 'desc'")
        if self.on_quarantine not in ("failed", "done"):
            raise self._refused(f"on_quarantine={self.on_quarantine!r}; it is 'failed' or 'done'")
        if isinstance(self.count, int) and self.count < 0:
            raise self._refused(f"count={self.count}; rows are counted from 0")
        if self.name in self.after:
            raise self._refused("it cannot come after itself")
        if (self.update is None) == (self.apply is None):
            raise self._refused("give either update, or apply together with compute or transform")
        if self.update is not None and (self.compute or self.transform or self.source is not None):
            raise self._refused("update stands alone; compute, transform and source go with apply")
        if self.apply is not None and not (self.compute or self.transform):
            raise self._refused("apply needs rows: give compute, transform or both")
        for text in (self.compute, self.update):
            if text is not None and not set(self.bound_names) <= set(parameters(text)):
                wanted = ", ".join(f":{n}" for n in self.bound_names)
                raise self._refused(f"a statement over a slice must use {wanted}: {normalised(text)[:120]}")

    def _check_guard(self) -> None:
        if self.update is not None:
            return
        if self.guard is None and not any(orders_its_own_column(s) for s in self._shapes()):
            raise self._refused(GUARD_HELP)
        if self.guard is None:
            object.__setattr__(self, "guard", Guard.MONOTONE)
        if self.guard is Guard.COMPARE and not self.relies_on:
            raise self._refused("guard='compare' needs relies_on: the columns (or a SELECT) that compute relied on")
        if self.guard in (Guard.COMPARE, Guard.REREAD) and self.source is not None:
            raise self._refused(f"guard='{self.guard}' cannot read a second database inside the turn; use frozen")

    def _check_key_stays(self) -> None:
        if self.source is not None:
            return
        for shape in self._shapes():
            moved = set(shape.columns) & {k.lower() for k in self.keys}
            if shape.table == self.table.rpartition(".")[2].lower() and moved:
                raise self._refused(
                    f"it sets {', '.join(sorted(moved))}, the key it walks by; rows would move under it"
                )

    def _shapes(self) -> list[Any]:
        return [shape for text in self.statements if (shape := update_shape(text)) is not None]

    @property
    def keys(self) -> tuple[str, ...]:
        """The key columns as a tuple."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def statements(self) -> tuple[str, ...]:
        """The writing statements, in order; empty for an `apply` callable."""
        if self.update is not None:
            return (self.update,)
        if isinstance(self.apply, str):
            return (self.apply,)
        return self.apply if isinstance(self.apply, tuple) else ()

    @property
    def bound_names(self) -> tuple[str, ...]:
        """The parameter names of a slice's bounds."""
        if len(self.keys) == 1:
            return ("first", "last")
        return tuple(f"{end}_{column}" for end in ("first", "last") for column in self.keys)

    @property
    def fingerprint(self) -> str:
        """Identifies what the migration does to rows; verify, after, count and on_quarantine may change freely."""
        return _digest(
            ["backfill", self.table, list(self.keys), self.order, str(self.guard or ""), self.version]
            + [normalised(text) for text in (self.compute or "", *self.statements)]
            + [_called(self.transform), _called(self.apply if callable(self.apply) else None)]
            + [normalised(part) for part in _as_tuple(self.relies_on)]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexBuild:
    """Build an index as a migration.

    name: as for Backfill. create: the CREATE INDEX statement; `if not exists` is added to its meaning by the engine.
    lock_s: how long it may hold the write lock; past that it is stopped, rolled back and the migration fails.

    PostgreSQL builds CONCURRENTLY and holds no lock that writers meet. SQLite cannot: CREATE INDEX holds the write lock
    throughout (measured: 1.8-2.7 s on 1.5M rows; readers in WAL mode do not notice), so the engine bounds that time
    instead of hiding it, and a stop token or an operator's request ends it at once. What does not block there is an
    IndexTable, which queries must name.
    """

    name: str
    create: str
    after: str | tuple[str, ...] = ()
    lock_s: float = 5.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "after", (self.after,) if isinstance(self.after, str) else tuple(self.after))
        if not _NAME.fullmatch(self.name):
            raise DefinitionError(f"{self.name}: {NAME_HELP}")
        if self.lock_s <= 0:
            raise DefinitionError(f"{self.name}: lock_s is {self.lock_s}; it must be greater than 0")
        words = [w.lower() for w in normalised(self.create).split()[:3]]
        if words[:2] != ["create", "index"] and words != ["create", "unique", "index"]:
            raise DefinitionError(f"{self.name}: create is not a CREATE INDEX statement: {self.create[:80]}")

    @property
    def statement(self) -> str:
        """`create` with IF NOT EXISTS, so that a build that was committed before a crash is not an error."""
        text = normalised(self.create)
        return (
            text if "if not exists" in text.lower() else re.sub(r"(?i)\bindex\b", "index if not exists", text, count=1)
        )

    @property
    def fingerprint(self) -> str:
        return _digest(["index", normalised(self.create)])


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTable:
    """An index for SQLite that is built without blocking writers: a table that your queries name.

    name: as for Backfill. table: the table to be indexed, of the main database; not a view or a virtual table.
    columns: what is looked up or sorted by, in that order; NULLs and columns of `key` are welcome, expressions are not
        (a generated column is).
    index_table: the table to be made: the columns of `key` and `columns`, one entry per row of `table`, with an index
        over `columns`. Further objects carry its name with a suffix.
    key: unique in `table` and declared so, each column NOT NULL or the INTEGER PRIMARY KEY, which must not be REAL.
    after: as for Backfill.

    One short turn makes the empty table, its index and its triggers; from then on every change of `table` is entered
    by the statement that makes it. The rows that were there are copied in slices like those of a Backfill, read inside
    the turn; then both directions are checked in slices: each row has its entry, each entry its row. Nothing scans
    under the write lock. A Backfill or query may rely on it once it is done (`after`, `require_done`).

    SQLite does not use it by itself: a query names it (`join observations_by_tx using (id)`), or reads it alone where
    its columns are enough. Entries have the affinity and the collation of their columns.

    What it costs, measured on 300,000 rows of two columns (`benchmarks/index_table.py`): 2.3 times the disk of a plain
    index, because a second tree by key finds an entry whatever its row was before; ten to twenty times the seconds of
    CREATE INDEX to fill, in short turns; and for each insert into `table`, for ever, 4 µs of processor time (12 instead
    of 8), where a plain index takes 1.

    Refused with a sentence: a key that may be NULL, an AFTER trigger with RAISE(IGNORE) (it could skip ours), objects
    of these names with other text, and PostgreSQL (use IndexBuild there). REPLACE, UPSERT and OR IGNORE are right
    whatever `recursive_triggers` says; a unique index that is added to `table` later needs the index table made anew.
    Connections that switch triggers off bypass it; so does dropping a trigger: a run that finds one missing says so.

    Cancelled or failed it keeps table and triggers, which stay right but incomplete; `drop` takes them away. Never
    drop the table alone: the triggers would refuse every write to `table`.
    """

    name: str
    table: str
    columns: str | tuple[str, ...]
    index_table: str
    key: str | tuple[str, ...] = "id"
    after: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for attribute in ("columns", "key", "after"):
            given = getattr(self, attribute)
            object.__setattr__(self, attribute, (given,) if isinstance(given, str) else tuple(given))
        if problem := self._problem():
            raise DefinitionError(f"{self.name}: {problem}")

    def _problem(self) -> str | None:
        columns, keys = [c.lower() for c in self.columns], [k.lower() for k in self.keys]
        table, made = self.table.lower(), self.index_table.lower()
        refusals = (
            (not _NAME.fullmatch(self.name), NAME_HELP),
            (not columns or not keys, "columns and key name one column each at least"),
            (len(set(columns)) < len(columns) or len(set(keys)) < len(keys), "a column is named twice"),
            (set(columns) <= set(keys), "all its columns are of the key, which has an index already"),
            (not table or not made or table == made, "table and index_table are the names of two tables"),
            ("." in table + made, "table and index_table are of the main database; their names hold no dot"),
            (self.name in self.after, "it cannot come after itself"),
        )
        return next((sentence for refused, sentence in refusals if refused), None)

    @property
    def keys(self) -> tuple[str, ...]:
        """The key columns as a tuple."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def drop(self) -> tuple[str, ...]:
        """The statements that take all of it away; run them in one transaction, triggers first.

        Dropping a table holds the write lock for as long as its pages take to free (300,000 rows: 7 to 20 ms).
        """
        triggers = [f'drop trigger if exists "{self.part(suffix)}"' for suffix in TRIGGERS]
        return (*triggers, *(f'drop table if exists "{self.part(suffix)}"' for suffix in (REPLACED, "")))

    def part(self, suffix: str) -> str:
        """The name of a trigger, the index or the side table, as it stands between double quotes."""
        return (self.index_table + suffix).replace('"', '""')

    @property
    def fingerprint(self) -> str:
        return _digest(["index table", self.table, list(self.keys), list(self.columns), self.index_table])


ORDER, REPLACED = "_order", "_replaced"  # suffixes of what belongs to an index table
TRIGGERS = (
    "_inserted",
    "_deleted",
    "_changed",
    "_moved",
    "_replaces_by_insert",
    "_replaces_by_update",
    "_replaced_by_insert",
    "_replaced_by_update",
)

Migration = Backfill | IndexBuild | IndexTable


def _digest(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _called(function: Callable[..., object] | None) -> str:
    return "" if function is None else str(getattr(function, "__qualname__", type(function).__name__))


def _as_tuple(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else value
