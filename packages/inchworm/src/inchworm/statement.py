"""Read SQL just far enough to know its parameters, the columns an UPDATE sets and what its WHERE compares.

Pure text work for SQLite and PostgreSQL spelling. What it does not understand it says it does not understand.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\])
      | (?P<cast>::)
      | (?P<param>:[A-Za-z_]\w*)
      | (?P<number>\d+(?:\.\d*)?)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<op><>|<=|>=|!=|==|\|\||[-+*/%<>=(),.;?@$&|~!^])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ORDER = {"<", "<=", ">", ">="}
_ENDS = {"from", "where", "returning", ";"}


@dataclass(frozen=True, slots=True)
class Token:
    """One lexical piece; `text` is lower case for words and unquoted for quoted names."""

    kind: str
    text: str
    raw: str


@dataclass(frozen=True, slots=True)
class UpdateShape:
    """What an UPDATE sets and under which conditions (conjuncts of its WHERE; empty when it has an OR on top).

    spelled: the assigned columns as the database knows them: quoted ones as they are, others in lower case.
    """

    table: str
    sets: tuple[tuple[str, tuple[Token, ...]], ...]
    conditions: tuple[tuple[Token, ...], ...]
    spelled: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the statement assigns, in lower case."""
        return tuple(column for column, _ in self.sets)


def tokens(sql: str, *, spaces: bool = False) -> Iterator[Token]:
    """The pieces of a statement; with `spaces` their raw texts add up to the statement again."""
    for match in _TOKEN.finditer(sql):
        kind, raw = match.lastgroup or "other", match.group()
        if kind == "space" and not spaces:
            continue
        if kind == "quoted":
            yield Token("word", raw[1:-1].lower(), raw)
        else:
            yield Token(kind, raw.lower() if kind == "word" else raw, raw)


def parameters(sql: str) -> tuple[str, ...]:
    """The `:names` of a statement, each once, in the order of their first use."""
    return tuple(dict.fromkeys(t.raw[1:] for t in tokens(sql) if t.kind == "param"))


def rewritten(sql: str, mark: Callable[[str], str], *, literal: Callable[[str], str] = str) -> str:
    """The statement with each `:name` replaced by `mark(name)`; strings, comments and casts pass through `literal`."""
    return "".join(mark(t.raw[1:]) if t.kind == "param" else literal(t.raw) for t in tokens(sql, spaces=True))


def numbered(sql: str, columns: Sequence[str]) -> tuple[str, tuple[int, ...]]:
    """SQLite spelling with `?1, ?2 …` and, for each number, the index of the column that fills it.

    Raises KeyError with the name of a parameter that no column provides.
    """
    names = parameters(sql)
    places = {column: at for at, column in enumerate(columns)}
    picks = tuple(places[name] for name in names)
    return rewritten(sql, lambda name: f"?{names.index(name) + 1}"), picks


def normalised(sql: str) -> str:
    """The statement without comments and with single spaces, so that layout does not change a fingerprint."""
    return " ".join(t.raw for t in tokens(sql))


def target_of(sql: str) -> tuple[str | None, str] | None:
    """Schema (None: not named) and table that a statement writes to, in lower case; None when it writes to none."""
    found = list(tokens(sql))
    for verb in ("update", "insert", "replace", "delete"):
        rest = _top_level_from(found, verb)
        if rest is not None and len(rest) > 1:
            at = _target(rest)
            return (rest[at - 2].text if at > 2 and rest[at - 1].raw == "." else None), rest[at].text
    return None


def deletes_from(sql: str) -> str | None:
    """The table that a single DELETE (also behind WITH) empties, in lower case, or None when it is something else."""
    rest = _top_level_from(list(tokens(sql)), "delete")
    return rest[_target(rest)].text if rest is not None and len(rest) > 1 else None


def _target(rest: Sequence[Token]) -> int:
    """The place of the table's own name after UPDATE, INSERT, REPLACE or DELETE."""
    at = 1
    while at + 1 < len(rest) and rest[at].raw.lower() in {"or", "into", "from", "only"}:
        at += 2 if rest[at].text == "or" else 1
    while at + 2 < len(rest) and rest[at + 1].raw == ".":
        at += 2
    return min(at, len(rest) - 1)


def update_shape(sql: str) -> UpdateShape | None:
    """The shape of a single UPDATE (also behind WITH), or None when it is something else."""
    rest = _top_level_from(list(tokens(sql)), "update")
    if rest is None or len(rest) < 4:
        return None
    at = _target(rest)
    table = rest[at].text
    start = next((i for i in range(at, len(rest)) if rest[i].text == "set"), None)
    if start is None:
        return None
    sets_end = _end(rest, start + 1, _ENDS)
    assigned = [found for part in _split(rest[start + 1 : sets_end], ",") for found in _assignments(part)]
    sets = [(column.text, value) for column, value in assigned]
    where = _end(rest, sets_end, {"where"})
    conditions = rest[where + 1 : _end(rest, where, {"returning", ";"})] if where < len(rest) else []
    spelled = tuple(c.raw[1:-1].replace('""', '"') if c.raw[0] in '"`[' else c.text for c, _ in assigned)
    return UpdateShape(table, tuple(sets), _conjuncts(conditions), spelled)


