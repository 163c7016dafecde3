"""Where a user's migration is tried: fresh SQLite files in a folder, or fresh schemas in a PostgreSQL database.

Speaks the few words in which the two differ, so that the hazards are written once. Judges nothing.
"""

# ruff: noqa: S608 - names come from the schema of the user's own test database and are quoted
import contextlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from inchworm import ledger, sqlite
from inchworm.clock import Clock, SystemClock, rfc3339
from inchworm.ports import Database
from inchworm.queries import quoted

LOCK_MS = 5_000  # what meanwhile waits longer for a lock than this has met a run that keeps it
_numbers = itertools.count(1)


class NoPlace(Exception):
    """This schema cannot hold such data; the hazard does not apply."""


class Hand(Protocol):
    """One connection beside the run. `row` is what identifies a row where there is no key."""

    row: str

    @property
    def connection(self) -> Any:
        """The driver's own, as the user's functions get it."""
        ...

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """A statement with `?` for each parameter; a cursor. Raises NoPlace when the schema forbids it."""
        ...

    def attempt(self) -> AbstractContextManager[None]:
        """What the schema refuses inside is as if it had not been tried."""
        ...

    def tables(self) -> set[str]: ...

    def columns(self, table: str) -> Sequence[tuple[str, bool, bool]]:
        """Of the columns that may be written: name, whether it is never NULL, whether it is in the primary key."""
        ...

    def content(self) -> list[str]:
        """Every row of every table, in an order that follows from the rows."""
        ...


class Ground(Protocol):
    """A kind of database. `target` is what `fresh` gave."""

    def fresh(self) -> str:
        """A new empty database."""
        ...

    def copy(self, target: str) -> str | None:
        """Another with the same content, nobody having it open; None: make it anew."""
        ...

    def hand(self, target: str) -> AbstractContextManager[Hand]:
        """A connection of its own; what was not committed is rolled back at the end."""
        ...

    def open(self, target: str, clock: Clock) -> Database:
        """As the engine opens it."""
        ...

    def factory(self, target: str) -> Callable[[], Any]:
        """The application's own connections to it."""
        ...

    def holding(self, target: str, table: str) -> Any:
        """A connection with an open transaction that a turn on this table has to wait for, until it is closed."""
        ...

    def reading(self, target: str) -> Any:
        """A connection with an open read transaction."""
        ...

    def fill(self, db: Database, *, full: bool) -> None:
        """Let the database not grow any more, or let it grow again, as far as that can be done from a connection."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


class SqliteHand:
    """See `Hand`."""

    row = "rowid"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.connection.execute(sql, tuple(params))

    def attempt(self) -> AbstractContextManager[None]:
        return contextlib.suppress(sqlite3.IntegrityError)

    def tables(self) -> set[str]:
        return {str(row[0]) for row in self.execute("select name from sqlite_master where type = 'table'")}

    def columns(self, table: str) -> Sequence[tuple[str, bool, bool]]:
        return self.execute('select name, "notnull", pk from pragma_table_info(?)', (table,)).fetchall()

    def content(self) -> list[str]:
        return list(self.connection.iterdump())


class SqliteGround:
    """Files in a folder, in WAL mode."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = itertools.count(1)

    def _next(self) -> str:
        return str(self._folder / f"trial-{next(self._files)}.db")

    def fresh(self) -> str:
        target = self._next()
        with closing(sqlite3.connect(target)) as connection:
            connection.execute("pragma journal_mode = wal")
        return target

    def copy(self, target: str) -> str | None:
        other = self._next()
        shutil.copyfile(target, other)
        return other

    @contextmanager
    def hand(self, target: str) -> Iterator[Hand]:
        with closing(sqlite3.connect(target, timeout=0)) as connection:
            yield SqliteHand(connection)

    def open(self, target: str, clock: Clock) -> Database:
        return sqlite.connect(target, clock=clock, library="sqlite3")

    def factory(self, target: str) -> Callable[[], Any]:
        return lambda: sqlite3.connect(target, check_same_thread=False)

    def holding(self, target: str, table: str) -> Any:
        del table
        return self._begun(target, "begin immediate")

    def reading(self, target: str) -> Any:
        return self._begun(target, "begin", "select count(*) from sqlite_master")

    @staticmethod
    def _begun(target: str, *statements: str) -> sqlite3.Connection:
        connection = sqlite3.connect(target, timeout=0, isolation_level=None)
        for statement in statements:
            connection.execute(statement).fetchall()
        return connection

    def fill(self, db: Database, *, full: bool) -> None:
        assert isinstance(db, sqlite.SqliteDatabase)
        pages = 1_073_741_823
        if full:
            [(count,)] = db.writer.run("pragma page_count").rows
            pages = int(str(count))
        db.writer.run(f"pragma max_page_count = {pages}")

    def close(self) -> None:
        """The folder is its owner's."""


