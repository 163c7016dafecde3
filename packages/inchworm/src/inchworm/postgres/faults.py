"""What PostgreSQL's error codes mean for a runner. Pure: an exception in, one of `inchworm.errors` out."""

import psycopg

from inchworm.errors import (
    Busy,
    ConnectionLost,
    DatabaseBroken,
    DatabaseFault,
    DeadlineExceeded,
    DiskFull,
    RowRefused,
    StatementRefused,
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html; five letters first, then the class of two
_BY_STATE: dict[str, type[DatabaseFault]] = {
    "55P03": Busy,  # lock_not_available: lock_timeout
    "40001": Busy,  # serialization_failure
    "40P01": Busy,  # deadlock_detected
    "55006": Busy,  # object_in_use
    "53300": Busy,  # too_many_connections
    "57014": DeadlineExceeded,  # query_canceled: statement_timeout, or the stop token
    "53100": DiskFull,
    "53400": RowRefused,  # configuration_limit_exceeded: temp_file_limit; fewer rows need less
    "25006": DatabaseBroken,  # read_only_sql_transaction: a standby
    "55000": StatementRefused,  # object_not_in_prerequisite_state
    "25P03": ConnectionLost,  # idle_in_transaction_session_timeout: this process was stopped
    "57P01": ConnectionLost,  # admin_shutdown
    "57P02": ConnectionLost,  # crash_shutdown
    "57P03": ConnectionLost,  # cannot_connect_now: starting or stopping
    "57P05": ConnectionLost,  # idle_session_timeout
    "08": ConnectionLost,
    "0A": StatementRefused,  # feature_not_supported
    "21": RowRefused,  # a subquery gave two rows
    "22": RowRefused,  # data exception
    "23": RowRefused,  # integrity constraint
    "26": StatementRefused,  # a prepared statement is gone: a pooler without session mode
    "27": RowRefused,
    "2B": StatementRefused,
    "38": RowRefused,
    "39": RowRefused,
    "3F": StatementRefused,
    "42": StatementRefused,  # syntax, unknown names, no privilege
    "44": RowRefused,
    "54": RowRefused,  # too large for an index, too many columns
    "P0": RowRefused,  # raised by a function or trigger
}
_BY_CLASS: tuple[tuple[type[BaseException], type[DatabaseFault]], ...] = (
    (psycopg.DataError, RowRefused),  # a value that psycopg cannot write down, such as a text with NUL
    (psycopg.IntegrityError, RowRefused),
    (psycopg.NotSupportedError, StatementRefused),
    (psycopg.ProgrammingError, StatementRefused),
    (psycopg.OperationalError, ConnectionLost),  # without a code: the network, or nobody listens
    (psycopg.InterfaceError, ConnectionLost),
    (UnicodeError, RowRefused),
    (OverflowError, RowRefused),
)


def fault_of(problem: Exception) -> DatabaseFault | None:
    """The fault that the runner decides by, or None for an exception that is not the database's."""
    if isinstance(problem, DatabaseFault):
        return problem
    if isinstance(problem, psycopg.Error) and problem.sqlstate:
        return _by_state(problem, problem.sqlstate)
    for kind, meaning in _BY_CLASS:
        if isinstance(problem, kind):
            return meaning(_said(problem))
    return DatabaseBroken(_said(problem)) if isinstance(problem, psycopg.Error) else None


def _by_state(problem: psycopg.Error, state: str) -> DatabaseFault:
    if _two_runners_at_once(problem, state):
        return Busy(_said(problem))
    return (_BY_STATE.get(state) or _BY_STATE.get(state[:2]) or DatabaseBroken)(_said(problem))


def _two_runners_at_once(problem: psycopg.Error, state: str) -> bool:
    """Both created or registered the same thing: `if not exists` looks before it waits. The next look finds it."""
    diag = problem.diag
    if state == "23505":
        return diag.schema_name == "pg_catalog" or diag.constraint_name == "_async_migrations_pkey"
    return state == "XX000" and "concurrently" in (diag.message_primary or "")


def _said(problem: Exception) -> str:
    state = getattr(problem, "sqlstate", None)
    text = " ".join(str(problem).split())
    return f"{text} ({type(problem).__name__}{f', {state}' if state else ''})"
