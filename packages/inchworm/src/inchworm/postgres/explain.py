"""Spell a plan of PostgreSQL's as lines that `advice` reads: SCAN for all of a table, SEARCH where an index leads.

Pure: EXPLAIN (FORMAT JSON) in, one line per node out, indentation left out. Partitions go by the name of their table.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]


def plan_lines(text: str, roots: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The nodes of each plan, outermost first. roots: partitions to the tables that statements name.

    ValueError when the text is not such a plan.
    """
    try:
        return tuple(line for each in json.loads(text) for line in _lines(each["Plan"], roots or {}))
    except (KeyError, TypeError) as problem:
        raise ValueError(f"{text[:80]!r} is not a plan of PostgreSQL's") from problem


def scanned(lines: tuple[str, ...]) -> int:
    """How many nodes read all of a table."""
    return sum(line.startswith("SCAN ") for line in lines)


def _lines(node: Node, roots: Mapping[str, str]) -> Iterator[str]:
    kind = str(node["Node Type"])
    if node.get("Relation Name") in roots:
        root = roots[node["Relation Name"]]
        node = {**node, "Relation Name": root, "Alias": root}
    yield _ACCESS.get(kind, _other)(node, kind)
    if kind != "Bitmap Heap Scan":
        for child in node.get("Plans", ()):
            yield from _lines(child, roots)


def _table(node: Node) -> str:
    name, alias = str(node.get("Relation Name", "?")), node.get("Alias")
    return name if alias in (None, name) else f"{name} AS {alias}"


def _rows(node: Node) -> str:
    return f" (about {node.get('Plan Rows', 0):,} rows)"


def _whole(node: Node, kind: str) -> str:
    del kind
    return f"SCAN {_table(node)}{_rows(node)}"


def _by_index(node: Node, kind: str) -> str:
    """Without a condition an index is only read in its order, from one end to the other."""
    covering = "COVERING " if kind == "Index Only Scan" else ""
    using = f"{_table(node)} USING {covering}INDEX {node.get('Index Name')}"
    found = node.get("Index Cond")
    return f"SEARCH {using} {found}{_rows(node)}" if found else f"SCAN {using}{_rows(node)}"


def _by_bitmap(node: Node, kind: str) -> str:
    del kind
    parts = list(_bitmaps(node))
    names = " INDEX ".join(str(part.get("Index Name")) for part in parts)
    if parts and all(part.get("Index Cond") for part in parts):
        return f"SEARCH {_table(node)} USING INDEX {names} {parts[0]['Index Cond']} by bitmap{_rows(node)}"
    return f"SCAN {_table(node)} USING INDEX {names}{_rows(node)}"


def _bitmaps(node: Node) -> Iterator[Node]:
    for child in node.get("Plans", ()):
        if child["Node Type"] == "Bitmap Index Scan":
            yield child
        else:
            yield from _bitmaps(child)


def _by_address(node: Node, kind: str) -> str:
    return f"SEARCH {_table(node)} USING {kind.upper()}{_rows(node)}"


def _other(node: Node, kind: str) -> str:
    return f"{kind}{_rows(node)}"


_ACCESS = {
    "Seq Scan": _whole,
    "Sample Scan": _whole,
    "Index Scan": _by_index,
    "Index Only Scan": _by_index,
    "Bitmap Heap Scan": _by_bitmap,
    "Tid Scan": _by_address,
    "Tid Range Scan": _by_address,
}
