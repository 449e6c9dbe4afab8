"""What a kernel reads of one record in a table of records; whatever the words say, it stays inside the row.

A table is int64[n, slot_words]: records of any top_n seen as words. Counts in records are not trusted.
"""

import numba

from ..jit import i64, kernel, words_in
from ..layout import ASK, BID, KIND_TRADE, R_COUNT, R_PAYLOAD, R_RECV, R_TAGS, R_TXN, SIDES

f64 = numba.float64
Table = numba.types.Array(i64, 2, "C", readonly=True, aligned=True)
floats_in = numba.types.Array(f64, 1, "C", readonly=True, aligned=True)
floats_out = f64[::1]
float_rows = f64[:, ::1]
int_rows = i64[:, ::1]

TIME_END_NS = 1 << 62  # no receive time lies there; sums of a time and a duration below it stay in int64
DURATION_MOST_NS = 1 << 60
ROWS_FULL = -1  # what a kernel returns when its output has too few rows
NAN = float("nan")
T_PRICE, T_QTY = R_PAYLOAD, R_PAYLOAD + 1  # words of a TRADE


@kernel(i64(Table, i64))
def kind_of(table, row):
    """Return the kind of a record, 0..255.

    table  int64[n, slot_words], records
    row    0..n-1
    """
    return table[row, R_TAGS] & 255


@kernel(i64(Table, i64))
def health_of(table, row):
    """Return the health of a record, 0..255.

    table  int64[n, slot_words], records
    row    0..n-1
    """
    return (table[row, R_TAGS] >> 8) & 255


@kernel(i64(Table, i64))
def side_of(table, row):
    """Return the side of a record, 0..255: of a trade the aggressor.

    table  int64[n, slot_words], records
    row    0..n-1
    """
    return (table[row, R_TAGS] >> 16) & 255


@kernel(i64(Table, i64))
def flags_of(table, row):
    """Return the flags of a record, 0..255.

    table  int64[n, slot_words], records
    row    0..n-1
    """
    return (table[row, R_TAGS] >> 24) & 255


@kernel(i64(Table, i64))
def symbol_of(table, row):
    """Return the symbol_id of a record, 0..2^32-1.

    table  int64[n, slot_words], records
    row    0..n-1
    """
    return (table[row, R_TAGS] >> 32) & 0xFFFFFFFF


@kernel(i64(Table, i64))
def trade_time(table, row):
    """Return when a trade was matched, ns; when it was received, where the venue sends no time.

    table  int64[n, slot_words], records
    row    0..n-1, a TRADE
    """
    return table[row, R_TXN] if table[row, R_TXN] > 0 else table[row, R_RECV]


@kernel(i64(Table, i64, i64, i64))
def held(table, row, side, top_n):
    """Return how many levels of a side a record holds, 0..top_n.

    table  int64[n, slot_words], records
    row    0..n-1
    side   BID or ASK
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    return min((table[row, R_COUNT] >> (32 * side)) & 0xFFFFFFFF, top_n)


@kernel(i64(Table, i64, i64, i64, i64))
def price_at(table, row, side, level, top_n):
    """Return the price of a level, mantissa.

    table  int64[n, slot_words], records
    row    0..n-1
    side   BID or ASK
    level  0 is the best, below top_n
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    return table[row, R_PAYLOAD + side * top_n + level]


@kernel(i64(Table, i64, i64, i64, i64))
def qty_at(table, row, side, level, top_n):
    """Return the quantity of a level, mantissa.

    table  int64[n, slot_words], records
    row    0..n-1
    side   BID or ASK
    level  0 is the best, below top_n
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    return table[row, R_PAYLOAD + SIDES * top_n + side * top_n + level]


@kernel(i64(Table, i64, i64))
def is_quoted(table, row, top_n):
    """Return 1 if both sides have a best level above zero and the bid is below the ask, else 0.

    table  int64[n, slot_words], records
    row    0..n-1, a record with levels
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    for side in range(SIDES):
        if held(table, row, side, top_n) < 1:
            return 0
        if price_at(table, row, side, 0, top_n) < 1 or qty_at(table, row, side, 0, top_n) < 1:
            return 0
    return 1 if price_at(table, row, BID, 0, top_n) < price_at(table, row, ASK, 0, top_n) else 0


@kernel(f64(Table, i64, i64))
def mid_of(table, row, top_n):
    """Return the mid price of a record whose is_quoted is 1, mantissa.

    table  int64[n, slot_words], records
    row    0..n-1
    top_n  levels a side the table has room for, 1..TOP_N_MAX
    """
    bid, ask = price_at(table, row, BID, 0, top_n), price_at(table, row, ASK, 0, top_n)
    return f64(bid) + 0.5 * f64(ask - bid)


@kernel(i64(Table, words_in, i64))
def is_trade(table, runs, row):
    """Return 1 if a record is a usable trade: of a run, with a side, a price and a quantity above zero.

    table  int64[n, slot_words], records
    runs   int64[n], from mark_runs
    row    0..n-1
    """
    if runs[row] < 1 or kind_of(table, row) != KIND_TRADE or side_of(table, row) >= SIDES:
        return 0
    return 1 if table[row, T_PRICE] > 0 and table[row, T_QTY] > 0 else 0
