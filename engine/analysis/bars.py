"""Bars: trades gathered by time, by volume or by count, with open, high, low, close."""

from ..jit import i64, kernel, void, words_in
from ..kernels.llvm import wrapping_add
from ..layout import BID, R_RECV
from .fields import T_PRICE, T_QTY, Table, f64, float_rows, int_rows, is_trade, side_of

BY_TIME, BY_VOLUME, BY_TICK = range(3)
FIRST_ROW, LAST_ROW, BAR_RUN, START_NS, END_NS, OPEN, HIGH, LOW, CLOSE, QTY, BUY_QTY, TRADES = range(12)
BAR_INTS = 12
NOTIONAL = 0  # float column


@kernel(void(Table, i64, int_rows, float_rows, i64))
def add_trade(table, row, ints, floats, at):
    """Take a trade into a bar; the first one opens it.

    table   int64[n, slot_words], records
    row     0..n-1, a usable trade
    ints    int64[m, BAR_INTS]
    floats  float64[m, 1], price times quantity, mantissas
    at      the bar, below m; its TRADES are 0 before the first trade
    """
    price, qty = table[row, T_PRICE], table[row, T_QTY]
    if ints[at, TRADES] == 0:
        ints[at, FIRST_ROW], ints[at, START_NS] = row, table[row, R_RECV]
        ints[at, OPEN], ints[at, HIGH], ints[at, LOW] = price, price, price
        ints[at, QTY], ints[at, BUY_QTY], floats[at, NOTIONAL] = 0, 0, 0.0
    ints[at, LAST_ROW], ints[at, END_NS], ints[at, CLOSE] = row, table[row, R_RECV], price
    ints[at, HIGH], ints[at, LOW] = max(ints[at, HIGH], price), min(ints[at, LOW], price)
    ints[at, QTY] = wrapping_add(ints[at, QTY], qty)
    ints[at, BUY_QTY] = wrapping_add(ints[at, BUY_QTY], qty if side_of(table, row) == BID else 0)
    ints[at, TRADES] += 1
    floats[at, NOTIONAL] += f64(price) * f64(qty)


@kernel(i64(Table, words_in, i64, i64, int_rows, float_rows))
def fill_bars(table, runs, unit, size, ints, floats):
    """Gather trades into whole bars; what a break or the end leaves unfinished is dropped.

    table    int64[n, slot_words], records
    runs     int64[n], from mark_runs
    unit     BY_TIME, BY_VOLUME or BY_TICK
    size     1..2^62: ns, quantity mantissa, or trades
    ints     int64[n, BAR_INTS], zeros; START_NS and END_NS are the grid's for BY_TIME, else the trades'
    floats   float64[n, 1], zeros: price times quantity, mantissas
    Returns  how many bars were filled.

    A bar of time is [k size, (k + 1) size) and whole if its run had a record at or before its start and has
    one at or after its end; one without trades is left out. The trade that completes a volume is not cut.
    """
    run, count, cell, begun_ns = i64(0), 0, i64(0), i64(0)
    for row in range(len(table)):
        if runs[row] < 1:
            continue
        recv_ns = table[row, R_RECV]
        if runs[row] != run:
            run, begun_ns, cell = runs[row], recv_ns, recv_ns // size
            ints[count, TRADES] = 0
        elif unit == BY_TIME and recv_ns // size != cell:
            if ints[count, TRADES] > 0 and begun_ns <= cell * size:
                ints[count, START_NS], ints[count, END_NS] = cell * size, (cell + 1) * size
                count += 1
            ints[count, TRADES] = 0
            cell = recv_ns // size
        if not is_trade(table, runs, row):
            continue
        ints[count, BAR_RUN] = run
        add_trade(table, row, ints, floats, count)
        measure = ints[count, QTY] if unit == BY_VOLUME else ints[count, TRADES]
        if unit != BY_TIME and (measure >= size or measure < 0):
            count += 1
            if count < len(ints):
                ints[count, TRADES] = 0
    return count
