"""PostgreSQL behind the engine's ports, over psycopg 3 (`pip install 'inchworm[postgres]'`).

`connect(url_or_factory)` gives a Database. Owns transactions, limits, locks and the translation of errors, no policy.

How it keeps what the engine promises:

A turn is a READ COMMITTED transaction with a short lock_timeout and statement_timeout; a session whose process was
stopped inside one is ended by the server after a few seconds. Whatever waits for a row is Busy, and the wait grows only
while the same rows stay busy, always below half of deadlock_timeout, so that a deadlock ends with us stepping back and
never with an error for the application. A turn with the guards compare or reread first locks the rows of its slice
(FOR NO KEY UPDATE, which foreign keys of other tables do not meet), then reads: a writer that changes such a row in the
transaction that changes what compute relied on is either seen or waits for us.
A lost connection is opened again; a commit whose answer was lost with it is tried again, and the ledger, whose fences
are part of that commit, tells whether it had happened.
Text keys are ordered and compared by their column's own collation; keys may be any type whose text form is exact, such
as uuid or timestamps, and reach Python as that text.
"""

try:
    import psycopg
except ImportError as missing:
    raise ImportError(
        "a postgresql:// database needs psycopg 3 and libpq: pip install 'inchworm[postgres]' 'psycopg[binary]' "
        f"({missing})"
    ) from missing

from inchworm.postgres.database import PostgresDatabase, PostgresReader, connect, connect_reader

__all__ = ["PostgresDatabase", "PostgresReader", "connect", "connect_reader", "is_connection"]


def is_connection(connection: object) -> bool:
    """Whether a factory's connection is psycopg's."""
    return isinstance(connection, psycopg.Connection)
