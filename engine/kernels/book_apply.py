"""One message's rows into a full book: the path every diff takes.

As a rule a row near the touch is one look at all slots of the near part, and a row beyond it one look at its group in
the table: the level is there, or a free place is, and a change, an insert and a delete are the same stores with other
numbers, because nobody can predict which it is. What is not so simple goes to book_full.change_level.
"""

import numpy as np

from ..jit import INLINE, Rows, i64, kernel, void, words_out
from ..layout import (
    B_FLOOR,
    B_GROUPS,
    B_LEVELS,
    B_ORPHANS,
    B_SIDE,
    B_SIDE_WORDS,
    GROUP_LEVELS_GROWN,
    GROUP_ONWARD,
    GROUP_QTY,
    GROUP_WORDS,
    KEY_FREE,
    KEY_NONE,
    NEAR_LEVELS,
    NEAR_QTY,
    NEAR_TAG,
    S_CUTOFF,
    S_GROUPS,
    S_LEVELS,
    S_LIMIT,
    S_NEAR_LIVE,
    S_SHOWN,
)
from .book_fill import fill_near
from .book_full import change_level
from .book_near import add_near, grow_table, near_of, table_of
from .book_table import PLACES, group_of
from .llvm import LINE_WORDS, count_trailing_zeros, expect_line, lanes_equal, tags_equal

u64 = np.uint64
BOTH_PLACES = PLACES | PLACES << LINE_WORDS
EXPECTED = 16  # rows a side: about what a core can fetch at once


