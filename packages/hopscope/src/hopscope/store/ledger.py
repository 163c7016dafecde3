"""Read the engine's ledger of data migrations as rows of names and values. Judges nothing."""

from typing import Any

import apsw

from hopscope.store.connection import sql


def rows(db: apsw.Connection) -> tuple[dict[str, Any], ...]:
    """Every row of the ledger by column name; none where the engine never ran."""
    statements = sql("ledger")
    if not db.execute(statements["exists"]).get:
        return ()
    cursor = db.execute(statements["all"])
    return tuple(dict(zip((column[0] for column in cursor.get_description()), row, strict=True)) for row in cursor)
