"""Open a CoreScope database read-only and say what is in it, whatever its age. Never writes to it.

Composes the statements that read its tables from the columns that a file really has.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import apsw

from hopscope.store.connection import BUSY_TIMEOUT_MS, snapshot, sql

# what is read of each table that comes along; a column the file lacks is read as null
WANTED: Mapping[str, tuple[str, ...]] = {
    "observers": (
        "name", "iata", "last_seen", "first_seen", "model", "firmware", "client_version", "radio", "battery_mv",
        "uptime_secs", "noise_floor", "last_packet_at", "clock_skew_seconds", "clock_last_naive_at",
    ),
    "nodes": (
        "public_key", "name", "role", "lat", "lon", "last_seen", "first_seen", "battery_mv", "temperature_c",
    ),
    "transmissions": ("raw_hex", "first_seen", "created_at", "scope_name"),
    "observations": ("direction", "snr", "rssi", "score", "path_json", "timestamp", "raw_hex"),
    "observer_metrics": (
        "observer_id", "timestamp", "noise_floor", "tx_air_secs", "rx_air_secs", "recv_errors", "battery_mv",
        "packets_sent", "packets_recv",
    ),
    "neighbor_edges": ("node_a", "node_b", "count", "last_seen"),
}  # fmt: skip
WORDS = frozenset({"name", "iata", "model", "firmware", "client_version", "radio", "public_key", "role"})
COLUMNS = {**WANTED, "inactive_nodes": WANTED["nodes"]}
NEEDED = {
    "observers": {"id"},
    "nodes": {"public_key"},
    "inactive_nodes": {"public_key"},
    "transmissions": {"id", "raw_hex"},
    "observations": {"id", "transmission_id", "timestamp"},
    "observer_metrics": {"observer_id", "timestamp"},
    "neighbor_edges": {"node_a", "node_b"},
}
ORDER = ("observers", "nodes", "inactive_nodes", "transmissions", "observations", "observer_metrics", "neighbor_edges")
COUNTED_AT_ONCE = 500  # packets between two looks at the clock: some 10 ms where the file is in memory
KEYED_BY_ID = frozenset({"transmissions", "observations"})  # AUTOINCREMENT: ids follow time and are never used again


class SourceError(Exception):
    """The file cannot be read as a CoreScope database; str() says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which tables and columns a file has. `indexed`: the observations of a transmission are found by an index."""

    tables: Mapping[str, frozenset[str]]
    indexed: bool


@dataclass(frozen=True, slots=True)
class Extent:
    """The rows of one table at the start of an import: up to which key, how many."""

    last: int
    total: int
    witness: bytes | None  # digest of the row at `last`; None for tables whose rows change keys


def open_source(path: str) -> apsw.Connection:
    """A read-only connection; the file may be in use by a running CoreScope.

    Where even SQLite's shared-memory file cannot be made (a read-only mount), the file is read as one that nobody
    writes. Raises SourceError.
    """
    if not Path(path).is_file():
        raise SourceError(f"there is no file {path}")
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        try:
            return _opened(path, mode)
        except (apsw.CantOpenError, apsw.ReadOnlyError) as exc:
            failure: apsw.Error = exc
            if unrest := _unrest(path):
                raise SourceError(f"{path} cannot be opened: {unrest.format(exc)}") from exc
        except apsw.Error as exc:
            raise _refusal(path, exc) from exc
    raise SourceError(f"{path} cannot be opened: {failure}")


@contextmanager
def reading_source(path: str) -> Iterator[apsw.Connection]:
    """A connection of open_source for the block. Raises SourceError for whatever the block's reads meet as well."""
    db = open_source(path)
    try:
        yield db
    except apsw.Error as exc:
        raise _refusal(path, exc) from exc
    finally:
        db.close()


def _refusal(path: str, problem: apsw.Error) -> SourceError:
    """The driver's words with what they mean for the file."""
    for kinds, meaning in (
        ((apsw.CorruptError,), "is damaged"),
        ((apsw.BusyError, apsw.LockedError), "is kept locked by another program"),
    ):
        if isinstance(problem, kinds):
            return SourceError(f"{path} {meaning}: {problem}")
    return SourceError(f"{path} cannot be read as a database: {problem}")


