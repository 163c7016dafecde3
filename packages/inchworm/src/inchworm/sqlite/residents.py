"""Which SQLite library already has a file open in this process: two of them on one file drop each other's locks.

Looks only, opens nothing: closing a descriptor of our own on the file would itself drop locks (POSIX, see
https://www.sqlite.org/howtocorrupt.html, 2.2). Linux tells (/proc/self/fd); elsewhere nothing is known.
"""

import os
import sys
from pathlib import Path
from typing import Any

from inchworm.errors import UnsafeConnection

DESCRIPTORS = Path("/proc/self/fd")


def resident(path: str | os.PathLike[str]) -> str | None:
    """`apsw` or `sqlite3`, whichever has the file open in this process; None when it is not open, or nobody can tell.

    APSW lists its connections; an open file that none of them explains belongs to another SQLite, in a Python process
    the standard library's. What is opened later is not seen, nor a second library beside APSW.
    """
    if not _is_open(path):
        return None
    return "apsw" if _apsw_has(path) else "sqlite3"


def choose(path: str | os.PathLike[str], wanted: str | None, preferred: str) -> str:
    """The library to open a file with. Raises UnsafeConnection when the wanted one would be the second on the file."""
    there = resident(path)
    if wanted is None:
        return there or preferred
    if there is not None and there != wanted:
        raise UnsafeConnection(
            f"{os.fspath(path)} is open in this process through {there}; a second SQLite library ({wanted}) on the "
            f"same file would drop its locks and can corrupt it. Use one library, or run the migrations in a process "
            f"of their own"
        )
    return wanted


def _is_open(path: str | os.PathLike[str]) -> bool:
    try:
        file = os.stat(path)
        numbers = os.listdir(DESCRIPTORS)
    except OSError:
        return False
    return any(_same(DESCRIPTORS / number, file) for number in numbers)


def _same(link: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(link.stat(), file)
    except OSError:  # closed meanwhile, or not a file
        return False


def _apsw_has(path: str | os.PathLike[str]) -> bool:
    apsw: Any = sys.modules.get("apsw")
    if apsw is None or not hasattr(apsw, "connections"):
        return apsw is not None  # cannot be told apart: give the preferred library the benefit of the doubt
    return any(_names(apsw, connection, path) for connection in apsw.connections())


def _names(apsw: Any, connection: Any, path: str | os.PathLike[str]) -> bool:
    try:
        return bool(connection.filename) and os.path.samefile(connection.filename, path)
    except (apsw.Error, OSError):  # closed by another thread, or its file is gone
        return False
