"""What SQLite's schema says about a table that is to be walked: can these columns be its key, and how many rows.

Reads only, on a snapshot that the caller opened.
"""

from collections.abc import Mapping, Sequence

from inchworm.ports import Reads, SqlValue
from inchworm.queries import load, quoted

Columns = Mapping[str, Sequence[SqlValue]]  # lower-case name -> name, place in the primary key or 0, not null, type


def key_problem(reads: Reads, table: str, key: Sequence[str]) -> str | None:
    """See `inchworm.ports.Database.key_problem`."""
    schema, _, name = table.rpartition(".")
    info = reads.select(
        "select name, pk, [notnull], type from pragma_table_info(:table, :schema)",
        {"table": name, "schema": schema or "main"},
    ).rows
    if not info:
        return f"there is no table {table}"
    known = {str(r[0]).lower(): r for r in info}
    wanted = [k.lower() for k in key]
    if wanted == ["rowid"] and "rowid" not in known:
        return _rowid_problem(reads, schema or "main", name, known)
    if missing := [k for k in wanted if k not in known]:
        return f"table {table} has no column {', '.join(missing)}"
    if not _is_unique(reads, schema or "main", name, known, wanted):
        return f"{table}({', '.join(key)}) is not unique: rows that share a key would be skipped or repeated"
    return _null_problem(reads, table, key, known)


def _is_unique(reads: Reads, schema: str, name: str, known: Columns, wanted: Sequence[str]) -> bool:
    """Unique as the walk compares: an index that compares otherwise than its column may hold two that are one to it."""
    indexes = _indexes(reads, schema, name)
    if wanted == _rowid_alias(known, indexes):
        return True
    for index, unique, partial, _ in indexes:
        columns = reads.select(
            "select name, [desc] from pragma_index_xinfo(:i, :schema) where [key]", {"i": index, "schema": schema}
        ).rows
        names = [str(r[0]).lower() for r in columns]
        if (
            unique
            and not partial
            and sorted(names) == sorted(wanted)
            and _in_order(reads, schema, name, index, columns)
        ):
            return True
    return False


def _indexes(reads: Reads, schema: str, name: str) -> Sequence[tuple[SqlValue, ...]]:
    return reads.select(
        "select name, [unique], partial, origin from pragma_index_list(:table, :schema)",
        {"table": name, "schema": schema},
    ).rows


def _rowid_alias(known: Columns, indexes: Sequence[tuple[SqlValue, ...]]) -> list[str] | None:
    """The INTEGER PRIMARY KEY, which needs no index; None when the table has none."""
    primary = [column for column, row in known.items() if row[1]]
    plain = len(primary) == 1 and str(known[primary[0]][3]).lower() == "integer"
    return primary if plain and not any(origin == "pk" for *_, origin in indexes) else None


def _in_order(reads: Reads, schema: str, name: str, index: SqlValue, columns: Sequence[tuple[SqlValue, ...]]) -> bool:
    """Whether the index gives its columns in the order of the walk, which SQLite's own plan tells: it sorts if not."""
    order = ", ".join(f"{quoted(str(c))} {'desc' if down else 'asc'}" for c, down in columns)
    text = load("sqlite")["in_order_of_index"]
    parts = {"table": f"{quoted(schema)}.{quoted(name)}", "index": quoted(str(index)), "order": order}
    lines = reads.select(text.format(**parts), {}).rows
    return not any("TEMP B-TREE" in str(line[-1]) for line in lines)


def _rowid_problem(reads: Reads, schema: str, name: str, known: Columns) -> str | None:
    """VACUUM numbers the rows of a table anew that has neither an INTEGER PRIMARY KEY nor an index (copied by
    xferOptimization, insert.c; https://www.sqlite.org/lang_vacuum.html): rows would be lost or met twice.
    """
    text = load("sqlite")["made_by"].format(schema=quoted(schema))
    made = reads.select(text, {"name": name}).one()
    if made is None or made[0] != "table":
        return f"{name} is no table of its own, so it has no rowid"
    indexes = _indexes(reads, schema, name)
    if indexes or _rowid_alias(known, indexes) or str(made[1]).lower().startswith("create virtual"):
        return None
    return (
        f"table {name} has neither an INTEGER PRIMARY KEY nor an index, so VACUUM may give its rows other rowids while "
        f"it is walked; create an index on it (SQLite then keeps them), or name a unique key"
    )


def _null_problem(reads: Reads, table: str, key: Sequence[str], known: Columns) -> str | None:
    for column in key:
        row = known[column.lower()]
        if row[2] or (row[1] and str(row[3]).lower() == "integer" and len(key) == 1):
            continue
        parts = {"table": ".".join(quoted(p) for p in table.split(".")), "column": quoted(column)}
        if len(reads.select(load("keyset")["null_key"].format(**parts), {})):
            return f"{table}.{column} holds NULL: such rows have no place in the walk"
    return None


def estimated_rows(reads: Reads, table: str) -> int | None:
    """The first figure of ANALYZE for the table, or None."""
    if not len(reads.select("select 1 from sqlite_master where name = 'sqlite_stat1'", {})):
        return None
    name = table.rpartition(".")[2]
    row = reads.select("select stat from sqlite_stat1 where tbl = :t and stat is not null", {"t": name}).one()
    first = str(row[0]).split()[0] if row else ""
    return int(first) if first.isdigit() else None
