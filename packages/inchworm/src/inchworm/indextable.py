"""The objects of an index table and the statements that fill and check it, from what the schema says of its table.

Text and facts only: reads the schema on a snapshot of the caller's, refuses with a sentence, runs nothing else.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from inchworm.cursor import Key
from inchworm.keyset import Keyset
from inchworm.model import ORDER, REPLACED, TRIGGERS, IndexTable
from inchworm.ports import Reads
from inchworm.queries import load, quoted
from inchworm.statement import Token, normalised, tokens

SQL = load("index_table")
SHOWN_KEYS = 5

NOT_HERE = "an IndexTable is for SQLite; PostgreSQL builds an index without blocking writers: use IndexBuild there"

# Column affinity, https://www.sqlite.org/datatype3.html 3.1: the first word found in the declared type decides
_AFFINITY = (("int", "integer"), ("char", "text"), ("clob", "text"), ("text", "text"), ("blob", "blob"),
             ("real", "real"), ("floa", "real"), ("doub", "real"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name as declared, what values it takes, how it compares."""

    name: str
    affinity: str
    collation: str
    not_null: bool
    generated: bool

    @property
    def definition(self) -> str:
        compared = "" if self.collation == "BINARY" else f" collate {quoted(self.collation)}"
        return f"{quoted(self.name)} {self.affinity}{compared}"


@dataclass(frozen=True, slots=True)
class Term:
    """One value of a unique index: a column's name in lower case, or None and the text of an expression."""

    column: str | None
    text: str
    collation: str


@dataclass(frozen=True, slots=True)
class Unique:
    """A promise that no two rows share these values, among rows that `predicate` selects. columns: what is named."""

    terms: tuple[Term, ...]
    columns: frozenset[str]
    predicate: str | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """The table to be indexed, and what else is in the schema. `alias`: its INTEGER PRIMARY KEY, in lower case.

    objects: (whether it is a trigger, name in lower case) to (type, table, text); triggers have names of their own.
    """

    name: str
    columns: Mapping[str, Column]
    alias: str | None
    uniques: tuple[Unique, ...]
    objects: Mapping[tuple[bool, str], tuple[str, str, str]]


def read_base(reads: Reads, table: str) -> Base | str:
    """What the schema says, or why there is no such table to index."""
    rows = reads.select(SQL["objects"], {}).rows
    objects = {(k == "trigger", str(name).lower()): (str(k), str(of), str(sql or "")) for k, name, of, sql in rows}
    kind, name, text = objects.get((False, table.lower()), ("", "", ""))
    if kind != "table":
        return f"{table} is a {kind}, not a table" if kind else f"there is no table {table}"
    shape = _Shape.of(text)
    if shape is None:
        return f"{table} is a virtual table; its module would have to index it"
    found = reads.select(SQL["columns"], {"table": name}).rows
    columns = {
        str(column).lower(): Column(
            str(column),
            _affinity(str(declared or ""), strict=shape.strict),
            shape.collations.get(str(column).lower(), "BINARY"),
            bool(not_null),
            hidden in (2, 3),
        )
        for column, declared, not_null, _, hidden in found
    }
    keyed = [(str(c).lower(), str(declared).lower()) for c, declared, _, pk, _ in found if pk]
    alias = keyed[0][0] if len(keyed) == 1 and keyed[0][1] == "integer" and not shape.without_rowid else None
    return Base(name, columns, alias, tuple(_uniques(reads, name, alias, columns)), objects)


def _uniques(reads: Reads, table: str, alias: str | None, columns: Collection[str]) -> Iterator[Unique]:
    if alias is not None:
        yield Unique((Term(alias, alias, "BINARY"),), frozenset({alias}))
    for index, text in reads.select(SQL["unique_indexes"], {"table": table}).rows:
        found = reads.select(SQL["unique_columns"], {"index": index}).rows
        names = [None if name is None else str(name).lower() for name, _ in found]
        written, predicate = _index_terms(str(text or ""))
        texts = written if None in names else [str(name) for name in names]
        terms = (Term(n, t, str(how).upper()) for n, t, (_, how) in zip(names, texts, found, strict=True))
        used = {t.text for t in tokens(str(text or "").partition("(")[2])} | set(names)
        yield Unique(tuple(terms), frozenset(c for c in columns if c in used), predicate)


