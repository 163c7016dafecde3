"""Connections and statements of the rig. APSW only: no process may open the file through two SQLite libraries."""

import re
from functools import cache
from pathlib import Path

import apsw

BUSY_TIMEOUT_MS = 5_000  # the stock handler and the usual setting of the incident's programs


@cache
def statements() -> dict[str, str]:
    """The statements of incident.sql by name."""
    text = Path(__file__).with_name("incident.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def connect(path: str, *, read_only: bool = False) -> apsw.Connection:
    """A connection as the incident's programs open it: all defaults (synchronous FULL) and a busy timeout of 5 s."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
    db = apsw.Connection(path, flags=flags)
    db.set_busy_timeout(BUSY_TIMEOUT_MS)
    return db


def set_journal(path: str, mode: str) -> None:
    """Put a database that nobody else has open into this journal mode."""
    db = connect(path)
    db.pragma("journal_mode", mode)
    db.close()


def wrong_rows(path: str) -> int:
    """How many transmissions have another last_seen than their newest observation (0 for those without one).

    Counted in Python over two plain table scans, so that it shares no index and no SQL with what it checks.
    """
    db = connect(path, read_only=True)
    newest: dict[int, int] = {}
    for transmission, timestamp in db.execute(statements()["every_observation"]):
        if timestamp > newest.get(transmission, 0):
            newest[transmission] = timestamp
    rows = db.execute(statements()["every_transmission"])
    wrong = sum(1 for transmission, last_seen in rows if last_seen != newest.get(transmission, 0))
    db.close()
    return wrong
