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
        return None
    if missing := [k for k in wanted if k not in known]:
        return f"table {table} has no column {', '.join(missing)}"
    if not _is_unique(reads, schema or "main", name, known, set(wanted)):
        return f"{table}({', '.join(key)}) is not unique: rows that share a key would be skipped or repeated"
    return _null_problem(reads, table, key, known)


def _is_unique(reads: Reads, schema: str, name: str, known: Columns, wanted: set[str]) -> bool:
    if wanted == {column for column, row in known.items() if row[1]}:
        return True
    indexes = reads.select(
        "select name from pragma_index_list(:table, :schema) where [unique] = 1 and partial = 0",
        {"table": name, "schema": schema},
    ).rows
    for (index,) in indexes:
        found = reads.select("select name from pragma_index_info(:i, :schema)", {"i": index, "schema": schema}).rows
        if {str(r[0]).lower() for r in found} == wanted:
            return True
    return False


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
