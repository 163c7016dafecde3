"""Which SQLite library already has a file open in this process: two of them on one file drop each other's locks.

Looks only, opens nothing: closing a descriptor of our own on the file would itself drop locks (POSIX, see
https://www.sqlite.org/howtocorrupt.html, 2.2). Linux tells (/proc/self/maps); elsewhere nothing is known.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from inchworm.errors import UnsafeConnection

MAPS = Path("/proc/self/maps")
ROUNDS = 3  # connections come and go in other threads: only what stays is evidence
ROUND_S = 0.005


def resident(path: str | os.PathLike[str]) -> str | None:
    """`apsw` or `sqlite3`, whichever has the WAL database open in this process; None when neither is sure to.

    APSW lists its connections; one that is busy in another thread does not say its file and is taken for ours. A log
    index that is mapped while no connection of APSW explains it belongs to another SQLite, in a Python process the
    standard library's. Not seen: what is opened later, a second library beside APSW, a database in rollback mode.
    """
    for number in range(ROUNDS):
        if number:
            time.sleep(ROUND_S)
        if _apsw_may_have(path):
            return "apsw"
        if not _is_mapped(path):
            return None
    return None if _apsw_may_have(path) else "sqlite3"


def choose(path: str | os.PathLike[str], wanted: str | None, preferred: str) -> str:
    """The library to open a file with. Raises UnsafeConnection when two have it open or the wanted one would be second.

    An application that opens the file behind our back, after we did, is thus refused its next run, request or reader.
    """
    if _libraries(path) > 1:
        raise UnsafeConnection(
            f"{os.fspath(path)} is open in this process through two SQLite libraries already (sqlite3 and apsw); they "
            f"drop each other's locks and can corrupt it. Use one of them everywhere (driver=, or a factory)"
        )
    there = resident(path)
    if wanted is None:
        return there or preferred
    if there is not None and there != wanted and _is_mapped(path):
        raise UnsafeConnection(
            f"{os.fspath(path)} is open in this process through {there}; a second SQLite library ({wanted}) on the "
            f"same file would drop its locks and can corrupt it. Use one library, or run the migrations in a process "
            f"of their own"
        )
    return wanted


def _is_mapped(path: str | os.PathLike[str]) -> bool:
    return bool(_mapped(path))


def _libraries(path: str | os.PathLike[str]) -> int:
    """How many map the beginning of the log index: each library does so once, whatever the number of connections."""
    return sum(int(line.split()[2], 16) == 0 for line in _mapped(path))


def _mapped(path: str | os.PathLike[str]) -> list[str]:
    try:
        maps = MAPS.read_text(errors="surrogateescape")
    except OSError:
        return []
    name = os.path.realpath(path) + "-shm"
    return [line for line in maps.splitlines() if line.endswith(name)]


def _apsw_may_have(path: str | os.PathLike[str]) -> bool:
    apsw: Any = sys.modules.get("apsw")
    if apsw is None:
        return False
    if not hasattr(apsw, "connections"):
        return True  # cannot be told apart: the benefit of the doubt goes to the preferred library
    return any(_may_be(apsw, connection, path) for connection in apsw.connections())


def _may_be(apsw: Any, connection: Any, path: str | os.PathLike[str]) -> bool:
    try:
        return bool(connection.filename) and os.path.samefile(connection.filename, path)
    except apsw.ThreadingViolationError:
        return True
    except (apsw.Error, OSError):  # closed meanwhile, or its file is gone
        return False
