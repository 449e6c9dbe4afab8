"""What one record with levels says by itself: mid, spread, microprice, imbalance."""

from ..jit import i64, kernel, void, words_in
from ..layout import ASK, BID
from .fields import (
    NAN,
    Table,
    f64,
    float_rows,
    floats_out,
    held,
    is_quoted,
    kind_of,
    mid_of,
    price_at,
    qty_at,
)

MID, QUOTED, RELATIVE, MICRO = range(4)  # columns of quote_rows
QUOTE_COLUMNS = 4


@kernel(void(Table, words_in, i64, i64, float_rows))
def quote_rows(table, runs, kind, top_n, out):
    """Fill mid, quoted spread, relative spread and microprice of each record; NaN where there is none.

    table  int64[n, slot_words], records
    runs   int64[n], from mark_runs
    kind   KIND_* that carries the quotes
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    out    float64[n, QUOTE_COLUMNS]: MID, QUOTED and MICRO in mantissas, RELATIVE a fraction of the mid
    """
    for row in range(len(table)):
        if runs[row] < 1 or kind_of(table, row) != kind or not is_quoted(table, row, top_n):
            out[row, :] = NAN
            continue
        bid, bid_qty = price_at(table, row, BID, 0, top_n), f64(qty_at(table, row, BID, 0, top_n))
        spread, ask_qty = (
            f64(price_at(table, row, ASK, 0, top_n) - bid),
            f64(qty_at(table, row, ASK, 0, top_n)),
        )
        out[row, MID] = mid_of(table, row, top_n)
        out[row, QUOTED] = spread
        out[row, RELATIVE] = spread / out[row, MID]
        out[row, MICRO] = f64(bid) + spread * (bid_qty / (bid_qty + ask_qty))


@kernel(f64(Table, i64, i64, i64, i64))
def side_qty(table, row, side, depth, top_n):
    """Return the quantity of a side's best levels, mantissa; exact below 2^53.

    table  int64[n, slot_words], records
    row    0..n-1
    side   BID or ASK
    depth  levels at most, 1..top_n
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    total = 0.0
    for level in range(min(depth, held(table, row, side, top_n))):
        total += f64(max(qty_at(table, row, side, level, top_n), 0))
    return total


@kernel(void(Table, words_in, i64, i64, i64, floats_out))
def imbalance_rows(table, runs, kind, top_n, depth, out):
    """Fill (bids - asks) / (bids + asks) over the best levels of each record; NaN where there is none.

    table  int64[n, slot_words], records
    runs   int64[n], from mark_runs
    kind   KIND_* that carries the quotes
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    depth  levels a side, 1..top_n
    out    float64[n], -1..1
    """
    for row in range(len(table)):
        out[row] = NAN
        if runs[row] > 0 and kind_of(table, row) == kind and is_quoted(table, row, top_n):
            bids = side_qty(table, row, BID, depth, top_n)
            asks = side_qty(table, row, ASK, depth, top_n)
            out[row] = (bids - asks) / (bids + asks)
