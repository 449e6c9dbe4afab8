"""The full-depth book: per side the best levels in order and, behind them, a table of all others.

    near    keys[64] qtys[64] order[64]          every level up to the cutoff, the best first       (book_near.py)
    table   groups of keys[7] and quantities[7]  the others; a level is found by its key in one step (book_table.py)

Most deltas lie far from the touch and need no order: they cost one look into the table. key = price for ASK, -price
for BID, so both sides are the same code and better is smaller. Prices are mantissas, -(2^63 - 1)..2^63 - 1. `words`
and `base` are trusted: the writer's own bus or a private copy, never a book another process is changing (see
book_area.py). See decisions/0013-near-levels-by-themselves.md.
"""

import numpy as np

from ..jit import INLINE, i64, kernel, void, words_in, words_out
from ..layout import (
    ASK,
    B_FLOOR,
    B_GROUPS,
    B_HORIZON,
    B_LEVELS,
    B_SIDE,
    B_SIDE_WORDS,
    B_VERSION,
    BID,
    BOOK_HEADER_WORDS,
    GROUPS_FIRST,
    HORIZON_OPEN,
    KEY_NONE,
    NEAR_ORDER,
    NEAR_QTY,
    NO_PRICE,
    S_CUTOFF,
    S_GROUPS,
    S_LEVELS,
    S_LIMIT,
    S_NEAR,
    S_SHOWN,
    SIDES,
)
from .book_full import find_qty
from .book_near import clear_near, near_of, table_of
from .book_table import clear_groups, groups_for
from .llvm import byte_of, store_relaxed

u64 = np.uint64
HORIZON_OPEN_BID, HORIZON_OPEN_ASK = HORIZON_OPEN


@kernel(void(words_out, i64, i64, i64))
def book_reset(words, base, levels, floor):
    """Make a book empty and complete; its version word stays, for the seqlock around this.

    words   int64[:]
    base    first word of the book
    levels  levels a side it holds at most, BOOK_LEVELS_MIN..BOOK_LEVELS_MAX
    floor   levels a side that write_top can be asked for, 1..TOP_N_MAX
    """
    groups = groups_for(levels)
    for word in range(base + B_VERSION + 1, base + BOOK_HEADER_WORDS):
        words[word] = 0
    words[base + B_GROUPS], words[base + B_LEVELS], words[base + B_FLOOR] = groups, levels, floor
    words[base + B_HORIZON + BID], words[base + B_HORIZON + ASK] = HORIZON_OPEN_BID, HORIZON_OPEN_ASK
    for side in range(SIDES):
        head = base + B_SIDE + side * B_SIDE_WORDS
        words[head + S_LIMIT] = words[head + S_CUTOFF] = words[head + S_SHOWN] = KEY_NONE
        words[head + S_GROUPS] = GROUPS_FIRST
        clear_near(words, base, side)
        clear_groups(words, table_of(base, side, groups), 0, GROUPS_FIRST)


@kernel(void(words_out, i64, i64, i64))
def set_horizon(words, base, side, price):
    """Set the worst price up to which a side is known completely; never beyond what the book dropped.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    price  mantissa; HORIZON_OPEN[side] for a side known to its end
    """
    sign = 2 * side - 1
    limit = words[base + B_SIDE + side * B_SIDE_WORDS + S_LIMIT]
    words[base + B_HORIZON + side] = sign * min(sign * price, limit)


@kernel(i64(words_in, i64, i64, i64))
def qty_of(words, base, side, key):
    """Return the quantity at a key, 0 where there is none.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    key    any but KEY_FREE
    """
    at = find_qty(words, base, side, key)
    return words[at] if at >= 0 else i64(0)


@kernel(i64(words_in, i64, i64, words_out, i64, i64, i64), **INLINE)
def write_top(words, base, side, out, price_at, qty_at, n):
    """Write the best `n` levels of a side, unused entries 0.

    words     int64[:]
    base      first word of the book
    side      BID or ASK
    out       int64[:], may be `words`
    price_at  first word of n prices in `out`
    qty_at    first word of n quantities in `out`
    n         levels wanted, at most the book's floor
    Returns   levels written, fewer than n when the side holds no more.
    """
    near, qtys = near_of(base, side), near_of(base, side) + NEAR_QTY
    held, flip, entry, done = words[base + B_SIDE + side * B_SIDE_WORDS + S_NEAR], side - 1, i64(0), i64(0)
    while entry < held and done < n:
        # A slot that is no level is written too, and then overwritten by the next: no branch.
        slot = byte_of(words, near + NEAR_ORDER, entry)
        qty = words[u64(qtys + slot)]
        out[u64(price_at + done)] = (words[u64(near + slot)] ^ flip) - flip
        out[u64(qty_at + done)] = qty
        done += i64(qty > 0)
        entry += 1
    for unused in range(done, n):
        out[u64(price_at + unused)] = 0
        out[u64(qty_at + unused)] = 0
    return done


@kernel(i64(words_out, i64, i64, i64, i64, i64), **INLINE)
def show_top(words, base, side, price_at, qty_at, n):
    """Write the best `n` levels of a side, as write_top, and remember how far they go.

    words     int64[:]
    base      first word of the book
    side      BID or ASK
    price_at  first word of n prices
    qty_at    first word of n quantities
    n         levels wanted, at most the book's floor
    Returns   levels written.
    """
    done = write_top(words, base, side, words, price_at, qty_at, n)
    worst = (2 * side - 1) * words[price_at + n - 1] if done == n else i64(KEY_NONE)
    store_relaxed(words, base + B_SIDE + side * B_SIDE_WORDS + S_SHOWN, worst)
    return done


@kernel(i64(words_in, i64, i64), **INLINE)
def best_price(words, base, side):
    """Return the best price of a side, NO_PRICE when it is empty.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side)
    if words[head + S_LEVELS] == 0:
        return NO_PRICE
    entry, slot = i64(0), byte_of(words, near + NEAR_ORDER, 0)
    while entry < words[head + S_NEAR] - 1 and words[u64(near + NEAR_QTY + slot)] == 0:
        entry += 1
        slot = byte_of(words, near + NEAR_ORDER, entry)
    return (2 * side - 1) * words[u64(near + slot)]


@kernel(i64(words_in, i64), **INLINE)
def is_crossed(words, base):
    """Return 1 when the best bid is not below the best ask, else 0.

    words  int64[:]
    base   first word of the book
    """
    bid, ask = best_price(words, base, BID), best_price(words, base, ASK)
    return i64(bid != NO_PRICE and ask != NO_PRICE and bid >= ask)
