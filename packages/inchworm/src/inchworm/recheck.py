"""Check `verify` of migrations again, long after they ended: data drifts. Reads only, on connections of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inchworm import cursor, ledger, pace
from inchworm.bounds import bound_of
from inchworm.clock import Clock, Stop, StopLike, SystemClock
from inchworm.cursor import Bound, Key
from inchworm.errors import Busy, DeadlineExceeded, StatementRefused, Stopped, VerificationFailed
from inchworm.indextable import NOT_HERE, Statements, difference, problem, read_base
from inchworm.keyset import Keyset
from inchworm.model import Backfill, IndexTable, Migration
from inchworm.opening import Target, open_reader
from inchworm.ports import Database
from inchworm.states import Status
from inchworm.verify import RETRY, Checked, Verifier, selected

SLICE_LIMIT_S = 10.0
EVERY = 1 << 62  # no limit
NEW_NAME = "then mend them with a migration of a new name, because one that is done never runs again"


@dataclass(frozen=True, slots=True)
class Rechecked:
    """One answer. `problem` None: verify selected nothing; `checked` False: there is nothing to check."""

    name: str
    checked: bool
    problem: str | None = None


def recheck(
    database: Target, migrations: Sequence[Migration], *, stop: StopLike | None = None, clock: Clock | None = None
) -> tuple[Rechecked, ...]:
    """Check each migration over the whole table as it is now, quarantined rows excepted; changes nothing.

    Raises Stopped when the token is set, StatementRefused for a verify that cannot work, other DatabaseFaults.
    """
    clock, stop = clock or SystemClock(), stop or Stop()
    db = open_reader(database, clock=clock)
    try:
        return tuple(_one(db, migration, clock, stop) for migration in migrations)
    finally:
        db.close()


def _one(db: Database, migration: Migration, clock: Clock, stop: StopLike) -> Rechecked:
    if isinstance(migration, IndexTable):
        return Rechecked(migration.name, checked=True, problem=_index_table(db, migration, clock, stop))
    if not isinstance(migration, Backfill) or migration.verify is None:
        return Rechecked(migration.name, checked=False)
    source = db if migration.source is None else open_reader(migration.source, clock=clock)
    try:
        _walk(migration, source, db, clock, stop)
    except VerificationFailed as wrong:
        return Rechecked(migration.name, checked=True, problem=str(wrong))
    finally:
        if source is not db:
            source.close()
    return Rechecked(migration.name, checked=True)


def _index_table(db: Database, spec: IndexTable, clock: Clock, stop: StopLike) -> str | None:
    """Why an index table is not right, or None."""
    if db.dialect.name != "sqlite":
        return NOT_HERE
    with db.snapshot() as reads:
        base = read_base(reads, spec.table)
    if isinstance(base, str) or (wrong := problem(spec, base)):
        return base if isinstance(base, str) else wrong
    made = Statements(spec, base)
    try:
        if not made.standing():
            return f"there is no {spec.index_table}"
    except ValueError as foreign:
        return str(foreign)
    for walk, check, what in made.checks():
        if keys := _selected(db, walk, check, clock, stop):
            return difference(spec, what, keys, f"make it anew under another name ({'; '.join(spec.drop)})")
    return None


def _selected(db: Database, walk: Keyset, check: str, clock: Clock, stop: StopLike) -> list[Key]:
    """The keys that the first slice with any selects."""
    bound, checked = bound_of(db, walk, stop), Checked()
    while bound is not None and not checked.ended:
        try:
            checked, keys = selected(db, walk, check, bound, checked, clock=clock, stop=stop)
        except (DeadlineExceeded, Busy):
            if checked.size == 1:
                raise
            checked = replace(checked, size=pace.halved(checked.size))
            continue
        if keys:
            return keys
    return []


def _walk(migration: Backfill, source: Database, db: Database, clock: Clock, stop: StopLike) -> None:
    aside, is_done = _recorded(db, migration.name)
    verifier = Verifier(migration, source, db, clock, aside, then=NEW_NAME if is_done else RETRY)
    if not verifier.in_slices:
        verifier.whole(stop)
        return
    bound, checked = _bound(source, migration), Checked()
    while bound is not None and not checked.ended:
        if stop.is_set():
            raise Stopped("stopped while verifying; nothing was changed")
        try:
            checked = verifier.piece(bound, checked, SLICE_LIMIT_S, stop)
        except (DeadlineExceeded, Busy):
            if checked.size == 1:
                raise
            checked = replace(checked, size=pace.halved(checked.size))


def _recorded(db: Database, name: str) -> tuple[set[Key], bool]:
    """The keys in quarantine, and whether the migration is done."""
    with db.snapshot() as reads:
        if not ledger.exists(reads, db) or not ledger.is_ours(reads, db):
            return set(), False
        done = any(entry.name == name and entry.status is Status.DONE for entry in ledger.entries(reads))
        return {row.key for row in ledger.quarantined(reads, name, most=EVERY)}, done


def _bound(source: Database, migration: Backfill) -> Bound | None:
    if problem := source.key_problem(migration.table, migration.keys):
        raise StatementRefused(f"{migration.name}: {problem}")
    walk = Keyset(migration.table, migration.keys, migration.order)
    with source.snapshot() as reads:
        low, high = (reads.select(sql, {}).one() for sql in (walk.lowest, walk.highest))
    return Bound(cursor.key_of(low), cursor.key_of(high)) if low and high else None
