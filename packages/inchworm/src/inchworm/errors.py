"""Every error that inchworm raises on purpose; each says what happened, to which migration, and what to do next.

Database faults are what an adapter translates its driver's errors into; the runner decides by their class alone.
"""


class InchwormError(Exception):
    """Root of everything this package raises on purpose."""


class DefinitionError(InchwormError):
    """A migration's definition is refused before anything runs."""


class DefinitionChanged(InchwormError):
    """A migration that has begun was defined differently when it began."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "its definition changed after it had begun; restore the old one and ask for `retry`, which goes on after "
            "the cursor; or give the new one a new name; or ask for `retry` as it is, which starts the new definition "
            "from the first key (with guard='frozen' after the cursor, because rows would be changed twice)"
        )
        self.name = name


class CursorStuck(InchwormError):
    """A slice ended where it began; running on would never end."""


class AccountsDiffer(InchwormError):
    """examined is not changed + unchanged + skipped + quarantined, so the run may not be called done."""


class VerificationFailed(InchwormError):
    """The `verify` statement selected rows that are still wrong."""


class LeaseLost(InchwormError):
    """Another runner took this migration over; nothing of the current slice was written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: another runner holds this migration now; this one stopped without writing")
        self.name = name


class LedgerTooNew(InchwormError):
    """The ledger was written by a newer inchworm; this one must not touch it."""


class LedgerUnreadable(InchwormError):
    """The ledger could not be read; that says nothing about the migrations in it."""


class RequestRefused(InchwormError):
    """An operator's verb does not fit the state of the migration."""


class UnsafeVersion(InchwormError):
    """The SQLite library has the WAL-reset bug and `strict_version=True` was asked for."""


class UnsafeConnection(InchwormError):
    """A connection would be used in a way that can corrupt the file: after fork(), or through a second SQLite."""


class PlanRefused(InchwormError):
    """A look at the costs found that a migration would not work well; nothing was changed."""


class DatabaseFault(InchwormError):
    """The database refused something; the subclasses say what that means for the runner."""


class Busy(DatabaseFault):
    """Another connection holds a lock that this statement needs; the same statement may succeed a moment later."""


class ConnectionLost(Busy):
    """The server ended the connection or cannot be reached now. A lost COMMIT may have happened: the ledger knows."""


class LockNeverFree(DatabaseFault):
    """Other connections held the write lock for longer than the run's patience."""


class DeadlineExceeded(DatabaseFault):
    """A statement or a turn ran past its limit and was stopped; its transaction is rolled back."""


class Stopped(DatabaseFault):
    """The stop token was set while the database worked; the transaction is rolled back."""


class DiskFull(DatabaseFault):
    """The database could not grow; it may succeed when there is room again."""


class RowRefused(DatabaseFault):
    """A value or a constraint made the database refuse a row; other rows may be fine."""


class StatementRefused(DatabaseFault):
    """The statement can never work as written: syntax, unknown table or column, missing parameter."""


class DatabaseBroken(DatabaseFault):
    """Input/output error, corruption, a read-only or closed database: trying smaller slices cannot help."""
