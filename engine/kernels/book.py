"""The full-depth book: per side a directory of sorted 32-level blocks from one bounded pool.

    directory, best first   max key | block id | length      searched by counting max keys < key
    block                   keys[32] then qtys[32]           searched by counting keys < key

key = price for ASK, -price for BID, so both sides are the same code and the best level comes first.
Counting smaller keys has no branch to mispredict and becomes vector code; an insert or a delete rewrites a
block as two vectors. Prices are mantissas, -(2^63 - 1)..2^63 - 1. `words` and `base` are trusted:
the writer's own bus or a private copy, never a book another process is changing (see book_area.py).
"""

import numpy as np

from ..jit import Rows, i64, kernel, void, words_in, words_out
from ..layout import (
    ASK,
    B_BLOCKS,
    B_FREE,
    B_HORIZON,
    B_ORPHANS,
    B_SHAPE,
    B_SIDE,
    B_SIDE_WORDS,
    B_VERSION,
    BID,
    BLOCK_LEVELS,
    BLOCK_WORDS,
    BOOK_HEADER_WORDS,
    DIRECTORY_STEP,
    HORIZON_OPEN,
    KEY_NONE,
    LINE_BYTES,
    MERGE_LEVELS,
    NO_PRICE,
    RANK_UNCHANGED,
    S_BLOCKS,
    S_LEVELS,
    S_LIMIT,
    SIDES,
    WORD_BYTES,
)
from .book_blocks import fill_words, rank_of, shrink_block
from .book_full import append_level, insert_full
from .llvm import insert_word, prefetch, remove_word

HORIZON_OPEN_BID, HORIZON_OPEN_ASK = HORIZON_OPEN
LINE_WORDS = LINE_BYTES // WORD_BYTES


