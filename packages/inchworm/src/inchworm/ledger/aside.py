"""Rows that could not be changed: their keys and errors, until a retry could change them after all."""

from collections.abc import Sequence
from dataclasses import dataclass

from inchworm import cursor
from inchworm.cursor import Key
from inchworm.ports import Reads, Turn
from inchworm.queries import load

SQL = load("ledger")


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that could not be changed: its key, the error, when."""

    key: Key
    error: str
    at: str


def quarantine(turn: Turn, name: str, key: Key, error: str, now: str) -> None:
    """Put a row aside; in the transaction that moves the cursor past it."""
    turn.execute(SQL["quarantine"], {"name": name, "key": cursor.encode(key), "error": error[:2000], "now": now})


def release(turn: Turn, name: str, key: Key) -> None:
    """A row that had been put aside could be changed after all."""
    turn.execute(SQL["release"], {"name": name, "key": cursor.encode(key)})


def release_all(turn: Turn, name: str) -> None:
    """A new walk begins at the first key: none is known to be bad."""
    turn.execute(SQL["release_all"], {"name": name})


def quarantined(reads: Reads, name: str, most: int = 10_000) -> Sequence[QuarantinedRow]:
    """Rows put aside, at most `most`."""
    rows = reads.select(SQL["quarantined"], {"name": name, "most": most}).rows
    return tuple(QuarantinedRow(cursor.decode(str(key)), str(error), str(at)) for key, error, at in rows)
