"""Log-linear histograms of nanoseconds: exact below 64, then 32 buckets per power of two."""

from ..jit import i64, kernel, void, words_out
from ..layout import HIST_EXTRA, HIST_SUB_BITS
from . import llvm

COUNT, NEGATIVES, MAXIMUM, MINIMUM = range(HIST_EXTRA)  # words before the buckets
EXACT = 1 << (HIST_SUB_BITS + 1)
PER_POWER = 1 << HIST_SUB_BITS


@kernel(i64(i64))
def bucket_of(value_ns):
    """Return the bucket of a value.

    value_ns  0..2^63-1
    """
    if value_ns < EXACT:
        return value_ns
    power = 63 - llvm.count_leading_zeros(value_ns)
    within = (value_ns >> (power - HIST_SUB_BITS)) - PER_POWER
    return EXACT + (power - HIST_SUB_BITS - 1) * PER_POWER + within


@kernel(void(words_out, i64, i64))
def record(words, at, value_ns):
    """Count one value; negative ones (clocks of two machines) are counted apart and nowhere else.

    words     int64[:], this process the only writer of the histogram
    at        word offset of the histogram, HIST_WORDS long
    value_ns  any int64
    """
    if value_ns < 0:
        words[at + NEGATIVES] += 1
        return
    if words[at + COUNT] == 0 or value_ns < words[at + MINIMUM]:
        words[at + MINIMUM] = value_ns
    if value_ns > words[at + MAXIMUM]:
        words[at + MAXIMUM] = value_ns
    words[at + COUNT] += 1
    words[at + HIST_EXTRA + bucket_of(value_ns)] += 1
