"""Whether a full book is sound: for private copies, tests and the demo's verdict.

Bounded by the caller's `levels` whatever the words say, so these also take a copy that was torn.
"""

import numpy as np

from ..jit import i64, kernel, words_in
from ..layout import (
    B_FLOOR,
    B_GROUPS,
    B_LEVELS,
    B_SIDE,
    B_SIDE_WORDS,
    GROUP_LEVELS,
    GROUP_ONWARD,
    GROUP_QTY,
    GROUP_WORDS,
    KEY_FREE,
    KEY_NONE,
    NEAR_LEVELS,
    NEAR_ORDER,
    NEAR_QTY,
    NEAR_TAG,
    S_CUTOFF,
    S_GROUPS,
    S_LEVELS,
    S_LIMIT,
    S_NEAR,
    S_NEAR_LIVE,
    SIDES,
    TAG_BYTES,
)
from .book_near import near_of, table_of
from .book_table import find_place, group_of, groups_for
from .llvm import byte_of, tag_of

u64 = np.uint64
TAG_MASK = (1 << 8 * TAG_BYTES) - 1

(
    BOOK_SOUND,
    BOOK_WRONG_SIZE,  # another size, or counts beyond it
    BOOK_WRONG_SLOT,  # a slot that is not in use has a key or a quantity, or a key has another tag
    BOOK_WRONG_ORDER,  # the order of the near part does not name every slot once
    BOOK_UNSORTED,  # the near part's keys do not strictly get worse up to the cutoff
    BOOK_BAD_QTY,  # a quantity below 0, or one without a key
    BOOK_LOST_LEVEL,  # a level that its search does not find
    BOOK_WRONG_CHAIN,  # searches go on for keys that are not there
    BOOK_DEAD_LEVEL,  # a deleted level in the table
    BOOK_WRONG_COUNT,  # a count that is not that of the levels
    BOOK_NEAR_SHORT,  # a level within the cutoff that the near part lacks, or fewer than it must have
    BOOK_BEYOND_LIMIT,  # a level worse than the limit
) = range(12)
VIOLATION_NAMES = (
    "sound", "wrong size", "wrong slot", "wrong order", "unsorted", "bad quantity", "lost level", "wrong chain",
    "dead level", "wrong count", "near part short", "beyond limit",
)  # fmt: skip


@kernel(i64(words_in, i64, i64))
def check_order(words, base, side):
    """Check the order of a side's near part: every slot once, and those not in use without a level.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    Returns  BOOK_SOUND, BOOK_WRONG_ORDER or BOOK_WRONG_SLOT.
    """
    near, seen = near_of(base, side), u64(0)
    used = words[base + B_SIDE + side * B_SIDE_WORDS + S_NEAR]
    for entry in range(NEAR_LEVELS):
        slot = byte_of(words, near + NEAR_ORDER, entry)
        if slot >= NEAR_LEVELS or seen >> u64(slot) & u64(1):
            return BOOK_WRONG_ORDER
        seen |= u64(1) << u64(slot)
        if entry >= used and (words[near + slot] != KEY_FREE or words[near + NEAR_QTY + slot] != 0):
            return BOOK_WRONG_SLOT
    return BOOK_SOUND


@kernel(i64(words_in, i64, i64, i64))
def check_near(words, base, side, room):
    """Check the near part of a side: keys in order, quantities, cutoff and count.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     groups a table has room for
    Returns  BOOK_SOUND or the first violation found.
    """
    head, near = base + B_SIDE + side * B_SIDE_WORDS, near_of(base, side)
    groups, live, before = words[head + S_GROUPS], 0, KEY_FREE
    if groups < 1 or groups > room or words[head + S_NEAR] < 0 or words[head + S_NEAR] > NEAR_LEVELS:
        return BOOK_WRONG_SIZE
    found = check_order(words, base, side)
    for entry in range(words[head + S_NEAR] if found == BOOK_SOUND else 0):
        slot = byte_of(words, near + NEAR_ORDER, entry)
        key, qty = words[near + slot], words[near + NEAR_QTY + slot]
        if tag_of(words, near + NEAR_TAG, slot) != key & TAG_MASK:
            return BOOK_WRONG_SLOT
        if key <= before or key > words[head + S_CUTOFF]:
            return BOOK_UNSORTED
        if qty < 0:
            return BOOK_BAD_QTY
        if qty > 0 and key > words[head + S_LIMIT]:
            return BOOK_BEYOND_LIMIT
        live += qty > 0
        before = key
    return found if found != BOOK_SOUND or live == words[head + S_NEAR_LIVE] else BOOK_WRONG_COUNT


