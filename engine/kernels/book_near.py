"""The near part of a full book: the best levels of a side as keys and places in the table, and their order.

It holds every level up to its cutoff, each in a slot that it keeps; only the order, a byte for each slot, moves when a
level comes between others. A level that is deleted there stays as a slot whose quantity in the table is 0, so that
neither its delete nor its return moves anything. Such slots are freed when the part is full and is tidied. When too
few levels are left, the next ones are sieved out of the table.
"""

import numpy as np

from ..jit import i64, kernel, void, words_out
from ..layout import (
    B_FLOOR,
    B_GROUPS,
    B_SIDE,
    B_SIDE_WORDS,
    BOOK_HEADER_WORDS,
    BOOK_TABLES,
    GROUP_LEVELS_GROWN,
    GROUP_QTY,
    GROUP_WORDS,
    KEY_NONE,
    NEAR_KEPT,
    NEAR_LEVELS,
    NEAR_ORDER,
    NEAR_PLACE,
    NEAR_WORDS,
    S_CUTOFF,
    S_GROUPS,
    S_LEVELS,
    S_NEAR,
    S_NEAR_LIVE,
    S_SPAN,
    SIDES,
    SIEVE_LEVELS,
)
from .book_table import PLACES, find_place, free_place, spread_keys
from .llvm import (
    byte_of,
    count_below,
    count_trailing_zeros,
    half_of,
    lanes_below,
    put_byte,
    put_half,
    rotate_bytes,
)

u64 = np.uint64
SPAN_MIN = SIEVE_LEVELS  # so few keys fit into the sieve whatever they are
SPAN_MAX = 1 << 61
FEW = SIEVE_LEVELS // 4  # a sieve with fewer levels looks at more keys the next time


@kernel(i64(i64, i64))
def near_of(base, side):
    """Return the first word of a side's near part.

    base  first word of the book
    side  BID or ASK
    """
    return base + BOOK_HEADER_WORDS + side * NEAR_WORDS


@kernel(i64(i64, i64, i64))
def table_of(base, side, room):
    """Return the first word of a side's table; of side SIDES: that of the sieve.

    base  first word of the book
    side  BID or ASK
    room  groups a table has room for
    """
    return base + BOOK_TABLES + side * room * GROUP_WORDS


@kernel(void(words_out, i64, i64))
def clear_near(words, base, side):
    """Make a near part empty.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    """
    near = near_of(base, side)
    for slot in range(NEAR_LEVELS):
        words[near + slot] = KEY_NONE
        put_half(words, near + NEAR_PLACE, slot, 0)
        put_byte(words, near + NEAR_ORDER, slot, slot)


@kernel(void(words_out, i64, i64, i64))
def tidy_near(words, base, side, kept):
    """Free the slots that are no levels, and of the levels all but the best `kept`, which stay in the table.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    kept   levels that stay in the near part, 1..NEAR_LEVELS
    """
    head, near, room = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side), words[base + B_GROUPS]
    table, live = table_of(base, side, room), table_of(base, SIDES, room)
    dead, lives, deads = live + SIEVE_LEVELS, i64(0), i64(0)
    # Nobody can predict which slot is dead: each goes on both lists, and the next one overwrites it on one of them.
    for entry in range(words[head + S_NEAR]):
        slot = byte_of(words, near + NEAR_ORDER, entry)
        words[u64(live + lives)] = words[u64(dead + deads)] = slot
        is_live = i64(words[u64(table + half_of(words, near + NEAR_PLACE, slot) + GROUP_QTY)] > 0)
        lives, deads = lives + is_live, deads + 1 - is_live
    for entry in range(lives):
        put_byte(words, near + NEAR_ORDER, entry, words[live + entry])
    for entry in range(deads):
        slot = words[dead + entry]
        put_byte(words, near + NEAR_ORDER, lives + entry, slot)
        free_place(words, table, words[head + S_GROUPS], table + half_of(words, near + NEAR_PLACE, slot))
        words[near + slot] = KEY_NONE
    for entry in range(kept, lives):
        words[near + words[live + entry]] = KEY_NONE
    if lives > kept:
        words[head + S_CUTOFF] = words[near + words[live + kept - 1]]
    words[head + S_NEAR] = words[head + S_NEAR_LIVE] = min(lives, kept)


