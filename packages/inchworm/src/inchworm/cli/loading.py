"""Turn `MODULE:ATTRIBUTE` into migrations; every way in which that fails is one sentence for the user."""

import os
import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from inchworm.errors import DefinitionError
from inchworm.model import Backfill, IndexBuild, IndexTable, Migration


def load_migrations(where: str) -> tuple[Migration, ...]:
    """A migration, several, or a function that gives them. The current directory is on the import path.

    Raises DefinitionError.
    """
    module_name, _, attribute = where.partition(":")
    if not module_name or not attribute:
        raise DefinitionError(f"{where!r} is not MODULE:ATTRIBUTE, for example myapp.migrations:ALL")
    found: Any = _imported(module_name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise DefinitionError(f"{module_name} has no {attribute}")
        found = getattr(found, part)
    return _migrations(where, found() if callable(found) else found)


def _imported(name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except DefinitionError:
        raise
    except Exception as problem:
        at = traceback.extract_tb(problem.__traceback__)[-1]
        place = "" if "importlib" in at.filename else f" ({at.filename}, line {at.lineno})"
        raise DefinitionError(f"cannot import {name}: {type(problem).__name__}: {problem}{place}") from problem


def _migrations(where: str, found: Any) -> tuple[Migration, ...]:
    several = found if isinstance(found, Iterable) else (found,)
    migrations = tuple(several)
    for one in migrations:
        if not isinstance(one, Backfill | IndexBuild | IndexTable):
            kind = type(one).__name__
            raise DefinitionError(f"{where} holds {kind} where a Backfill, IndexBuild or IndexTable belongs")
    if not migrations:
        raise DefinitionError(f"{where} holds no migration")
    return migrations
