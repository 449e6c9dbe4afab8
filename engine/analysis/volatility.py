"""Realised variance: squared log returns of a price sampled on a grid of time, summed window by window."""

import math

from ..jit import i64, kernel, words_in
from ..layout import R_RECV
from .fields import ROWS_FULL, Table, float_rows, floats_in, int_rows

START_NS, LAST_ROW, CHANGES = range(3)  # integer columns of variance_rows
VARIANCE_INTS = 3
VARIANCE = 0  # float column


@kernel(i64(Table, words_in, floats_in, i64, i64, int_rows, float_rows))
def variance_rows(table, runs, prices, sample_ns, window_samples, ints, floats):
    """Sum squared log returns over each window of time that lies wholly inside a run.

    table           int64[n, slot_words], records
    runs            int64[n], from mark_runs
    prices          float64[n], price of each record, above 0; else the record has none
    sample_ns       1..2^60, width of the grid; the price at a grid point is the newest one not after it
    window_samples  samples in a window, 1 and up; sample_ns * window_samples at most 2^60
    ints            int64[m, VARIANCE_INTS]: begin of the window, row of its last price, returns that were not 0
    floats          float64[m, 1]: realised variance
    Returns         how many windows were filled; ROWS_FULL if m rows were too few.

    A window is (k w, (k + 1) w] with w = sample_ns * window_samples. It is whole if the run had a price at or
    before its begin and has one after its end.
    """
    run, cell, window, count, changes = i64(0), i64(0), i64(0), 0, i64(0)
    newest, anchor, total, newest_row = 0.0, 0.0, 0.0, 0
    for row in range(len(table)):
        if runs[row] < 1 or not prices[row] > 0.0:
            continue
        here = (table[row, R_RECV] + sample_ns - 1) // sample_ns  # first grid point not before the record
        if runs[row] != run:
            run, cell, total, changes, newest, newest_row = runs[row], here, 0.0, 0, prices[row], row
            window, anchor = (here + window_samples - 1) // window_samples, 0.0  # the first whole one
            continue
        if here > cell:  # the price at grid point `cell` is known now
            if anchor > 0.0 and newest != anchor:
                change = math.log(newest / anchor)
                total += change * change
                changes += 1
            anchor = newest
            if cell <= window * window_samples:
                total, changes = 0.0, 0  # before the first whole window
            while here - 1 >= (window + 1) * window_samples:
                if count >= len(ints):
                    return ROWS_FULL
                ints[count, START_NS] = window * window_samples * sample_ns
                ints[count, LAST_ROW], ints[count, CHANGES] = newest_row, changes
                floats[count, VARIANCE] = total
                total, changes = 0.0, 0
                window += 1
                count += 1
            cell = here
        newest, newest_row = prices[row], row
    return count
