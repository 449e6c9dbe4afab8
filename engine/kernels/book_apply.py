"""One message's rows into a full book: the path every diff takes.

Most rows change one block and nothing else. Those are done here, with as few branches as can be; whatever moves
blocks goes to book.set_at.
"""

from ..jit import Rows, i64, kernel, words_out
from ..layout import (
    B_BLOCKS,
    B_ORPHANS,
    B_SIDE,
    B_SIDE_WORDS,
    BLOCK_LEVELS,
    BLOCK_WORDS,
    BOOK_HEADER_WORDS,
    DIRECTORY_STEP,
    KEY_NONE,
    MERGE_LEVELS,
    RANK_UNCHANGED,
    S_BLOCKS,
    S_LEVELS,
)
from .book import find_block, rank_at, set_at
from .llvm import count_block, edit_words

EDIT_MOVES = -1


# Inlined, because passing an array costs more than half of what this does.
@kernel(i64(words_out, i64, i64, i64, i64, i64, i64), inline="always")
def edit_at(words, base, side, room, block, key, qty):
    """Set the quantity at a key inside its block, as long as the directory can stay as it is.

    words    int64[:]
    base     first word of the book
    side     BID or ASK
    room     entries of a directory
    block    what find_block answers for the key, below the side's blocks
    key      price for ASK, -price for BID
    qty      quantity, 0 or less deletes
    Returns  1 changed, 0 nothing to change, EDIT_MOVES when blocks would have to move: nothing was done.
    """
    head, directory = base + B_SIDE + side * B_SIDE_WORDS, base + BOOK_HEADER_WORDS + 3 * side * room
    lengths, block_id = directory + 2 * room + block, words[directory + room + block]
    first = base + BOOK_HEADER_WORDS + 7 * room + block_id * BLOCK_WORDS
    position, length = count_block(words, first, key), words[lengths]
    at = first + position
    # Held and still wanted, as one number: two conditions would be two branches, the first a toss-up.
    if (words[at] ^ key) | (max(min(qty, 1), 0) - 1) == 0:
        held = words[at + BLOCK_LEVELS]
        words[at + BLOCK_LEVELS] = qty
        return i64(held != qty)
    # Insert, delete or a delete of nothing: nobody can predict which, so the same code does all three.
    is_held, is_live = words[at] == key, qty > 0
    grows, shrinks, orphan = i64(is_live), i64(is_held), i64(not (is_held or is_live))
    before = words[lengths - 1] | i64(block == 0) << 20  # no neighbour counts as a long one
    behind = words[lengths + 1] | i64(block + 1 == words[head + S_BLOCKS]) << 20
    # A delete looks one word behind its block: the pool's last one goes the careful way too.
    is_edge = (position == length - 1) | (block_id == words[base + B_BLOCKS] - 1)
    is_small = length - 1 + min(before, behind) <= MERGE_LEVELS
    if (grows & (length == BLOCK_LEVELS)) | (shrinks & (is_edge | is_small)):
        return i64(EDIT_MOVES)
    step, place = grows - shrinks, position | orphan * 2 * BLOCK_LEVELS  # behind all: nothing is written
    edit_words(words, first, place, key, step, KEY_NONE)
    edit_words(words, first + BLOCK_LEVELS, place, qty, step, 0)
    words[lengths] = length + step
    words[head + S_LEVELS] += step
    words[base + B_ORPHANS] += orphan
    return grows | shrinks


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
    directory, used = (
        base + BOOK_HEADER_WORDS + 3 * side * room,
        base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS,
    )
    sign, rank, best, blocks = 2 * side - 1, i64(RANK_UNCHANGED), i64(KEY_NONE), words[used]
    count, changed = min(count, i64(rows.shape[1])), i64(0)
    next_key = sign * price[side, 0] if count > 0 else 0
    next_block = find_block(words, directory, blocks, next_key)
    for row in range(count):
        key, block = next_key, next_block
        # Look one row ahead: the processor works on both at once.
        next_key = sign * price[side, min(row + 1, count - 1)]
        next_block = find_block(words, directory, blocks, next_key)
        done = i64(EDIT_MOVES)
        if block < blocks:
            done = edit_at(words, base, side, room, block, key, qty[side, row])
        if done == EDIT_MOVES:
            rank = min(rank, set_at(words, base, side, room, block, key, qty[side, row]))
            blocks = words[used]
            next_block = find_block(words, directory, blocks, next_key)
        else:
            best, changed = min(best, key if done else KEY_NONE), changed | done
    if changed:  # at `best` or behind it: the levels before are those that were there when it did
        rank = min(rank, rank_at(words, base, side, room, best))
    return rank


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
