"""The difference between the standard library's sqlite3 and APSW, and the translation of their errors.

Nothing else in the package imports either. Autocommit always: the engine writes its own BEGIN and COMMIT.
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from inchworm.errors import (
    Busy,
    DatabaseBroken,
    DatabaseFault,
    DeadlineExceeded,
    DiskFull,
    RowRefused,
    StatementRefused,
)
from inchworm.ports import Rows, SqlValue
from inchworm.sqlite.residents import choose

HANDLER_STEPS = 1_000  # VM instructions between two looks at the deadline: < 1 ms, cost below noise (measured)

# Primary result codes, https://www.sqlite.org/rescode.html
_TODO: dict[int, str] = {
    8: "this user must be able to write the file, its -wal and -shm, and their folder",
    14: "look at the path, and whether this user may read and write the file and its folder",
    26: "look at the path",
}
_BY_CODE: dict[int, type[DatabaseFault]] = {
    4: RowRefused,  # ABORT: a callback or RAISE(ROLLBACK)
    5: Busy,
    6: Busy,  # LOCKED, shared cache
    8: DatabaseBroken,  # READONLY
    9: DeadlineExceeded,  # INTERRUPT: only the engine's own handler interrupts its connections
    10: DatabaseBroken,  # IOERR
    11: DatabaseBroken,  # CORRUPT
    13: DiskFull,
    14: DatabaseBroken,  # CANTOPEN
    15: Busy,  # PROTOCOL: the race for the WAL index was lost
    17: Busy,  # SCHEMA: changed under the statement
    18: RowRefused,  # TOOBIG
    19: RowRefused,  # CONSTRAINT
    20: RowRefused,  # MISMATCH
    21: DatabaseBroken,  # MISUSE
    25: StatementRefused,  # RANGE: wrong number of bindings
    26: DatabaseBroken,  # NOTADB
}
_NEVER = re.compile(
    r"no such|syntax error|near \"|ambiguous|has no column|incomplete input|wrong number of arguments"
    r"|unrecognized token|already exists|duplicate column|values for \d+ columns|no tables specified"
    r"|(?<!error )binding|not authorized|misuse of|one statement at a time"
    r"|cannot update generated column|cannot modify|may not be modified",
    re.IGNORECASE,
)


class Driver(Protocol):
    """One SQLite connection, whatever library opened it."""

    connection: Any
    library: str
    version: str

    def run(self, sql: str, params: Mapping[str, SqlValue] | Sequence[SqlValue] = ()) -> Rows: ...
    def many(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None: ...
    def total_changes(self) -> int: ...
    def in_transaction(self) -> bool: ...
    def watch(self, stop: Callable[[], bool] | None) -> None: ...
    def fault(self, problem: Exception) -> DatabaseFault | None: ...
    def close(self) -> None: ...


class StdlibDriver:
    """Over `sqlite3.Connection`."""

    library = "sqlite3"
    version = sqlite3.sqlite_version

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        if getattr(connection, "autocommit", -1) != -1:  # Python 3.12's attribute, when the caller chose it
            connection.autocommit = True  # type: ignore[attr-defined,unused-ignore]
        connection.isolation_level = None
        connection.row_factory = None
        connection.text_factory = str

    def run(self, sql: str, params: Mapping[str, SqlValue] | Sequence[SqlValue] = ()) -> Rows:
        cursor = self.connection.cursor()
        try:
            rows = cursor.execute(sql, params).fetchall()
            return Rows(tuple(d[0] for d in cursor.description or ()), rows)
        finally:
            cursor.close()  # a statement that is left in the middle keeps its snapshot, whatever ROLLBACK says

    def many(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        self.connection.executemany(sql, rows).close()

    def total_changes(self) -> int:
        return self.connection.total_changes

    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def watch(self, stop: Callable[[], bool] | None) -> None:
        self.connection.set_progress_handler(stop, HANDLER_STEPS)

    def fault(self, problem: Exception) -> DatabaseFault | None:
        if isinstance(problem, sqlite3.Error):
            code = getattr(problem, "sqlite_errorcode", None)
            if code is None and "closed" in str(problem):
                return DatabaseBroken(str(problem))
            return by_code(code, problem)
        return _python_fault(problem)

    def close(self) -> None:
        self.connection.close()


class ApswDriver:
    """Over `apsw.Connection`."""

    library = "apsw"

    def __init__(self, connection: Any) -> None:
        self._apsw: Any = import_module("apsw")
        self.connection = connection
        self.version: str = self._apsw.sqlite_lib_version()

    def run(self, sql: str, params: Mapping[str, SqlValue] | Sequence[SqlValue] = ()) -> Rows:
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql, params)
            first = cursor.fetchone()
            if first is None:
                return Rows((), [])
            columns = tuple(d[0] for d in cursor.get_description())
            return Rows(columns, [first, *cursor])
        finally:
            cursor.close(True)

    def many(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        cursor = self.connection.cursor()
        try:
            for _ in cursor.executemany(sql, rows):
                pass
        finally:
            cursor.close(True)

    def total_changes(self) -> int:
        return int(self.connection.total_changes())

    def in_transaction(self) -> bool:
        return bool(self.connection.in_transaction)

    def watch(self, stop: Callable[[], bool] | None) -> None:
        self.connection.set_progress_handler(stop, HANDLER_STEPS)

    def fault(self, problem: Exception) -> DatabaseFault | None:
        if isinstance(problem, self._apsw.ConnectionClosedError):
            return DatabaseBroken(str(problem))
        if isinstance(problem, self._apsw.BindingsError):
            return StatementRefused(str(problem))
        if isinstance(problem, self._apsw.Error):
            return by_code(getattr(problem, "result", None), problem)
        return _python_fault(problem)

    def close(self) -> None:
        self.connection.close()


def by_code(code: int | None, problem: Exception) -> DatabaseFault:
    """What a result code means for the runner; SQLITE_ERROR is told apart by its message."""
    kind, todo = _BY_CODE.get((code or 0) & 0xFF), _TODO.get((code or 0) & 0xFF)
    if kind is None:
        kind = StatementRefused if _NEVER.search(str(problem)) else RowRefused
    return kind(f"{problem} ({type(problem).__name__})" + (f": {todo}" if todo else ""))


def _python_fault(problem: Exception) -> DatabaseFault | None:
    """Values that Python cannot hand to SQLite are the row's fault; anything else is a bug and passes through."""
    if isinstance(problem, OverflowError | UnicodeError) or (
        isinstance(problem, TypeError) and ("Bad binding" in str(problem) or "binding" in str(problem))
    ):
        return RowRefused(f"{problem} ({type(problem).__name__})")
    return None