@kernel(void(words_out, i64, i64, i64))
def add_near(words, base, side, at):
    """Take a new level that lies within the cutoff; it stays in the table alone if the cutoff moves in before.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    at     the word of its key in the table
    """
    head, near, key = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side), words[u64(at)]
    if words[head + S_NEAR] == NEAR_LEVELS:
        tidy_near(words, base, side, max(NEAR_KEPT, words[base + B_FLOOR]))
        if key > words[head + S_CUTOFF]:
            return
    last = words[head + S_NEAR]
    slot = byte_of(words, near + NEAR_ORDER, last)
    rotate_bytes(words, near + NEAR_ORDER, count_below(words, near, key), last)
    words[u64(near + slot)] = key
    put_half(words, near + NEAR_PLACE, slot, at - table_of(base, side, words[base + B_GROUPS]))
    words[head + S_NEAR] = last + 1
    words[head + S_NEAR_LIVE] += 1


@kernel(i64(words_out, i64, i64, i64, i64))
def sieve_levels(words, base, side, low, high):
    """Collect the levels with keys in low..high in the sieve, in no order.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    low      smallest key, above the cutoff
    high     greatest key
    Returns  how many there are; those beyond SIEVE_LEVELS are not kept.
    """
    room, count = words[base + B_GROUPS], i64(0)
    table, sieve = table_of(base, side, room), table_of(base, SIDES, room)
    groups = words[base + B_SIDE + side * B_SIDE_WORDS + S_GROUPS]
    for first in range(table, table + groups * GROUP_WORDS, GROUP_WORDS):
        found = ~lanes_below(words, first, low) & PLACES
        if high != KEY_NONE:
            found &= lanes_below(words, first, high + 1)
        while found != 0:
            at, slot = first + count_trailing_zeros(u64(found)), sieve + min(count, SIEVE_LEVELS - 1)
            words[slot], words[slot + SIEVE_LEVELS] = words[at], at - table
            found &= found - 1
            count += 1
    return count


@kernel(i64(words_out, i64, i64, i64))
def enter_sieved(words, base, side, count):
    """Take the best levels of the sieve, all worse than what the near part holds, as far as there are slots.

    words    int64[:]
    base     first word of the book
    side     BID or ASK, its near part tidied
    count    levels in the sieve, 0..SIEVE_LEVELS
    Returns  how many found a slot.
    """
    head, sieve = base + B_SIDE + side * B_SIDE_WORDS, table_of(base, SIDES, words[base + B_GROUPS])
    near, held = near_of(base, side), words[head + S_NEAR]
    taken = min(count, NEAR_LEVELS - held)
    for entry in range(sieve + count, sieve + SIEVE_LEVELS):
        words[entry] = KEY_NONE
    for entry in range(sieve, sieve + count):
        rank = count_below(words, sieve, words[entry])  # its place in the order: a sort without a branch
        if rank < taken:
            slot = byte_of(words, near + NEAR_ORDER, held + rank)
            words[near + slot] = words[entry]
            put_half(words, near + NEAR_PLACE, slot, words[entry + SIEVE_LEVELS])
    words[head + S_NEAR] = words[head + S_NEAR_LIVE] = held + taken
    return taken


@kernel(void(words_out, i64, i64))
def fill_near(words, base, side):
    """Bring the near part to at least B_FLOOR levels, or to all there are.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side)
    tidy_near(words, base, side, NEAR_LEVELS)
    span = max(words[head + S_SPAN], SPAN_MIN)
    wanted = min(words[base + B_FLOOR], words[head + S_LEVELS])
    while words[head + S_NEAR] < wanted and words[head + S_CUTOFF] < KEY_NONE:
        low = words[head + S_CUTOFF]
        high = low + span if low < KEY_NONE - span else KEY_NONE
        count = sieve_levels(words, base, side, low + 1, high)
        if count > SIEVE_LEVELS:
            span >>= 1
            continue
        taken = enter_sieved(words, base, side, count)
        worst = near + byte_of(words, near + NEAR_ORDER, NEAR_LEVELS - 1)
        words[head + S_CUTOFF] = high if taken == count else words[worst]
        if count < FEW:
            span = min(2 * span, SPAN_MAX)
    words[head + S_SPAN] = span


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
    near, table = near_of(base, side), table_of(base, side, most)
    spread_keys(words, table, groups, wanted)
    words[head + S_GROUPS] = wanted
    for entry in range(words[head + S_NEAR]):
        slot = byte_of(words, near + NEAR_ORDER, entry)
        put_half(words, near + NEAR_PLACE, slot, find_place(words, table, wanted, words[near + slot]) - table)
