"""Write the little of TOML that configuration files need; reading is tomllib's."""

import json
import re
from collections.abc import Mapping
from typing import Any


def value(given: Any) -> str:
    """A TOML value. Texts, numbers, booleans, lists and tables of these."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int):
        return str(given)
    if isinstance(given, str):
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007f")  # a JSON string is a TOML string
    if isinstance(given, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {value(inner)}" for name, inner in given.items()) + " }"
    if isinstance(given, list | tuple):
        return "[" + ", ".join(value(entry) for entry in given) + "]"
    raise TypeError(f"{type(given).__name__} has no place in a configuration file")


def key(name: str) -> str:
    """A key, quoted when it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else value(name)


def assignment(name: str, given: Any) -> str:
    """One line `name = value`."""
    return f"{key(name)} = {value(given)}"
