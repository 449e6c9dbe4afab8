"""The near part of a full book: the best levels of a side and their order; the table holds the others.

It has every level up to its cutoff, each in a slot that it keeps; only the order, a byte for each slot, moves when a
level comes between others. A key is found by its tag, its last two bytes: all tags take two lines. A level that is
deleted there stays as a slot of quantity 0, so that neither its delete nor its return moves anything. Such slots are
freed when the part is full and is tidied, and then the worst levels go to the table. When too few levels are
left, it is filled up (book_fill.py).
"""

import numpy as np

from ..jit import INLINE, Pair, i64, kernel, void, words_in, words_out
from ..layout import (
    B_FLOOR,
    B_GROUPS,
    B_SIDE,
    B_SIDE_WORDS,
    BOOK_HEADER_WORDS,
    BOOK_TABLES,
    GROUP_LEVELS,
    GROUP_LEVELS_GROWN,
    GROUP_QTY,
    GROUP_WORDS,
    KEY_FREE,
    NEAR_KEPT,
    NEAR_LEVELS,
    NEAR_ORDER,
    NEAR_QTY,
    NEAR_TAG,
    NEAR_WORDS,
    S_CUTOFF,
    S_GROUPS,
    S_NEAR,
    S_NEAR_LIVE,
    SIDES,
    SIEVE_LEVELS,
)
from .book_table import spread_keys, take_place
from .llvm import (
    byte_of,
    count_below,
    count_trailing_zeros,
    put_byte,
    put_tag,
    rotate_bytes,
    tags_equal,
)

u64 = np.uint64


@kernel(i64(i64, i64))
def near_of(base, side):
    """Return the first word of a side's near part.

    base  first word of the book
    side  BID or ASK
    """
    return base + BOOK_HEADER_WORDS + side * NEAR_WORDS


@kernel(i64(words_in, i64))
def near_kept(words, base):
    """Return how many levels a full near part keeps when it is tidied.

    words  int64[:]
    base   first word of the book
    """
    return max(i64(NEAR_KEPT), words[base + B_FLOOR])


@kernel(i64(i64, i64, i64))
def table_of(base, side, room):
    """Return the first word of a side's table; of side SIDES: that of the sieve.

    base  first word of the book
    side  BID or ASK
    room  groups a table has room for
    """
    return base + BOOK_TABLES + side * room * GROUP_WORDS


# Inlined, for it is a walk's step.
@kernel(Pair(i64, i64, i64, i64), inline="always")
def place_at(base, side, room, entry):
    """Return the words of key and quantity of one of a side's slots and places, all of them in turn.

    base   first word of the book
    side   BID or ASK
    room   groups a table has room for
    entry  0..NEAR_LEVELS + groups * GROUP_LEVELS - 1
    """
    group, lane = (entry - NEAR_LEVELS) // GROUP_LEVELS, (entry - NEAR_LEVELS) % GROUP_LEVELS
    near, far = near_of(base, side) + entry, table_of(base, side, room) + group * GROUP_WORDS + lane
    return (near, near + NEAR_QTY) if entry < NEAR_LEVELS else (far, far + GROUP_QTY)


@kernel(void(words_out, i64, i64))
def clear_near(words, base, side):
    """Make a near part empty.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    """
    near = near_of(base, side)
    for slot in range(NEAR_LEVELS):
        words[near + slot], words[near + NEAR_QTY + slot] = KEY_FREE, 0
        put_byte(words, near + NEAR_ORDER, slot, slot)


@kernel(i64(words_in, i64, i64))
def slot_of(words, near, key):
    """Find a key in a near part.

    words    int64[:]
    near     first word of the near part
    key      any but KEY_FREE
    Returns  its slot, NEAR_LEVELS when no slot has it.
    """
    found = tags_equal(words, near + NEAR_TAG, key)
    slot = count_trailing_zeros(u64(found))
    while slot < NEAR_LEVELS and words[u64(near + slot)] != key:
        found &= found - 1
        slot = count_trailing_zeros(u64(found))
    return slot


