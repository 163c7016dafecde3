"""The ledger's tables: created whole, extended additively, never written to by an older inchworm."""

from inchworm.errors import LedgerTooNew, StatementRefused
from inchworm.ledger.rows import numeric
from inchworm.ports import Database, Reads, Turn
from inchworm.queries import load

VERSION = 1

SQL = load("ledger")


def ensure(db: Database, now: str) -> None:
    """Create or extend the ledger; nothing is written when it is current. Raises LedgerTooNew, DatabaseFault."""
    schema = db.dialect.schema
    with db.snapshot() as reads:
        present = {row[0] for row in reads.select(schema["tables"], {}).rows}
        found = _version(reads) if "_async_ledger" in present else None
    if found == VERSION and "_async_migrations" in present:
        return
    with db.turn(limit_s=5.0) as turn:
        definitions = [line.partition("--")[0].strip() for line in schema["definitions"].splitlines()]
        for name in ("create_ledger", "create_history", "create_requests", "create_quarantine"):
            turn.execute(schema[name], {})
        turn.execute(schema["create_migrations"].format(definitions=",\n  ".join(definitions)), {})
        columns = {str(row[0]).lower() for row in turn.select(schema["columns"], {}).rows}
        for definition in definitions:
            if definition.split()[0].strip('"') not in columns:
                _add_column(turn, schema["add_column"].format(definition=definition))
        turn.execute(SQL["forget_versions"], {})
        turn.execute(SQL["set_version"], {"version": VERSION, "now": now})


def _version(reads: Reads) -> int | None:
    row = reads.select(SQL["version"], {}).one()
    version = int(numeric(row[0])) if row else None
    if version is not None and version > VERSION:
        raise LedgerTooNew(
            f"the ledger has version {version}, this inchworm knows up to {VERSION}; upgrade inchworm in this process"
        )
    return version


def _add_column(turn: Turn, statement: str) -> None:
    try:
        turn.execute(statement, {})
    except StatementRefused as problem:
        if "duplicate column" not in str(problem).lower():
            raise


def exists(reads: Reads, db: Database) -> bool:
    """Whether there is a table of migrations at all (also CoreScope's older one)."""
    return any(row[0] == "_async_migrations" for row in reads.select(db.dialect.schema["tables"], {}).rows)


def is_ours(reads: Reads, db: Database) -> bool:
    """Whether the ledger was made or extended by us, so that requests and history exist. Raises LedgerTooNew."""
    present = {row[0] for row in reads.select(db.dialect.schema["tables"], {}).rows}
    return "_async_ledger" in present and _version(reads) is not None
