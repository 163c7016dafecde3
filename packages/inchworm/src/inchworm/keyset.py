"""The statements that walk a table by its key: bound, slices, count, touch. Text only; the caller runs them."""

from collections.abc import Sequence
from dataclasses import dataclass

from inchworm.cursor import Bound, Key, KeyValue, Order
from inchworm.queries import load, quoted

_SQL = load("keyset")


def _tuple(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else "(" + ", ".join(names) + ")"


def _params(prefix: str, columns: Sequence[str], key: Key) -> dict[str, KeyValue]:
    return {f"{prefix}_{at}": value for at, value in zip(range(len(columns)), key, strict=True)}


@dataclass(frozen=True, slots=True)
class Keyset:
    """A table and the columns of its key. Row-value comparison keeps composite keys one seek."""

    table: str
    key: tuple[str, ...]
    order: Order = "asc"

    def _column(self, name: str) -> str:
        table = quoted(self.table.rpartition(".")[2])
        return f"{table}.*" if name == "*" else f"{table}.{quoted(name)}"

    def _fill(self, name: str, **parts: str) -> str:
        keys = [self._column(k) for k in self.key]
        return _SQL[name].format(
            table=".".join(quoted(part) for part in self.table.split(".")),
            keys=", ".join(keys),
            ascending=", ".join(f"{k} asc" for k in keys),
            descending=", ".join(f"{k} desc" for k in keys),
            order=", ".join(f"{k} {self.order}" for k in keys),
            **parts,
        )

    def _compare(self, sign: str, prefix: str, *, alone: bool = False) -> str:
        columns = _tuple([quoted(k) if alone else self._column(k) for k in self.key])
        return f"{columns} {sign} {_tuple([f':{prefix}_{at}' for at in range(len(self.key))])}"

    @property
    def lowest(self) -> str:
        return self._fill("lowest")

    @property
    def highest(self) -> str:
        return self._fill("highest")

    def next_keys(self, *, first: bool) -> str:
        """Keys after `:at_*` (exclusive), or from the end of the bound when this is the first slice."""
        inside = [self._compare(">=", "low"), self._compare("<=", "high")]
        # only the far end and the cursor: a second condition on the same side makes planners pick the wrong one
        near = [] if first else [self._compare(">" if self.order == "asc" else "<", "at")]
        far = inside if first else [inside[1] if self.order == "asc" else inside[0]]
        return self._fill("next_keys", conditions=" and ".join(near + far))

    def next_params(self, bound: Bound, cursor: Key | None, rows: int) -> dict[str, KeyValue]:
        """Parameters of next_keys."""
        ends = {} if cursor is None else _params("at", self.key, cursor)
        low = _params("low", self.key, bound.low) if cursor is None or self.order == "desc" else {}
        high = _params("high", self.key, bound.high) if cursor is None or self.order == "asc" else {}
        return {**ends, **low, **high, "slice_rows": rows}

    @property
    def count(self) -> str:
        return self._fill("count", conditions=self._between())

    @property
    def inside(self) -> str:
        """Between `:low_*` and `:high_*`, inclusive, for a statement of somebody else's over this table alone."""
        return self._between(alone=True)

    def _between(self, *, alone: bool = False) -> str:
        return f"{self._compare('>=', 'low', alone=alone)} and {self._compare('<=', 'high', alone=alone)}"

    def touch(self, columns: Sequence[str]) -> str:
        """The key and these columns (`*`: all) of the rows between `:low_*` and `:high_*`."""
        chosen = ", ".join(self._column(c) for c in columns)
        return self._fill("touch", columns=chosen, conditions=self._between())

    def range_params(self, first: Key, last: Key) -> dict[str, KeyValue]:
        """Parameters of count and touch."""
        return _params("low", self.key, first) | _params("high", self.key, last)
