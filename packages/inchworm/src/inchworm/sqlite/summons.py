"""How an operator's request gets past a CREATE INDEX of ours: who wants the write lock locks a file beside it.

Announces and looks, nothing more. flock(2) belongs to an open file, so a process that dies announces nothing.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


def _fcntl() -> ModuleType | None:
    with contextlib.suppress(ImportError):  # Windows
        return import_module("fcntl")
    return None


def beside(path: str) -> str:
    """The file that is locked; it exists only while somebody waits."""
    return path + "-request"


@contextmanager
def announced(path: str) -> Iterator[None]:
    """While the block runs, an index build on this database gives the lock back. Nothing happens without a file."""
    fcntl, name = _fcntl(), beside(path)
    if fcntl is None or not path:
        yield
        return
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # a folder where nothing may be made: the request waits as long as it would have
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)
        os.close(descriptor)


def is_awaited(path: str) -> bool:
    """Whether somebody in this or another process is announced."""
    fcntl = _fcntl()
    if fcntl is None or not path:
        return False
    try:
        descriptor = os.open(beside(path), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
