"""The near part of a full book: the best levels of a side in order, best last, as keys and places in the table.

It holds every level up to its cutoff. A level that is deleted there stays as an entry whose quantity in the table is 0,
so that neither its delete nor its return moves anything. Such entries go when the part is full and is tidied. When too
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
    GROUP_QTY,
    GROUP_WORDS,
    KEY_NONE,
    LINE_BYTES,
    NEAR_KEPT,
    NEAR_LEVELS,
    S_CUTOFF,
    S_LEVELS,
    S_NEAR,
    S_NEAR_LIVE,
    S_SPAN,
    SIEVE_LEVELS,
    WORD_BYTES,
)
from .book_table import PLACES, free_place
from .llvm import count_ones, count_trailing_zeros, lanes_below, move_words

u64 = np.uint64
LINE_WORDS = LINE_BYTES // WORD_BYTES
SPAN_MIN = SIEVE_LEVELS  # so few keys fit into the sieve whatever they are
SPAN_MAX = 1 << 61
FEW = SIEVE_LEVELS // 4  # a sieve with fewer levels looks at more keys the next time


@kernel(i64(i64, i64, i64))
def near_of(base, side, groups):
    """Return the first word of a side's near part.

    base    first word of the book
    side    BID or ASK
    groups  groups of a table
    """
    sides = base + BOOK_HEADER_WORDS + 2 * SIEVE_LEVELS
    return sides + side * (2 * NEAR_LEVELS + groups * GROUP_WORDS)


@kernel(i64(i64, i64, i64))
def table_of(base, side, groups):
    """Return the first word of a side's table.

    base    first word of the book
    side    BID or ASK
    groups  groups of a table
    """
    return near_of(base, side, groups) + 2 * NEAR_LEVELS


@kernel(void(words_out, i64, i64, i64))
def tidy_near(words, base, side, kept):
    """Drop the entries that are no levels, and of the levels all but the best `kept`, which stay in the table.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    kept   levels that stay in the near part, 1..NEAR_LEVELS
    """
    head, groups = base + B_SIDE + side * B_SIDE_WORDS, words[base + B_GROUPS]
    near = near_of(base, side, groups)
    table, done = near + 2 * NEAR_LEVELS, i64(0)
    surplus = max(words[head + S_NEAR_LIVE] - kept, 0)
    passed = surplus
    for entry in range(near, near + words[head + S_NEAR]):
        key, place = words[entry], words[entry + NEAR_LEVELS]
        if words[table + place + GROUP_QTY] == 0:
            free_place(words, table, groups, table + place)
        elif passed > 0:
            passed -= 1
        else:
            words[near + done], words[near + NEAR_LEVELS + done] = key, place
            done += 1
    if surplus > 0:
        words[head + S_CUTOFF] = words[near]
    words[head + S_NEAR], words[head + S_NEAR_LIVE] = done, done


@kernel(void(words_out, i64, i64, i64, i64))
def add_near(words, base, side, key, place):
    """Enter a new level that lies within the cutoff; it stays in the table alone if the cutoff moves in before.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    key    its key
    place  its place in the table
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side, words[base + B_GROUPS])
    if words[head + S_NEAR] == NEAR_LEVELS:
        tidy_near(words, base, side, max(NEAR_KEPT, words[base + B_FLOOR]))
        if key > words[head + S_CUTOFF]:
            return
    # New levels mostly come close to the touch: few entries are better and have to move.
    entry = near + words[head + S_NEAR]
    while entry > near and words[u64(entry - 1)] < key:
        words[u64(entry)] = words[u64(entry - 1)]
        words[u64(entry + NEAR_LEVELS)] = words[u64(entry + NEAR_LEVELS - 1)]
        entry -= 1
    words[entry], words[entry + NEAR_LEVELS] = key, place
    words[head + S_NEAR] += 1
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
    groups, count, sieve = words[base + B_GROUPS], i64(0), base + BOOK_HEADER_WORDS
    table = table_of(base, side, groups)
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
    """Put the best levels of the sieve, all worse than what the near part holds, in order at its beginning.

    words    int64[:]
    base     first word of the book
    side     BID or ASK, its near part tidied
    count    levels in the sieve, 0..SIEVE_LEVELS
    Returns  how many found room.
    """
    head, sieve = base + B_SIDE + side * B_SIDE_WORDS, base + BOOK_HEADER_WORDS
    near, held = near_of(base, side, words[base + B_GROUPS]), words[head + S_NEAR]
    taken = min(count, NEAR_LEVELS - held)
    for column in range(near, near + 2 * NEAR_LEVELS, NEAR_LEVELS):
        move_words(words, column + taken, words, column, held)
    for slot in range(sieve + count, sieve + SIEVE_LEVELS):
        words[slot] = KEY_NONE
    for slot in range(sieve, sieve + count):
        key, rank = words[slot], i64(0)
        for line in range(sieve, sieve + count, LINE_WORDS):  # its rank is its place: a sort without a branch
            rank += count_ones(u64(lanes_below(words, line, key)))
        if rank < taken:
            entry = near + taken - 1 - rank
            words[entry], words[entry + NEAR_LEVELS] = key, words[slot + SIEVE_LEVELS]
    words[head + S_NEAR] = words[head + S_NEAR_LIVE] = held + taken
    return taken


@kernel(void(words_out, i64, i64))
def fill_near(words, base, side):
    """Bring the near part to at least B_FLOOR levels, or to all there are.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side, words[base + B_GROUPS])
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
        words[head + S_CUTOFF] = high if taken == count else words[near]
        if count < FEW:
            span = min(2 * span, SPAN_MAX)
    words[head + S_SPAN] = span
