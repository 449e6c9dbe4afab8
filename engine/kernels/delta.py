"""DELTA records: the rows of an applied diff as the venue sent them, for readers that keep full books.

A diff fills as many slots as its longer side needs, one after the other; all but the last carry FLAG_MORE. The
BOOK of the same event, if the top changed, comes behind them.
"""

from .. import layout
from ..jit import Frame, Rows, i64, kernel, void, words_out
from ..layout import ASK, BID, SIDES
from . import llvm
from .emit import blank_payload, book_of, close_record, describe_book, open_record

C_DELTAS = layout.C["deltas"]


@kernel(i64(words_out, Frame))
def count_parts(work, frame):
    """Return how many DELTA records a diff takes: one at least, so that its ids are told.

    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_BOOK
    """
    top_n = work[layout.GEO_TOP_N]
    longer = max(frame[0].rows[BID], frame[0].rows[ASK])
    return max(i64(1), (longer + top_n - 1) // top_n)


@kernel(void(words_out, words_out, Frame, Rows, i64))
def emit_delta(words, work, frame, rows, symbol_id):
    """Publish the rows of a diff that was just applied, in their order; quantity 0 deletes.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1] of KIND_BOOK
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table
    """
    top_n, parts, base = work[layout.GEO_TOP_N], count_parts(work, frame), book_of(work, symbol_id)
    for part in range(parts):
        flags = layout.FLAG_MORE if part + 1 < parts else 0
        slot = open_record(words, work, frame, symbol_id, layout.KIND_DELTA, layout.NO_SIDE, flags)
        blank_payload(words, work, slot, 0)
        counts, first = i64(0), part * top_n
        for side in range(SIDES):
            here = max(i64(0), min(frame[0].rows[side] - first, top_n))
            price_at = slot + layout.R_PAYLOAD + side * top_n
            qty_at = price_at + SIDES * top_n
            for row in range(here):
                llvm.store_relaxed(words, price_at + row, rows[side, first + row].price)
                llvm.store_relaxed(words, qty_at + row, rows[side, first + row].qty)
            counts |= here << (32 * side)
        llvm.store_relaxed(words, slot + layout.R_COUNT, counts)
        describe_book(words, slot, base)
        close_record(words, work, slot, C_DELTAS, -1)
