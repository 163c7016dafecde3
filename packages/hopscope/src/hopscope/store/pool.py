"""A bounded set of read-only connections with a deadline and a snapshot per read. Knows no statement.

Connections open when first needed and again when the file is replaced, so readers may start before the writer.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

import apsw

from hopscope.store import schema
from hopscope.store.connection import DatabaseMissing, open_reader, snapshot

T = TypeVar("T")

Snapshot: TypeAlias = apsw.Connection  # what a query is given: one moment of the database, read-only

CACHE_KIB = 4 * 1024  # page cache per connection: four of them keep a reader process under 150 MB
CHECK_EVERY_STEPS = 10_000  # virtual machine steps between two looks at the clock: about 0.2 ms
WAITS_KEPT = 1000


class CannotRead(Exception):
    """A read was not possible now; str() is one line that may be shown to a client."""


class Unavailable(CannotRead):
    """The database cannot be served: no file, a newer schema, a damaged file. It may become available by itself."""


class TooSlow(CannotRead):
    """A read was stopped at its deadline."""


class TooBusy(CannotRead):
    """Every connection stayed in use for longer than a request may wait."""


class Reader:
    """One connection and the deadline of the read it is doing."""

    __slots__ = ("_file", "_path", "db", "deadline")

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = file_identity(path)  # before opening: a file replaced in between is then seen at the next read
        self.deadline = float("inf")
        self.db = open_reader(path)
        try:
            schema.check(self.db)
            self.db.pragma("cache_size", -CACHE_KIB)
        except BaseException:
            self.db.close()
            raise
        self.db.set_progress_handler(self._expired, CHECK_EVERY_STEPS)

    def is_current(self) -> bool:
        """False when the path names another file than the one this connection has open, or none."""
        return file_identity(self._path) == self._file

    def _expired(self) -> bool:
        return time.monotonic() > self.deadline


def file_identity(path: str) -> tuple[int, int] | None:
    """Device and inode of the file that `path` names now; None: there is no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class ReadPool:
    """At most `size` read-only connections to `path`, shared by the threads of a process.

    A read may take `deadline_s` seconds and wait `wait_s` for its connection.
    """

    def __init__(self, path: str, *, size: int = 4, deadline_s: float = 5.0, wait_s: float = 5.0) -> None:
        self.path = path
        self.size = size
        self.deadline_s = deadline_s
        self._wait_s = wait_s
        self._free: list[Reader] = []
        self._in_use = 0
        self._closed = False
        self._condition = threading.Condition()
        self._waits_ms: deque[float] = deque(maxlen=WAITS_KEPT)

    def read(self, query: Callable[[Snapshot], T]) -> T:
        """What `query` answers from one snapshot of the database. Raises CannotRead."""
        with self._borrowed() as reader, translated(), snapshot(reader.db):
            return query(reader.db)

    def waits_ms(self) -> list[float]:
        """How long each of the last reads waited for a connection, milliseconds."""
        with self._condition:
            return list(self._waits_ms)

    def close(self) -> None:
        """Close what is not in use, and the rest when it comes back. Idempotent."""
        with self._condition:
            self._closed = True
            idle, self._free = self._free, []
        for reader in idle:
            reader.db.close()

    @contextmanager
    def _borrowed(self) -> Iterator[Reader]:
        reader = self._take()
        reader.deadline = time.monotonic() + self.deadline_s
        try:
            yield reader
        finally:
            self._give_back(reader)

    def _take(self) -> Reader:
        began = time.monotonic()
        with self._condition:
            if not self._condition.wait_for(lambda: self._in_use < self.size, self._wait_s):
                raise TooBusy("the server is busy, try again in a moment")
            if self._closed:
                raise Unavailable("the server is stopping")
            self._in_use += 1
            self._waits_ms.append((time.monotonic() - began) * 1000)
            reader = self._free.pop() if self._free else None
        try:
            return self._current(reader)
        except BaseException:
            with self._condition:
                self._in_use -= 1
                self._condition.notify()
            raise

    def _current(self, reader: Reader | None) -> Reader:
        if reader is not None:
            if reader.is_current():
                return reader
            reader.db.close()
        with translated():
            return Reader(self.path)

    def _give_back(self, reader: Reader) -> None:
        with self._condition:
            self._in_use -= 1
            keep = not self._closed
            if keep:
                self._free.append(reader)
            self._condition.notify()
        if not keep:
            reader.db.close()


@contextmanager
def translated() -> Iterator[None]:
    """The driver's refusals as ours; anything else is a bug and passes through."""
    try:
        yield
    except DatabaseMissing as error:
        raise Unavailable(
            "there is no database yet: the writer (hopscope serve, or hopscope ingest) makes it"
        ) from error
    except schema.SchemaError as error:
        raise Unavailable(str(error)) from error
    except apsw.InterruptError as error:
        raise TooSlow("the answer took too long and was stopped: narrow the query") from error
    except apsw.BusyError as error:
        raise TooBusy("the database is busy, try again in a moment") from error
    except (apsw.CantOpenError, apsw.NotADBError, apsw.CorruptError, apsw.IOError, apsw.PermissionsError) as error:
        raise Unavailable(f"the database cannot be read: {error}") from error