def _index_terms(create_index: str) -> tuple[list[str], str | None]:
    """The terms of an index without COLLATE, ASC and DESC, and the condition of a partial one."""
    terms, predicate, depth = [list[Token]()], None, 0
    pieces = list(tokens(create_index, spaces=True))
    for at, token in enumerate(pieces):
        depth -= token.raw == ")"
        if depth == 0 and token.raw.lower() == "where":
            predicate = _raw(pieces[at + 1 :])
            break
        if depth == 1 and token.raw == ",":
            terms.append([])
        elif depth >= 1:
            terms[-1].append(token)
        depth += token.raw == "("
    return [_raw(_plain(term)) for term in terms if term], predicate


def _plain(term: Sequence[Token]) -> Sequence[Token]:
    solid = [at for at, token in enumerate(term) if token.kind != "space"]
    if term[solid[-1]].raw.lower() in ("asc", "desc"):
        solid.pop()
    if len(solid) > 2 and term[solid[-2]].raw.lower() == "collate":
        del solid[-2:]
    return term[: solid[-1] + 1]


def _raw(pieces: Sequence[Token]) -> str:
    return "".join(" " if t.kind == "space" else t.raw for t in pieces).strip()  # a comment would hide what follows


def _affinity(declared: str, *, strict: bool) -> str:
    kind = declared.lower()
    if not kind or (strict and kind == "any"):
        return "blob"
    return next((affinity for word, affinity in _AFFINITY if word in kind), "numeric")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What no pragma tells: the collations of a table's columns, and the words behind its last parenthesis."""

    collations: Mapping[str, str]
    without_rowid: bool
    strict: bool

    @classmethod
    def of(cls, create_table: str) -> "_Shape | None":
        pieces = list(tokens(create_table))
        if len(pieces) < 2 or pieces[1].text != "table":
            return None
        depth, parts, behind = 0, [list[Token]()], list[str]()
        for token in pieces:
            depth -= token.raw == ")"
            if depth == 1 and token.raw == ",":
                parts.append([])
            elif depth >= 1:
                parts[-1].append(token)
            elif parts[-1] and token.raw != ")":
                behind.append(token.text)
            depth += token.raw == "("
        found = {_name(part[0]).lower(): how for part in parts if part and (how := _collation(part))}
        return cls(found, "without" in behind, "strict" in behind)


def _collation(part: Sequence[Token]) -> str | None:
    """The last COLLATE of a column's definition that stands in no parentheses."""
    found, depth = None, 0
    for token, following in pairwise(part):
        depth += (token.raw == "(") - (token.raw == ")")
        if depth == 0 and token.raw.lower() == "collate" and token is not part[0]:
            found = _name(following).upper()
    return found


def _name(token: Token) -> str:
    raw = token.raw
    if raw[0] in "\"`'" and len(raw) > 1:
        return raw[1:-1].replace(raw[0] * 2, raw[0])
    return raw[1:-1] if raw[0] == "[" else raw


def problem(spec: IndexTable, base: Base) -> str | None:
    """Why this table cannot be indexed so, or None."""
    if unknown := [c for c in (*spec.keys, *spec.columns) if c.lower() not in base.columns]:
        return f"table {base.name} has no column {', '.join(unknown)}"
    return _key_problem(spec, base) or _unseen_problem(base)


def _key_problem(spec: IndexTable, base: Base) -> str | None:
    keys = [base.columns[k.lower()] for k in spec.keys]
    shown = f"{base.name}({', '.join(k.name for k in keys)})"
    for column in keys:
        if not column.not_null and column.name.lower() != base.alias:
            return f"{shown} may be NULL, and an entry without a key could not be found again; declare it NOT NULL"
        if column.affinity == "real":
            return f"{shown} is REAL; keys are integers, texts or blobs"
    if not any(_is_key(spec, base, unique) for unique in base.uniques):
        return f"{shown} is not unique: rows would share an entry"
    return None


def _is_key(spec: IndexTable, base: Base, unique: Unique) -> bool:
    if unique.predicate is not None:
        return False
    keys = {(k, base.columns[k].collation) for k in _low(spec)}
    by_rowid = [t.column for t in unique.terms] == [base.alias] == [*_low(spec)]
    return {(t.column, t.collation) for t in unique.terms} == keys or by_rowid


