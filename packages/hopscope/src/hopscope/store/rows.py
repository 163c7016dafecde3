"""Rows of observers, nodes and channels during one transaction: loaded or made once, saved at the end.

Decides nothing; `upserts` does.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import apsw

from hopscope.model import ChannelFacts
from hopscope.store.upserts import NodeRow, ObserverRow

Value = None | int | float | str | bytes


def write_all(db: apsw.Connection, statement: str, rows: Sequence[Sequence[Value]]) -> None:
    """Run the statement once per row."""
    if rows:
        db.executemany(statement, rows)


class Observers:
    """Observers by ident."""

    def __init__(self, db: apsw.Connection, statements: dict[str, str]) -> None:
        self._db, self._sql = db, statements
        self._rows: dict[str, ObserverRow] = {}

    def get(self, ident: str, at: int) -> ObserverRow:
        """The observer's row, made when it was never heard of before."""
        row = self._rows.get(ident)
        if row is None:
            found = self._db.execute(self._sql["observer"], (ident,)).fetchone()
            if found is None:
                self._db.execute(self._sql["insert_observer"], (ident, at))
                row = ObserverRow(self._db.last_insert_rowid(), at, at)
            else:
                row = ObserverRow(*found)
            self._rows[ident] = row
        return row

    def write(self) -> None:
        """Save every row that was asked for."""
        self._db.executemany(self._sql["update_observer"], [asdict(row) for row in self._rows.values()])


class Nodes:
    """Nodes by public key."""

    def __init__(self, db: apsw.Connection, statements: dict[str, str]) -> None:
        self._db, self._sql = db, statements
        self._rows: dict[bytes, NodeRow] = {}

    def get(self, pubkey: bytes, at: int) -> NodeRow:
        """The node's row, made when it was never heard of before."""
        row = self._rows.get(pubkey)
        if row is None:
            found = self._db.execute(self._sql["node"], (pubkey,)).fetchone()
            if found is None:
                self._db.execute(self._sql["insert_node"], (pubkey, at))
                row = NodeRow(self._db.last_insert_rowid(), pubkey, at, at)
            else:
                row = NodeRow(*found)
            self._rows[pubkey] = row
        return row

    def write(self) -> None:
        """Save every row that was asked for."""
        self._db.executemany(self._sql["update_node"], [asdict(row) for row in self._rows.values()])


@dataclass(slots=True)
class ChannelRow:
    """A row of `channels`; the columns' comments are in schema.sql."""

    id: int
    message_count: int = 0
    last_message_id: int | None = None
    last_seen: int = 0


class Channels:
    """Channels by name."""

    def __init__(self, db: apsw.Connection, statements: dict[str, str]) -> None:
        self._db, self._sql = db, statements
        self._rows: dict[str, ChannelRow] = {}

    def get(self, channel: ChannelFacts) -> ChannelRow:
        """The channel's row, made when it was never heard before."""
        row = self._rows.get(channel.name)
        if row is None:
            found = self._db.execute(self._sql["channel"], (channel.name,)).fetchone()
            if found is None:
                values = (channel.name, channel.hash, int(channel.encrypted))
                self._db.execute(self._sql["insert_channel"], values)
                row = ChannelRow(self._db.last_insert_rowid())
            else:
                row = ChannelRow(*found)
            self._rows[channel.name] = row
        return row

    def write(self) -> None:
        """Save every row that was asked for."""
        self._db.executemany(self._sql["update_channel"], [asdict(row) for row in self._rows.values()])