@kernel(void(words_out, i64, i64))
def settle_side(words, base, side):
    """End a message: the near part has all levels again, or at least B_FLOOR.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    if words[head + S_NEAR_LIVE] < min(words[base + B_FLOOR], words[head + S_LEVELS]):
        fill_near(words, base, side)
    if words[head + S_NEAR_LIVE] == words[head + S_LEVELS]:
        words[head + S_CUTOFF] = KEY_NONE


@kernel(i64(words_out, i64, i64, i64, i64))
def set_level(words, base, side, price, qty):
    """Set the quantity at a price, 0 or less deletes.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    price    mantissa
    qty      mantissa
    Returns  1 when a level changed, else 0 (an orphan delete, the same quantity, beyond the limit).
    """
    is_changed = change_level(words, base, side, (2 * side - 1) * price, max(qty, 0))
    settle_side(words, base, side)
    return is_changed


@kernel(void(words_out, i64, i64, Rows, i64), **INLINE)
def expect_rows(words, base, side, rows, count):
    """Ask for a side's slots, and the lines of the table that a message's last rows will change; a hint, nothing else.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    rows   level_dtype[2, cap]
    count  rows of that side, 0..cap
    """
    table, price, sign = table_of(base, side, words[base + B_GROUPS]), rows["price"], 2 * side - 1
    head = base + B_SIDE + side * B_SIDE_WORDS
    groups, cutoff = words[head + S_GROUPS], words[head + S_CUTOFF]
    for slot in range(0, NEAR_QTY + NEAR_LEVELS, LINE_WORDS):
        expect_line(words, near_of(base, side) + slot)
    for row in range(count - 1, max(i64(-1), count - 1 - EXPECTED), -1):
        key = sign * price[side, row]
        if key <= cutoff:
            return  # rows come from the touch outwards as a rule
        first = table + group_of(key, groups) * GROUP_WORDS
        expect_line(words, first)
        expect_line(words, first + LINE_WORDS)


@kernel(i64(words_out, i64, i64, Rows, i64))
def apply_carefully(words, base, side, rows, count):
    """Apply one message's rows of a side that may be full, as apply_rows.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    rows     level_dtype[2, cap]
    count    rows of that side, 0..cap
    Returns  1 when a level changed that is no worse than S_SHOWN, else 0.
    """
    shown, is_shown = words[base + B_SIDE + side * B_SIDE_WORDS + S_SHOWN], i64(0)
    for row in range(count):
        key, wanted = (2 * side - 1) * rows["price"][side, row], max(rows["qty"][side, row], 0)
        is_shown |= change_level(words, base, side, key, wanted) & i64(key <= shown)
    settle_side(words, base, side)
    return is_shown


@kernel(i64(words_out, i64, i64, Rows, i64), **INLINE)
def apply_rows(words, base, side, rows, count):
    """Apply one message's rows of a side in their order; the last of a price wins.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    rows     level_dtype[2, cap]: absolute quantities, 0 deletes
    count    rows of that side, 0..cap
    Returns  1 when a level changed that is no worse than S_SHOWN, or S_SHOWN says that nothing was shown, else 0.
    """
    price, qty, count = rows["price"], rows["qty"], max(i64(0), min(count, i64(rows.shape[1])))
    head, table = base + B_SIDE + side * B_SIDE_WORDS, table_of(base, side, words[base + B_GROUPS])
    levels, cutoff, live = words[head + S_LEVELS], words[head + S_CUTOFF], i64(0)
    if levels + count > words[base + B_LEVELS] or words[head + S_LIMIT] != KEY_NONE:
        return apply_carefully(words, base, side, rows, count)
    if levels + count > words[head + S_GROUPS] * GROUP_LEVELS_GROWN:
        grow_table(words, base, side, levels + count)
    groups, flip, near = words[head + S_GROUPS], side - 1, near_of(base, side)
    shown, orphans = words[head + S_SHOWN], count
    is_shown = i64(shown > cutoff)  # as for a book that was never shown; else it is near
    for row in range(count):
        key, wanted = (price[side, row] ^ flip) - flip, max(qty[side, row], 0)
        if key > cutoff:  # rows come from the touch outwards as a rule, so this one can be predicted
            first = table + group_of(key, groups) * GROUP_WORDS
            # The lane that has the key, else the first free one, as one number: no branch on which it is.
            free_lanes = lanes_equal(words, first, KEY_FREE) & -i64(words[u64(first + GROUP_ONWARD)] == 0)
            lanes = (lanes_equal(words, first, key) | free_lanes << LINE_WORDS) & BOTH_PLACES
            if lanes != 0:
                at = first + (count_trailing_zeros(u64(lanes)) & (LINE_WORDS - 1))
                held = words[u64(at + GROUP_QTY)]
                # Whether a row deletes and whether its level is there, nobody can predict: masks by sign bits, which
                # no compiler makes branches of. 0 or -1 by -x >> 63, for no quantity is below 0.
                live_mask, held_mask = -wanted >> 63, -held >> 63
                words[u64(at)] = KEY_FREE ^ ((key ^ KEY_FREE) & live_mask)
                words[u64(at + GROUP_QTY)] = wanted
                levels += held_mask - live_mask
                orphans += held_mask | live_mask
                continue
        else:
            slot = count_trailing_zeros(u64(tags_equal(words, near + NEAR_TAG, key)))
            if slot == NEAR_LEVELS:
                if wanted > 0:
                    words[head + S_NEAR_LIVE] += live
                    add_near(words, base, side, key, wanted)
                    cutoff, live = words[head + S_CUTOFF], i64(0)
                    levels, orphans, is_shown = levels + 1, orphans - 1, is_shown | i64(key <= shown)
                continue
            if words[u64(near + slot)] == key:
                held = words[u64(near + NEAR_QTY + slot)]
                words[u64(near + NEAR_QTY + slot)] = wanted
                # What is shown is near, and new levels that have moved the cutoff in before the last one shown were
                # seen here.
                is_shown |= (held ^ wanted) if key <= shown else 0
                live_mask, held_mask = -wanted >> 63, -held >> 63
                levels += held_mask - live_mask
                live += held_mask - live_mask
                orphans += held_mask | live_mask
                continue
        # A group that goes on elsewhere, another key of the same tag, or one that is gone.
        words[head + S_LEVELS] = levels
        words[head + S_NEAR_LIVE] += live
        is_shown |= change_level(words, base, side, key, wanted) & i64(key <= shown)
        levels, cutoff, live = words[head + S_LEVELS], words[head + S_CUTOFF], i64(0)
        orphans -= 1  # it counts its own
    words[head + S_LEVELS] = levels
    words[head + S_NEAR_LIVE] += live
    words[base + B_ORPHANS] += orphans
    settle_side(words, base, side)
    return i64(is_shown != 0)


@kernel(i64(words_out, i64, i64, Rows, i64))
def load_rows(words, base, side, rows, count):
    """Load one side of a snapshot into a book just reset, in any order.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    rows     level_dtype[2, cap]
    count    rows of that side, 0..cap
    Returns  levels held on that side.
    """
    apply_rows(words, base, side, rows, count)
    return words[base + B_SIDE + side * B_SIDE_WORDS + S_LEVELS]
