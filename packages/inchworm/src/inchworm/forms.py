"""The forms of a backfill: what happens to a slice outside the write lock, and what inside the turn.

Knows the guards and how changed rows are counted. Opens no transaction and decides nothing about pace.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol

from inchworm.cursor import Key, Slice, are_whole, bounds, keys_at
from inchworm.errors import InchwormError, RowRefused, StatementRefused
from inchworm.keyset import Keyset
from inchworm.model import Backfill, Guard, Row, Skip
from inchworm.ports import Reads, Rows, SqlValue, Turn
from inchworm.progress import Counts
from inchworm.statement import UpdateShape, changes_what_it_matches, parameters, tokens, update_shape

BEYOND = (
    "rows outside the slice would be changed again with their own slice; compare the whole key with both bounds "
    "(a composite one as a row: (a, b) >= (:first_a, :first_b) and (a, b) <= (:last_a, :last_b))"
)
LOOKED_UP = 20  # of the strange keys of a slice: a WHERE that is wrong is wrong for most of them
Values = Mapping[Key, tuple[SqlValue, ...]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a form found outside the lock: rows to apply, keys left alone on purpose, and what compute relied on."""

    rows: Rows = field(default_factory=lambda: Rows((), []))
    skipped: frozenset[Key] = frozenset()
    relied_on: Values = field(default_factory=dict)


class Form(Protocol):
    """One way to change a slice."""

    def prepare(self, keyed: Reads, target: Reads, piece: Slice) -> Prepared:
        """On a read snapshot, outside the write lock."""
        ...

    def perform(self, turn: Turn, piece: Slice, prepared: Prepared) -> Counts:
        """Inside the turn; what it did to the keys of the slice."""
        ...


def form_of(migration: Backfill) -> Form:
    """The form that a definition asks for."""
    return UpdateForm(migration) if migration.update is not None else ComputeForm(migration)


class Counter:
    """Tells which rows a statement really changed. A matched row is not a changed row: `set x = x` matches."""

    def __init__(self, migration: Backfill) -> None:
        shapes = [shape for text in migration.statements if (shape := update_shape(text)) is not None]
        own = [s for s in shapes if migration.source is None and s.table == migration.table.rpartition(".")[2].lower()]
        self._walk = Keyset(migration.table, migration.keys)
        self.columns = tuple(dict.fromkeys(c for shape in own for c in shape.spelled))
        self.by_values = bool(own) and not all(changes_what_it_matches(shape) for shape in own)
        self.shapes: Sequence[UpdateShape] = own

    def values(self, reads: Reads, piece: Slice) -> Values:
        """The values, by key, of the columns that the migration sets."""
        width = len(self._walk.key)
        return {_key(row[:width]): tuple(row[width:]) for row in self.touch(reads, piece)}

    def touch(self, reads: Reads, piece: Slice) -> Sequence[tuple[SqlValue, ...]]:
        """Read the rows about to be changed, which brings their pages into the cache: keys, then the columns set."""
        if not self.columns:
            return ()
        return reads.select(self._walk.touch(self.columns), self._walk.range_params(piece.first, piece.last)).rows

    def hold(self, turn: Turn, piece: Slice) -> None:
        """Keep the rows of the slice from being changed by others until the turn ends."""
        turn.hold(self._walk.touch(self._walk.key), self._walk.range_params(piece.first, piece.last))


class UpdateForm:
    """One statement inside the turn. Paced by the measured hold; the rows' pages are read before."""

    def __init__(self, migration: Backfill) -> None:
        self._keys, self._update = migration.keys, migration.update or ""
        self._counter = Counter(migration)
        self._count = Keyset(migration.table, migration.keys)
        # a statement that only uses the row's own columns sees the newest ones anyway
        self._holds = self._counter.by_values or any(t.text == "select" for t in tokens(self._update))

    def prepare(self, keyed: Reads, target: Reads, piece: Slice) -> Prepared:
        del keyed
        self._counter.touch(target, piece)
        return Prepared()

    def perform(self, turn: Turn, piece: Slice, prepared: Prepared) -> Counts:
        del prepared
        if self._holds:
            self._counter.hold(turn, piece)
        before = self._counter.values(turn, piece) if self._counter.by_values else None
        matched = turn.execute(self._update, bounds(self._keys, piece.first, piece.last))
        if self._counter.shapes and matched > len(piece.keys):
            self._check_inside(turn, piece, matched)
        if before is None:
            return _counts(piece, changed=min(matched, len(piece.keys)), skipped=0)
        return _counts(piece, changed=len(_differing(before, self._counter.values(turn, piece), piece)), skipped=0)

    def _check_inside(self, turn: Turn, piece: Slice, matched: int) -> None:
        """More than the slice's keys: rows that were inserted meanwhile, or a WHERE that reaches beyond the bounds."""
        row = turn.select(self._count.count, self._count.range_params(piece.first, piece.last)).one()
        if row is None or matched > int(str(row[0])):
            raise StatementRefused(
                f"update changed {matched} rows, but only {row[0] if row else 0!r} lie in "
                f"{_shown(piece.first)}..{_shown(piece.last)}: {BEYOND}"
            )


