"""The driver's errors as the migration engine knows them, for writes on its connection that go past its own methods."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from inchworm.sqlite.driver import by_code


@contextmanager
def as_faults() -> Iterator[None]:
    """Raise the engine's errors, so that it waits, halves the slice or puts a row aside."""
    try:
        yield
    except apsw.Error as exc:
        raise by_code(getattr(exc, "result", None), exc) from exc
