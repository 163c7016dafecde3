"""Turn explained statements and samples into findings: what is refused, which index would help, what it costs.

Asks a probe for schema facts and for proof of an index; decides by `cost.judge`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from inchworm.advice import Access, Index, accesses, suggest, table_names
from inchworm.cost import FEWEST_ROWS, Verdict, judge
from inchworm.findings import Finding, Severity
from inchworm.forecast import Range
from inchworm.indextable import Base, Statements, problem
from inchworm.model import Backfill, IndexBuild, IndexTable
from inchworm.ports import Params
from inchworm.progress import Total
from inchworm.sampling import Samples
from inchworm.statement import deletes_from, tokens, update_shape

SMALL_TABLE = 1_000  # rows: scanning fewer costs less than looking for an index
BUILD_S_PER_ROW = Range(0.8e-6, 1.5e-6, 4e-6)  # measured: 1.6-2.7 s for 1.5 million rows
FILL_S_PER_ROW = Range(5e-6, 15e-6, 50e-6)  # of an index table; measured by benchmarks/index_table.py, idle and busy
INDEX_BYTES_PER_VALUE = 9.0


class Look(StrEnum):
    """Where a statement runs."""

    READ = "outside the lock"
    TURN = "inside the write turn"
    VERIFY = "in the check at the end"
    ONCE = "once, at the end"


@dataclass(frozen=True, slots=True)
class Explained:
    """A statement with the plan that the database makes for it."""

    look: Look
    role: str
    sql: str
    params: Params
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a migration. `coming`: index builds that run with it and are not done."""

    migration: Backfill
    statements: tuple[Explained, ...]
    samples: Samples
    total: Total
    coming: tuple[IndexBuild, ...] = ()


@dataclass(frozen=True, slots=True)
class Linted:
    """The findings; `measured` False: the samples say nothing about a real run."""

    findings: tuple[Finding, ...]
    measured: bool