class ComputeForm:
    """compute (and transform) outside the turn, apply inside; the guard says what is looked at again inside."""

    def __init__(self, migration: Backfill) -> None:
        self._migration, self._keys = migration, migration.keys
        self._counter = Counter(migration)
        whole = Keyset(migration.table, self._keys)
        self._compute = migration.compute
        # read again, then written: nobody may come between, also where others can write during a turn
        self._holds = self._counter.by_values or migration.guard in (Guard.COMPARE, Guard.REREAD)
        self._whole = whole.touch(("*",)) if migration.compute is None else ""
        self._walk = whole

    def prepare(self, keyed: Reads, target: Reads, piece: Slice) -> Prepared:
        self._counter.touch(target, piece)
        relied_on = self._relied_on(keyed, piece)
        rows, skipped = self._computed(keyed, piece.first, piece.last)
        self._check_known(keyed, piece, rows)
        return Prepared(rows, skipped, relied_on)

    def perform(self, turn: Turn, piece: Slice, prepared: Prepared) -> Counts:
        if self._holds:
            self._counter.hold(turn, piece)
        rows, skipped = self._fresh(turn, piece, prepared)
        before = self._counter.values(turn, piece) if self._counter.by_values else None
        touched = self._apply(turn, piece, rows)
        if before is not None:
            touched = _differing(before, self._counter.values(turn, piece), piece)
        left = skipped & set(piece.keys)
        if isinstance(touched, set):
            return _counts(piece, changed=len(touched), skipped=len(left - touched))
        if touched + len(left) > len(piece.keys):
            raise StatementRefused(
                f"apply returned {touched}, but of the slice's {len(piece.keys)} keys transform skipped {len(left)}"
            )
        return _counts(piece, changed=touched, skipped=len(left))

    def _fresh(self, turn: Turn, piece: Slice, prepared: Prepared) -> tuple[Rows, frozenset[Key]]:
        if self._migration.guard is Guard.REREAD:
            return self._computed(turn, piece.first, piece.last)
        if self._migration.guard is not Guard.COMPARE:
            return prepared.rows, prepared.skipped
        now = self._relied_on(turn, piece)
        was = prepared.relied_on
        stale = {k for k in now.keys() | was.keys() if not _alike(now.get(k), was.get(k))}
        if not stale:
            return prepared.rows, prepared.skipped
        return self._recomputed(turn, prepared, stale)

    def _recomputed(self, turn: Turn, prepared: Prepared, stale: set[Key]) -> tuple[Rows, frozenset[Key]]:
        places = self._places(prepared.rows) if prepared.rows.rows else ()
        known = prepared.rows.rows
        kept = [row for row, key in zip(known, keys_at(known, places), strict=True) if key not in stale]
        columns, skipped = prepared.rows.columns, set(prepared.skipped - stale)
        for key in stale:
            rows, left = self._computed(turn, key, key)
            columns = columns or rows.columns
            kept += rows.rows
            skipped |= left
        return Rows(columns, kept), frozenset(skipped)

    def _relied_on(self, reads: Reads, piece: Slice) -> Values:
        wanted = self._migration.relies_on
        if self._migration.guard is not Guard.COMPARE or wanted is None:
            return {}
        if isinstance(wanted, tuple):
            found = reads.select(self._walk.touch(wanted), self._walk.range_params(piece.first, piece.last))
        else:
            found = reads.select(wanted, bounds(self._keys, piece.first, piece.last))
        if not found.rows:
            return {}
        places = self._places(found)
        grouped: dict[Key, tuple[SqlValue, ...]] = {}
        for row, key in zip(found.rows, keys_at(found.rows, places), strict=True):
            grouped[key] = (*grouped.get(key, ()), *row)
        return grouped

    def _computed(self, reads: Reads, first: Key, last: Key) -> tuple[Rows, frozenset[Key]]:
        if self._compute is not None:
            rows = reads.select(self._compute, bounds(self._keys, first, last))
        else:
            rows = _without_first(reads.select(self._whole, self._walk.range_params(first, last)), len(self._keys))
        self._check_inside("compute", rows, first, last)
        if self._migration.transform is None:
            return rows, frozenset()
        rows, skipped = self._transformed(rows)
        self._check_inside("transform", rows, first, last)
        return rows, skipped

    def _check_inside(self, who: str, rows: Rows, first: Key, last: Key) -> None:
        """Whole numbers compare here as in the database; other keys are looked up by `_check_known`."""
        if not rows.rows or not are_whole((first, last)):
            return
        keys = keys_at(rows.rows, self._places(rows))
        if are_whole(keys) and first <= min(keys) and max(keys) <= last:
            return
        stray = next(key for key in keys if not are_whole((key,)) or not first <= key <= last)
        raise StatementRefused(f"{who} yielded key {_shown(stray)} for {_shown(first)}..{_shown(last)}: {BEYOND}")

    def _check_known(self, keyed: Reads, piece: Slice, rows: Rows) -> None:
        """Keys that are no whole numbers, on the snapshot that gave the slice its keys: one that the slice does not
        have may be missing in the table (compute reads others), but must not stand there outside the slice.
        """
        if not rows.rows or are_whole((piece.first, piece.last)):
            return
        strange = set(keys_at(rows.rows, self._places(rows))) - set(piece.keys)
        for key in sorted(strange, key=repr)[:LOOKED_UP]:
            found = keyed.select(self._walk.touch(self._keys), self._walk.range_params(key, key)).rows
            if any(_key(row[: len(self._keys)]) not in piece.keys for row in found):
                raise StatementRefused(
                    f"the rows hold key {_shown(key)} for {_shown(piece.first)}..{_shown(piece.last)}: {BEYOND}"
                )

    def _transformed(self, rows: Rows) -> tuple[Rows, frozenset[Key]]:
        assert self._migration.transform is not None
        try:
            results = list(self._migration.transform(rows.mappings()))
        except InchwormError:
            raise
        except Exception as problem:
            raise RowRefused(f"transform: {type(problem).__name__}: {problem}") from problem
        skipped = frozenset(
            _key(r.key) if isinstance(r.key, tuple | list) else (r.key,) for r in results if isinstance(r, Skip)
        )
        return _as_rows([r for r in results if not isinstance(r, Skip)]), skipped

    def _places(self, rows: Rows) -> tuple[int, ...]:
        names = [c.lower() for c in rows.columns]
        try:
            return tuple(names.index(k.lower()) for k in self._keys)
        except ValueError:
            wanted = ", ".join(self._keys)
            raise StatementRefused(
                f"the rows hold {', '.join(names)}, but not the key {wanted}: name it `as …`"
            ) from None

    def _apply(self, turn: Turn, piece: Slice, rows: Rows) -> "set[Key] | int":
        if not rows.rows:
            return set()
        apply = self._migration.apply
        if callable(apply):
            changed = apply(turn, rows.mappings())
            if not isinstance(changed, int) or not 0 <= changed <= len(piece.keys):
                raise StatementRefused(
                    f"apply returned {changed!r}; it returns how many of the slice's keys it changed"
                )
            return changed
        keys = keys_at(rows.rows, self._places(rows))
        touched: set[Key] = set()
        for statement in self._migration.statements:
            flags = turn.apply(statement, rows) if parameters(statement) else [turn.execute(statement, {}) > 0]
            touched.update(compress(keys, flags))
        return touched & set(piece.keys)


