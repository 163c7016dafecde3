"""Walk an IndexTable: make its objects in one short turn, copy the rows in slices, check both directions in slices.

A Walk with another beginning, form and check; everything else of it holds. Refuses databases other than SQLite.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from inchworm import events, ledger, pace
from inchworm.bounds import READ_LIMIT_S, bound_of
from inchworm.cursor import Key, Slice
from inchworm.errors import Busy, DeadlineExceeded, StatementRefused, VerificationFailed
from inchworm.forms import Prepared
from inchworm.indextable import NOT_HERE, Base, Statements, difference, problem, read_base
from inchworm.keyset import Keyset
from inchworm.ledger import Entry
from inchworm.model import Backfill, IndexTable
from inchworm.ports import Database, Reads, Rows, Turn
from inchworm.progress import Counts
from inchworm.states import Status
from inchworm.verify import Checked, selected
from inchworm.walk import Walk

MAKE_S = 5.0  # nothing that is made holds a row yet; measured: a millisecond
OnWrong = Callable[[list[Key]], None]


def statements_of(spec: IndexTable, db: Database) -> Statements:
    """What is run for it, from the schema of now. Raises StatementRefused."""
    if db.dialect.name != "sqlite":
        raise StatementRefused(NOT_HERE)
    with db.snapshot(limit_s=READ_LIMIT_S) as reads:
        base = read_base(reads, spec.table)
    if not isinstance(base, Base):
        raise StatementRefused(base)
    if found := problem(spec, base):
        raise StatementRefused(found)
    return Statements(spec, base)


class Filling:
    """A slice of entries: the rows are read inside the turn, so nothing can come between reading and entering."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def prepare(self, keyed: Reads, target: Reads, piece: Slice) -> Prepared:
        del keyed
        target.select(self._statements.warm, self._statements.walk.range_params(piece.first, piece.last))
        return Prepared()

    def perform(self, turn: Turn, piece: Slice, prepared: Prepared) -> Counts:
        del prepared
        within, rows = self._statements.walk.range_params(piece.first, piece.last), len(piece.keys)
        turn.execute(self._statements.mend, within)
        entered = min(turn.execute(self._statements.fill, within), rows)
        return Counts(rows, entered, rows - entered)


class IndexTableWalk(Walk):
    """As Walk. Raises StatementRefused when the table cannot be indexed so."""

    def __init__(self, spec: IndexTable, held: Entry, *, turns: Any, **parts: Any) -> None:
        self._spec, self._statements = spec, statements_of(spec, turns.db)
        walked = Backfill(
            name=spec.name, table=spec.table, key=spec.key, transform=_unused, apply=_unused, guard="reread"
        )
        super().__init__(walked, held, turns=turns, source=turns.db, form=Filling(self._statements), **parts)

    def _begin(self) -> None:
        if not self._standing():
            self._make()
        elif self.held.cursor is None:
            self._sweep()
        super()._begin()

    def _standing(self) -> bool:
        self._statements = statements_of(self._spec, self._db)
        try:
            return bool(self._statements.standing())
        except ValueError as foreign:
            raise StatementRefused(str(foreign)) from None

    def _make(self) -> None:
        """Everything in one turn, with the ledger: a cursor of before would skip the rows below it."""
        begun: list[Entry] = []

        def work(turn: Turn) -> None:
            fresh = self.held
            if self.held.bound is not None or self.held.cursor is not None:
                fresh = ledger.rewind(turn, self.held, self._spec.fingerprint)
                events.warning("inchworm.index_table", migration=fresh.name, why="it was gone: made anew")
            ledger.begin(turn, fresh)
            for text in self._statements.create.values():
                turn.execute(text, {})
            begun[:] = [fresh]

        self._attempt.write(work, limit_s=MAKE_S)
        self._attempt.held = begun[0]

    def _sweep(self) -> None:
        """A walk that begins anew over a table that was there: entries without a row go first, in short turns."""

        def remove(keys: list[Key]) -> None:
            columns = tuple(f"key_{at}" for at in range(len(self._statements.walk.key)))
            for at in range(0, len(keys), pace.FIRST_ROWS):
                self._attempt.write(
                    partial(_swept, self._statements.sweep, Rows(columns, keys[at : at + pace.FIRST_ROWS]))
                )
            events.warning("inchworm.index_table", migration=self.held.name, swept=len(keys))

        self._over(self._statements.entries_walk, self._statements.check_entries, remove)

    def _verify(self) -> None:
        self._attempt.become(Status.VERIFYING, stage="verify")
        for walk, check, what in self._statements.checks():
            self._over(walk, check, partial(self._wrong, what))
        if not self._standing():
            raise VerificationFailed(f"{self._spec.index_table} was dropped meanwhile; retry makes it anew")

    def _wrong(self, what: str, keys: list[Key]) -> None:
        raise VerificationFailed(difference(self._spec, what, keys, "retry, which repairs"))

    def _over(self, walk: Keyset, check: str, wrong: OnWrong) -> None:
        """The check over a whole table, in slices on read snapshots."""
        bound, checked = self._patiently(partial(bound_of, self._db, walk, self._stop)), Checked()
        while bound is not None and not checked.ended:
            self._attempt.attend()
            try:
                checked, keys = selected(self._db, walk, check, bound, checked, clock=self._clock, stop=self._stop)
            except (DeadlineExceeded, Busy) as fault:
                if checked.size == 1:
                    raise
                self._attempt.note(fault)
                checked, keys = replace(checked, size=pace.halved(checked.size)), []
            if keys:
                wrong(keys)
            self._attempt.keep_lease()


def _swept(sweep: str, rows: Rows, turn: Turn) -> object:
    return turn.apply(sweep, rows)


def _unused(*given: Any) -> Any:
    raise AssertionError(f"the rows of an index table are copied by SQL: {given}")
