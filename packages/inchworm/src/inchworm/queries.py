"""Load named SQL statements from the package's `sql/` folder: `-- name: x` begins one, and a name may appear once."""

import re
from functools import cache
from importlib.resources import files

_BLOCK = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


def parse_queries(text: str) -> dict[str, str]:
    """Split a file into its statements; ValueError for a name that is defined twice."""
    queries: dict[str, str] = {}
    for name, body in _BLOCK.findall(text):
        if name in queries:
            raise ValueError(f"query {name!r} is defined twice")
        queries[name] = body.strip()
    return queries


@cache
def load(name: str) -> dict[str, str]:
    """The statements of `sql/<name>.sql`."""
    return parse_queries((files("inchworm") / "sql" / f"{name}.sql").read_text(encoding="utf-8"))


def quoted(identifier: str) -> str:
    """An identifier for use in a statement template."""
    return '"' + identifier.replace('"', '""') + '"'