def _key(values: Sequence[SqlValue]) -> Key:
    return tuple(values)  # type: ignore[arg-type]


def _counts(piece: Slice, *, changed: int, skipped: int) -> Counts:
    examined = len(piece.keys)
    return Counts(examined, changed, max(0, examined - changed - skipped), skipped)


def _differing(before: Values, after: Values, piece: Slice) -> set[Key]:
    return {key for key in piece.keys if not _alike(before.get(key), after.get(key))}


def _alike(one: "tuple[SqlValue, ...] | None", other: "tuple[SqlValue, ...] | None") -> bool:
    """Equal and of the same types: 1 and 1.0 are two values to a database."""
    if one is None or other is None:
        return one is other
    return one == other and all(type(a) is type(b) for a, b in zip(one, other, strict=True))


def _shown(key: Key) -> str:
    return repr(key[0] if len(key) == 1 else key)


def _without_first(rows: Rows, width: int) -> Rows:
    """`select key, *` repeats the key columns; keep the whole row only."""
    return Rows(rows.columns[width:], [row[width:] for row in rows.rows])


def _as_rows(results: Iterable[Row]) -> Rows:
    found = list(results)
    if not found:
        return Rows((), [])
    columns = tuple(found[0]) if isinstance(found[0], Mapping) else ()
    for row in found:
        if not isinstance(row, Mapping):
            raise StatementRefused(f"transform returned {row!r:.80}; it returns rows as mappings, or Skip(key)")
        if set(row) != set(columns):
            raise StatementRefused(f"transform returned rows with different columns: {columns} and {tuple(row)}")
    return Rows(columns, [tuple(row[c] for c in columns) for row in found])