_TABLES = (
    "select table_name from information_schema.tables"
    " where table_schema = current_schema() and table_type = 'BASE TABLE'"
)
_COLUMNS = """
select attname, attnotnull,
  exists (select from pg_index where indrelid = attrelid and indisprimary and attnum = any (indkey))
from pg_attribute
where attrelid = to_regclass(quote_ident(?)) and attnum > 0 and not attisdropped
  and attgenerated = '' and attidentity <> 'a'
order by attnum
"""


class PostgresHand:
    """See `Hand`."""

    row = "ctid"

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Any:
        import psycopg

        try:
            if not params:
                return self.connection.execute(sql)
            return self.connection.execute(sql.replace("%", "%%").replace("?", "%s"), tuple(params))
        except psycopg.errors.ForeignKeyViolation as refusal:
            raise NoPlace(f"a foreign key forbids it: {refusal}") from refusal
        except psycopg.errors.GeneratedAlways as refusal:
            raise NoPlace(f"an identity column that is always generated forbids it: {refusal}") from refusal

    @contextmanager
    def attempt(self) -> Iterator[None]:
        import psycopg

        with contextlib.suppress(psycopg.IntegrityError, NoPlace), self.connection.transaction():
            yield

    def tables(self) -> set[str]:
        return {str(row[0]) for row in self.execute(_TABLES)}

    def columns(self, table: str) -> Sequence[tuple[str, bool, bool]]:
        return [(str(name), bool(never), bool(pk)) for name, never, pk in self.execute(_COLUMNS, (table,))]

    def content(self) -> list[str]:
        found = []
        for table in sorted(self.tables()):
            rows = self.execute(f"select each::text from {quoted(table)} as each order by 1")
            found += [f"{table} {row[0]}" for row in rows]
        return found


class PostgresGround:
    """Schemas of its own in the database that `url` names, dropped at the end; statements find them unqualified.

    Extensions are found in `public`, but never a ledger: where the database has one, each schema gets its own.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []

    def fresh(self) -> str:
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        schema = f"inchworm_trial_{os.getpid()}_{next(_numbers)}"
        with closing(self._connected(self._url)) as connection:
            connection.execute(f"create schema {schema}")
        self._made.append(schema)
        given = str(conninfo_to_dict(self._url).get("options") or "")
        if self._is_used():
            self._give_ledger(make_conninfo(self._url, options=f"{given} -c search_path={schema}".strip()))
        return make_conninfo(
            self._url, options=f"{given} -c search_path={schema},public -c lock_timeout={LOCK_MS}".strip()
        )

    def _is_used(self) -> bool:
        with closing(self._connected(self._url)) as connection:
            return any(
                connection.execute("select to_regclass(%s) is not null", (f"public.{name}",)).fetchone()[0]
                for name in ("_async_ledger", "_async_migrations")
            )

    def _give_ledger(self, alone: str) -> None:
        clock = SystemClock()
        with closing(self.open(alone, clock)) as db:
            ledger.ensure(db, rfc3339(clock.wall()))

    @staticmethod
    def _connected(target: str) -> Any:
        import psycopg

        return psycopg.connect(target, autocommit=True)

    def copy(self, target: str) -> str | None:
        del target
        return None

    @contextmanager
    def hand(self, target: str) -> Iterator[Hand]:
        import psycopg

        with closing(psycopg.connect(target)) as connection:
            yield PostgresHand(connection)

    def open(self, target: str, clock: Clock) -> Database:
        from inchworm import postgres

        return postgres.connect(target, clock=clock)

    def factory(self, target: str) -> Callable[[], Any]:
        return lambda: self._connected(target)

    def holding(self, target: str, table: str) -> Any:
        """Writers of PostgreSQL wait for rows, so all of them are locked."""
        return self._begun(target, "begin", f"select 1 from {quoted(table)} for update")

    def reading(self, target: str) -> Any:
        return self._begun(target, "begin isolation level repeatable read", "select count(*) from pg_class")

    def _begun(self, target: str, *statements: str) -> Any:
        connection = self._connected(target)
        for statement in statements:
            connection.execute(statement)
        return connection

    def fill(self, db: Database, *, full: bool) -> None:
        """Nobody can fill a server's disk from a connection; the hazard raises what a full one would."""

    def close(self) -> None:
        with closing(self._connected(self._url)) as connection:
            for schema in self._made:
                connection.execute(f"drop schema if exists {schema} cascade")
        self._made = []
