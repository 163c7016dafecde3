"""What can go wrong when the store is written, said without the driver's words. Translates at the border only."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


class StoreError(Exception):
    """Root of what the store raises on purpose."""


class StoreUnavailable(StoreError):
    """The database cannot take a write now: busy, disk full, or an I/O error. Trying again later may help."""


class StoreDamaged(StoreError):
    """The database's content is not what it must be. Trying again does not help; a backup does."""


class RecordRefused(StoreError):
    """The database refused a value. Trying again does not help; the other records of the batch may be fine."""


class UnknownSource(StoreError):
    """A record names a source that was never registered: a defect of the caller."""


class UnsupportedDatabase(StoreError):
    """The configured database is of a kind that this version cannot use."""


PASSING = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.NoMemError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.InterruptError,
    apsw.ProtocolError,
)
DAMAGE = (apsw.CorruptError, apsw.NotADBError)
OF_A_VALUE = (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, ValueError, TypeError, OverflowError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise ours for the driver's passing troubles, for damage and for refused values. Wrong SQL passes through."""
    try:
        yield
    except PASSING as exc:
        raise StoreUnavailable(f"{type(exc).__name__}: {exc}") from exc
    except DAMAGE as exc:
        raise StoreDamaged(f"{type(exc).__name__}: {exc}") from exc
    except OF_A_VALUE as exc:
        raise RecordRefused(f"{type(exc).__name__}: {exc}") from exc