def _low(spec: IndexTable) -> tuple[str, ...]:
    return tuple(k.lower() for k in spec.keys)


def _unseen_problem(base: Base) -> str | None:
    """What would let rows come or go without a trigger of ours."""
    for (is_trigger, name), (_, of, text) in base.objects.items():
        if is_trigger and of.lower() == base.name.lower() and _skips_others(text):
            return f"trigger {name} on {base.name} uses RAISE(IGNORE) after the change, which would skip our triggers"
    return None


def _skips_others(trigger: str) -> bool:
    words = [t.text for t in tokens(trigger)]
    head = words[: words.index("begin")] if "begin" in words else words
    ignores = any(words[at : at + 3] == ["raise", "(", "ignore"] for at in range(len(words)))
    return ignores and "before" not in head


class Statements:
    """Everything that is run for one index table of one base; `create` maps each object's suffix to its text."""

    def __init__(self, spec: IndexTable, base: Base) -> None:
        self._spec, self._base = spec, base
        self._keys = [base.columns[k] for k in _low(spec)]
        order = [base.columns[c.lower()] for c in spec.columns]
        self._names = [*self._keys, *(c for c in order if c not in self._keys)]
        self.walk = Keyset(base.name, tuple(k.name for k in self._keys))
        self.entries_walk = Keyset(spec.index_table, self.walk.key)
        by_rowid = _low(spec) == (base.alias,)
        if by_rowid and order[-1] in self._keys:
            order.pop()  # the index of a table with rowids ends in the rowid anyway
        rivals = [u for u in base.uniques if not _is_key(spec, base, u)]
        self._parts = self._vocabulary(rivals)
        self.create = self._objects(order, rivals, by_rowid=by_rowid)
        self.warm, self.mend, self.fill, self.check_rows, self.check_entries, self.sweep = (
            SQL[name].format(**self._parts) for name in ("warm", "mend", "fill", "check_rows", "check_entries", "sweep")
        )

    def _vocabulary(self, rivals: Sequence[Unique]) -> dict[str, str]:
        spec, keys, names = self._spec, [quoted(k.name) for k in self._keys], [quoted(c.name) for c in self._names]
        entries, table = quoted(spec.index_table), quoted(self._base.name)
        others = [n for n in names if n not in keys]
        parts = {suffix.lstrip("_"): f'"{spec.part(suffix)}"' for suffix in (*TRIGGERS, ORDER, REPLACED)}
        parts |= {
            "entries": entries,
            "table": table,
            "keys": ", ".join(keys),
            "names": ", ".join(names),
            "counted": ", ".join(f"count({n})" for n in others),
            "inside": self.walk.inside,
            "is_given": " and ".join(f"{k} = :key_{at}" for at, k in enumerate(keys)),
            "joined": " and ".join(f"{table}.{k} = {entries}.{k}" for k in keys),
            # BINARY: an entry must hold the very text of its row, also where the column calls two texts equal
            "equal": " and ".join(f"{table}.{n} is {entries}.{n} collate binary" for n in names),
            "key_differs": " or ".join(f"old.{k} is not new.{k} collate binary" for k in keys),
            "key_of_entry": keys[0] if len(keys) == 1 else f"({', '.join(keys)})",
        }
        for row in ("old", "new"):
            is_key = " and ".join(f"{k} = {row}.{k}" for k in keys)
            parts[f"refresh_{row}"] = _bare(SQL["refresh"].format(**parts, is_key=is_key))
        if rivals:
            columns = [quoted(self._base.columns[n].name) for n in sorted({n for u in rivals for n in u.columns})]
            parts["rivalry_differs"] = " or ".join(f"old.{c} is not new.{c} collate binary" for c in columns)
            parts["note_rivals"] = " ".join(self._note(rival, parts) for rival in rivals)
            parts["row_of_entry"] = _bare(SQL["row_of_entry"].format(**parts))
            parts["settle"] = SQL["settle"].format(**parts)
        return parts

    def _note(self, rival: Unique, parts: Mapping[str, str]) -> str:
        """Search the unique index for rows that share its values with the new one."""
        columns = self._base.columns
        given = ", ".join(f"new.{c} as {c}" for c in (quoted(columns[n].name) for n in sorted(rival.columns)))
        same = []
        for term in rival.terms:
            # an expression is written as the index has it, so that the index is searched
            left = f"({term.text})" if term.column is None else quoted(columns[term.column].name)
            right = SQL["value_of_new"].format(term=left, given=given) if term.column is None else f"new.{left}"
            same.append(f"{left} = {_bare(right)} collate {quoted(term.collation)}")
        same += [f"({rival.predicate})"] if rival.predicate else []
        return SQL["note_rival"].format(**parts, same_values=" and ".join(same))

    def _objects(self, order: Sequence[Column], rivals: Sequence[Unique], *, by_rowid: bool) -> dict[str, str]:
        parts, keys = self._parts, {k.name for k in self._keys}
        if by_rowid:
            definitions = [f"{quoted(self._keys[0].name)} integer primary key"]
            definitions += [c.definition for c in self._names[1:]]
        else:
            definitions = [c.definition + (" not null" if c.name in keys else "") for c in self._names]
        # a list of columns would not be fired by what a generated column is made of, nor by `set rowid`
        unlisted = any(c.generated or c.name.lower() == self._base.alias for c in order if c.name not in keys)
        listed = "" if unlisted else "of " + ", ".join(quoted(c.name) for c in self._names if c.name not in keys)
        own = {
            "definitions": ", ".join(definitions),
            "columns": ", ".join(quoted(c.name) for c in order),
            "of_columns": listed,
        }
        table = SQL["create_by_rowid" if by_rowid else "create_by_key"]
        made = {"": table.format(**parts, **own), ORDER: SQL["create_order"].format(**parts, **own)}
        triggers = TRIGGERS if rivals else TRIGGERS[:4]
        if rivals:
            held = ", ".join(k.definition for k in self._keys)
            made[REPLACED] = SQL["create_replaced"].format(**parts, definitions=held)
        for suffix in triggers:
            made[suffix] = SQL["create" + suffix].format(**parts, **own)
        return {suffix: _bare(text) for suffix, text in made.items()}

    def checks(self) -> tuple[tuple[Keyset, str, str], ...]:
        """Both directions: what is walked, what must select nothing over its slices, and what it would have found."""
        return (
            (self.walk, self.check_rows, "rows without their entry"),
            (self.entries_walk, self.check_entries, "entries without their row"),
        )

    def standing(self) -> tuple[str, ...]:
        """The suffixes of the objects that are there already. Raises ValueError, with what to do, for a foreign one."""
        found, missing = list[str](), list[str]()
        away = "; ".join(self._spec.drop)
        for suffix, text in self.create.items():
            name = self._spec.index_table + suffix
            kind, _, stored = self._base.objects.get((suffix in TRIGGERS, name.lower()), ("", "", ""))
            if kind and _canonical(stored) != _canonical(text):
                old = f", or take the old one away, then retry ({away})" if self._has_triggers() else ""
                raise ValueError(
                    f"there is a {kind} {name} already, and its text is not what this definition would make: give "
                    f"another index_table{old}"
                )
            (found if kind else missing).append(suffix)
        if found and missing:
            names = ", ".join(self._spec.index_table + suffix for suffix in missing)
            raise ValueError(
                f"{self._spec.index_table} is there, but {names} is not, so changes may have been missed: take the "
                f"rest away, then retry ({away})"
            )
        return tuple(found)

    def _has_triggers(self) -> bool:
        """Whether what is there was an index table once; a table of somebody else's must not be dropped for us."""
        return any((True, self._spec.index_table.lower() + suffix) in self._base.objects for suffix in TRIGGERS)


def difference(spec: IndexTable, what: str, keys: Sequence[Key], then: str) -> str:
    """The sentence for keys that a check selected; `then`: what mends it."""
    shown = ", ".join(str(key[0] if len(key) == 1 else key) for key in keys[:SHOWN_KEYS])
    return (
        f"{spec.table} and {spec.index_table} differ: {what}, with the keys {shown}; something writes with triggers "
        f"switched off, or writes {spec.index_table} itself: stop it, then {then}"
    )


def _bare(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _canonical(create: str) -> str:
    """Without the words CREATE and TABLE, INDEX or TRIGGER, which SQLite writes itself."""
    return normalised(create).partition(" ")[2].partition(" ")[2]
