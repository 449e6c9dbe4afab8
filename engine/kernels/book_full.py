"""Where a level finds no space: its block is full, it lies behind all others, or the whole pool is used up.

A full book never fails. It drops its worst levels and moves the side's limit and horizon in with them: what
lies beyond is unknown from then on, not empty.
"""

from ..jit import i64, kernel, void, words_out
from ..layout import (
    B_EVICTED,
    B_FREE,
    B_HORIZON,
    B_SIDE,
    B_SIDE_WORDS,
    BLOCK_LEVELS,
    BLOCK_WORDS,
    BOOK_HEADER_WORDS,
    RANK_DEEP,
    RANK_UNCHANGED,
    S_BLOCKS,
    S_LEVELS,
    S_LIMIT,
    TOP_N_MAX,
)
from .book_blocks import add_block, drop_block, put_level, rank_of, split_block


@kernel(void(words_out, i64, i64, i64))
def move_limit(words, base, side, key):
    """Take no level worse than `key` from now on, and move the horizon in with it.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    key    worst key still held
    """
    sign = 2 * side - 1
    words[base + B_SIDE + side * B_SIDE_WORDS + S_LIMIT] = key
    words[base + B_HORIZON + side] = sign * min(sign * words[base + B_HORIZON + side], key)


@kernel(i64(words_out, i64, i64, i64))
def evict_block(words, base, side, room):
    """Drop the worst block of a side that has at least two; what lies beyond is unknown from now on.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     entries of a directory
    Returns  rank of the best level dropped, RANK_DEEP beyond TOP_N_MAX.
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    last = words[head + S_BLOCKS] - 1
    lost = words[directory + 2 * room + last]
    words[head + S_LEVELS] -= lost
    words[base + B_EVICTED] += lost
    drop_block(words, base, side, room, last)
    move_limit(words, base, side, words[directory + last - 1])
    kept = words[head + S_LEVELS]
    return kept if kept < TOP_N_MAX else RANK_DEEP


@kernel(i64(words_out, i64, i64, i64, i64, i64, i64))
def squeeze_level(words, base, side, room, position, key, qty):
    """Insert into the full worst block while the pool is used up: its last level goes, or the new one.

    words     int64[:]
    base      first word of the book
    side      BID or ASK
    room      entries of a directory
    position  place in the block, 0..BLOCK_LEVELS
    key       its key
    qty       its quantity, above 0
    Returns   rank of the change, RANK_UNCHANGED where the new level is the one that goes.
    """
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    block = words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS] - 1
    words[base + B_EVICTED] += 1
    rank = i64(RANK_UNCHANGED)
    if position < BLOCK_LEVELS:
        words[base + B_SIDE + side * B_SIDE_WORDS + S_LEVELS] -= 1
        words[directory + 2 * room + block] = BLOCK_LEVELS - 1
        put_level(words, base, side, room, block, position, key, qty)
        first = base + BOOK_HEADER_WORDS + 7 * room + words[directory + room + block] * BLOCK_WORDS
        words[directory + block] = words[first + BLOCK_LEVELS - 1]
        rank = rank_of(words, directory + 2 * room, block, position)
    move_limit(words, base, side, words[directory + block])
    return rank


@kernel(i64(words_out, i64, i64, i64, i64, i64, i64, i64))
def insert_full(words, base, side, room, block, position, key, qty):
    """Insert a level into a full block: split it, after making room in the pool where that is used up.

    words     int64[:]
    base      first word of the book
    side      BID or ASK
    room      entries of a directory
    block     its place in the directory
    position  place in the block, 0..BLOCK_LEVELS; the latter only in the last block
    key       its key
    qty       its quantity, above 0
    Returns   smallest rank that changed on either side, RANK_UNCHANGED where the level was not taken.
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    lengths = base + BOOK_HEADER_WORDS + 3 * side * room + 2 * room
    lost = i64(RANK_UNCHANGED)
    if words[base + B_FREE] == 0:
        other = 1 - side
        fuller = words[base + B_SIDE + other * B_SIDE_WORDS + S_BLOCKS] > words[head + S_BLOCKS]
        if not fuller and block == words[head + S_BLOCKS] - 1:
            return squeeze_level(words, base, side, room, position, key, qty)
        lost = evict_block(words, base, other if fuller else side, room)
    cut = BLOCK_LEVELS if position == BLOCK_LEVELS else BLOCK_LEVELS // 2
    rank = rank_of(words, lengths, block, position)
    split_block(words, base, side, room, block, cut)
    if position >= cut:
        put_level(words, base, side, room, block + 1, position - cut, key, qty)
    else:
        put_level(words, base, side, room, block, position, key, qty)
    return min(rank, lost)


@kernel(i64(words_out, i64, i64, i64, i64, i64))
def append_level(words, base, side, room, key, qty):
    """Insert a level that is worse than every one held.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     entries of a directory
    key      its key, above every other
    qty      its quantity, above 0
    Returns  smallest rank that changed on either side, RANK_UNCHANGED where the level was not taken.
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    lengths = base + BOOK_HEADER_WORDS + 3 * side * room + 2 * room
    blocks, rank = words[head + S_BLOCKS], i64(RANK_UNCHANGED)
    if key > words[head + S_LIMIT]:
        words[base + B_EVICTED] += 1
        return rank
    if blocks == 0:
        if words[base + B_FREE] == 0:
            if words[base + B_SIDE + (1 - side) * B_SIDE_WORDS + S_BLOCKS] < 2:
                return rank  # a book never reset holds nothing
            rank = evict_block(words, base, 1 - side, room)
        add_block(words, base, side, room, 0)
        blocks = i64(1)
    block = blocks - 1
    length = words[lengths + block]
    if length == BLOCK_LEVELS:
        return insert_full(words, base, side, room, block, length, key, qty)
    put_level(words, base, side, room, block, length, key, qty)
    return min(rank, rank_of(words, lengths, block, length))
