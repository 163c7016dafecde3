"""Run a plain `update … where key = :key` for many rows as one statement over arrays: shorter locks, fewer messages.

Pure text and values. What could behave otherwise than row by row is left alone: it runs row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from inchworm.ports import SqlValue
from inchworm.statement import Token, tokens, update_shape

FEWEST_ROWS = 8  # below, a pipeline of single statements is as fast
_OTHER_LEXERS = ("$", "[", "\\", "`")  # spellings that `statement` does not read as PostgreSQL does
_OTHER_ROWS = {"select", "from", "returning", "with", "current", "only", "as"}  # may see other rows, or other names
_EXACT = 1 << 53  # whole numbers that even a floating-point column tells apart
_WHOLE = ("::int4[]", "::int8[]")
_ELEMENT = {int: "int8", float: "float8", bool: "bool", Decimal: "numeric", bytes: "bytea"}


@dataclass(frozen=True, slots=True)
class Bulk:
    """`update`, then `where`, with `{n}` for parameter n, and which parameters pick a row by equality."""

    update: str
    where: str
    names: tuple[str, ...]
    pickers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """One statement with its arrays; those of whole numbers as PostgreSQL writes them, which is half of the work."""

    text: str
    arrays: "list[list[SqlValue] | str]"


@lru_cache(maxsize=256)
def read_bulk(sql: str) -> Bulk | None:
    """The statement as one over many rows, or None when only row by row is certainly the same.

    A row of the table may match one row of values only: some `column = :name` stands alone in the WHERE, its column is
    not assigned, and `fill` sees to it that the values of `name` differ.
    """
    shape = update_shape(sql)
    pieces = list(tokens(sql))
    if shape is None or any(mark in sql for mark in _OTHER_LEXERS) or not _is_plain(pieces):
        return None
    pickers = tuple(name for c in shape.conditions if (name := _picker(c, shape.columns)) is not None)
    names = tuple(dict.fromkeys(t.raw[1:] for t in pieces if t.kind == "param"))
    parts: tuple[list[str], list[str]] = ([], [])
    depth, behind = 0, 0
    for token in tokens(sql, spaces=True):
        depth += (token.raw == "(") - (token.raw == ")")
        behind |= depth == 0 and token.kind == "word" and token.raw.lower() == "where"
        raw = token.raw.replace("{", "{{").replace("}", "}}")
        parts[behind].append(f"{{{names.index(raw[1:])}}}" if token.kind == "param" else raw)
    return Bulk("".join(parts[0]), "".join(parts[1]), names, pickers) if pickers and behind else None


def _is_plain(pieces: Sequence[Token]) -> bool:
    """`update table set …`, without alias, other tables, subqueries or a second statement."""
    at = 1
    while at + 1 < len(pieces) and pieces[at + 1].raw == ".":
        at += 2
    words = [t.raw.lower() for t in pieces]
    return (
        words[0] == "update" and words[at + 1 : at + 2] == ["set"] and not _OTHER_ROWS & set(words) and ";" not in words
    )


def _picker(condition: Sequence[Token], assigned: Sequence[str]) -> str | None:
    if len(condition) != 3 or condition[1].raw != "=":
        return None
    column, value = (condition[0], condition[2]) if condition[2].kind == "param" else (condition[2], condition[0])
    return value.raw[1:] if column.kind == "word" and value.kind == "param" and column.text not in assigned else None


def fill(bulk: Bulk, columns: Sequence[str], rows: Sequence[Sequence[SqlValue]], types: Sequence[str]) -> Filled | None:
    """The statement for these rows; `types` are what PostgreSQL inferred for each name. None: run them one by one."""
    places = {column: at for at, column in enumerate(columns)}
    if len(rows) < FEWEST_ROWS or not set(bulk.names) <= set(places):
        return None
    columns_of = list(zip(*rows, strict=True))
    arrays = [columns_of[places[name]] for name in bulk.names]
    if not any(_all_differ(arrays[bulk.names.index(name)]) for name in bulk.pickers):
        return None
    elements = [_element(array, inferred) for array, inferred in zip(arrays, types, strict=True)]
    if None in elements:
        return None
    numbers = range(len(bulk.names))
    values = ", ".join(f"${n + 1}{elements[n]}" for n in numbers)
    named = ", ".join(f"_inchworm_{n}" for n in numbers)
    places_of = [f"_inchworm._inchworm_{n}" for n in numbers]
    source = f"from unnest({values}) with ordinality as _inchworm ({named}, _inchworm_at)"
    text = (
        f"{bulk.update.format(*places_of)}\n{source}\n{bulk.where.format(*places_of)}\nreturning _inchworm._inchworm_at"
    )
    written = [_written(array) if e in _WHOLE else list(array) for array, e in zip(arrays, elements, strict=True)]
    return Filled(text, written)


def _all_differ(array: Sequence[SqlValue]) -> bool:
    if set(map(type, array)) != {int}:
        return False
    numbers: Any = array
    return min(numbers) > -_EXACT and max(numbers) < _EXACT and len(set(array)) == len(array)


def _written(array: Sequence[SqlValue]) -> str:
    return "{" + ",".join(["NULL" if value is None else str(value) for value in array]) + "}"


def _element(array: Sequence[SqlValue], inferred: str) -> str | None:
    """The cast of an array, or None when its values are not all of one kind."""
    kinds = set(map(type, array)) - {type(None)}
    if kinds <= {str}:
        return f"::text[]::{inferred}[]" if inferred else None
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is int:
        numbers = [v for v in array if type(v) is int] or [0]
        return _WHOLE[not -(1 << 31) <= min(numbers) <= max(numbers) < 1 << 31]
    return f"::{_ELEMENT[kind]}[]" if kind in _ELEMENT else None
