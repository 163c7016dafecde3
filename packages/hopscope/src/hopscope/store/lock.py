"""One writer per database: a lock beside the file, held while a process lives and gone when it dies.

Asks and answers only; the file stays, because removing it would let two writers lock two different files.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 1.0  # a reader that asks holds the lock for a moment
_POLL_S = 0.02


class WriterAlive(Exception):
    """Another process writes this database."""

    def __init__(self, database: str, holder: str) -> None:
        super().__init__(
            f"another hopscope writes {database} ({holder}): stop it first, or give this one a database of its own"
        )
        self.database, self.holder = database, holder


class LockUnusable(Exception):
    """The file of the lock cannot be opened or made; str() says why and what to do."""

    def __init__(self, path: Path, why: OSError) -> None:
        super().__init__(f"{path}: {why.strerror}: let the user that runs hopscope write this file and its directory")


class WriterLock:
    """The right to write one database. Taken by `acquire`, given back by `release` or by the end of the process.

    A child made by fork would inherit it; processes are started afresh (exec) here, which closes it in the child.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def acquire(cls, database: str) -> "WriterLock":
        """Take the lock of a database file. Raises WriterAlive when another process has it, or LockUnusable."""
        path = lock_path(database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise LockUnusable(path, exc) from exc
        deadline = time.monotonic() + PATIENCE_S
        while not _try(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 200, 0).decode("ascii", "replace").strip() or "process unknown"
                os.close(descriptor)
                raise WriterAlive(database, holder)
            time.sleep(_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}\n".encode("ascii"), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock back. Safe to call again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


def writer_alive(database: str) -> bool:
    """True while some process holds the database's writer lock."""
    try:
        descriptor = os.open(lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def lock_path(database: str) -> Path:
    """Where the lock of a database file lies. Links are followed, so that every name of a file has one lock."""
    path = Path(database).resolve()
    return path.with_name(path.name + ".lock")


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
