"""The book as it stood at given times: the newest record that was known to be right then."""

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import R_RECV
from .fields import Table, kind_of
from .runs import BROKEN

NOT_REACHED = -2  # the time lies outside the records
NOT_KNOWN = -1  # no run then, or none of its records has the kind


@kernel(void(Table, words_in, i64, words_in, words_out))
def rows_at(table, runs, kind, times_ns, out):
    """Find for each time the row of the record that describes the book then.

    table     int64[n, slot_words], records
    runs      int64[n], from mark_runs
    kind      KIND_* with levels
    times_ns  int64[k], ascending; compared with recv_ns, where a time that goes back counts as standing still
    out       int64[k], row; NOT_KNOWN; NOT_REACHED before the first record and after the last
    """
    row, run, found, clock_ns = 0, i64(BROKEN), NOT_KNOWN, i64(-1 << 63)
    for at in range(len(times_ns)):
        while row < len(table):
            clock_ns = max(clock_ns, table[row, R_RECV])
            if clock_ns > times_ns[at]:
                break
            if runs[row] == BROKEN or (runs[row] > 0 and runs[row] != run):
                run, found = runs[row], NOT_KNOWN
            if runs[row] > 0 and kind_of(table, row) == kind:
                found = row
            row += 1
        is_last = row == len(table) and clock_ns < times_ns[at]
        out[at] = NOT_REACHED if row == 0 or is_last else found
