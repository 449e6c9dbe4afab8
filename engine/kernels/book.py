"""The full-depth book: per side a directory of sorted 32-level blocks from one bounded pool.

    directory, best first   max key | block id | length      searched by counting max keys < key
    block                   keys[32] then qtys[32]           searched by counting keys < key

key = price for ASK, -price for BID, so both sides are the same code and the best level comes first.
Counting smaller keys has no branch to mispredict and becomes vector code; an insert or a delete rewrites a
block as two vectors. Prices are mantissas, -(2^63 - 1)..2^63 - 1. `words` and `base` are trusted:
the writer's own bus or a private copy, never a book another process is changing (see book_area.py).
"""

import numpy as np

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    ASK,
    B_BLOCKS,
    B_FREE,
    B_HORIZON,
    B_ORPHANS,
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
from .llvm import count_block, count_line, count_step, insert_word, remove_word

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


@kernel(i64(words_in, i64, i64, i64), forceinline=True)
def find_block(words, directory, blocks, key):
    """Find the first block of a side whose max key is not below a key.

    words      int64[:]
    directory  first word of the side's max keys
    blocks     blocks in it
    key        sought
    Returns    its place in the directory, `blocks` when every max key is below.
    """
    low, steps = 0, (blocks + DIRECTORY_STEP - 1) // DIRECTORY_STEP
    while steps > 1:
        # The last of eight sorted words is below the key when all are: a number, so no branch is made of it.
        half = steps >> 1
        last = directory + (low + half) * DIRECTORY_STEP - LINE_WORDS
        low += half * (count_line(words, last, key) // LINE_WORDS)
        steps -= half
    low *= DIRECTORY_STEP
    return min(low + count_step(words, directory + low, key), blocks)


@kernel(i64(words_in, i64, i64, i64, i64))
def rank_at(words, base, side, room, key):
    """Count the levels better than a key.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     entries of a directory
    key      any
    Returns  rank as set_level.
    """
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    blocks = words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS]
    block, position = find_block(words, directory, blocks, key), i64(0)
    if block < blocks:
        first = base + BOOK_HEADER_WORDS + 7 * room + words[directory + room + block] * BLOCK_WORDS
        position = count_block(words, first, key)
    return rank_of(words, directory + 2 * room, block, position)


@kernel(i64(words_out, i64, i64, i64, i64, i64, i64))
def set_at(words, base, side, room, block, key, qty):
    """Set the quantity at a key, whatever that takes: blocks may be split, merged, appended, evicted.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     entries of a directory
    block    what find_block answers for the key
    key      price for ASK, -price for BID
    qty      quantity, 0 or less deletes
    Returns  rank of the change, as set_level.
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    lengths = directory + 2 * room
    if block == words[head + S_BLOCKS]:  # behind all
        if qty > 0:
            return append_level(words, base, side, room, key, qty)
        words[base + B_ORPHANS] += 1
        return RANK_UNCHANGED
    first = base + BOOK_HEADER_WORDS + 7 * room + words[directory + room + block] * BLOCK_WORDS
    position = count_block(words, first, key)
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
    pool, ids, lengths = base + BOOK_HEADER_WORDS + 7 * room, directory + room, directory + 2 * room
    sign, done, block = 2 * side - 1, 0, 0
    if blocks > 1 and n <= BLOCK_LEVELS and words[lengths] + words[lengths + 1] >= n:
        # As a rule the first two blocks hold all: one loop over both, with no branch on where the first ends.
        here, held = pool + words[ids] * BLOCK_WORDS, words[lengths]
        then = pool + words[ids + 1] * BLOCK_WORDS - held
        for i in range(n):
            key, next_key = words[np.uint64(here + i)], words[np.uint64(then + i)]
            out[np.uint64(price_at + i)] = ((key if i < held else next_key) ^ (side - 1)) - (side - 1)
        for i in range(n):
            at = i + BLOCK_LEVELS
            qty, next_qty = words[np.uint64(here + at)], words[np.uint64(then + at)]
            out[np.uint64(qty_at + i)] = qty if i < held else next_qty
        return n
    while done < n and block < blocks:
        first = pool + words[ids + block] * BLOCK_WORDS
        taken = min(n - done, words[lengths + block])
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
