"""What is in a full book, and whether it is sound: for private copies, tests and the demo's verdict.

Bounded by the caller's `blocks` whatever the words say, so these also take a copy that was torn.
"""

import numpy as np

from ..jit import Rows, i64, kernel, words_in
from ..layout import (
    B_BLOCKS,
    B_FREE,
    B_SIDE,
    B_SIDE_WORDS,
    BLOCK_LEVELS,
    BLOCK_WORDS,
    BOOK_HEADER_WORDS,
    DIRECTORY_STEP,
    KEY_NONE,
    MERGE_LEVELS,
    S_BLOCKS,
    S_LEVELS,
    S_LIMIT,
    SIDES,
)

(
    BOOK_SOUND,
    BOOK_WRONG_POOL,  # another pool size, or free and used blocks do not add up
    BOOK_BLOCK_SHARED,  # a block id out of range, in two places, or in none
    BOOK_WRONG_LENGTH,  # an empty or overlong block, or two neighbours that should be one
    BOOK_UNSORTED,  # keys not strictly rising
    BOOK_BAD_QTY,  # a quantity of 0 or less
    BOOK_WRONG_MAX,  # a directory key that is not its block's last
    BOOK_WRONG_PADDING,  # a key behind the last one that is not KEY_NONE
    BOOK_WRONG_COUNT,  # the level count is not the sum of the lengths
    BOOK_BEYOND_LIMIT,  # a level worse than the limit
) = range(10)
VIOLATION_NAMES = (
    "sound", "wrong pool", "block shared", "wrong length", "unsorted", "bad quantity", "wrong max",
    "wrong padding", "wrong count", "beyond limit",
)  # fmt: skip


@kernel(i64(words_in, i64, i64))
def check_pool(words, base, blocks):
    """Check that every block of the pool is in exactly one place.

    words    int64[:]
    base     first word of the book
    blocks   pool of the book
    Returns  BOOK_SOUND, BOOK_WRONG_POOL or BOOK_BLOCK_SHARED.
    """
    room = (blocks + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    free, bids = words[base + B_FREE], words[base + B_SIDE + S_BLOCKS]
    asks = words[base + B_SIDE + B_SIDE_WORDS + S_BLOCKS]
    if min(free, bids, asks) < 0 or max(free, bids, asks) > blocks:
        return BOOK_WRONG_POOL
    if words[base + B_BLOCKS] != blocks or free + bids + asks != blocks:
        return BOOK_WRONG_POOL
    bid_ids = base + BOOK_HEADER_WORDS + room
    ask_ids, free_ids = bid_ids + 3 * room, bid_ids + 5 * room
    for block_id in range(blocks):
        seen = 0
        for i in range(bids):
            seen += words[np.uint64(bid_ids + i)] == block_id
        for i in range(asks):
            seen += words[np.uint64(ask_ids + i)] == block_id
        for i in range(free):
            seen += words[np.uint64(free_ids + i)] == block_id
        if seen != 1:
            return BOOK_BLOCK_SHARED
    return BOOK_SOUND


@kernel(i64(words_in, i64, i64, i64))
def check_block(words, first, length, before):
    """Check one block: keys strictly rising, quantities above 0, padding behind.

    words    int64[:]
    first    first word of the block
    length   levels in it, 1..BLOCK_LEVELS
    before   last key of the block before; any int64 for the first
    Returns  BOOK_SOUND, BOOK_UNSORTED, BOOK_BAD_QTY or BOOK_WRONG_PADDING.
    """
    for i in range(length):
        key = words[first + i]
        if key <= before:
            return BOOK_UNSORTED
        if words[first + BLOCK_LEVELS + i] <= 0:
            return BOOK_BAD_QTY
        before = key
    for i in range(length, BLOCK_LEVELS):
        if words[first + i] != KEY_NONE:
            return BOOK_WRONG_PADDING
    return BOOK_SOUND


@kernel(i64(words_in, i64, i64, i64))
def check_side(words, base, blocks, side):
    """Check one side of a book whose block ids check_pool found sound.

    words    int64[:]
    base     first word of the book
    blocks   pool of the book
    side     BID or ASK
    Returns  BOOK_SOUND or the first violation found.
    """
    room = (blocks + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    head = base + B_SIDE + side * B_SIDE_WORDS
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    levels, before, neighbour = 0, -KEY_NONE - 1, BLOCK_LEVELS
    used = words[head + S_BLOCKS]
    for block in range(used):
        length = words[directory + 2 * room + block]
        if length < 1 or length > BLOCK_LEVELS or length + neighbour <= MERGE_LEVELS:
            return BOOK_WRONG_LENGTH
        first = base + BOOK_HEADER_WORDS + 7 * room + words[directory + room + block] * BLOCK_WORDS
        found = check_block(words, first, length, before)
        if found != BOOK_SOUND:
            return found
        before, neighbour = words[first + length - 1], length
        if words[directory + block] != before:
            return BOOK_WRONG_MAX
        levels += length
    for block in range(used, room):
        if words[directory + block] != KEY_NONE:
            return BOOK_WRONG_PADDING
    if levels != words[head + S_LEVELS]:
        return BOOK_WRONG_COUNT
    return BOOK_BEYOND_LIMIT if used > 0 and before > words[head + S_LIMIT] else BOOK_SOUND


@kernel(i64(words_in, i64, i64))
def check_book(words, base, blocks):
    """Check every invariant of a book that is not being changed; crossed is not one of them.

    words    int64[:]
    base     first word of the book
    blocks   pool of the book
    Returns  BOOK_SOUND or the first violation found, named in VIOLATION_NAMES.
    """
    found = check_pool(words, base, blocks)
    for side in range(SIDES):
        if found == BOOK_SOUND:
            found = check_side(words, base, blocks, side)
    return found


@kernel(i64(words_in, i64, i64, i64, Rows))
def dump_side(words, base, blocks, side, rows):
    """Write every level of a side, best first.

    words    int64[:]
    base     first word of the book
    blocks   pool of the book
    side     BID or ASK
    rows     level_dtype[2, cap], its row `side` is written; levels beyond cap are left out
    Returns  levels written.
    """
    room = (blocks + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    price, qty = rows["price"], rows["qty"]
    used = min(words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS], blocks)
    done, sign, space = 0, 2 * side - 1, i64(rows.shape[1])
    for block in range(used):
        block_id = max(i64(0), min(words[directory + room + block], blocks - 1))
        first = base + BOOK_HEADER_WORDS + 7 * room + block_id * BLOCK_WORDS
        length = min(words[directory + 2 * room + block], i64(BLOCK_LEVELS))
        for i in range(min(length, space - done)):
            price[side, done + i] = sign * words[first + i]
            qty[side, done + i] = words[first + BLOCK_LEVELS + i]
        done += max(i64(0), min(length, space - done))
    return done
