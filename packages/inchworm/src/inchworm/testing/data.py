"""Spoil a small database in the ways real ones are spoiled: orphans, NULLs, duplicates, gaps, none, one.

Each function changes data only and leaves the schema alone; NoPlace says that a schema has no place for it.
"""

# ruff: noqa: S608 - names come from the schema of the user's own test database and are quoted
from inchworm.model import Backfill
from inchworm.queries import quoted
from inchworm.statement import tokens
from inchworm.testing.grounds import Hand, NoPlace


def others(hand: Hand, migration: Backfill) -> list[str]:
    """The tables, apart from the keyed one, that the migration's statements name."""
    texts = (migration.compute or "", *migration.statements)
    words = {token.text for text in texts for token in tokens(text) if token.kind in ("word", "quoted")}
    return sorted(t for t in hand.tables() if t.lower() in words - {migration.table.lower()})


def delete_parents(hand: Hand, migration: Backfill) -> None:
    """Empty the first half of every other table, so that keys lose what would be computed for them."""
    _need(tables := others(hand, migration), "the migration reads no other table")
    for table in tables:
        half = f"(select count(*) / 2 from {quoted(table)})"
        first = f"select {hand.row} from {quoted(table)} order by {hand.row} limit {half}"
        hand.execute(f"delete from {quoted(table)} where {hand.row} in ({first})")


def empty_out(hand: Hand, migration: Backfill) -> None:
    """Empty every other table."""
    _need(tables := others(hand, migration), "the migration reads no other table")
    for table in tables:
        hand.execute(f"delete from {quoted(table)}")


def nullify(hand: Hand, migration: Backfill) -> None:
    """NULL in every third row of each column that allows it, in the tables compute reads, keys excepted."""
    done = False
    keys = {k.lower() for k in migration.keys}
    for table in [migration.table, *others(hand, migration)]:
        for at, (name, not_null, pk) in enumerate(hand.columns(table)):
            if not_null or pk or (table == migration.table and name.lower() in keys):
                continue
            # other rows for the next column, so that each is NULL alone
            numbered = f"select {hand.row} as row, row_number() over (order by {hand.row}) as at from {quoted(table)}"
            third = f"select row from ({numbered}) as numbered where (at + {at}) % 3 = 0"
            with hand.attempt():  # a CHECK may forbid it where the type does not
                hand.execute(f"update {quoted(table)} set {quoted(name)} = null where {hand.row} in ({third})")
                done = True
    _need(done, "no column that the migration reads may be NULL")


def clone_others(hand: Hand, migration: Backfill) -> None:
    """Insert the rows of every other table again, without their primary keys."""
    done = False
    for table in others(hand, migration):
        plain = [quoted(name) for name, _, pk in hand.columns(table) if not pk]
        if not plain:
            continue
        listed = ", ".join(plain)
        with hand.attempt():
            hand.execute(f"insert into {quoted(table)} ({listed}) select {listed} from {quoted(table)}")
            done = True
    _need(done, "no table that the migration reads may hold a row twice")


def far_key(hand: Hand, migration: Backfill) -> None:
    """Delete every third row of the keyed table, and move the last integer key a thousand million further."""
    table, key = quoted(migration.table), quoted(migration.keys[0])
    ids = [row[0] for row in hand.execute(f"select {key} from {table} order by 1")]
    for value in ids[2::3]:
        hand.execute(f"delete from {table} where {key} = ?", (value,))
    last = hand.execute(f"select max({key}) from {table}").fetchone()[0]
    if len(migration.keys) == 1 and isinstance(last, int):
        with hand.attempt():
            hand.execute(f"update {table} set {key} = {key} + 1000000000 where {key} = ?", (last,))


def erase(hand: Hand, migration: Backfill) -> None:
    """No row in the keyed table."""
    hand.execute(f"delete from {quoted(migration.table)}")


def keep_one(hand: Hand, migration: Backfill) -> None:
    """One row in the keyed table: its last."""
    table = quoted(migration.table)
    listed = ", ".join(quoted(k) for k in migration.keys)
    order = ", ".join(f"{quoted(k)} desc" for k in migration.keys)
    last = f"select {listed} from {table} order by {order} limit 1"
    hand.execute(f"delete from {table} where ({listed}) not in ({last})")


def _need(there: object, otherwise: str) -> None:
    if not there:
        raise NoPlace(otherwise)
