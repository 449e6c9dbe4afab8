"""Runs: stretches of records over which nothing of a symbol was lost; no measure looks across their ends."""

from ..jit import i64, kernel, words_out
from ..kernels.llvm import wrapping_sub
from ..layout import FLAG_FROM_BOARD, FLAG_SNAPSHOT, KIND_BOOK, KIND_STATUS, LIVE, R_MISSED, R_RECV, R_SEQ
from .fields import TIME_END_NS, Table, flags_of, health_of, kind_of, symbol_of

BROKEN = -1  # the run has ended and the next has not begun
OTHER = 0  # a record of another symbol inside a run


@kernel(i64(Table, i64))
def ends_run(table, row):
    """Return 1 if a record says that its symbol is not LIVE or that ids are missing, else 0.

    table  int64[n, slot_words], records
    row    0..n-1
    """
    if kind_of(table, row) == KIND_STATUS or health_of(table, row) != LIVE:
        return 1
    if table[row, R_MISSED] != 0 or not 0 < table[row, R_RECV] < TIME_END_NS:
        return 1
    return 0


@kernel(i64(Table, i64))
def begins_run(table, row):
    """Return 1 if a record does not continue what came before: a book of a snapshot or from the board.

    table  int64[n, slot_words], records
    row    0..n-1
    """
    return (
        1
        if kind_of(table, row) == KIND_BOOK and flags_of(table, row) & (FLAG_SNAPSHOT | FLAG_FROM_BOARD)
        else 0
    )


@kernel(i64(Table, i64, i64, words_out))
def mark_runs(table, symbol_id, holes_break, runs):
    """Number the runs of one symbol.

    table        int64[n, slot_words], records in the order they were published
    symbol_id    row of the symbol table
    holes_break  1 when a seq that is not in the table was lost, 0 when it was not selected
    runs         int64[n], set to the number of the run, 1 and up; OTHER for another symbol's record inside
                 a run; BROKEN from the end of a run until the next begins
    Returns      how many runs were begun.

    A run ends with a STATUS, a health other than LIVE, missing ids, a receive time that is unset or goes back,
    a seq that does not go up, a hole where holes break. A snapshot's book and one from the board begin a run.
    """
    run, is_broken, last_ns = 0, True, i64(0)
    for row in range(len(table)):
        if row:
            step = wrapping_sub(table[row, R_SEQ], table[row - 1, R_SEQ])
            if step < 1 or (holes_break and step != 1):
                is_broken = True
        if symbol_of(table, row) != symbol_id:
            runs[row] = BROKEN if is_broken else OTHER
            continue
        if ends_run(table, row):
            is_broken = True
            runs[row] = BROKEN
            continue
        if is_broken or begins_run(table, row) or table[row, R_RECV] < last_ns:
            run += 1
            is_broken = False
        last_ns = table[row, R_RECV]
        runs[row] = run
    return run
