"""PostgreSQL behind the engine's ports."""

from typing import Any

from inchworm.clock import Clock
from inchworm.ports import Database


def connect(target: Any, *, clock: Clock | None = None) -> Database:
    """Open a PostgreSQL database."""
    raise NotImplementedError("the PostgreSQL backend is not part of this version yet")
