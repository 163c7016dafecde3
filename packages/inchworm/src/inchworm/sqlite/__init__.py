"""SQLite behind the engine's ports: one implementation over a thin difference between sqlite3 and APSW.

`connect(path_or_factory)` gives a Database. Owns pragmas, checkpoints and the translation of errors, and no policy.
"""

from inchworm.sqlite.database import SqliteDatabase, connect, connect_reader
from inchworm.sqlite.versions import has_wal_reset_bug

__all__ = ["SqliteDatabase", "connect", "connect_reader", "has_wal_reset_bug"]
