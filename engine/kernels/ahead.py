"""What a diff of a symbol will change, asked for while the diff is still being decoded.

With many symbols most of it lies outside the caches, and decoding 20 levels takes as long as bringing it in. A scanner
knows no bus, so the instrument's row has addresses. They are never read through: a wrong one costs time, nothing else.
"""

from ..jit import INLINE, Instruments, i64, kernel, void
from ..layout import (
    B_SIDE,
    B_SIDE_WORDS,
    BOOK_HEADER_WORDS,
    BOOK_TABLES,
    LINE_BYTES,
    NEAR_ORDER,
    NEAR_WORDS,
    SIDES,
    WORD_BYTES,
)
from .llvm import expect_at

HEADER_BYTES = (B_SIDE + SIDES * B_SIDE_WORDS) * WORD_BYTES  # the rest of the header is not in use
ORDER_BYTES = (BOOK_HEADER_WORDS + NEAR_ORDER) * WORD_BYTES
NEAR_BYTES, TABLES_BYTES = NEAR_WORDS * WORD_BYTES, BOOK_TABLES * WORD_BYTES


@kernel(void(Instruments, i64), **INLINE)
def expect_symbol(instruments, symbol_id):
    """Ask for a symbol's state, board entry, and its book's header, orders and first table; a hint, nothing else.

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
        expect_at(row.book_at + ORDER_BYTES + side * NEAR_BYTES)
    expect_at(row.book_at + TABLES_BYTES)
    expect_at(row.board_at)
