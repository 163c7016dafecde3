"""The one rule by which figures are ranked: nearest rank, so that a percentile is a value that was measured."""

import math
from collections.abc import Sequence


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest of the sorted values that `share` (0 to 1) of them do not exceed; 0.0 of none."""
    if not ascending:
        return 0.0
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]
