"""Turn what a user names a database by (a path, a postgresql:// URL, a connection factory) into an open Database.

The only module that knows which adapter serves which target; adapters are imported when they are asked for.
"""

import os
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from inchworm.clock import Clock
from inchworm.errors import DatabaseBroken
from inchworm.ports import Database

Target: TypeAlias = "str | os.PathLike[str] | Callable[[], Any]"
DRIVERS = ("apsw", "sqlite3", "postgres")
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+]+)://", re.IGNORECASE)  # what follows may hold a password: never quoted


def is_postgres(target: Target) -> bool:
    """Whether the target is a PostgreSQL URL."""
    return isinstance(target, str) and target.startswith(("postgresql://", "postgres://"))


def served_by(target: Target, driver: str | None) -> tuple[bool, Target]:
    """Whether PostgreSQL serves the target, and the target to go on with.

    A factory is asked by calling it; its first connection is not lost.

    Raises DatabaseBroken for a URL of another kind, ValueError for an unknown driver.
    """
    if driver is not None and driver not in DRIVERS:
        raise ValueError(f"driver={driver!r}; it is one of {', '.join(DRIVERS)}")
    if isinstance(target, str) and not is_postgres(target) and (url := _URL.match(target)):
        raise DatabaseBroken(f"{url['scheme']}://… is no database that inchworm opens: {_written_as(url['scheme'])}")
    if hasattr(target, "cursor") or not (callable(target) or isinstance(target, str | os.PathLike)):
        raise TypeError(
            f"{type(target).__module__}.{type(target).__qualname__} is no path, no postgresql:// URL and no function "
            f"that opens a connection; inchworm opens and closes two of its own: give lambda: sqlite3.connect(…)"
        )
    if driver is not None or not callable(target):
        return driver == "postgres" or is_postgres(target), target
    first = target()
    ours = any(kind.__module__.partition(".")[0] == "psycopg" for kind in type(first).__mro__)
    waiting = [first]
    return ours, lambda: waiting.pop() if waiting else target()


def _written_as(scheme: str) -> str:
    base = scheme.partition("+")[0].lower()
    if base in ("postgresql", "postgres"):
        return "write postgresql://…, without SQLAlchemy's driver name"
    return "give the path of the file" if base == "sqlite" else "give a SQLite file or postgresql://…"


def open_database(
    target: Target, *, clock: Clock | None = None, strict_version: bool = False, driver: str | None = None
) -> Database:
    """Open for reading and writing.

    A factory is called for each connection and may return a sqlite3, apsw or psycopg connection. driver: "apsw",
    "sqlite3" or "postgres"; by default what the target is. Raises DatabaseFault, UnsafeConnection, UnsafeVersion,
    ImportError when the postgres extra is missing, ValueError for an unknown driver.
    """
    served, target = served_by(target, driver)
    if served:
        from inchworm import postgres

        return postgres.connect(target, clock=clock)
    from inchworm import sqlite

    return sqlite.connect(target, clock=clock, strict_version=strict_version, library=driver)


def open_reader(target: Target, *, clock: Clock | None = None, driver: str | None = None) -> Database:
    """Open for reading the ledger only: nothing is created, changed or checkpointed; `turn` is refused.

    Raises DatabaseFault.
    """
    served, target = served_by(target, driver)
    if served:
        from inchworm import postgres

        return postgres.connect_reader(target, clock=clock)
    from inchworm import sqlite

    return sqlite.connect_reader(target, clock=clock, library=driver)