@kernel(void(words_out, i64, i64))
def book_reset(words, base, blocks):
    """Make a book empty and complete; its version word stays, for the seqlock around this.

    words   int64[:]
    base    first word of the book
    blocks  pool, 4..BOOK_BLOCKS_MAX
    """
    room = (blocks + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    fill_words(words, base + B_VERSION + 1, BOOK_HEADER_WORDS - B_VERSION - 1, 0)
    words[base + B_BLOCKS], words[base + B_FREE] = blocks, blocks
    words[base + B_HORIZON + BID], words[base + B_HORIZON + ASK] = HORIZON_OPEN_BID, HORIZON_OPEN_ASK
    for side in range(SIDES):
        words[base + B_SIDE + side * B_SIDE_WORDS + S_LIMIT] = KEY_NONE
        directory = base + BOOK_HEADER_WORDS + 3 * side * room
        fill_words(words, directory, room, KEY_NONE)
        fill_words(words, directory + room, 2 * room, 0)
    free = base + BOOK_HEADER_WORDS + 6 * room
    for entry in range(blocks):
        words[free + entry] = blocks - 1 - entry  # low ids are taken first


@kernel(i64(words_in, i64, i64, i64))
def count_below(words, at, count, key):
    """Count the words of a run that are smaller than a key.

    words    int64[:]
    at       first word, 0 or more
    count    words, a multiple of DIRECTORY_STEP so that vector code has no rest to do
    key      compared with each
    Returns  how many are smaller.
    """
    below = 0
    for i in range(count):
        below += words[np.uint64(at + i)] < key
    return below


@kernel(i64(words_in, i64, i64, i64))
def find_block(words, directory, blocks, key):
    """Find the first block of a side whose max key is not below a key.

    words      int64[:]
    directory  first word of the side's max keys
    blocks     blocks in it
    key        sought
    Returns    its place in the directory, `blocks` when every max key is below.
    """
    low, span = 0, blocks
    while span > DIRECTORY_STEP:  # halve, without a branch on the key; entries behind the last are KEY_NONE
        span = (span + 2 * DIRECTORY_STEP - 1) // (2 * DIRECTORY_STEP) * DIRECTORY_STEP
        low += span * ((words[directory + low + span - 1] < key) & (low + span <= blocks))
    return min(low + count_below(words, directory + low, DIRECTORY_STEP, key), blocks)


# Inlined, because passing an array costs more than half of what this does.
@kernel(i64(words_out, i64, i64, i64, i64, i64, i64), inline="always")
def set_at(words, base, side, room, block, key, qty):
    """Set the quantity at a key: the one leaf that every change of a book goes through.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     entries of a directory
    block    what find_block answers for the key, or answered at the same B_SHAPE
    key      price for ASK, -price for BID
    qty      quantity, 0 or less deletes
    Returns  rank of the change, as set_level.
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    lengths = directory + 2 * room
    if block == words[head + S_BLOCKS]:  # behind all; an append since may have changed that
        block = find_block(words, directory, words[head + S_BLOCKS], key)
    if block == words[head + S_BLOCKS]:
        if qty > 0:
            return append_level(words, base, side, room, key, qty)
        words[base + B_ORPHANS] += 1
        return RANK_UNCHANGED
    first = base + BOOK_HEADER_WORDS + 7 * room + words[directory + room + block] * BLOCK_WORDS
    position = count_below(words, first, BLOCK_LEVELS, key)
    at, length = first + position, words[lengths + block]
    if words[at] != key:
        if qty <= 0:
            words[base + B_ORPHANS] += 1
            return RANK_UNCHANGED
        if length == BLOCK_LEVELS:
            return insert_full(words, base, side, room, block, position, key, qty)
        insert_word(words, first, position, key)
        insert_word(words, first + BLOCK_LEVELS, position, qty)
        words[lengths + block] = length + 1
        words[head + S_LEVELS] += 1
        return rank_of(words, lengths, block, position)
    if qty > 0:
        if words[at + BLOCK_LEVELS] == qty:
            return RANK_UNCHANGED
        words[at + BLOCK_LEVELS] = qty
        return rank_of(words, lengths, block, position)
    rank, length = rank_of(words, lengths, block, position), length - 1
    remove_word(words, first, position, KEY_NONE)
    remove_word(words, first + BLOCK_LEVELS, position, 0)
    words[lengths + block] = length
    words[head + S_LEVELS] -= 1
    if position == length and length > 0:
        words[directory + block] = words[at - 1]
        words[base + B_SHAPE] += 1
    if length <= MERGE_LEVELS:
        shrink_block(words, base, side, room, block)
    return rank


@kernel(i64(words_out, i64, i64, i64, i64))
def set_level(words, base, side, price, qty):
    """Set the quantity at a price, 0 or less deletes.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    price    mantissa
    qty      mantissa
    Returns  levels better than the change: exact below TOP_N_MAX, RANK_DEEP at most behind that;
             RANK_UNCHANGED when nothing changed (an orphan delete, the same quantity, beyond the limit).
    """
    room = (words[base + B_BLOCKS] + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    key, directory = (2 * side - 1) * price, base + BOOK_HEADER_WORDS + 3 * side * room
    block = find_block(words, directory, words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS], key)
    return set_at(words, base, side, room, block, key, qty)


@kernel(i64(words_out, i64, i64, Rows, i64))
def apply_rows(words, base, side, rows, count):
    """Apply one message's rows of a side in their order; the last of a price wins.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    rows     level_dtype[2, cap]: absolute quantities, 0 deletes
    count    rows of that side, 0..cap
    Returns  smallest rank that changed, RANK_UNCHANGED when none did.
    """
    price, qty = rows["price"], rows["qty"]
    room = (words[base + B_BLOCKS] + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    directory, pool = base + BOOK_HEADER_WORDS + 3 * side * room, base + BOOK_HEADER_WORDS + 7 * room
    used, sign, best = base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS, 2 * side - 1, i64(RANK_UNCHANGED)
    count = min(count, i64(rows.shape[1]))
    next_key = sign * price[side, 0] if count > 0 else 0
    next_block = find_block(words, directory, words[used], next_key)
    shape = words[base + B_SHAPE]
    for row in range(count):
        key, block = next_key, next_block
        if words[base + B_SHAPE] != shape:
            block = find_block(words, directory, words[used], key)
            shape = words[base + B_SHAPE]
        # Look one row ahead, so that its block is in the first cache by then.
        next_key = sign * price[side, min(row + 1, count - 1)]
        next_block = find_block(words, directory, words[used], next_key)
        ahead = pool + words[directory + room + next_block] * BLOCK_WORDS
        for line in range(0, BLOCK_WORDS, LINE_WORDS):
            prefetch(words, ahead + line)
        best = min(best, set_at(words, base, side, room, block, key, qty[side, row]))
    return best


@kernel(i64(words_out, i64, i64, Rows, i64))
def load_rows(words, base, side, rows, count):
    """Load one side of a snapshot into a book just reset; best first is fastest, any order is right.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    rows     level_dtype[2, cap]
    count    rows of that side, 0..cap
    Returns  levels held on that side.
    """
    apply_rows(words, base, side, rows, count)
    return words[base + B_SIDE + side * B_SIDE_WORDS + S_LEVELS]


@kernel(void(words_out, i64, i64, i64))
def set_horizon(words, base, side, price):
    """Set the worst price up to which a side is known completely; never beyond what the pool dropped.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    price  mantissa; HORIZON_OPEN[side] for a side known to its end
    """
    sign = 2 * side - 1
    limit = words[base + B_SIDE + side * B_SIDE_WORDS + S_LIMIT]
    words[base + B_HORIZON + side] = sign * min(sign * price, limit)


@kernel(i64(words_in, i64, i64, words_out, i64, i64, i64))
def write_top(words, base, side, out, price_at, qty_at, n):
    """Write the best `n` levels of a side, unused entries 0.

    words     int64[:]
    base      first word of the book
    side      BID or ASK
    out       int64[:], may be `words`
    price_at  first word of n prices in `out`
    qty_at    first word of n quantities in `out`
    n         levels wanted
    Returns   levels written, fewer than n when the side holds no more.
    """
    room = (words[base + B_BLOCKS] + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    blocks = words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS]
    sign, done, block = 2 * side - 1, 0, 0
    while done < n and block < blocks:
        first = base + BOOK_HEADER_WORDS + 7 * room + words[directory + room + block] * BLOCK_WORDS
        taken = min(n - done, words[directory + 2 * room + block])
        for i in range(taken):
            out[np.uint64(price_at + done + i)] = sign * words[np.uint64(first + i)]
        for i in range(taken):
            out[np.uint64(qty_at + done + i)] = words[np.uint64(first + BLOCK_LEVELS + i)]
        done += taken
        block += 1
    for i in range(done, n):
        out[np.uint64(price_at + i)] = 0
        out[np.uint64(qty_at + i)] = 0
    return done


@kernel(i64(words_in, i64, i64))
def best_price(words, base, side):
    """Return the best price of a side, NO_PRICE when it is empty.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    """
    if words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS] == 0:
        return NO_PRICE
    room = (words[base + B_BLOCKS] + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    best = words[base + BOOK_HEADER_WORDS + 3 * side * room + room]
    return (2 * side - 1) * words[base + BOOK_HEADER_WORDS + 7 * room + best * BLOCK_WORDS]


@kernel(i64(words_in, i64))
def is_crossed(words, base):
    """Return 1 when the best bid is not below the best ask, else 0.

    words  int64[:]
    base   first word of the book
    """
    bid, ask = best_price(words, base, BID), best_price(words, base, ASK)
    return i64(bid != NO_PRICE and ask != NO_PRICE and bid >= ask)
