"""What PostgreSQL's catalogue says about a table: whether columns can be a key, and about how many rows there are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inchworm.ports import Reads, SqlValue
from inchworm.queries import load, quoted

SQL = load("postgres")


@dataclass(frozen=True, slots=True)
class Relation:
    """What `lint` has to know of a table: names as the catalogue has them; triggers that fire per row, with their text.

    rows may be an estimate, None when even that is unknown. No index holds a hidden row number, so no `rowid_key`.
    """

    name: str
    columns: tuple[str, ...]
    indexes: tuple[tuple[str, tuple[str, ...]], ...]
    triggers: tuple[tuple[str, str], ...]
    children: tuple[tuple[str, str], ...]
    rows: int | None
    rowid_key: str | None = None
    parents: tuple[tuple[str, str], ...] = ()  # not asked for: PostgreSQL always checks them


def spelled(table: str) -> str:
    """A table's name as the engine writes it in statements: exactly as given, `schema.table` in two parts."""
    return ".".join(quoted(part) for part in table.split("."))


def key_problem(reads: Reads, table: str, key: Sequence[str]) -> str | None:
    """Why a walk by these columns would lose or repeat rows, or None."""
    row = reads.select(SQL["relation"], {"relation": spelled(table)}).one()
    oid = row[0] if row else None
    if oid is None:
        return f"there is no table {table}{_folded(table)}"
    known = {str(name): bool(never_null) for name, never_null in reads.select(SQL["key_columns"], {"oid": oid}).rows}
    if missing := [k for k in key if k not in known]:
        return f"table {table} has no column {', '.join(missing)}{_folded(*missing)}"
    unique = [json.loads(str(columns)) for (columns,) in reads.select(SQL["unique_keys"], {"oid": oid}).rows]
    if not any(set(columns) == set(key) for columns in unique):
        return f"{table}({', '.join(key)}) is not unique: rows that share a key would be skipped or repeated"
    return _null_problem(reads, table, key, known)


def _null_problem(reads: Reads, table: str, key: Sequence[str], known: Mapping[str, bool]) -> str | None:
    for column in key:
        if known[column]:
            continue
        parts = {"table": spelled(table), "column": quoted(column)}
        if len(reads.select(load("keyset")["null_key"].format(**parts), {})):
            return f"{table}.{column} holds NULL: such rows have no place in the walk"
    return None


def _folded(*names: str) -> str:
    """A hint for those who are used to PostgreSQL folding unquoted names."""
    lower = [n.lower() for n in names if n != n.lower()]
    return f" (names are taken exactly as written here; PostgreSQL folds to {', '.join(lower)})" if lower else ""


def estimated_rows(reads: Reads, table: str) -> int | None:
    """The planner's rows over all partitions; None before the first ANALYZE."""
    row: tuple[SqlValue, ...] | None = reads.select(SQL["estimate"], {"relation": spelled(table)}).one()
    return None if row is None or row[0] is None else int(str(row[0]))
