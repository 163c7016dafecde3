"""Spoil a small database in the ways real ones are spoiled: orphans, NULLs, duplicates, gaps, none, one.

Each function changes data only and leaves the schema alone; NoPlace says that a schema has no place for it.
"""

# ruff: noqa: S608 - names come from the schema of the user's own test database and are quoted
import contextlib
import sqlite3
from typing import Any

from inchworm.model import Backfill
from inchworm.queries import quoted
from inchworm.statement import tokens


class NoPlace(Exception):
    """This schema cannot hold such data; the hazard does not apply."""


def others(connection: sqlite3.Connection, migration: Backfill) -> list[str]:
    """The tables, apart from the keyed one, that the migration's statements name."""
    names = {str(r[0]).lower() for r in connection.execute("select name from sqlite_master where type = 'table'")}
    texts = (migration.compute or "", *migration.statements)
    words = {token.text for text in texts for token in tokens(text) if token.kind in ("word", "quoted")}
    return sorted((names & words) - {migration.table.lower()})


def columns(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """name, notnull, pk of each column."""
    return connection.execute('select name, "notnull", pk from pragma_table_info(?)', (table,)).fetchall()


def delete_parents(connection: sqlite3.Connection, migration: Backfill) -> None:
    """Empty the first half (by rowid) of every other table, so that keys lose what would be computed for them."""
    _need(tables := others(connection, migration), "the migration reads no other table")
    for table in tables:
        connection.execute(
            f"delete from {quoted(table)} where rowid <= (select (min(rowid) + max(rowid)) / 2 from {quoted(table)})"
        )


def empty_out(connection: sqlite3.Connection, migration: Backfill) -> None:
    """Empty every other table."""
    _need(tables := others(connection, migration), "the migration reads no other table")
    for table in tables:
        connection.execute(f"delete from {quoted(table)}")


def nullify(connection: sqlite3.Connection, migration: Backfill) -> None:
    """NULL in every third row of each column that allows it, in the tables compute reads, keys excepted."""
    done = False
    keys = {k.lower() for k in migration.keys}
    for table in [migration.table, *others(connection, migration)]:
        for at, (name, not_null, pk) in enumerate(columns(connection, table)):
            if not_null or pk or (table == migration.table and name.lower() in keys):
                continue
            with contextlib.suppress(sqlite3.IntegrityError):  # a CHECK may forbid it where the type does not
                where = f"(rowid + {at}) % 3 = 0"  # other rows for the next column, so that each is NULL alone
                connection.execute(f"update {quoted(table)} set {quoted(name)} = null where {where}")
                done = True
    _need(done, "no column that the migration reads may be NULL")


def clone_others(connection: sqlite3.Connection, migration: Backfill) -> None:
    """Insert the rows of every other table again, without their primary keys."""
    done = False
    for table in others(connection, migration):
        plain = [quoted(name) for name, _, pk in columns(connection, table) if not pk]
        if not plain:
            continue
        listed = ", ".join(plain)
        with contextlib.suppress(sqlite3.IntegrityError):
            connection.execute(f"insert into {quoted(table)} ({listed}) select {listed} from {quoted(table)}")
            done = True
    _need(done, "no table that the migration reads may hold a row twice")


def far_key(connection: sqlite3.Connection, migration: Backfill) -> None:
    """Delete every third row of the keyed table, and move the last integer key a thousand million further."""
    table, key = quoted(migration.table), quoted(migration.keys[0])
    ids = [row[0] for row in connection.execute(f"select {key} from {table} order by 1")]
    connection.executemany(f"delete from {table} where {key} = ?", [(value,) for value in ids[2::3]])
    last = connection.execute(f"select max({key}) from {table}").fetchone()[0]
    if len(migration.keys) == 1 and isinstance(last, int):
        with contextlib.suppress(sqlite3.IntegrityError):
            connection.execute(f"update {table} set {key} = {key} + 1000000000 where {key} = ?", (last,))


def erase(connection: sqlite3.Connection, migration: Backfill) -> None:
    """No row in the keyed table."""
    connection.execute(f"delete from {quoted(migration.table)}")


def keep_one(connection: sqlite3.Connection, migration: Backfill) -> None:
    """One row in the keyed table: its last."""
    table = quoted(migration.table)
    listed = ", ".join(quoted(k) for k in migration.keys)
    order = ", ".join(f"{quoted(k)} desc" for k in migration.keys)
    last = f"select {listed} from {table} order by {order} limit 1"
    connection.execute(f"delete from {table} where ({listed}) not in ({last})")


def _need(there: object, otherwise: str) -> None:
    if not there:
        raise NoPlace(otherwise)
