"""Create the schema, and refuse what this version cannot read. Changes no stored row; migrations do that online."""

import secrets
import time
from importlib import resources

import apsw

from hopscope.store.connection import transaction

VERSION = 1


class SchemaError(Exception):
    """The file is not a database this version can use; str() says what to do."""


def prepare(db: apsw.Connection) -> None:
    """Create the schema in an empty file; check its version otherwise. One transaction, so that no reader sees half.

    Raises SchemaError for a newer schema or a file of another program.
    """
    with transaction(db):
        if is_empty(db):
            create(db)
    check(db)


def check(db: apsw.Connection) -> None:
    """Raise SchemaError unless the database has the schema of this version."""
    if is_empty(db):
        raise SchemaError("the database is empty: start the writer (hopscope serve, or hopscope ingest) once")
    found = version(db)
    if found > VERSION:
        raise SchemaError(
            f"the database has schema version {found}, this hopscope knows up to {VERSION}: install a newer hopscope"
        )


def version(db: apsw.Connection) -> int:
    """The recorded schema version. Raises SchemaError when the file has none."""
    if not db.execute("select count(*) from sqlite_schema where name = 'meta'").get:
        raise SchemaError("this is another program's database; a CoreScope database is read with: hopscope import FILE")
    return int(db.execute("select value from meta where key = 'schema_version'").get)


def is_empty(db: apsw.Connection) -> bool:
    """True when the file has no table at all."""
    return not db.execute("select count(*) from sqlite_schema where type = 'table'").get


def create(db: apsw.Connection) -> None:
    """Create every table and index; the caller holds the transaction."""
    db.execute((resources.files(__package__) / "sql" / "schema.sql").read_text(encoding="utf-8"))
    facts = {
        "schema_version": str(VERSION),
        "database_id": secrets.token_hex(4),
        "created_at": str(time.time_ns() // 1_000_000),
    }
    db.executemany("insert into meta (key, value) values (?, ?)", facts.items())
    db.executemany("insert into counters (name, value) values (?, 0)", [("transmissions",), ("observations",)])
