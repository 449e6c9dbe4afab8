"""The table of a full book: the levels of a side that are not near, found by their key in one step as a rule.

A key belongs to one group of seven places. While the group is full, the key goes on to the next one, and every group
it passed counts it in its eighth word; a search ends where that count is 0. So a delete leaves nothing behind
that a later search would have to step over. `words`, `table` and `groups` are trusted: the writer's own book or a
private one that was checked. Whatever the keys are, an address stays inside the table.
"""

import numpy as np

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    GROUP_LEVELS,
    GROUP_LEVELS_MEAN,
    GROUP_ONWARD,
    GROUP_QTY,
    GROUP_WORDS,
    GROUPS_FIRST,
    KEY_FREE,
)
from .llvm import count_trailing_zeros, lanes_equal

u64 = np.uint64
PLACES = (1 << GROUP_LEVELS) - 1  # lanes of a line that are keys
# An odd number near 2^64 over the golden ratio spreads keys in steps of any width (Knuth, TAOCP 3, 6.4).
SPREAD = u64(0x9E3779B97F4A7C15)
HALF = u64(32)


@kernel(i64(i64))
def groups_for(levels):
    """Return the groups of a side's table, as layout.book_groups.

    levels  levels a side the book holds at most
    """
    groups = (levels + GROUP_LEVELS_MEAN - 1) // GROUP_LEVELS_MEAN
    return (groups + GROUPS_FIRST - 1) // GROUPS_FIRST * GROUPS_FIRST


# Inlined, for it is five instructions.
@kernel(i64(i64, i64), inline="always")
def group_of(key, groups):
    """Return the group a key belongs to.

    key     any
    groups  groups of the table
    """
    return i64(((u64(key) * SPREAD >> HALF) * u64(groups)) >> HALF)


@kernel(i64(words_in, i64, i64, i64))
def find_place(words, table, groups, key):
    """Find a key, wherever it had to go.

    words    int64[:]
    table    first word of the table
    groups   groups of it
    key      any but KEY_FREE
    Returns  the word that holds it, -1 when none does.
    """
    group = group_of(key, groups)
    for _ in range(groups):
        first = table + group * GROUP_WORDS
        found = lanes_equal(words, first, key) & PLACES
        if found != 0:
            return first + count_trailing_zeros(u64(found))
        if words[first + GROUP_ONWARD] == 0:
            return i64(-1)
        group = group + 1 if group + 1 < groups else 0
    return i64(-1)


@kernel(i64(words_in, i64, i64, i64))
def find_free(words, table, groups, key):
    """Find the first free place on a key's search.

    words    int64[:]
    table    first word of the table
    groups   groups of it
    key      any but KEY_FREE
    Returns  the word, -1 when every place is taken.
    """
    group = group_of(key, groups)
    for _ in range(groups):
        first = table + group * GROUP_WORDS
        free = lanes_equal(words, first, KEY_FREE) & PLACES
        if free != 0:
            return first + count_trailing_zeros(u64(free))
        group = group + 1 if group + 1 < groups else 0
    return i64(-1)


@kernel(void(words_out, i64, i64, i64, i64))
def count_onward(words, table, groups, at, by):
    """Tell the groups that a key had to pass that there is one more of them, or one less.

    words   int64[:]
    table   first word of the table
    groups  groups of it
    at      the word that holds the key
    by      1 or -1
    """
    group, last = group_of(words[at], groups), (at - table) // GROUP_WORDS
    while group != last:
        words[table + group * GROUP_WORDS + GROUP_ONWARD] += by
        group = group + 1 if group + 1 < groups else 0


@kernel(i64(words_out, i64, i64, i64))
def take_place(words, table, groups, key):
    """Give a key, which is not there, the first free place of its search.

    words    int64[:]
    table    first word of the table
    groups   groups of it
    key      any but KEY_FREE
    Returns  the word that holds it now; -1 when every place is taken, and then the table is as it was.
    """
    at = find_free(words, table, groups, key)
    if at >= 0:
        words[at] = key
        count_onward(words, table, groups, at, 1)
    return at


@kernel(void(words_out, i64, i64, i64))
def free_place(words, table, groups, at):
    """Empty a place, and end the searches that went on for its key.

    words   int64[:]
    table   first word of the table
    groups  groups of it
    at      the word that holds a key
    """
    count_onward(words, table, groups, at, -1)
    words[at], words[at + GROUP_QTY] = KEY_FREE, 0


@kernel(void(words_out, i64, i64, i64))
def clear_groups(words, table, begin, end):
    """Make groups empty.

    words  int64[:]
    table  first word of the table
    begin  first of the groups
    end    the group behind the last
    """
    for first in range(table + begin * GROUP_WORDS, table + end * GROUP_WORDS, GROUP_WORDS):
        for word in range(first, first + GROUP_LEVELS):
            words[word] = KEY_FREE
        for word in range(first + GROUP_LEVELS, first + GROUP_WORDS):
            words[word] = 0


@kernel(void(words_out, i64, i64, i64))
def spread_keys(words, table, groups, wanted):
    """Make a table larger: every key goes to where it belongs among more groups, in place.

    words   int64[:]
    table   first word of the table
    groups  groups of it
    wanted  groups it gets, more than these, all in its room
    """
    clear_groups(words, table, groups, wanted)
    # From the last group on, for keys move to later ones. One that lands in a group still to come moves once more,
    # so who passed which group is counted when all are in place.
    for first in range(table + (groups - 1) * GROUP_WORDS, table - 1, -GROUP_WORDS):
        words[first + GROUP_ONWARD] = 0
        for at in range(first, first + GROUP_LEVELS):
            key, qty = words[at], words[at + GROUP_QTY]
            if key != KEY_FREE:
                words[at], words[at + GROUP_QTY] = KEY_FREE, 0
                to = find_free(words, table, wanted, key)
                words[to], words[to + GROUP_QTY] = key, qty
    for first in range(table, table + wanted * GROUP_WORDS, GROUP_WORDS):
        for at in range(first, first + GROUP_LEVELS):
            if words[at] != KEY_FREE:
                count_onward(words, table, wanted, at, 1)


@kernel(i64(words_in, i64, i64))
def worst_place(words, table, groups):
    """Find the worst level of a table.

    words    int64[:]
    table    first word of the table
    groups   groups of it
    Returns  the word of its key, that of a free place in an empty table, -1 when there are no groups.
    """
    worst = i64(-1)
    for group in range(groups):
        for at in range(table + group * GROUP_WORDS, table + group * GROUP_WORDS + GROUP_LEVELS):
            if worst < 0 or words[at] > words[worst]:
                worst = at
    return worst
