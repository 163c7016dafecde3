"""See that somebody committed: a connection of its own that asks SQLite's data_version, and reads when it changed."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import apsw

from hopscope.store.connection import snapshot
from hopscope.store.pool import CannotRead, Reader, translated

T = TypeVar("T")

DEADLINE_S = 5.0


class Watch:
    """Used by one thread. Opens the file when it appears, and again when it is replaced."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._reader: Reader | None = None
        self._version: int | None = None

    def look(self, query: Callable[[apsw.Connection], T]) -> T | None:
        """What `query` answers, when anything was committed since the last answer; None: nothing was.

        Raises CannotRead; the next look tries again.
        """
        with translated():
            reader = self._current()
            reader.deadline = time.monotonic() + DEADLINE_S
            version: int = reader.db.pragma("data_version")
            if version == self._version:
                return None
            with snapshot(reader.db):
                found = query(reader.db)
            # Asked before the snapshot: what was committed in between is seen again at the next look, never missed.
            self._version = version
            return found

    def close(self) -> None:
        """Close the connection. Idempotent."""
        reader, self._reader, self._version = self._reader, None, None
        if reader is not None:
            reader.db.close()

    def _current(self) -> Reader:
        if self._reader is not None and not self._reader.is_current():
            self.close()
        if self._reader is None:
            self._reader = Reader(self._path)
        return self._reader


class Clock:
    """Tells whether anything was committed since a reading: two equal readings mean that nothing was.

    A connection of its own, which any thread may ask; a reading takes some microseconds and waits for no writer.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._opened = 0

    def read(self) -> tuple[int, int] | None:
        """The reading; None: it is not known now, as without a database. Equal readings are of one database."""
        with self._lock:
            try:
                reader = self._current()
                version: int = reader.db.pragma("data_version")
            except (CannotRead, apsw.Error):
                self._close()
                return None
            return self._opened, version

    def close(self) -> None:
        """Close the connection. Idempotent."""
        with self._lock:
            self._close()

    def _current(self) -> Reader:
        if self._reader is not None and not self._reader.is_current():
            self._close()
        if self._reader is None:
            with translated():
                self._reader = Reader(self._path)
            self._reader.db.set_busy_timeout(0)
            self._opened += 1
        return self._reader

    def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.db.close()
