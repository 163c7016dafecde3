"""Turn `MODULE:ATTRIBUTE` into migrations; every way in which that fails is one sentence for the user."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from inchworm.errors import DefinitionError
from inchworm.model import Migration
from inchworm.order import in_order

_WHERE = re.compile(r"(?P<module>\w+(\.\w+)*):(?P<attribute>\w+(\.\w+)*)")


def load_migrations(where: str) -> tuple[Migration, ...]:
    """A migration, several, or a function that gives them. The current directory is on the import path.

    Raises DefinitionError, also for a cycle in `after` and a name given twice.
    """
    match = _WHERE.fullmatch(where)
    if match is None:
        raise DefinitionError(f"{where!r} is not MODULE:ATTRIBUTE, for example myapp.migrations:ALL")
    module_name, attribute = match["module"], match["attribute"]
    module = found = _imported(module_name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise DefinitionError(f"{module_name} has no {attribute}{_instead(module)}")
        found = getattr(found, part)
    migrations = _migrations(where, _called(where, found) if callable(found) else found)
    in_order(migrations)
    return migrations


def _instead(module: Any) -> str:
    names = sorted(name for name, value in vars(module).items() if _is_migrations(value))
    return f" (it has {', '.join(names[:5])}{', …' if len(names) > 5 else ''})" if names else ""


def _is_migrations(value: object) -> bool:
    return isinstance(value, Migration) or (
        isinstance(value, list | tuple) and bool(value) and all(isinstance(one, Migration) for one in value)
    )


def _called(where: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except DefinitionError:
        raise
    except Exception as problem:
        raise DefinitionError(f"{where}() failed: {_said(problem)}") from problem


def _imported(name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except DefinitionError:
        raise
    except Exception as problem:
        raise DefinitionError(f"cannot import {name}: {_said(problem)}{_is_a_file(name, problem)}") from problem


def _said(problem: Exception) -> str:
    at = traceback.extract_tb(problem.__traceback__)[-1]
    place = "" if "importlib" in at.filename else f" ({at.filename}, line {at.lineno})"
    return f"{type(problem).__name__}: {problem}{place}"


def _is_a_file(name: str, problem: Exception) -> str:
    module = name.removesuffix(".py")
    return f"; write the module, {module}:…" if module != name and isinstance(problem, ModuleNotFoundError) else ""


def _migrations(where: str, found: Any) -> tuple[Migration, ...]:
    several = found if isinstance(found, Iterable) else (found,)
    migrations = tuple(several)
    for one in migrations:
        if not isinstance(one, Migration):
            kind = type(one).__name__
            raise DefinitionError(f"{where} holds {kind} where a Backfill, IndexBuild or IndexTable belongs")
    if not migrations:
        raise DefinitionError(f"{where} holds no migration")
    return migrations
