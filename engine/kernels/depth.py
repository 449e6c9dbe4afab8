"""A reader's own full books: copied once from the book area, then kept from DELTA records.

A book copied from the area says which record it stands at (`B_AS_OF`); the symbol's records up to there are
passed over, those behind it are applied with the same kernels the writer uses, so both books stay equal
to the last level. What cannot be followed (a lap, a new snapshot) asks for another copy.
"""

from .. import layout
from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    B_AS_OF,
    B_EVENT,
    B_HEALTH,
    B_HORIZON,
    B_LAST_ID,
    B_RECV,
    GEO_BOOK_STRIDE,
    GEO_TOP_N,
    KEY_NONE,
    R_SEQ,
    R_TAGS,
    READ_EARLY,
    READ_LAPPED,
    SIDES,
)
from . import llvm
from .book_apply import set_level
from .cursor import CUR_LAPS, CUR_LOST, CUR_READ, CUR_SEQ
from .ring import newest_after_lap, read_record

# Words of a cursor behind those of kernels/cursor.py.
CUR_OPEN = 13  # 1 + index of the book whose diff is only half applied; 0: every book stands between two diffs
CUR_APPLIED = 14  # DELTA records applied
ROW_UNKNOWN, ROW_UNWANTED = -2, -1  # symbol_id → index of the book, or one of these
HOLDS, NEEDS_COPY = 0, 1  # per book

DEPTH_DRAINED = 0  # nothing more to read now
DEPTH_COPY = 1  # some book needs a copy
DEPTH_NEW_SYMBOL = 2  # the next record's row is ROW_UNKNOWN: mark it, then call again
DEPTH_MORE = 3  # LIMIT records were read, call again
LIMIT = 4096


@kernel(i64(words_out, i64, words_in, i64))
def apply_delta(books, base, record, top_n):
    """Apply the rows of one DELTA record to a private book.

    books    int64[:], private books
    base     first word of the book
    record   int64[slot_words], from shared memory: counts and prices are not trusted
    top_n    rows a side in a record
    Returns  HOLDS, or NEEDS_COPY for a price no book can hold.
    """
    for side in range(SIDES):
        rows = min((record[layout.R_COUNT] >> (32 * side)) & 0xFFFFFFFF, top_n)
        price_at = layout.R_PAYLOAD + side * top_n
        for row in range(price_at, price_at + rows):
            if record[row] <= -KEY_NONE or record[row] >= KEY_NONE:
                return NEEDS_COPY
            set_level(books, base, side, record[row], record[row + SIDES * top_n])
        books[base + B_HORIZON + side] = record[layout.R_HORIZON + side]
    books[base + B_LAST_ID] = record[layout.R_LAST]
    books[base + B_RECV], books[base + B_EVENT] = record[layout.R_RECV], record[layout.R_EVENT]
    return HOLDS


@kernel(i64(words_in, words_out, words_out, i64, words_in))
def take_record(geo, cursor, books, index, record):
    """Take one record of a followed symbol, newer than its book.

    geo      int64[GEO_LENGTH]
    cursor   int64[CURSOR_WORDS]
    books    int64[:], private books, GEO_BOOK_STRIDE words each
    index    which of them
    record   int64[slot_words], private copy of the record
    Returns  HOLDS or NEEDS_COPY.
    """
    base, tags = index * geo[GEO_BOOK_STRIDE], record[R_TAGS]
    kind, flags, state = tags & 0xFF, (tags >> 24) & 0xFF, i64(HOLDS)
    if kind == layout.KIND_DELTA:
        state = apply_delta(books, base, record, geo[GEO_TOP_N])
        cursor[CUR_OPEN] = index + 1 if flags & layout.FLAG_MORE else 0
        cursor[CUR_APPLIED] += 1
    elif kind == layout.KIND_BOOK and flags & layout.FLAG_SNAPSHOT:
        state = i64(NEEDS_COPY)
    if kind == layout.KIND_DELTA or kind == layout.KIND_BOOK or kind == layout.KIND_STATUS:
        books[base + B_HEALTH] = (tags >> 8) & 0xFF
        books[base + B_AS_OF] = record[R_SEQ]
    return state


@kernel(void(words_in, words_in, words_out, words_out))
def go_on_after_lap(words, geo, cursor, needs):
    """Go on at the newest record, count what was lost exactly, and ask for every book anew.

    words   int64[:], the bus
    geo     int64[GEO_LENGTH]
    cursor  int64[CURSOR_WORDS]
    needs   int64[books], HOLDS or NEEDS_COPY
    """
    seq = cursor[CUR_SEQ]
    resume = newest_after_lap(words, geo, seq)
    cursor[CUR_LOST] += llvm.wrapping_sub(resume, seq)
    cursor[CUR_LAPS] += 1
    cursor[CUR_SEQ], cursor[CUR_OPEN] = resume, 0
    for index in range(len(needs)):
        needs[index] = NEEDS_COPY


@kernel(i64(words_in, words_in, words_out, words_in, words_out, words_out, words_out))
def follow_depth(words, geo, cursor, indices, books, needs, out):
    """Read on and keep the private books, until the ring is drained or Python must do something.

    words    int64[:], the bus
    geo      int64[GEO_LENGTH]
    cursor   int64[CURSOR_WORDS]
    indices  int64[symbol capacity], index of a symbol's book, ROW_UNWANTED or ROW_UNKNOWN
    books    int64[n * GEO_BOOK_STRIDE], private books that passed check_book
    needs    int64[n], HOLDS or NEEDS_COPY
    out      int64[slot_words], private
    Returns  a DEPTH_* code.
    """
    for _ in range(LIMIT):
        seq = cursor[CUR_SEQ]
        code = read_record(words, geo, seq, out)
        if code == READ_EARLY:
            return DEPTH_DRAINED
        if code == READ_LAPPED:
            go_on_after_lap(words, geo, cursor, needs)
            return DEPTH_COPY
        symbol_id = (out[R_TAGS] >> 32) & 0xFFFFFFFF
        index = indices[symbol_id] if symbol_id < len(indices) else ROW_UNWANTED
        if index == ROW_UNKNOWN:
            return DEPTH_NEW_SYMBOL
        cursor[CUR_SEQ] = llvm.wrapping_add(seq, 1)
        cursor[CUR_READ] += 1
        if index < 0 or index >= len(needs):
            continue
        if llvm.wrapping_sub(seq, books[index * geo[GEO_BOOK_STRIDE] + B_AS_OF]) <= 0:
            continue
        if take_record(geo, cursor, books, index, out) == NEEDS_COPY:
            needs[index], cursor[CUR_OPEN] = NEEDS_COPY, 0
            return DEPTH_COPY
    return DEPTH_MORE