def _opened(path: str, mode: str) -> apsw.Connection:
    db = apsw.Connection(f"file:{quote(path)}?{mode}", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        db.set_busy_timeout(BUSY_TIMEOUT_MS)
        db.pragma("query_only", "on")
        db.execute("select count(*) from sqlite_schema").get  # noqa: B018 - opening is lazy; this reads the header
    except BaseException:
        db.close()
        raise
    return db


def _unrest(path: str) -> str | None:
    """Why the file alone, without what lies beside it, is not what was committed; None: it is. {} takes the error."""
    name, wal, journal = Path(path).name, Path(path + "-wal"), Path(path + "-journal")
    if wal.exists() and wal.stat().st_size:
        return (
            f"its newest rows are still in {name}-wal, and reading them needs a place that can be written ({{}}): "
            "copy both files to one, or stop CoreScope in order"
        )
    if journal.exists() and _first_byte(journal) not in (b"", b"\0"):  # a finished one is empty, or begins with 0
        return (
            f"its last change was cut off and is to be taken back with {name}-journal ({{}}): let CoreScope, or the "
            "sqlite3 command, open it or a copy of both files once"
        )
    return None


def _first_byte(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(1)


def is_hopscope(path: str) -> bool:
    """Whether the file is a database of ours, of any version. Raises SourceError for one that cannot be read."""
    with reading_source(path) as db:
        return _is_ours(db)


def _is_ours(db: apsw.Connection) -> bool:
    return _has_meta(db) and "schema_version" in {row[0] for row in db.execute(sql("corescope")["meta_keys"])}


def _has_meta(db: apsw.Connection) -> bool:
    return {"key", "value"} <= {row[0] for row in db.execute(sql("corescope")["columns"], ("meta",))}


def shape(db: apsw.Connection) -> Shape:
    """What the file holds. Raises SourceError when it is no CoreScope database."""
    statements = sql("corescope")
    names = [str(row[0]) for row in db.execute(statements["tables"])]
    tables = {name: frozenset(str(row[0]) for row in db.execute(statements["columns"], (name,))) for name in names}
    if _is_ours(db):
        raise SourceError("this is a hopscope database; there is nothing to import from it")
    for name in ("transmissions", "observations"):
        if name not in tables:
            raise SourceError(f"this is no CoreScope database: it has no table {name}")
        if lacking := sorted(NEEDED[name] - tables[name]):
            raise SourceError(f"this is no CoreScope database: its table {name} lacks {', '.join(lacking)}")
    return Shape(tables, bool(db.execute(statements["indexed"]).get))


def extents(db: apsw.Connection, found: Shape, after: Mapping[str, int]) -> dict[str, Extent]:
    """Bounds and counts of the tables that come along, of one moment. `after`: keys that came along earlier."""
    with snapshot(db):
        return {name: _extent(db, name, after.get(name, 0)) for name in readable(found)}


def _extent(db: apsw.Connection, name: str, after: int) -> Extent:
    statements = sql("corescope")
    last = db.execute(_fill(statements["keys"], table=name)).get or 0
    total = db.execute(_fill(statements["count"], table=name), {"after": after, "last": last}).get
    return Extent(int(last), int(total), witness(db, name, int(last)))


def witness(db: apsw.Connection, name: str, key: int) -> bytes | None:
    """A digest that tells a row of `transmissions` or `observations` from the row another file has at this key."""
    if name not in KEYED_BY_ID:
        return None
    row = db.execute(sql("corescope")[f"witness_{name}"], (key,)).fetchone()
    return None if row is None else hashlib.blake2b(repr(row).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Rows that retention keeps from coming along. `whole`: all of them were counted; else there may be more."""

    transmissions: int = 0
    observations: int = 0
    whole: bool = True


def forgotten_rows(
    db: apsw.Connection,
    found: Shape,
    extents: Mapping[str, Extent],
    after: Mapping[str, int],
    *,
    keep_from: int,
    enough: Callable[[], bool],
) -> Forgotten:
    """Count what `reading` reads as forgotten, oldest first, until it ends or `enough` says so between two steps.

    keep_from: ms; 0: retention keeps everything. A file without the index that tells leaves nothing out.
    """
    if not keep_from or not found.indexed:
        return Forgotten()
    statements, since = sql("corescope"), str(keep_from // 1000)
    statement = _fill(statements["count_forgotten"], forgotten=_fill(statements["forgotten"], keep_from=since))
    bounds = {"after_observations": after.get("observations", 0), "last_observations": extents["observations"].last}
    last = extents["transmissions"].last
    first = db.execute(statements["first_id"], {"after": after.get("transmissions", 0)}).get
    packets = receptions = 0
    while first is not None and first <= last:
        if enough():
            return Forgotten(packets, receptions, whole=False)
        step = min(first + COUNTED_AT_ONCE - 1, last)
        for found_packets, found_receptions in db.execute(statement, bounds | {"first": first, "last": step}):
            packets, receptions = packets + found_packets, receptions + found_receptions
        first = db.execute(statements["first_id"], {"after": step}).get
    return Forgotten(packets, receptions)


def still_there(path: str, keys: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """How many rows the tables have between two keys (after the first, up to the second). Raises SourceError."""
    statement = sql("corescope")["count"]
    with reading_source(path) as db:
        return {
            name: int(db.execute(_fill(statement, table=name), {"after": after, "last": last}).get)
            for name, (after, last) in keys.items()
        }


def trouble(path: str, *, thorough: bool) -> str | None:
    """What is wrong with a file that could be read before, in one sentence; thorough: look at every page of it."""
    try:
        with reading_source(path) as db:
            found = db.execute(sql("corescope")["intact"]).get if thorough else "ok"
    except SourceError as exc:
        return str(exc)
    return None if found == "ok" else f"{path} is damaged: {' '.join(str(found).split())}"


def sizes(db: apsw.Connection, found: Shape) -> dict[str, int]:
    """Rows of every table, those that do not come along included."""
    statement = sql("corescope")["size"]
    return {name: int(db.execute(_fill(statement, table=_quoted(name))).get) for name in found.tables}


def readable(found: Shape) -> tuple[str, ...]:
    """The tables that come along, in the order they are read."""
    return tuple(name for name in ORDER if name in found.tables and NEEDED[name] <= found.tables[name])


def walked(name: str) -> str:
    """The table that is walked instead when only rows behind a key come along: see `open_newer`."""
    return f"temp.newer_{name}"


def open_newer(path: str, name: str, *, after: int, last: int) -> apsw.Connection:
    """As open_source, with the keys of the rows between `after` (exclusive) and `last` in a table of this connection.

    It lies in this process's memory: 1.5 M keys take some 20 MB. Raises SourceError.
    """
    statements, db = sql("corescope"), open_source(path)
    table = walked(name).removeprefix("temp.")
    try:
        db.pragma("temp_store", "memory")
        db.pragma("query_only", "off")  # the file itself is open read-only
        db.execute(_fill(statements["newer"], walked=table))
        db.execute(_fill(statements["fill_newer"], walked=table, table=name), {"after": after, "last": last})
        db.pragma("query_only", "on")
    except apsw.Error as exc:
        db.close()
        raise SourceError(f"{path} cannot be read as a database: {exc}") from exc
    return db


def reading(name: str, found: Shape, *, after: int, bound: int, keep_from: int = 0) -> str:
    """The statement that reads a slice of a table between two keys of the whole import.

    keep_from: ms; packets that nobody heard since are read as forgotten, as far as the file has an index that tells.
    """
    statements = sql("corescope")
    alias = {"observers": "b", "nodes": "n", "inactive_nodes": "n", "transmissions": "t", "observations": "o",
             "observer_metrics": "m", "neighbor_edges": "e"}[name]  # fmt: skip
    present = found.tables[name]
    columns = [_column(alias, c) if c in present else f"null as {_quoted(c)}" for c in COLUMNS[name]]
    linked = "observer_idx" in present and "id" in found.tables.get("observers", ())
    observer = "cast(b.id as blob)" if linked else "o.observer_id" if "observer_id" in present else "null"
    return _fill(
        statements[name],
        columns=", ".join(columns),
        after=str(after),
        bound=str(bound),
        first_heard=statements["first_heard"] if found.indexed and "first_seen" in present else "null",
        observer=observer,
        join_observer=statements["join_observer"] if linked else "",
        scope="t.scope_name" if "scope_name" in found.tables["transmissions"] else "null",
        forgotten=_fill(statements["forgotten"], keep_from=str(keep_from // 1000))
        if keep_from and found.indexed
        else "0",
    )


def _column(alias: str, name: str) -> str:
    """Words of strangers are read as bytes: SQLite keeps broken UTF-8 as it came, and a driver would refuse it."""
    column = f"{alias}.{_quoted(name)}"
    return f"cast({column} as blob) as {_quoted(name)}" if name in WORDS else column


def _fill(template: str, **parts: str) -> str:
    """Put the parts where the template has {their name}."""
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], template)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
