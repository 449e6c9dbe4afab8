"""Filling up the near part of a full book: when too few levels are left, the next ones are sieved out of the table.

The table is read once for all keys within a span that is learnt, and the best of what was found get slots.
"""

import numpy as np

from ..jit import i64, kernel, void, words_out
from ..layout import (
    B_FLOOR,
    B_GROUPS,
    B_SIDE,
    B_SIDE_WORDS,
    GROUP_QTY,
    GROUP_WORDS,
    KEY_NONE,
    NEAR_LEVELS,
    NEAR_ORDER,
    S_CUTOFF,
    S_GROUPS,
    S_LEVELS,
    S_NEAR,
    S_NEAR_LIVE,
    S_SPAN,
    SIDES,
    SIEVE_LEVELS,
)
from .book_near import near_of, set_slot, table_of, tidy_near
from .book_table import PLACES, free_place
from .llvm import byte_of, count_below, count_trailing_zeros, lanes_within

u64 = np.uint64
SPAN_MIN = SIEVE_LEVELS  # so few keys fit into the sieve whatever they are
SPAN_MAX = 1 << 61
FEW = SIEVE_LEVELS // 4  # a sieve with fewer levels looks at more keys the next time


@kernel(i64(words_out, i64, i64, i64, i64))
def sieve_levels(words, base, side, low, high):
    """Collect the levels with keys in low..high in the sieve, in no order.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    low      smallest key, above the cutoff
    high     greatest key, not below low
    Returns  how many there are; those beyond SIEVE_LEVELS are not kept.
    """
    room, count = words[base + B_GROUPS], i64(0)
    table, sieve = table_of(base, side, room), table_of(base, SIDES, room)
    groups = words[base + B_SIDE + side * B_SIDE_WORDS + S_GROUPS]
    for first in range(table, table + groups * GROUP_WORDS, GROUP_WORDS):
        found = lanes_within(words, first, low, high) & PLACES
        while found != 0:
            at, slot = first + count_trailing_zeros(u64(found)), sieve + min(count, SIEVE_LEVELS - 1)
            words[slot], words[slot + SIEVE_LEVELS] = words[at], at - table
            found &= found - 1
            count += 1
    return count


@kernel(i64(words_out, i64, i64, i64))
def enter_sieved(words, base, side, count):
    """Take the best levels of the sieve out of the table, all worse than what is near, as far as there are slots.

    words    int64[:]
    base     first word of the book
    side     BID or ASK, its near part tidied
    count    levels in the sieve, 0..SIEVE_LEVELS
    Returns  how many found a slot.
    """
    head, room = base + B_SIDE + side * B_SIDE_WORDS, words[base + B_GROUPS]
    table, sieve = table_of(base, side, room), table_of(base, SIDES, room)
    near, held, groups = near_of(base, side), words[head + S_NEAR], words[head + S_GROUPS]
    taken = min(count, NEAR_LEVELS - held)
    for entry in range(sieve + count, sieve + SIEVE_LEVELS):
        words[entry] = KEY_NONE
    for entry in range(sieve, sieve + count):
        rank = count_below(words, sieve, words[entry])  # its place in the order: a sort without a branch
        if rank < taken:
            slot = byte_of(words, near + NEAR_ORDER, held + rank)
            at = table + words[entry + SIEVE_LEVELS]
            set_slot(words, near, slot, words[at], words[at + GROUP_QTY])
            free_place(words, table, groups, at)
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
