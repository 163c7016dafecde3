"""One writer per database: a lock beside the file, held while a process lives and gone when it dies.

Asks and answers only; the file stays, because removing it would let two writers lock two different files.
"""

import contextlib
import fcntl
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 1.0  # a reader that asks holds the lock for a moment
INGEST = "ingest"  # the work of a writer process; `hopscope import` without one holds the lock for "import"
_POLL_S = 0.02
_TEXT_MAX = 200  # bytes of the file that are read
_WORK = re.compile(r"^process \d+, (\w+)$", re.MULTILINE)
_STOPPED = re.compile(r"^ingest stopped (\d{1,15})$", re.MULTILINE)


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

    def __init__(self, descriptor: int, work: str, kept: str) -> None:
        self._descriptor: int | None = descriptor
        self._work, self._kept = work, kept

    @classmethod
    def acquire(cls, database: str, work: str = INGEST) -> "WriterLock":
        """Take the lock of a database file. Raises WriterAlive when another process has it, or LockUnusable.

        `work` says what for; it is read by whoever finds the lock held.
        """
        path = lock_path(database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise LockUnusable(path, exc) from exc
        deadline = time.monotonic() + PATIENCE_S
        while not _try(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                holder = next(iter(_read(descriptor).splitlines()), "") or "process unknown"
                os.close(descriptor)
                raise WriterAlive(database, holder)
            time.sleep(_POLL_S)
        before = _STOPPED.search(_read(descriptor))
        kept = f"{before[0]}\n" if before and work != INGEST else ""
        _write(descriptor, f"process {os.getpid()}, {work}\n{kept}")
        return cls(descriptor, work, kept)

    def release(self) -> None:
        """Give the lock back, and leave when ingest stopped. Safe to call again."""
        if self._descriptor is not None:
            now_ms = time.time_ns() // 1_000_000
            with contextlib.suppress(OSError):  # a full disk: nobody can say since when
                _write(self._descriptor, f"ingest stopped {now_ms}\n" if self._work == INGEST else self._kept)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class Held:
    """What the lock says. `work`: what its holder does, None while nobody holds it.

    `stopped_at`: when ingest gave it back, ms; None: it holds it, never ran, or died without a word.
    """

    work: str | None
    stopped_at: int | None


def look(database: str) -> Held:
    """Who holds the lock now. Waits for nobody and writes nothing. Raises OSError when the file cannot be asked."""
    try:
        descriptor = os.open(lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Held(None, None)
    try:
        free = _try(descriptor, fcntl.LOCK_SH)
        text = _read(descriptor)
    finally:
        os.close(descriptor)
    work, stopped = _WORK.search(text), _STOPPED.search(text)
    return Held(None if free else work[1] if work else INGEST, int(stopped[1]) if stopped else None)


def writer_alive(database: str) -> bool:
    """True while some process holds the database's writer lock."""
    return look(database).work is not None


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


def _read(descriptor: int) -> str:
    return os.pread(descriptor, _TEXT_MAX, 0).decode("ascii", "replace")


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("ascii"), 0)
