"""Figures out of samples: percentiles, medians over repeats, and whether the targets are met. Pure functions."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rig.child import Sample


@dataclass(frozen=True, slots=True)
class Spread:
    """Latencies in milliseconds. With few samples p99 is the maximum: look at n."""

    n: int
    p50: float
    p99: float
    max: float


def spread(samples: Iterable[Sample]) -> Spread:
    """Nearest-rank percentiles of samples; all zero when there are none."""
    values = sorted(seconds * 1e3 for _, seconds, _ in samples)
    if not values:
        return Spread(0, 0.0, 0.0, 0.0)
    return Spread(len(values), rank(values, 0.5), rank(values, 0.99), values[-1])


def rank(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile of sorted values."""
    return values[max(math.ceil(share * len(values)) - 1, 0)]


def between(samples: Iterable[Sample], first: float, last: float) -> list[Sample]:
    """The samples that were due in the window, and those due before it and still waiting when it began."""
    return [s for s in samples if s[0] <= last and s[0] + s[1] >= first]


def median(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median of every figure over the repeats of one strategy; None where a strategy has no such figure."""
    return {
        name: None if any(run[name] is None for run in runs) else round(statistics.median(run[name] for run in runs), 3)
        for name in runs[0]
    }