def wrap(connection: Any) -> Driver:
    """The driver for a connection that somebody's factory opened."""
    if isinstance(connection, sqlite3.Connection):
        return StdlibDriver(connection)
    if type(connection).__module__.partition(".")[0] == "apsw" or hasattr(connection, "set_busy_timeout"):
        return ApswDriver(connection)
    raise TypeError(f"{type(connection).__name__} is neither a sqlite3 nor an apsw connection")


def open_path(path: str | os.PathLike[str], *, read_only: bool, library: str | None = None) -> Driver:
    """Open an existing file: with the library that has it open here already, else APSW when installed, else sqlite3.

    Raises DatabaseBroken when it is missing, UnsafeConnection when `library` would be the second one on the file.
    """
    text = os.fspath(path)
    name = text if text.startswith("file:") else "file:" + quote(os.path.abspath(text))
    if not text.startswith("file:") and not (text and Path(text).exists()):
        raise DatabaseBroken(f"there is no database at {text or 'an empty path'}")
    if Path(text).is_dir():
        raise DatabaseBroken(f"{text} is a folder, not a database")
    name += ("&" if "?" in name else "?") + f"mode={'ro' if read_only else 'rw'}" if "mode=" not in name else ""
    if text.startswith("file:"):
        return _open(name, library or preferred_library())
    return _open(name, choose(text, library, preferred_library()))


def preferred_library() -> str:
    """`apsw` when it can be imported (it bundles a repaired SQLite), else `sqlite3`."""
    with contextlib.suppress(ImportError):
        import_module("apsw")
        return "apsw"
    return "sqlite3"


def _open(name: str, library: str) -> Driver:
    if library == "apsw":
        apsw: Any = import_module("apsw")
        flags = apsw.SQLITE_OPEN_URI | (apsw.SQLITE_OPEN_READONLY if "mode=ro" in name else apsw.SQLITE_OPEN_READWRITE)
        try:
            return ApswDriver(apsw.Connection(name, flags=flags))
        except apsw.Error as problem:
            raise by_code(getattr(problem, "result", None), problem) from problem
    try:
        return StdlibDriver(sqlite3.connect(name, uri=True, timeout=0, isolation_level=None, check_same_thread=False))
    except sqlite3.Error as problem:
        raise by_code(getattr(problem, "sqlite_errorcode", None), problem) from problem
