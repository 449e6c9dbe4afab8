"""Any change of one level, the careful way: near or far, where its search goes on, and where the side is full.

A full side never fails. It drops its worst level and moves the side's limit and horizon in with it: what lies
beyond is unknown from then on, not empty.
"""

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    B_EVICTED,
    B_GROUPS,
    B_HORIZON,
    B_LEVELS,
    B_ORPHANS,
    B_SIDE,
    B_SIDE_WORDS,
    GROUP_QTY,
    NEAR_LEVELS,
    NEAR_QTY,
    S_CUTOFF,
    S_GROUPS,
    S_LEVELS,
    S_LIMIT,
    S_NEAR_LIVE,
)
from .book_near import add_far, add_near, grow_table, near_kept, near_of, slot_of, table_of, tidy_near
from .book_table import find_place, free_place, worst_place


@kernel(i64(words_in, i64, i64, i64))
def find_qty(words, base, side, key):
    """Find a level, near or far.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    key      any but KEY_FREE
    Returns  the word of its quantity, -1 when there is none.
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side)
    if key <= words[head + S_CUTOFF]:
        slot = slot_of(words, near, key)
        return near + NEAR_QTY + slot if slot < NEAR_LEVELS else i64(-1)
    at = find_place(words, table_of(base, side, words[base + B_GROUPS]), words[head + S_GROUPS], key)
    return at + GROUP_QTY if at >= 0 else i64(-1)


@kernel(void(words_out, i64, i64, i64))
def move_limit(words, base, side, key):
    """Take no level at `key` or worse from now on, and move the horizon in with it.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    key    the level that was dropped
    """
    sign = 2 * side - 1
    words[base + B_EVICTED] += 1
    words[base + B_SIDE + side * B_SIDE_WORDS + S_LIMIT] = key - 1
    words[base + B_HORIZON + side] = sign * min(sign * words[base + B_HORIZON + side], key - 1)


@kernel(i64(words_out, i64, i64, i64))
def make_room(words, base, side, key):
    """Drop the worst level of a side, or say that the new one would be the worst.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    key      the new level, not beyond the limit
    Returns  1 when there is room now, 0 when the new level is the one that goes.
    """
    head, table = base + B_SIDE + side * B_SIDE_WORDS, table_of(base, side, words[base + B_GROUPS])
    # With an empty table every slot is a level, for no side has less room than there are slots.
    if words[head + S_NEAR_LIVE] == words[head + S_LEVELS]:
        tidy_near(words, base, side, near_kept(words, base))
    worst = worst_place(words, table, words[head + S_GROUPS])
    if worst < 0 or key > words[worst]:
        move_limit(words, base, side, key)
        return i64(0)
    move_limit(words, base, side, words[worst])
    words[head + S_LEVELS] -= 1
    free_place(words, table, words[head + S_GROUPS], worst)
    return i64(1)


@kernel(i64(words_out, i64, i64, i64, i64, i64))
def reset_level(words, base, side, at, key, qty):
    """Set the quantity of a level that has a place or a slot.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    at       the word of its quantity
    key      its key
    qty      0 deletes
    Returns  1 when it changed, else 0.
    """
    head, held = base + B_SIDE + side * B_SIDE_WORDS, words[at]
    is_near, step = key <= words[head + S_CUTOFF], i64(qty > 0) - i64(held > 0)
    words[at] = qty
    words[head + S_LEVELS] += step
    if is_near:
        words[head + S_NEAR_LIVE] += step
    elif qty == 0:
        table = table_of(base, side, words[base + B_GROUPS])
        free_place(words, table, words[head + S_GROUPS], at - GROUP_QTY)
    words[base + B_ORPHANS] += i64((held | qty) == 0)
    return i64(held != qty)


@kernel(i64(words_out, i64, i64, i64, i64))
def change_level(words, base, side, key, qty):
    """Set the quantity at a key, whatever that takes; settle_side comes after.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    key      price for ASK, -price for BID
    qty      0 deletes
    Returns  1 when it changed, else 0.
    """
    head, at = base + B_SIDE + side * B_SIDE_WORDS, find_qty(words, base, side, key)
    if at < 0 and qty == 0:
        words[base + B_ORPHANS] += 1
        return i64(0)
    if at < 0 and key > words[head + S_LIMIT]:
        words[base + B_EVICTED] += 1
        return i64(0)
    grows = qty > 0 and (at < 0 or words[at] == 0)
    if grows and words[head + S_LEVELS] >= words[base + B_LEVELS] and make_room(words, base, side, key) == 0:
        return i64(0)
    if at >= 0:
        return reset_level(words, base, side, at, key, qty)
    grow_table(words, base, side, words[head + S_LEVELS] + 1)
    if key <= words[head + S_CUTOFF]:
        add_near(words, base, side, key, qty)
    elif add_far(words, base, side, key, qty) == 0:
        return i64(0)  # a book never reset holds nothing
    words[head + S_LEVELS] += 1
    return i64(1)
