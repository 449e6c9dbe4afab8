"""Packed copies of a full book, for other processes: the levels alone, in no order; engine/books.py sorts them.

Slots and tables are mostly empty places, and a book that its writer is changing may say anything of itself: what is
read lies within the caller's own geometry, and rubbish is thrown away by the seqlock (book_area.py).
"""

import numpy as np

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    B_AS_OF,
    B_EVENT,
    B_HEALTH,
    B_HORIZON,
    B_LAST_ID,
    B_RECV,
    B_SIDE,
    B_SIDE_WORDS,
    B_VERSION,
    BOOK_HEADER_WORDS,
    GROUP_LEVELS,
    GROUP_QTY,
    GROUP_WORDS,
    NEAR_LEVELS,
    NEAR_QTY,
    S_GROUPS,
    S_LEVELS,
    S_LIMIT,
    SIDES,
)
from .book import book_reset
from .book_apply import settle_side
from .book_full import change_level
from .book_near import near_of, table_of
from .book_table import groups_for
from .llvm import load_relaxed, move_words

u64 = np.uint64


@kernel(i64(i64))
def places_for(levels):
    """Return the entries of a column, as layout.packed_places.

    levels  levels a side the book holds at most
    """
    return NEAR_LEVELS + groups_for(levels) * GROUP_LEVELS


@kernel(i64(i64, i64, i64))
def column_of(to, side, places):
    """Return the first key of a side in a packed copy; the quantities lie `places` further.

    to      first word of the copy
    side    BID or ASK
    places  entries of a column
    """
    return to + BOOK_HEADER_WORDS + 2 * side * places


@kernel(i64(words_in, i64, i64, i64, words_out, i64, i64))
def pack_levels(words, near, table, groups, out, key_at, qty_at):
    """Copy every level of a side, in no order; safe on a book that another process is changing.

    words    int64[:]
    near     first word of the near part
    table    first word of the table
    groups   groups of it, from the caller's own geometry
    out      int64[:]
    key_at   first of NEAR_LEVELS + groups * GROUP_LEVELS words for keys
    qty_at   likewise for quantities
    Returns  levels copied.
    """
    count = i64(0)
    for slot in range(NEAR_LEVELS):  # every place is written, the next level overwrites: no branch
        key, qty = words[u64(near + slot)], words[u64(near + NEAR_QTY + slot)]
        out[u64(key_at + count)], out[u64(qty_at + count)] = key, qty
        count += i64(qty > 0)
    for group in range(groups):
        first = table + group * GROUP_WORDS
        for lane in range(GROUP_LEVELS):
            key, qty = words[u64(first + lane)], words[u64(first + lane + GROUP_QTY)]
            out[u64(key_at + count)], out[u64(qty_at + count)] = key, qty
            count += i64(qty > 0)
    return count


@kernel(void(words_in, i64, i64, words_out, i64))
def pack_book(words, base, levels, out, to):
    """Copy header and levels of a book, whatever its words are.

    words   int64[:]
    base    first word of the book
    levels  levels a side of the book, from the caller's own geometry
    out     int64[:], holds book_words(levels) from `to`
    to      first word of the packed copy
    """
    groups, places = groups_for(levels), places_for(levels)
    move_words(out, to + B_VERSION + 1, words, base + B_VERSION + 1, BOOK_HEADER_WORDS - B_VERSION - 1)
    for side in range(SIDES):
        table, keys = table_of(base, side, groups), column_of(to, side, places)
        used = max(i64(0), min(load_relaxed(words, base + B_SIDE + side * B_SIDE_WORDS + S_GROUPS), groups))
        count = pack_levels(words, near_of(base, side), table, used, out, keys, keys + places)
        out[to + B_SIDE + side * B_SIDE_WORDS + S_LEVELS] = count


@kernel(void(words_in, i64, i64, words_out, i64))
def copy_packed(words, base, levels, out, to):
    """Copy a packed copy; its counts are cut to what there is room for.

    words   int64[:]
    base    first word of the packed copy
    levels  levels a side of the book, from the caller's own geometry
    out     int64[:], holds book_words(levels) from `to`
    to      first word of the new copy
    """
    places = places_for(levels)
    move_words(out, to + B_VERSION + 1, words, base + B_VERSION + 1, BOOK_HEADER_WORDS - B_VERSION - 1)
    for side in range(SIDES):
        at = B_SIDE + side * B_SIDE_WORDS + S_LEVELS
        count = max(i64(0), min(load_relaxed(words, base + at), places))
        out[to + at] = count
        for column in range(2):
            keys = column_of(0, side, places) + column * places
            move_words(out, to + keys, words, base + keys, count)


@kernel(void(words_in, i64, i64, words_out, i64))
def unpack_book(packed, levels, floor, out, base):
    """Make a book of its own of a packed copy, header included.

    packed  int64[:], a packed copy at word 0
    levels  levels a side of the book it was made of
    floor   as in book_reset
    out     int64[:], another array
    base    first word of the new book
    """
    places = places_for(levels)
    book_reset(out, base, levels, floor)
    for side in range(SIDES):
        head, keys = B_SIDE + side * B_SIDE_WORDS, column_of(0, side, places)
        for at in range(keys, keys + packed[head + S_LEVELS]):
            change_level(out, base, side, packed[at], packed[at + places])
        settle_side(out, base, side)
        out[base + head + S_LIMIT] = packed[head + S_LIMIT]
        out[base + B_HORIZON + side] = packed[B_HORIZON + side]
    out[base + B_VERSION], out[base + B_AS_OF] = packed[B_VERSION], packed[B_AS_OF]
    out[base + B_LAST_ID], out[base + B_HEALTH] = packed[B_LAST_ID], packed[B_HEALTH]
    out[base + B_RECV], out[base + B_EVENT] = packed[B_RECV], packed[B_EVENT]
