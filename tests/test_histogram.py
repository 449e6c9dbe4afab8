"""Histograms: buckets against counting up, percentiles against a sorted list."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.kernels import histogram
from ringbook.engine.percentiles import COUNT, MAXIMUM, MINIMUM, NEGATIVES, percentiles, upper_bounds

from .model.ring import bucket
from .steps import room

powers = st.builds(
    lambda power, off: min(max((1 << power) + off, 0), (1 << 63) - 1), st.integers(0, 63), st.integers(-2, 2)
)
values = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 5_000), powers)


@given(st.lists(values, max_size=60), st.integers(0, 3))
def test_counts(sample: list[int], pad: int) -> None:
    words = np.zeros(2 * pad + layout.HIST_WORDS, np.int64)
    for value in sample:
        histogram.record(words, pad, value)
    found = words[pad : pad + layout.HIST_WORDS]
    kept = [value for value in sample if value >= 0]
    assert not words[:pad].any()
    assert not words[pad + layout.HIST_WORDS :].any()
    assert (found[COUNT], found[NEGATIVES]) == (len(kept), len(sample) - len(kept))
    expected = np.zeros(layout.HIST_BUCKETS, np.int64)
    for value in kept:
        expected[bucket(value)] += 1
    assert np.array_equal(found[layout.HIST_EXTRA : layout.HIST_EXTRA + layout.HIST_BUCKETS], expected)
    if kept:
        assert (found[MAXIMUM], found[MINIMUM]) == (max(kept), min(kept))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200))
def test_percentiles_are_close(sample: list[int]) -> None:
    words = np.zeros(layout.HIST_WORDS, np.int64)
    for value in sample:
        histogram.record(words, 0, value)
    found, ordered = percentiles(words, (50.0, 99.0, 100.0)), sorted(sample)
    for share in (50, 99, 100):
        exact = ordered[max(1, -(-len(ordered) * share // 100)) - 1]
        assert exact <= found[f"p{share}"] <= exact * 33 / 32 + 1
    assert found["p100"] == found["max"] == ordered[-1]


def test_bounds_meet() -> None:
    """Each bucket's upper bound lies in it, and the next value in the next bucket."""
    bounds = upper_bounds()
    assert len(bounds) == layout.HIST_BUCKETS
    assert bounds[-1] == (1 << 63) - 1
    for index, bound in enumerate(bounds.tolist()):
        assert histogram.bucket_of(bound) == index
        assert index + 1 == layout.HIST_BUCKETS or histogram.bucket_of(bound + 1) == index + 1


def test_empty() -> None:
    found = percentiles(np.zeros(layout.HIST_WORDS, np.int64))
    assert found == {"count": 0, "negative": 0, "min": 0, "max": 0, "p50": 0, "p99": 0, "p99.9": 0}


@pytest.mark.parametrize(
    "mutate",
    [
        ("bucket_of", "* PER_POWER + within", "* PER_POWER"),
        ("bucket_of", "- PER_POWER", "- PER_POWER + 1"),
        ("record", "if value_ns < 0:", "if value_ns <= 0:"),
        ("record", "value_ns < words[at + MINIMUM]", "value_ns > words[at + MINIMUM]"),
    ],
)
def test_mistakes_are_caught(mutate: tuple) -> None:
    """The plain form agrees with the compiled one, and no longer does with a mistake in it."""
    sample = [64, 63, 65, 0, 1_000, 10**9, -5, (1 << 63) - 1]
    twin = SimpleNamespace(count_leading_zeros=lambda value: 64 - int(value).bit_length())
    results = []
    for plain in (room(twin, histogram), room(twin, histogram, mutate=mutate)):
        words = np.zeros(layout.HIST_WORDS, np.int64)
        for value in sample:
            plain.record(words, 0, value)
        results.append(words)
    compiled = np.zeros(layout.HIST_WORDS, np.int64)
    for value in sample:
        histogram.record(compiled, 0, value)
    assert np.array_equal(results[0], compiled)
    assert not np.array_equal(results[1], compiled)
