"""Read the engine's ledger of data migrations as rows of names and values. Judges nothing."""

from typing import Any

import apsw

from hopscope.store.connection import sql
from hopscope.store.pool import CannotRead


class LedgerUnreadable(CannotRead):
    """The ledger's table is not what any version wrote."""


def rows(db: apsw.Connection) -> tuple[dict[str, Any], ...]:
    """Every row of the ledger by column name; none where the engine never ran.

    Raises LedgerUnreadable for a table of that name that is no ledger.
    """
    statements = sql("ledger")
    if not db.execute(statements["exists"]).get:
        return ()
    try:
        cursor = db.execute(statements["all"])
    except apsw.SQLError as exc:
        raise LedgerUnreadable(f"the ledger of migrations has another shape: {exc}") from exc
    return tuple(dict(zip((column[0] for column in cursor.get_description()), row, strict=True)) for row in cursor)