@kernel(void(words_out, i64, i64, i64, i64), **INLINE)
def set_slot(words, near, slot, key, qty):
    """Put a level into a slot.

    words  int64[:]
    near   first word of the near part
    slot   0..NEAR_LEVELS - 1
    key    in no slot
    qty    above 0
    """
    words[u64(near + slot)], words[u64(near + NEAR_QTY + slot)] = key, qty
    put_tag(words, near + NEAR_TAG, slot, key)


@kernel(i64(words_out, i64, i64, i64, i64))
def add_far(words, base, side, key, qty):
    """Take a new level beyond the cutoff.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    key      not in the table
    qty      above 0
    Returns  1; 0 when the table is full, as that of a book never reset.
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    at = take_place(words, table_of(base, side, words[base + B_GROUPS]), words[head + S_GROUPS], key)
    if at < 0:
        return i64(0)
    words[at + GROUP_QTY] = qty
    return i64(1)


@kernel(void(words_out, i64, i64, i64))
def tidy_near(words, base, side, kept):
    """Free the slots that are no levels, and of the levels all but the best `kept`, which go to the table.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    kept   levels that stay in the near part, 1..NEAR_LEVELS
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side)
    qtys, live = near + NEAR_QTY, table_of(base, SIDES, words[base + B_GROUPS])
    dead, lives, deads = live + SIEVE_LEVELS, i64(0), i64(0)
    # Nobody can predict which slot is dead: each goes on both lists, and the next one overwrites it on one of them.
    for entry in range(words[head + S_NEAR]):
        slot = byte_of(words, near + NEAR_ORDER, entry)
        words[u64(live + lives)] = words[u64(dead + deads)] = slot
        is_live = i64(words[u64(qtys + slot)] > 0)
        lives, deads = lives + is_live, deads + 1 - is_live
    for entry in range(lives):
        put_byte(words, near + NEAR_ORDER, entry, words[live + entry])
    for entry in range(deads):
        slot = words[dead + entry]
        put_byte(words, near + NEAR_ORDER, lives + entry, slot)
        words[near + slot] = KEY_FREE
    for entry in range(kept, lives):
        slot = words[live + entry]
        add_far(words, base, side, words[near + slot], words[qtys + slot])
        words[near + slot], words[qtys + slot] = KEY_FREE, 0
    if lives > kept:
        words[head + S_CUTOFF] = words[near + words[live + kept - 1]]
    words[head + S_NEAR] = words[head + S_NEAR_LIVE] = min(lives, kept)


@kernel(void(words_out, i64, i64, i64, i64))
def add_near(words, base, side, key, qty):
    """Take a new level that lies within the cutoff; it goes to the table if the cutoff moves in before.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    key    in no slot
    qty    above 0
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side)
    if words[head + S_NEAR] == NEAR_LEVELS:
        tidy_near(words, base, side, near_kept(words, base))
        if key > words[head + S_CUTOFF]:
            add_far(words, base, side, key, qty)
            return
    last = words[head + S_NEAR]
    slot = byte_of(words, near + NEAR_ORDER, last)
    # Slots not in use have the smallest key there is, so they were counted as better.
    rotate_bytes(words, near + NEAR_ORDER, count_below(words, near, key) - (NEAR_LEVELS - last), last)
    set_slot(words, near, slot, key, qty)
    words[head + S_NEAR] = last + 1
    words[head + S_NEAR_LIVE] += 1


@kernel(void(words_out, i64, i64, i64))
def grow_table(words, base, side, levels):
    """Give a side's table as many groups as it should have for some levels, if it has fewer and there is room.

    words   int64[:]
    base    first word of the book
    side    BID or ASK
    levels  levels it is to hold
    """
    head, most = base + B_SIDE + side * B_SIDE_WORDS, words[base + B_GROUPS]
    groups = wanted = words[head + S_GROUPS]
    while wanted < most and wanted * GROUP_LEVELS_GROWN < levels:
        wanted = min(2 * wanted, most)
    if wanted == groups:
        return
    spread_keys(words, table_of(base, side, most), groups, wanted)
    words[head + S_GROUPS] = wanted
