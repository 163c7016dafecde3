"""Name the index that a statement lacks, from its text and the plan that the database showed. Pure text work.

Reads EXPLAIN QUERY PLAN of SQLite (https://www.sqlite.org/eqp.html). A suggestion is proved elsewhere.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inchworm.statement import Token, tokens

_LINE = re.compile(r"^(?P<how>SCAN|SEARCH) (?:TABLE )?(?P<name>\S+)(?: AS (?P<alias>\S+))?(?P<rest>.*)$")
_EQUAL = {"=", "==", "is", "in"}
_RANGE = {"<", ">", "<=", ">=", "between"}
_NOT_ALIAS = {
    "where", "set", "on", "join", "left", "inner", "cross", "natural", "group", "order", "limit", "using", "union",
    "values", "indexed", "not", "as", "having", "returning", "full", "right", "outer", "except", "intersect", "window",
}  # fmt: skip
_ENDS_LIST = {"where", "set", "on", "select", "group", "order", "limit", "having", "returning", "union", "values"}
MOST_COLUMNS = 5  # a wider index costs more to write than its covering saves


@dataclass(frozen=True, slots=True)
class Access:
    """How a plan reads one table: `scans` all of it, or searches; `index` None: the table itself."""

    table: str
    scans: bool
    index: str | None
    covering: bool
    automatic: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index that would help: the columns compared first, then those that are only read."""

    table: str
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        return "_".join((self.table, *self.columns))

    @property
    def create(self) -> str:
        """Its DDL."""
        columns = ", ".join(_quoted(c) for c in self.columns)
        return f"create index {_quoted(self.name)} on {_quoted(self.table)} ({columns})"


def accesses(plan: Sequence[str], sql: str) -> tuple[Access, ...]:
    """The tables that a plan reads, with aliases resolved; lines about sorting or subqueries say nothing here."""
    names = table_names(sql)
    found = []
    for line in plan:
        match = _LINE.match(line)
        if match is None:
            continue
        table = names.get(match["name"].lower(), match["name"])
        rest = match["rest"]
        index = re.search(r"INDEX (\S+)", rest)
        automatic = "AUTOMATIC" in rest
        named = index[1] if index and not automatic else None
        # SEARCH without USING is min() or max() without an index: all rows, from one end
        scans = match["how"] == "SCAN" or "USING" not in rest
        found.append(Access(table, scans, named, "COVERING" in rest, automatic))
    return tuple(found)


def table_names(sql: str) -> dict[str, str]:
    """Names and aliases, in lower case, to the table they stand for."""
    words = list(tokens(sql))
    names: dict[str, str] = {}
    listing = False  # between FROM and what ends its list, where a comma leads to another table
    for at, token in enumerate(words[:-1]):
        if token.text in _ENDS_LIST or token.raw == ")":
            listing = False
        if token.text not in ("from", "join", "update", "into") and not (listing and token.raw == ","):
            continue
        name, after = _name(words, at + 1)
        if name is None:
            continue
        listing = True
        names[name] = name
        after += words[after].text == "as" if after < len(words) else 0
        if after < len(words) and words[after].kind == "word" and words[after].text not in _NOT_ALIAS:
            names[words[after].text] = name
    return names


def _name(words: Sequence[Token], at: int) -> tuple[str | None, int]:
    if at >= len(words) or words[at].kind != "word":
        return None, at
    name = words[at].text
    while at + 2 < len(words) and words[at + 1].raw == ".":
        at += 2
        name = words[at].text
    return name, at + 1


def suggest(sql: str, table: str, columns: Mapping[str, Sequence[str]]) -> Index | None:
    """The index on `table` that would let the statement seek, or None when no condition ties its rows to the slice.

    columns: of every table that the statement names, in lower case, by table.
    """
    equal: list[str] = []
    ranged: list[str] = []
    read: list[str] = []
    for column, role in _uses(sql, table.lower(), columns):
        {"equal": equal, "range": ranged, "read": read}[role].append(column)
    keys = list(dict.fromkeys(equal))
    keys += [c for c in dict.fromkeys(ranged) if c not in keys][:1]  # a second range cannot be sought
    if not keys:
        return None
    rest = [c for c in dict.fromkeys((*ranged, *read)) if c not in keys]
    return Index(table, tuple(keys + (rest if len(keys) + len(rest) <= MOST_COLUMNS else [])))


def _uses(sql: str, table: str, columns: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    words, names = list(tokens(sql)), table_names(sql)
    assigned, named = _assigned(words), set(names.values())
    found = []
    for at, token in enumerate(words):
        if token.kind != "word" or at in assigned or token.text not in columns.get(table, ()):
            continue
        qualified = at > 1 and words[at - 1].raw == "."
        if qualified and names.get(words[at - 2].text) != table:
            continue
        if not qualified and sum(token.text in columns.get(each, ()) for each in named) > 1:
            continue  # another table has a column of that name; a wrong guess would make a wrong index
        if at + 1 < len(words) and words[at + 1].raw in ("(", "."):
            continue
        if not qualified and at and words[at - 1].text == "as":
            continue
        found.append((token.text, _role(words, at, qualified)))
    return found


def _role(words: Sequence[Token], at: int, qualified: bool) -> str:  # noqa: FBT001
    before = words[at - 3 if qualified else at - 1].text if at >= (3 if qualified else 1) else ""
    after = words[at + 1].text if at + 1 < len(words) else ""
    if after in _EQUAL or before in ("=", "=="):
        return "equal"
    return "range" if after in _RANGE or before in _RANGE else "read"


def _assigned(words: Sequence[Token]) -> set[int]:
    """Positions of the columns that `set` assigns; they are compared with nothing."""
    found: set[int] = set()
    inside, depth = False, 0
    for at, token in enumerate(words):
        depth += (token.raw == "(") - (token.raw == ")")
        if token.text == "set" and depth == 0:
            inside = True
        elif depth == 0 and token.text in ("where", "from", "returning"):
            inside = False
        if inside and depth == 0 and at + 1 < len(words) and (token.text == "set" or token.raw == ","):
            found.add(at + 1)
    return found


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace('"', '""') + '"'
