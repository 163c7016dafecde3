"""Turn `:name` parameters into PostgreSQL's `$1, $2 …` without touching strings, comments, casts or array slices.

Text only. Every occurrence gets its own number, so that the server may find a different type at each place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from inchworm.errors import StatementRefused

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html; block comments nest and are scanned by hand
_PIECE = re.compile(
    r"""(?P<opaque>[eE]'(?:[^'\\]|''|\\.)*'
                 | '(?:[^']|'')*'
                 | "(?:[^"]|"")*"
                 | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$
                 | --[^\n]*
                 | ::|:=)
      | (?P<comment>/\*)
      | (?P<param>:[^\W\d]\w*)
      | (?P<number>\$\d+)
      | (?P<word>\w[\w$]*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Statement:
    """PostgreSQL spelling, and the names that fill `$1`, `$2`, … in this order."""

    text: str
    names: tuple[str, ...]


@lru_cache(maxsize=1024)
def translated(sql: str) -> Statement:
    """`where id = :id::int` becomes `where id = $1::int` with ("id",). Raises StatementRefused for a `$1` of its own.

    Inside brackets a colon right after a word, number or bracket is an array slice: `a[lo:hi]` has no parameter, but
    `a[:lo]` and `a[1 : :hi]` have.
    """
    parts: list[str] = []
    names: list[str] = []
    depth, before = 0, ""
    for kind, raw in _pieces(sql):
        if kind == "number":
            raise StatementRefused(f"parameters are written :name, not {raw}: {sql[:120]}")
        if kind == "param" and not (depth and (before[-1:].isalnum() or before[-1:] in ("_", "]", ")"))):
            names.append(raw[1:])
            raw = f"${len(names)}"
        depth += (raw == "[") - (raw == "]")
        parts.append(raw)
        before = raw
    return Statement("".join(parts), tuple(names))


def _pieces(sql: str) -> Iterator[tuple[str, str]]:
    at = 0
    while match := _PIECE.match(sql, at):
        kind, end = match.lastgroup or "other", match.end()
        if kind == "comment":
            end = _end_of_comment(sql, match.start())
        kind = "opaque" if match["opaque"] is not None else kind
        yield kind, sql[at:end]
        at = end


def _end_of_comment(sql: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)
