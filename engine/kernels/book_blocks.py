"""Blocks of a full book: taken from the pool, split, merged, given back. The rare half of kernels/book.py.

`room` is layout.directory_room of the book's pool. Neighbouring blocks together hold more than MERGE_LEVELS
levels, so a directory never fills with crumbs.
"""

import numpy as np

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    B_FREE,
    B_SIDE,
    B_SIDE_WORDS,
    BLOCK_LEVELS,
    BLOCK_WORDS,
    BOOK_HEADER_WORDS,
    KEY_NONE,
    MERGE_LEVELS,
    RANK_BLOCKS,
    RANK_DEEP,
    S_BLOCKS,
    S_LEVELS,
)
from .llvm import insert_word, move_words


@kernel(void(words_out, i64, i64, i64))
def fill_words(words, at, count, value):
    """Store one value in a run of words.

    words  int64[:]
    at     first word
    count  words, 0 or more
    value  stored in each
    """
    for i in range(count):
        words[np.uint64(at + i)] = value


@kernel(i64(words_in, i64, i64, i64))
def rank_of(words, lengths, block, position):
    """Count the levels better than one.

    words     int64[:]
    lengths   first word of the side's lengths
    block     its place in the directory
    position  its place in the block
    Returns   the rank, best = 0; RANK_DEEP behind the first RANK_BLOCKS blocks.
    """
    if block >= RANK_BLOCKS:
        return RANK_DEEP
    rank = position
    for before in range(RANK_BLOCKS):  # always all of them: one vector, no branch
        rank += words[np.uint64(lengths + before)] * (before < block)
    return rank


@kernel(void(words_out, i64, i64, i64, i64))
def add_block(words, base, side, room, block):
    """Take a free block and enter it, empty, in the directory.

    words  int64[:]
    base   first word of the book, which has a free block
    side   BID or ASK
    room   entries of a directory
    block  its place in the directory, 0..blocks
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    blocks, free = words[head + S_BLOCKS], words[base + B_FREE] - 1
    block_id = words[base + BOOK_HEADER_WORDS + 6 * room + free]
    for column in range(3):
        at = directory + column * room + block
        move_words(words, at + 1, words, at, blocks - block)
    words[directory + block] = KEY_NONE
    words[directory + room + block] = block_id
    words[directory + 2 * room + block] = 0
    words[head + S_BLOCKS], words[base + B_FREE] = blocks + 1, free
    fill_words(words, base + BOOK_HEADER_WORDS + 7 * room + block_id * BLOCK_WORDS, BLOCK_LEVELS, KEY_NONE)


@kernel(void(words_out, i64, i64, i64, i64))
def drop_block(words, base, side, room, block):
    """Take a block out of the directory and give it back to the pool; its levels are the caller's to count.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    room   entries of a directory
    block  its place in the directory
    """
    head = base + B_SIDE + side * B_SIDE_WORDS
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    blocks, free = words[head + S_BLOCKS] - 1, words[base + B_FREE]
    words[base + BOOK_HEADER_WORDS + 6 * room + free] = words[directory + room + block]
    for column in range(3):
        at = directory + column * room + block
        move_words(words, at, words, at + 1, blocks - block)
    words[directory + blocks] = KEY_NONE
    words[head + S_BLOCKS], words[base + B_FREE] = blocks, free + 1


@kernel(void(words_out, i64, i64, i64, i64, i64))
def split_block(words, base, side, room, block, cut):
    """Move the levels of a full block from `cut` on into a new block behind it.

    words  int64[:]
    base   first word of the book, which has a free block
    side   BID or ASK
    room   entries of a directory
    block  its place in the directory
    cut    levels that stay, 1..BLOCK_LEVELS
    """
    add_block(words, base, side, room, block + 1)
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    pool = base + BOOK_HEADER_WORDS + 7 * room
    left = pool + words[directory + room + block] * BLOCK_WORDS
    right = pool + words[directory + room + block + 1] * BLOCK_WORDS
    moved = BLOCK_LEVELS - cut
    move_words(words, right, words, left + cut, moved)
    move_words(words, right + BLOCK_LEVELS, words, left + BLOCK_LEVELS + cut, moved)
    fill_words(words, left + cut, moved, KEY_NONE)
    words[directory + 2 * room + block], words[directory + 2 * room + block + 1] = cut, moved
    if moved > 0:
        words[directory + block + 1] = words[directory + block]
    words[directory + block] = words[left + cut - 1]


@kernel(void(words_out, i64, i64, i64, i64))
def merge_blocks(words, base, side, room, block):
    """Move the levels of the next block to the end of this one and free the next.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    room   entries of a directory
    block  place of the left one; both together hold at most BLOCK_LEVELS
    """
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    pool = base + BOOK_HEADER_WORDS + 7 * room
    lengths = directory + 2 * room + block
    left = pool + words[directory + room + block] * BLOCK_WORDS + words[lengths]
    right = pool + words[directory + room + block + 1] * BLOCK_WORDS
    move_words(words, left, words, right, words[lengths + 1])
    move_words(words, left + BLOCK_LEVELS, words, right + BLOCK_LEVELS, words[lengths + 1])
    words[lengths] += words[lengths + 1]
    words[directory + block] = words[directory + block + 1]
    drop_block(words, base, side, room, block + 1)


@kernel(void(words_out, i64, i64, i64, i64))
def shrink_block(words, base, side, room, block):
    """Free a block that a delete left empty, or merge it with a neighbour if both became small.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    room   entries of a directory
    block  its place in the directory
    """
    lengths = base + BOOK_HEADER_WORDS + 3 * side * room + 2 * room + block
    length, blocks = words[lengths], words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS]
    if length == 0:
        drop_block(words, base, side, room, block)
    elif block + 1 < blocks and length + words[lengths + 1] <= MERGE_LEVELS:
        merge_blocks(words, base, side, room, block)
    elif block > 0 and words[lengths - 1] + length <= MERGE_LEVELS:
        merge_blocks(words, base, side, room, block - 1)


@kernel(void(words_out, i64, i64, i64, i64, i64, i64, i64))
def put_level(words, base, side, room, block, position, key, qty):
    """Insert a level into a block that has space for it.

    words     int64[:]
    base      first word of the book
    side      BID or ASK
    room      entries of a directory
    block     its place in the directory
    position  place in the block, 0..length
    key       its key, between its neighbours'
    qty       its quantity, above 0
    """
    directory = base + BOOK_HEADER_WORDS + 3 * side * room
    lengths = directory + 2 * room + block
    length = words[lengths]
    first = base + BOOK_HEADER_WORDS + 7 * room + words[directory + room + block] * BLOCK_WORDS
    insert_word(words, first, position, key)
    insert_word(words, first + BLOCK_LEVELS, position, qty)
    words[lengths] = length + 1
    words[base + B_SIDE + side * B_SIDE_WORDS + S_LEVELS] += 1
    if position == length:
        words[directory + block] = key