@kernel(i64(words_in, i64, i64, i64, i64))
def check_place(words, base, side, room, at):
    """Check one place of a side's table.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     groups a table has room for
    at       the word of its key
    Returns  BOOK_SOUND or the first violation found.
    """
    head, table = base + B_SIDE + side * B_SIDE_WORDS, table_of(base, side, room)
    key, qty = words[at], words[at + GROUP_QTY]
    if qty < 0 or (key == KEY_FREE and qty != 0):
        return BOOK_BAD_QTY
    if key == KEY_FREE:
        return BOOK_SOUND
    if find_place(words, table, words[head + S_GROUPS], key) != at:
        return BOOK_LOST_LEVEL
    if qty == 0:
        return BOOK_DEAD_LEVEL
    if key <= words[head + S_CUTOFF]:
        return BOOK_NEAR_SHORT
    return BOOK_BEYOND_LIMIT if key > words[head + S_LIMIT] else BOOK_SOUND


@kernel(i64(words_in, i64, i64, i64))
def check_counts(words, base, side, room):
    """Check what a side says of its levels against its table, whose places are sound.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     groups a table has room for
    Returns  BOOK_SOUND, BOOK_WRONG_CHAIN, BOOK_WRONG_COUNT or BOOK_NEAR_SHORT.
    """
    head, table = base + B_SIDE + side * B_SIDE_WORDS, table_of(base, side, room)
    groups, live, steps = words[head + S_GROUPS], words[head + S_NEAR_LIVE], 0
    levels = live
    for group in range(groups):
        steps -= words[table + group * GROUP_WORDS + GROUP_ONWARD]
        for at in range(table + group * GROUP_WORDS, table + group * GROUP_WORDS + GROUP_LEVELS):
            key = words[at]
            if key != KEY_FREE:
                steps += (group - group_of(key, groups)) % groups
                levels += 1
    if steps != 0:
        return BOOK_WRONG_CHAIN
    if levels != words[head + S_LEVELS] or levels > words[base + B_LEVELS]:
        return BOOK_WRONG_COUNT
    is_short = live < min(words[base + B_FLOOR], levels) or (live == levels) != (
        words[head + S_CUTOFF] == KEY_NONE
    )
    return BOOK_NEAR_SHORT if is_short else BOOK_SOUND


@kernel(i64(words_in, i64, i64))
def check_book(words, base, levels):
    """Check every invariant of a book that is not being changed; crossed is not one of them.

    words    int64[:]
    base     first word of the book
    levels   levels a side it is made for
    Returns  BOOK_SOUND or the first violation found, named in VIOLATION_NAMES.
    """
    room = groups_for(levels)
    if words[base + B_GROUPS] != room or words[base + B_LEVELS] != levels:
        return BOOK_WRONG_SIZE
    for side in range(SIDES):
        found, table = check_near(words, base, side, room), table_of(base, side, room)
        groups = words[base + B_SIDE + side * B_SIDE_WORDS + S_GROUPS] if found == BOOK_SOUND else 0
        for first in range(table, table + groups * GROUP_WORDS, GROUP_WORDS):
            for at in range(first, first + GROUP_LEVELS):
                if found == BOOK_SOUND:
                    found = check_place(words, base, side, room, at)
        if found == BOOK_SOUND:
            found = check_counts(words, base, side, room)
        if found != BOOK_SOUND:
            return found
    return BOOK_SOUND