class Table(Protocol):
    """Schema facts of a table."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def rowid_key(self) -> str | None: ...
    @property
    def indexes(self) -> tuple[tuple[str, tuple[str, ...]], ...]: ...
    @property
    def triggers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def children(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def parents(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def rows(self) -> int | None: ...


class Schema(Protocol):
    """What linting asks of a backend."""

    def table(self, name: str) -> Table | None: ...
    def with_index(self, create: str, sql: str, params: Params) -> tuple[str, ...] | None: ...
    @property
    def builds_block(self) -> bool: ...
    @property
    def checks_keys(self) -> bool: ...


def lint(facts: Facts, keyed: Schema, target: Schema) -> Linted:
    """Everything worth saying about one backfill."""
    found: list[Finding] = []
    measured = True
    groups = ((Look.READ, facts.samples.read), (Look.TURN, facts.samples.turn), (Look.VERIFY, facts.samples.verify))
    for look, pairs in groups:
        schema = keyed if look is Look.READ else target
        verdict = judge(pairs)
        measured = measured and verdict is None
        found += _group(facts, schema, look, verdict)
    found += _few_rows(facts)
    found += _not_sampled(facts)
    found += _multiplied(facts, target)
    found += () if target.checks_keys else _unchecked(facts, target)
    return Linted(tuple(found), measured)


def _group(facts: Facts, schema: Schema, look: Look, verdict: Verdict | None) -> Iterator[Finding]:
    name, statements = facts.migration.name, [s for s in facts.statements if s.look is look]
    scans = [(s, a) for s in statements for a in accesses(s.lines, s.sql) if a.scans or a.automatic]
    if verdict is None:
        for statement, access in scans:
            yield from _scan(name, schema, statement, access)
        for statement in statements:
            yield from _faster(name, schema, statement)
        return
    for build in facts.coming:
        if scans and all(_sought(schema, build.statement, s, a) for s, a in scans):
            yield Finding(Severity.NOTE, name, f"waits for the index {build.name}; plan again after it for a forecast")
            return
    reads = "; ".join(f"{s.role} reads all of {a.table}{_rows(schema, a.table)}" for s, a in scans)
    roles = [s.role for s in statements if s.role != "next keys"] or ["the walk"]
    why = f"{' and '.join(roles)}, {look}: {verdict.why}"
    todos = [todo for s, a in scans if (todo := _todo(schema, s, a))]
    yield Finding(Severity.ERROR, name, f"{why}; {reads}" if reads else why, "; ".join(dict.fromkeys(todos)) or _HELP)


_HELP = "let the statement read only the rows between the bounds, or give it an index that leads to them"


def _scan(name: str, schema: Schema, statement: Explained, access: Access) -> Iterator[Finding]:
    table = schema.table(access.table)
    if table is None or (table.rows or 0) < SMALL_TABLE:
        return
    sentence = (
        f"{statement.role} reads all of {access.table}{_rows(schema, access.table)} for each slice; "
        f"that is bearable now and grows with the table"
    )
    yield Finding(Severity.WARNING, name, sentence, _todo(schema, statement, access) or _HELP)


def _faster(name: str, schema: Schema, statement: Explained) -> Iterator[Finding]:
    """An index that holds all columns that are read saves one look into the table per row (measured: up to 31x)."""
    for access in accesses(statement.lines, statement.sql):
        if access.scans or access.index is None or access.covering or statement.role == "next keys":
            continue
        index, table = _suggested(schema, statement.sql, access.table), schema.table(access.table)
        if index is None or table is None or (table.rows or 0) < SMALL_TABLE or len(index.columns) < 2:
            continue
        lines = schema.with_index(index.create, statement.sql, statement.params) or ()
        if any(a.covering and a.index == index.name for a in accesses(lines, statement.sql)):
            sentence = f"{statement.role} looks every row of {access.table} up behind the index {access.index}"
            todo = f"faster with: {index.create} ({_price(schema, table, index)})"
            yield Finding(Severity.NOTE, name, sentence, todo)


def _todo(schema: Schema, statement: Explained, access: Access) -> str | None:
    """The index that turns a scan into a search, proved in a copy of the schema, and what building it costs."""
    index, table = _suggested(schema, statement.sql, access.table), schema.table(access.table)
    if index is None or table is None:
        return None
    proved = _sought(schema, index.create, statement, access)
    doubt = "" if proved else "; not proved, because the schema could not be copied or the planner declines it"
    return f"{index.create} ({_price(schema, table, index)}{doubt})"


def _suggested(schema: Schema, sql: str, table: str) -> Index | None:
    columns: dict[str, Sequence[str]] = {}
    for name in set(table_names(sql).values()) | {table.lower()}:
        found = schema.table(name)
        # every index holds the rowid already
        columns[name] = [c for c in found.columns if c != found.rowid_key] if found is not None else ()
    return suggest(sql, table, columns)


def _sought(schema: Schema, create: str, statement: Explained, access: Access) -> bool:
    lines = schema.with_index(create, statement.sql, statement.params)
    if lines is None:
        return False
    now = [a for a in accesses(lines, statement.sql) if a.table == access.table]
    return bool(now) and not any(a.scans or a.automatic for a in now)


def _price(schema: Schema, table: Table, index: Index) -> str:
    rows = table.rows
    if rows is None:
        return "what building it costs is not known"
    low, likely, high = (rows * each for each in (BUILD_S_PER_ROW.low, BUILD_S_PER_ROW.likely, BUILD_S_PER_ROW.high))
    megabytes = rows * INDEX_BYTES_PER_VALUE * (len(index.columns) + 1) / 1e6
    builds = "building it holds the write lock for" if schema.builds_block else "built CONCURRENTLY it stops nobody for"
    return f"{builds} about {likely:.1f} s, {low:.1f} to {high:.1f}, and takes about {megabytes:.0f} MB"


def _rows(schema: Schema, table: str) -> str:
    found = schema.table(table)
    return f" ({found.rows:,} rows)" if found is not None and found.rows is not None else ""


def _few_rows(facts: Facts) -> Iterator[Finding]:
    rows = facts.total.rows
    if rows is not None and rows < FEWEST_ROWS:
        sentence = f"only {rows} rows are left; that is too few to measure, so only the plans were looked at"
        yield Finding(Severity.NOTE, facts.migration.name, sentence)


def _not_sampled(facts: Facts) -> Iterator[Finding]:
    if facts.samples.problem is not None:
        yield Finding(Severity.NOTE, facts.migration.name, f"not everything was sampled: {facts.samples.problem}")


def _multiplied(facts: Facts, target: Schema) -> Iterator[Finding]:
    """Triggers and foreign keys make one write several; the samples hold their time, not their place in the log."""
    for sql in facts.migration.statements:
        shape = update_shape(sql)
        table = target.table(shape.table) if shape is not None else None
        if shape is None or table is None:
            continue
        for name, text in table.triggers:
            if _fires(text, shape.columns):
                sentence = f"trigger {name} on {shape.table} runs for each changed row"
                todo = "its time is in the forecast, what it writes elsewhere is not"
                yield Finding(Severity.WARNING, facts.migration.name, sentence, todo)
        for child, column in table.children:
            if column in shape.columns and target.checks_keys:
                sentence = f"{child} has a foreign key to {shape.table}.{column}, which is looked up for each row"
                yield Finding(Severity.WARNING, facts.migration.name, sentence, f"index the key in {child}")


def _unchecked(facts: Facts, target: Schema) -> Iterator[Finding]:
    """Foreign keys that a statement could break, on a connection that does not check them."""
    for sql in facts.migration.statements:
        shape, emptied = update_shape(sql), deletes_from(sql)
        name, set_ = (shape.table, shape.columns) if shape is not None else (emptied, ())
        table = None if name is None else target.table(name)
        if table is None:
            continue
        said = [f"{child} points at {name}" for child, to in table.children if emptied or to in set_]
        said += [f"{name}.{column} points at {parent}" for column, parent in table.parents if column in set_]
        for each in dict.fromkeys(said):
            yield Finding(Severity.WARNING, facts.migration.name, f"{each} by a foreign key, {_NOT_CHECKED}", _CHECK)


_NOT_CHECKED = "and the connection that writes has foreign_keys off, SQLite's default: nothing is checked or cascades"
_CHECK = "give a connection factory that switches them on, or look afterwards: pragma foreign_key_check"


def _fires(trigger: str, columns: Sequence[str]) -> bool:
    """Whether an UPDATE of these columns starts the trigger: `update` or `update of` one of them before `on`."""
    words = [t.text for t in tokens(trigger)]
    head = words[: words.index("on")] if "on" in words else words
    if "update" not in head:
        return False
    named = head[head.index("of") + 1 :] if "of" in head[head.index("update") :] else []
    return not named or bool(set(named) & set(columns))


def index_findings(build: IndexBuild, schema: Schema) -> tuple[Finding, ...]:
    """What building an index means for other writers."""
    words = [t.text for t in tokens(build.statement)]
    at = words.index("on") if "on" in words else -1
    table = schema.table(words[at + 1]) if 0 <= at < len(words) - 1 else None
    if table is None:
        sentence = f"the table of {build.create!r} does not exist"
        return (Finding(Severity.ERROR, build.name, sentence, "create the table first"),)
    if any(name.lower() == words[at - 1] for name, _ in table.indexes):
        return (Finding(Severity.NOTE, build.name, "an index of that name exists; nothing is left to build"),)
    return _build(build, table.rows) if schema.builds_block else _beside(build, table.rows)


def _beside(build: IndexBuild, rows: int | None) -> tuple[Finding, ...]:
    """Built without holding up writers; it waits for transactions that were open before it."""
    took = "" if rows is None else f" of about {rows * BUILD_S_PER_ROW.likely:.2g} s and more"
    sentence = f"is built CONCURRENTLY in two passes{took}, which block no writer and wait for every open transaction"
    return (Finding(Severity.NOTE, build.name, sentence),)


def _build(build: IndexBuild, rows: int | None) -> tuple[Finding, ...]:
    if rows is None:
        return (Finding(Severity.WARNING, build.name, "the table's size is not known, so neither is the lock time"),)
    low, likely, high = (rows * each for each in (BUILD_S_PER_ROW.low, BUILD_S_PER_ROW.likely, BUILD_S_PER_ROW.high))
    held = f"holds the write lock for about {likely:.2g} s ({low:.2g} to {high:.2g}); SQLite cannot build in pieces"
    online = "or make an IndexTable, which blocks nobody and which your queries then name"
    if low > build.lock_s:
        todo = f"it would be stopped after lock_s={build.lock_s:g}; raise lock_s and run it in a quiet hour, {online}"
        return (Finding(Severity.ERROR, build.name, held, todo),)
    severity = Severity.WARNING if likely > 0.1 else Severity.NOTE
    todo = f"run it in a quiet hour, {online}" if severity is Severity.WARNING else ""
    return (Finding(severity, build.name, held, todo),)


def index_table_findings(spec: IndexTable, base: Base | str, rows: int | None) -> tuple[Finding, ...]:
    """What making an index table will do, or why it will be refused. `base`: from `indextable.read_base`."""
    refused = base if isinstance(base, str) else problem(spec, base)
    if refused is not None or isinstance(base, str):
        return (Finding(Severity.ERROR, spec.name, str(refused), "nothing was changed"),)
    made = Statements(spec, base)
    try:
        standing = made.standing()
    except ValueError as foreign:
        return (Finding(Severity.ERROR, spec.name, str(foreign), "nothing was changed"),)
    triggers = sum(1 for text in made.create.values() if text.startswith("create trigger"))
    makes = "goes on filling" if standing else f"makes, with {triggers} triggers on {base.name} in one short turn,"
    sentence = f"{makes} the table {spec.index_table}, which your queries must name; {_fill_price(spec, rows)}"
    cost = f"each insert into {base.name} costs about one and a half times what it did, for ever"
    return (Finding(Severity.NOTE, spec.name, sentence, cost),)


def _fill_price(spec: IndexTable, rows: int | None) -> str:
    if rows is None:
        return "how long filling it takes is not known"
    low, likely, high = (rows * each for each in (FILL_S_PER_ROW.low, FILL_S_PER_ROW.likely, FILL_S_PER_ROW.high))
    megabytes = 2 * rows * INDEX_BYTES_PER_VALUE * (len(spec.columns) + len(spec.keys)) / 1e6
    return (
        f"filling it for {rows:,} rows takes about {likely:.2g} s ({low:.2g} to {high:.2g}) in short turns and about "
        f"{megabytes:.0f} MB"
    )
