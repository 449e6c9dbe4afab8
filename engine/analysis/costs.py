"""Trades against the quotes around them: effective and realised spread, price impact, trade-throughs."""

from ..jit import i64, kernel, void, words_in
from ..layout import ASK, BID, R_RECV
from .fields import (
    NAN,
    T_PRICE,
    Table,
    f64,
    float_rows,
    held,
    int_rows,
    is_quoted,
    is_trade,
    kind_of,
    mid_of,
    price_at,
    side_of,
)

EFFECTIVE, REALISED, IMPACT, MID_BEFORE = range(4)  # columns of cost_rows
COST_COLUMNS = 4
TRADE_ROW, QUOTE_ROW, LEVELS_PASSED = range(3)  # columns of find_throughs
THROUGH_COLUMNS = 3


@kernel(void(Table, i64, f64, float_rows))
def settle(table, row, mid, out):
    """Fill what a trade's later mid makes known.

    table  int64[n, slot_words], records
    row    0..n-1, a trade whose EFFECTIVE and MID_BEFORE are filled
    mid    mantissa, at the end of its horizon; NaN where there is none
    out    float64[n, COST_COLUMNS]
    """
    sign = 1.0 if side_of(table, row) == BID else -1.0
    out[row, REALISED] = 2.0 * sign * (f64(table[row, T_PRICE]) - mid)
    out[row, IMPACT] = 2.0 * sign * (mid - out[row, MID_BEFORE])


@kernel(void(Table, words_in, i64, i64, i64, float_rows))
def cost_rows(table, runs, kind, top_n, horizon_ns, out):
    """Fill effective spread, realised spread and price impact of each trade; NaN for everything else.

    table       int64[n, slot_words], records
    runs        int64[n], from mark_runs
    kind        KIND_* that carries the quotes
    top_n       levels a side the table has room for, 1..TOP_N_MAX
    horizon_ns  1..2^60, after the trade; the run must go on beyond it
    out         float64[n, COST_COLUMNS], mantissas; MID_BEFORE is the mid of the newest quote before
    """
    run, oldest, mid = i64(0), i64(0), NAN
    for row in range(len(table)):
        out[row, :] = NAN
        if runs[row] < 1:
            continue
        if runs[row] != run:
            run, oldest, mid = runs[row], row, NAN
        recv_ns = table[row, R_RECV]
        while oldest < row and (runs[oldest] != run or table[oldest, R_RECV] + horizon_ns < recv_ns):
            if out[oldest, EFFECTIVE] == out[oldest, EFFECTIVE]:
                settle(table, oldest, mid, out)
            oldest += 1
        if kind_of(table, row) == kind:
            mid = mid_of(table, row, top_n) if is_quoted(table, row, top_n) else NAN
        elif is_trade(table, runs, row):
            sign = 1.0 if side_of(table, row) == BID else -1.0
            out[row, EFFECTIVE] = 2.0 * sign * (f64(table[row, T_PRICE]) - mid)
            out[row, MID_BEFORE] = mid


@kernel(i64(Table, i64, i64, i64))
def levels_passed(table, trade, quote, top_n):
    """Return how many levels of a quote have a better price than a trade gave its taker.

    table  int64[n, slot_words], records
    trade  0..n-1, a usable trade
    quote  0..n-1, a record with levels
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    side, price, passed = 1 - side_of(table, trade), table[trade, T_PRICE], 0
    for level in range(held(table, quote, side, top_n)):
        other = price_at(table, quote, side, level, top_n)
        if other < price if side == ASK else other > price:
            passed += 1
    return passed


@kernel(i64(Table, words_in, i64, i64, int_rows))
def find_throughs(table, runs, kind, top_n, out):
    """List the trades at a worse price than the best one quoted before them.

    table    int64[n, slot_words], records
    runs     int64[n], from mark_runs
    kind     KIND_* that carries the quotes
    top_n    levels a side the table has room for, 1..TOP_N_MAX
    out      int64[n, THROUGH_COLUMNS]: row of the trade, row of the quote, levels passed
    Returns  how many rows were filled.
    """
    run, quote, count = i64(0), i64(-1), 0
    for row in range(len(table)):
        if runs[row] < 1:
            continue
        if runs[row] != run:
            run, quote = runs[row], -1
        if kind_of(table, row) == kind:
            quote = row if is_quoted(table, row, top_n) else -1
        elif quote >= 0 and is_trade(table, runs, row):
            passed = levels_passed(table, row, quote, top_n)
            if passed > 0:
                out[count, TRADE_ROW], out[count, QUOTE_ROW], out[count, LEVELS_PASSED] = row, quote, passed
                count += 1
    return count
