"""Keys, slices and the cursor: how they are written down, and the rule that a cursor moves strictly one way.

Pure values. Ordering of text keys is the database's affair (collations), so only integers are compared here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Literal, cast

from inchworm.errors import CursorStuck

KeyValue = int | str | bytes
Key = tuple[KeyValue, ...]
Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Bound:
    """The lowest and highest key when the migration began, inclusive; rows outside are not its business."""

    low: Key
    high: Key


@dataclass(frozen=True, slots=True)
class Slice:
    """Keys to work on, lowest first; `first` and `last` are its inclusive bounds in key order."""

    keys: tuple[Key, ...]
    order: Order

    @property
    def first(self) -> Key:
        return self.keys[0]

    @property
    def last(self) -> Key:
        return self.keys[-1]

    @property
    def cursor(self) -> Key:
        """Where the next slice continues: the end of this one in the direction of travel."""
        return self.last if self.order == "asc" else self.first


_KINDS = frozenset({int, str, bytes})
_WHOLE = frozenset({int})


def key_of(row: Sequence[object]) -> Key:
    """A row of key columns as a key; CursorStuck for NULL or fractional values, which have no stable order."""
    key = tuple(row)
    for value in key:
        if not isinstance(value, int | str | bytes):
            raise CursorStuck(f"key {key!r} holds {value!r}; keys are integers, texts or blobs and never NULL")
    return cast(Key, key)


def keys_of(rows: Sequence[Sequence[object]]) -> list[Key]:
    """Rows of key columns as keys; CursorStuck as `key_of`. For every row of a migration, so without a loop."""
    if _KINDS.issuperset(map(type, chain.from_iterable(rows))):
        return cast(list[Key], list(map(tuple, rows)))
    return [key_of(row) for row in rows]


def keys_at(rows: Sequence[Sequence[object]], places: Sequence[int]) -> list[Key]:
    """The values at these places of each row, in the order of `places`: keys, if the rows hold such."""
    return cast(list[Key], list(zip(*(map(itemgetter(place), rows) for place in places), strict=True)))


def are_whole(keys: Sequence[Key]) -> bool:
    """Whether all are whole numbers, which compare here as in the database."""
    return _WHOLE.issuperset(map(type, chain.from_iterable(keys)))


def advance(old: Key | None, piece: Slice) -> Key:
    """The cursor after a slice; CursorStuck when it did not move in the slice's direction."""
    new = piece.cursor
    if old is None:
        return new
    backwards = (
        len(old) == len(new) == 1
        and isinstance(old[0], int)
        and isinstance(new[0], int)
        and ((new[0] < old[0]) if piece.order == "asc" else (new[0] > old[0]))
    )
    if new == old or backwards:
        raise CursorStuck(f"key {new!r} does not follow {old!r}")
    return new


def encode(key: Key) -> str:
    """A key as the ledger stores it: a JSON array, blobs as {"hex": …}."""
    return json.dumps([{"hex": v.hex()} if isinstance(v, bytes) else v for v in key], ensure_ascii=False)


def decode(text: str) -> Key:
    """The inverse of encode; ValueError when the text is not a key."""
    values = json.loads(text)
    if not isinstance(values, list):
        raise ValueError(f"{text!r} is not a stored key")
    return tuple(_value(v) for v in values)


def _value(value: object) -> KeyValue:
    if isinstance(value, dict):
        return bytes.fromhex(str(value["hex"]))
    if isinstance(value, int | str):
        return value
    raise ValueError(f"{value!r} is not part of a key")


def encode_bound(bound: Bound) -> str:
    """A bound as the ledger stores it."""
    return json.dumps({"low": encode(bound.low), "high": encode(bound.high)})


def decode_bound(text: str) -> Bound:
    """The inverse of encode_bound."""
    parts = json.loads(text)
    return Bound(decode(parts["low"]), decode(parts["high"]))


def bounds(columns: Sequence[str], first: Key, last: Key) -> dict[str, KeyValue]:
    """`:first` and `:last` for a single key, `:first_a`, `:last_a`, … for a composite one."""
    if len(columns) == 1:
        return {"first": first[0], "last": last[0]}
    ends = {f"first_{c}": v for c, v in zip(columns, first, strict=True)}
    return ends | {f"last_{c}": v for c, v in zip(columns, last, strict=True)}
