"""Reading a histogram: percentiles from a copy of its words; the counting is kernels/histogram.py."""

import numpy as np

from .layout import HIST_BUCKETS, HIST_EXTRA, HIST_SUB_BITS

COUNT, NEGATIVES, MAXIMUM, MINIMUM = range(HIST_EXTRA)


def upper_bounds() -> np.ndarray:
    """Largest value of each bucket, int64[HIST_BUCKETS]."""
    exact, per_power = 1 << (HIST_SUB_BITS + 1), 1 << HIST_SUB_BITS
    bounds = [*range(exact)]
    for power in range(HIST_SUB_BITS + 1, 63):
        step = 1 << (power - HIST_SUB_BITS)
        bounds += [(per_power + within + 1) * step - 1 for within in range(per_power)]
    return np.array(bounds, np.int64)


def percentiles(words: np.ndarray, shares: tuple[float, ...] = (50.0, 99.0, 99.9)) -> dict[str, int]:
    """Counts, extremes and percentiles of one histogram.

    words    int64[HIST_WORDS], a copy: the buckets of a running one change under the sum
    shares   percentages, each 0..100
    Returns  {"count", "negative", "min", "max", "p50", …} in ns; a percentile is the upper bound of its
             bucket, at most the maximum, and 0 while nothing was counted.
    """
    buckets = words[HIST_EXTRA : HIST_EXTRA + HIST_BUCKETS]
    running, bounds = np.cumsum(buckets), upper_bounds()
    total = int(running[-1])
    found = {"count": int(words[COUNT]), "negative": int(words[NEGATIVES])}
    found |= {"min": int(words[MINIMUM]), "max": int(words[MAXIMUM])}
    for share in shares:
        rank = max(1, int(np.ceil(total * share / 100)))
        at = min(int(np.searchsorted(running, rank)), HIST_BUCKETS - 1)
        found[f"p{share:g}"] = min(int(bounds[at]), found["max"]) if total else 0
    return found
