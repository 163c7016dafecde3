"""What a strategy says that it did. A value."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Done:
    """Seconds; `bookkeeping_share` is None where there is no bookkeeping, `throttled_s` says why it waited."""

    rows_examined: int = 0
    rows_changed: int = 0
    lock_hold_max_s: float = 0.0
    turns: int = 0
    bookkeeping_share: float | None = None
    throttled_s: Mapping[str, float] = field(default_factory=dict)
