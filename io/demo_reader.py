"""The demo's strategy: a jitted handler that measures record → reader latency and keeps samples of books.

It is written as a user would write one: `handler(record, state) -> int`, with `state` an int64 array.
"""

from dataclasses import dataclass

import numba
import numpy as np

from ..engine import layout
from ..engine.kernels import histogram, llvm

# state: counters, then a latency histogram, then samples of LIVE books
SEEN, BOOKS, LIVE_BOOKS, TRADES, TICKERS, STATUSES, RANDOM, SAMPLES = range(8)
LATENCY = 16
SAMPLE_START = LATENCY + layout.HIST_WORDS
SAMPLE_LEVELS = 10
SAMPLE_WORDS = 4 + 4 * SAMPLE_LEVELS  # symbol, id, two counts; prices, quantities
SAMPLE_CAPACITY = 8192
SAMPLE_EVERY = 2  # about one LIVE book in two, chosen at random
LCG_MULTIPLIER, LCG_STEP, LCG_MASK = 6364136223846793005, 1442695040888963407, (1 << 63) - 1


def new_state(seed: int = 1) -> np.ndarray:
    """Empty state for `handler`, int64[:]."""
    state = np.zeros(SAMPLE_START + SAMPLE_CAPACITY * SAMPLE_WORDS, np.int64)
    state[RANDOM] = seed
    return state


@numba.njit
def take_sample(record, state):
    """Copy the best levels of a book into the next sample."""
    at = SAMPLE_START + (state[SAMPLES] % SAMPLE_CAPACITY) * SAMPLE_WORDS
    state[at], state[at + 1] = record.symbol_id, record.last_update_id
    for side in range(layout.SIDES):
        count = min(numba.int64(record.count[side]), SAMPLE_LEVELS)
        state[at + 2 + side] = count
        first = at + 4 + side * SAMPLE_LEVELS
        for level in range(count):
            state[first + level] = record.price[side, level]
            state[first + 2 * SAMPLE_LEVELS + level] = record.qty[side, level]
    state[SAMPLES] += 1


@numba.njit
def handler(record, state):
    """Count, measure, and keep a random share of the LIVE books."""
    histogram.record(state, LATENCY, llvm.clock_ns(llvm.CLOCK_REALTIME) - record.publish_ns)
    state[SEEN] += 1
    if record.kind == layout.KIND_TRADE:
        state[TRADES] += 1
    elif record.kind == layout.KIND_TICKER:
        state[TICKERS] += 1
    elif record.kind == layout.KIND_STATUS:
        state[STATUSES] += 1
    elif record.kind == layout.KIND_BOOK:
        state[BOOKS] += 1
        if record.health == layout.LIVE:
            state[LIVE_BOOKS] += 1
            state[RANDOM] = (state[RANDOM] * LCG_MULTIPLIER + LCG_STEP) & LCG_MASK
            if (state[RANDOM] >> 33) % SAMPLE_EVERY == 0:
                take_sample(record, state)
    return 0


@dataclass(frozen=True)
class Sample:
    """The best levels a reader saw in one record, as mantissas."""

    symbol_id: int
    update_id: int
    sides: tuple[list[tuple[int, int]], list[tuple[int, int]]]


def samples(state: np.ndarray, since: int, until: int) -> list[Sample]:
    """Samples number since..until-1; what was overwritten meanwhile is left out."""
    found = []
    for number in range(max(since, until - SAMPLE_CAPACITY + 64), until):
        at = SAMPLE_START + (number % SAMPLE_CAPACITY) * SAMPLE_WORDS
        words = state[at : at + SAMPLE_WORDS].tolist()
        levels = words[4:]
        sides = tuple(
            list(
                zip(
                    levels[side * SAMPLE_LEVELS :][: words[2 + side]],
                    levels[(2 + side) * SAMPLE_LEVELS :][: words[2 + side]],
                    strict=True,
                )
            )
            for side in range(layout.SIDES)
        )
        found.append(Sample(words[0], words[1], sides))  # type: ignore[arg-type]
    return found
