"""Order-flow imbalance: what was added to and taken from the best levels between two records."""

from ..jit import i64, kernel, void, words_in, words_out
from ..kernels.llvm import wrapping_add, wrapping_sub
from ..layout import ASK, BID, KEY_NONE, R_RECV, SIDES
from .fields import NAN, Table, float_rows, held, is_quoted, kind_of, price_at, qty_at

EVENT, WINDOW = range(2)  # columns of order_flow


@kernel(i64(Table, i64, i64, i64, i64))
def key_at(table, row, side, level, top_n):
    """Return the key of a level: smaller the better its price; KEY_NONE where there is no level.

    table  int64[n, slot_words], records
    row    0..n-1
    side   BID or ASK
    level  below top_n
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    if level >= held(table, row, side, top_n):
        return KEY_NONE
    price = price_at(table, row, side, level, top_n)
    return price if side == ASK else wrapping_sub(0, price)


@kernel(i64(Table, i64, i64, i64, i64))
def flow_between(table, before, row, depth, top_n):
    """Return the order flow between two records of a run, mantissa: bids minus asks, summed over levels.

    table   int64[n, slot_words], records
    before  0..n-1, the earlier record
    row     0..n-1, the later record
    depth   levels a side, 1..top_n
    top_n   levels a side the table has room for, 1..TOP_N_MAX
    """
    total = i64(0)
    for side in range(SIDES):
        for level in range(depth):
            old, new = key_at(table, before, side, level, top_n), key_at(table, row, side, level, top_n)
            change = i64(0)
            if new <= old and new != KEY_NONE:
                change = wrapping_add(change, qty_at(table, row, side, level, top_n))
            if new >= old and old != KEY_NONE:
                change = wrapping_sub(change, qty_at(table, before, side, level, top_n))
            total = wrapping_add(total, change) if side == BID else wrapping_sub(total, change)
    return total


@kernel(void(Table, words_in, i64, i64, i64, i64, words_out, float_rows))
def order_flow(table, runs, kind, top_n, depth, window_ns, events, out):
    """Fill the order flow of each record against the one before, and its sum over a window of time.

    table      int64[n, slot_words], records
    runs       int64[n], from mark_runs
    kind       KIND_* that carries the quotes
    top_n      levels a side the table has room for, 1..TOP_N_MAX
    depth      levels a side, 1..top_n
    window_ns  1..2^60; sums cover (recv_ns - window_ns, recv_ns]
    events     int64[n], scratch
    out        float64[n, 2]: EVENT and WINDOW in mantissas; NaN for the first record of a run, for records
               without two sides and the one after them, and WINDOW until the run has lasted a window
    """
    run, before, oldest, total, begun_ns = i64(0), i64(-1), i64(0), i64(0), i64(0)
    for row in range(len(table)):
        out[row, :] = NAN
        if runs[row] < 1 or kind_of(table, row) != kind:
            continue
        if not is_quoted(table, row, top_n):
            before = -1
            continue
        recv_ns = table[row, R_RECV]
        if runs[row] != run or before < 0:
            run, before, oldest, total, begun_ns = runs[row], row, row + 1, 0, recv_ns
            continue
        events[row] = flow_between(table, before, row, depth, top_n)
        out[row, EVENT] = events[row]
        total, before = wrapping_add(total, events[row]), row
        while oldest < row and (
            out[oldest, EVENT] != out[oldest, EVENT] or table[oldest, R_RECV] <= recv_ns - window_ns
        ):
            if out[oldest, EVENT] == out[oldest, EVENT]:
                total = wrapping_sub(total, events[oldest])
            oldest += 1
        if begun_ns <= recv_ns - window_ns:
            out[row, WINDOW] = total
