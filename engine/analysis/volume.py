"""Volume buckets: trades cut into parcels of one size, and the VPIN over the newest of them."""

import math

from ..jit import i64, kernel, void, words_in
from .fields import NAN, ROWS_FULL, f64, float_rows, floats_in, floats_out, int_rows

FIRST_PIECE, LAST_PIECE, BUCKET_RUN = range(3)  # integer columns of fill_buckets
BUCKET_INTS = 3
BUY_QTY, VPIN = range(2)  # float columns of fill_buckets
BUCKET_FLOATS = 2


@kernel(i64(words_in, floats_in, words_in, i64, i64, int_rows, float_rows))
def fill_buckets(sizes, shares, runs, bucket_qty, window, ints, floats):
    """Cut pieces of volume into buckets of one size; what a break or the end leaves unfinished is dropped.

    sizes       int64[n], quantity of each piece, mantissa; below 1 counts nothing
    shares      float64[n], part of each piece that buyers took, 0..1
    runs        int64[n], the run each piece lies in, 1 and up, not descending
    bucket_qty  1..2^62, mantissa
    window      buckets in one VPIN, 1 and up
    ints        int64[m, BUCKET_INTS]: first and last piece, run
    floats      float64[m, BUCKET_FLOATS]: bought quantity, mantissa; VPIN of the newest `window` buckets
                of the run, NaN before there are so many
    Returns     how many buckets were filled; ROWS_FULL if m rows were too few.
    """
    run, filled, first, count, begun = i64(0), i64(0), 0, 0, 0
    bought, imbalance = 0.0, 0.0
    for piece in range(len(sizes)):
        if runs[piece] != run:
            run, filled, bought, imbalance, begun = runs[piece], 0, 0.0, 0.0, count
        remaining = sizes[piece]
        while remaining > 0:
            if filled == 0:
                first, bought = piece, 0.0
            taken = min(remaining, bucket_qty - filled)
            remaining -= taken
            filled += taken
            bought += f64(taken) * shares[piece]
            if filled < bucket_qty:
                continue
            if count >= len(ints):
                return ROWS_FULL
            ints[count, FIRST_PIECE], ints[count, LAST_PIECE], ints[count, BUCKET_RUN] = first, piece, run
            floats[count, BUY_QTY] = bought
            imbalance += abs(2.0 * bought - bucket_qty)
            if count - begun >= window:
                imbalance -= abs(2.0 * floats[count - window, BUY_QTY] - bucket_qty)
            is_whole = count - begun + 1 >= window
            floats[count, VPIN] = max(imbalance, 0.0) / (f64(window) * f64(bucket_qty)) if is_whole else NAN
            filled = 0
            count += 1
    return count


@kernel(f64(floats_in, words_in))
def change_deviation(closes, runs):
    """Return the standard deviation of the changes of price between bars of one run; NaN for fewer than two.

    closes  float64[n], last price of each bar
    runs    int64[n], the run each bar lies in
    """
    count, mean, squares = 0, 0.0, 0.0
    for row in range(1, len(closes)):
        if runs[row] == runs[row - 1]:
            count += 1
            change = closes[row] - closes[row - 1]
            step = change - mean
            mean += step / count
            squares += step * (change - mean)
    return math.sqrt(squares / (count - 1)) if count > 1 else NAN


@kernel(void(floats_in, words_in, f64, floats_out))
def bulk_shares(closes, runs, deviation, out):
    """Fill the share of each bar's volume that counts as bought: the normal cdf of its change of price.

    closes     float64[n], last price of each bar
    runs       int64[n], the run each bar lies in
    deviation  standard deviation of the changes, NaN if unknown; 0 makes every share a half
    out        float64[n], 0..1; NaN for the first bar of a run, which has no change, and for all
               while deviation is NaN
    """
    for row in range(len(closes)):
        if row == 0 or runs[row] != runs[row - 1]:
            out[row] = NAN
        elif deviation == 0.0:
            out[row] = 0.5
        else:
            out[row] = 0.5 * math.erfc((closes[row - 1] - closes[row]) / (deviation * math.sqrt(2.0)))
