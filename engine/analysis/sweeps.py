"""Sweeps: trades of one aggressor in quick succession that walk through several prices."""

from ..jit import i64, kernel, words_in
from ..kernels.llvm import wrapping_add, wrapping_sub
from ..layout import BID
from .fields import T_PRICE, T_QTY, Table, int_rows, is_trade, side_of, trade_time

FIRST_ROW, LAST_ROW, TRADES, PRICES, QTY = range(5)  # columns of find_sweeps
SWEEP_COLUMNS = 5


@kernel(i64(Table, i64, i64, i64))
def continues(table, last, row, gap_ns):
    """Return 1 if a trade goes on where another of the same aggressor stopped, else 0.

    table   int64[n, slot_words], records
    last    0..n-1, a usable trade
    row     0..n-1, the next usable trade of the same run
    gap_ns  0..2^62, longest time between the two
    """
    if side_of(table, last) != side_of(table, row):
        return 0
    passed_ns = wrapping_sub(trade_time(table, row), trade_time(table, last))
    step = wrapping_sub(table[row, T_PRICE], table[last, T_PRICE])
    if side_of(table, row) != BID:
        step = -step
    return 1 if 0 <= passed_ns <= gap_ns and step >= 0 else 0


@kernel(i64(Table, words_in, i64, i64, int_rows))
def find_sweeps(table, runs, gap_ns, least_prices, out):
    """List the sweeps: trades of one aggressor, never at a better price than the one before.

    table         int64[n, slot_words], records
    runs          int64[n], from mark_runs
    gap_ns        0..2^62, longest time between two trades of a sweep, by the venue's clock if it has one
    least_prices  distinct prices a sweep must reach, 1 and up
    out           int64[n, SWEEP_COLUMNS]: first and last row, trades, distinct prices, quantity (mantissa)
    Returns       how many rows were filled.
    """
    run, last, count = i64(0), 0, 0
    for row in range(len(table)):
        if not is_trade(table, runs, row):
            continue
        if runs[row] == run and continues(table, last, row, gap_ns):
            out[count, PRICES] += 1 if table[row, T_PRICE] != table[last, T_PRICE] else 0
        else:
            if run > 0 and out[count, PRICES] >= least_prices:
                count += 1
            out[count, FIRST_ROW], out[count, PRICES] = row, 1
            out[count, TRADES], out[count, QTY] = 0, 0
        out[count, LAST_ROW] = row
        out[count, TRADES] += 1
        out[count, QTY] = wrapping_add(out[count, QTY], table[row, T_QTY])
        run, last = runs[row], row
    return count + 1 if run > 0 and out[count, PRICES] >= least_prices else count