def orders_its_own_column(shape: UpdateShape) -> bool:
    """Whether a condition lets the value move one way only: `c < :x` where `set c = :x`, `c is null`, `c = <constant>`.

    `c <> :x` and `c is not :x` are not enough: they would write an older computed value over a newer one.
    """
    return any(_one_way(column, value, condition) for column, value in shape.sets for condition in shape.conditions)


def changes_what_it_matches(shape: UpdateShape) -> bool:
    """Whether a matched row is certainly a changed row, because the WHERE excludes the value that is set."""
    return bool(shape.sets) and any(
        _one_way(column, value, condition, strict=True) or _differs(column, value, condition)
        for column, value in shape.sets
        for condition in shape.conditions
    )


def _one_way(column: str, value: Sequence[Token], condition: Sequence[Token], *, strict: bool = False) -> bool:
    for at, token in enumerate(condition):
        if token.text in _ORDER and not _inside(condition, at):
            if strict and token.text in {"<=", ">="}:
                return False
            left, right = condition[:at], condition[at + 1 :]
            return (_names(left, column) and _same(right, value)) or (_names(right, column) and _same(left, value))
    bare = [t for t in condition if t.raw != "."]
    texts = [t.text for t in bare]
    if texts[-2:] == ["is", "null"]:
        # a parameter or an expression may be NULL again, and then nothing changed
        constant = len(value) == 1 and value[0].kind in {"number", "string"}
        return _names(condition[:-2], column) and (constant or not strict)
    if len(bare) >= 3 and bare[-2].text in {"=", "=="} and bare[-1].kind in {"number", "string"}:
        return _names(condition[:-2], column) and not strict
    return False


def _differs(column: str, value: Sequence[Token], condition: Sequence[Token]) -> bool:
    texts = [t.text for t in condition]
    for sign in (["is", "distinct", "from"], ["is", "not"], ["<>"], ["!="]):
        for at in range(len(texts) - len(sign) + 1):
            if texts[at : at + len(sign)] == sign and not _inside(condition, at):
                left, right = condition[:at], condition[at + len(sign) :]
                return (_names(left, column) and _same(right, value)) or (_names(right, column) and _same(left, value))
    return False


def _names(side: Sequence[Token], column: str) -> bool:
    """Whether this is the column, perhaps qualified, or `coalesce(column, constant)`: both move one way with it."""
    while len(side) > 2 and side[0].raw == "(" and side[-1].raw == ")":
        side = side[1:-1]
    if len(side) > 3 and side[0].text in {"coalesce", "ifnull"} and side[1].raw == "(" and side[-1].raw == ")":
        inner = _split(side[2:-1], ",")
        return _names(inner[0], column) and all(_is_constant(part) for part in inner[1:])
    words, marks = side[::2], side[1::2]
    return (
        bool(words)
        and all(t.kind == "word" for t in words)
        and all(t.raw == "." for t in marks)
        and len(side) % 2 == 1
        and words[-1].text == column
    )


def _is_constant(part: Sequence[Token]) -> bool:
    texts = part[1:] if part and part[0].raw in {"-", "+"} else part
    return len(texts) == 1 and texts[0].kind in {"number", "string"}


def _same(side: Sequence[Token], value: Sequence[Token]) -> bool:
    return [t.raw for t in side] == [t.raw for t in value]


def _inside(part: Sequence[Token], at: int) -> bool:
    return sum((t.raw == "(") - (t.raw == ")") for t in part[:at]) > 0


def _top_level_from(found: list[Token], word: str) -> list[Token] | None:
    depth = 0
    for at, token in enumerate(found):
        depth += (token.raw == "(") - (token.raw == ")")
        if depth == 0 and token.kind == "word" and token.text in {word, "insert", "delete", "select", "replace"}:
            return found[at:] if token.text == word else None
    return None


def _end(part: Sequence[Token], start: int, words: set[str]) -> int:
    depth = 0
    for at in range(start, len(part)):
        depth += (part[at].raw == "(") - (part[at].raw == ")")
        if depth == 0 and part[at].text in words:
            return at
    return len(part)


def _split(part: Sequence[Token], mark: str) -> list[list[Token]]:
    pieces: list[list[Token]] = [[]]
    depth = 0
    for token in part:
        depth += (token.raw == "(") - (token.raw == ")")
        if depth == 0 and token.text == mark:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def _assignments(part: list[Token]) -> list[tuple[Token, tuple[Token, ...]]]:
    equals = next((i for i, t in enumerate(part) if t.raw == "=" and not _inside(part, i)), None)
    if equals is None:
        return []
    names = [t for t in part[:equals] if t.kind == "word"]
    value = part[equals + 1 :]
    if part[0].raw != "(":
        return [(names[-1], tuple(value))] if names else []
    values = _split(value[1:-1], ",") if value and value[0].raw == "(" else []
    if len(values) != len(names):
        values = [[] for _ in names]
    return [(name, tuple(one)) for name, one in zip(names, values, strict=True)]


def _conjuncts(part: Sequence[Token]) -> tuple[tuple[Token, ...], ...]:
    pieces: list[list[Token]] = [[]]
    depth, between = 0, False
    for token in part:
        depth += (token.raw == "(") - (token.raw == ")")
        if depth == 0 and token.text == "or":
            return ()
        if depth == 0 and token.text == "and" and not between:
            pieces.append([])
            continue
        between = (token.text == "between" or between) and not (token.text == "and" and depth == 0)
        pieces[-1].append(token)
    return tuple(tuple(piece) for piece in pieces if piece)
