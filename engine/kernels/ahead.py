"""Lines asked for before they are needed: a message's text, and what a diff of its symbol will change.

The core finds out by itself that text is read from one end to the other, but waits for some lines of every message
before it does. Of what changes, most lies outside the caches when there are many symbols, and decoding 20 levels takes
as long as bringing it in. A scanner knows no bus, so the instrument's row has addresses. They are never read through: a
wrong one costs time, nothing else.
"""

from ..jit import INLINE, Instruments, bytes_in, i64, kernel, void
from ..layout import (
    B_SIDE,
    B_SIDE_WORDS,
    BOOK_HEADER_WORDS,
    LINE_BYTES,
    NEAR_TAG,
    NEAR_WORDS,
    SIDES,
    WORD_BYTES,
)
from .llvm import expect_at, expect_bytes

HEADER_BYTES = (B_SIDE + SIDES * B_SIDE_WORDS) * WORD_BYTES  # the rest of the header is not in use
NEAR_BYTES = NEAR_WORDS * WORD_BYTES
# Tags and order; the slots are asked for by book_apply.expect_rows.
TAGS_FROM = (BOOK_HEADER_WORDS + NEAR_TAG) * WORD_BYTES
TAGS_END = (BOOK_HEADER_WORDS + NEAR_WORDS) * WORD_BYTES
TEXT_BYTES = 2048  # of a message, some 60 levels; the rest the core asks for by itself


@kernel(void(bytes_in, i64, i64), **INLINE)
def expect_text(buf, begin, end):
    """Ask for the first lines of a message; a hint, nothing else.

    buf    uint8[:]
    begin  offset of its first byte
    end    offset behind its last byte
    """
    for line in range(begin, min(end, begin + TEXT_BYTES), LINE_BYTES):
        expect_bytes(buf, line)


@kernel(void(Instruments, i64), **INLINE)
def expect_symbol(instruments, symbol_id):
    """Ask for a symbol's state, board entry, and its book's header, tags and orders; a hint, nothing else.

    instruments  instrument_dtype[symbols]
    symbol_id    0..symbols - 1; a row without addresses asks for nothing
    """
    row = instruments[symbol_id]
    if row.book_at == 0:
        return
    for line in range(0, 2 * LINE_BYTES, LINE_BYTES):
        expect_at(row.state_at + line)
    for line in range(0, HEADER_BYTES, LINE_BYTES):
        expect_at(row.book_at + line)
    for side in range(SIDES):
        for line in range(TAGS_FROM, TAGS_END, LINE_BYTES):
            expect_at(row.book_at + side * NEAR_BYTES + line)
    expect_at(row.board_at)
