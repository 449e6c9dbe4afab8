"""The shadow audit: a snapshot, brought to the id of the live book by the diffs kept meanwhile, against that book.

The snapshot goes into a private book, the kept diffs behind it by the venue's own rule; at equal ids both must
hold the same levels as far as both are known completely. Nothing here changes the live book.
"""

from .. import layout
from ..jit import Frame, Rows, i64, kernel, void, words_in, words_out
from ..layout import (
    B_HORIZON,
    B_SIDE,
    B_SIDE_WORDS,
    BLOCK_LEVELS,
    BLOCK_WORDS,
    BOOK_HEADER_WORDS,
    DIRECTORY_STEP,
    KEY_NONE,
    S_BLOCKS,
    SIDES,
)
from ..workspace import (
    AUDIT_FULL,
    P_FIRST,
    P_LAST,
    P_PREV,
    P_WORDS,
    PHASE_HOLDING,
    PHASE_SYNCED,
    ST_BOOK_ID,
    ST_PHASE,
    ST_USED,
    W_AUDIT,
    W_AUDIT_BOOK,
    W_AUDIT_FROM,
    W_AUDIT_LEVELS,
    W_INSTRUMENTS,
    W_MONO_NS,
    W_RECV_NS,
    W_SNAPSHOT_LIMIT,
)
from .apply import RULE_WORD
from .book_apply import apply_rows
from .emit import book_of, state_of
from .pending import pending_of, restore_diff
from .snapshot import fill_book
from .sync import SYNC_ACCEPT, SYNC_GAP, decide
from .views import INSTRUMENT_WORDS

# What `take_audit` answers.
AUDIT_SAME = 0  # every level known to both is the same
AUDIT_EARLY = 1  # the live book has not reached the snapshot's id yet: ask again when it has
AUDIT_DIFFERENT = 2  # some level is not: W_AUDIT_* say which came first
AUDIT_OUT_OF_LINE = 3  # the live book was lost meanwhile, or the diffs do not continue the snapshot
AUDIT_OLD = 4  # the snapshot is older than the first diff kept
AUDIT_NO_ROOM = 5  # more diffs came than there is room for
# Words of a comparison's result, from W_AUDIT_LEVELS.
LEVELS, DIFFERENT, FIRST_SIDE, FIRST_PRICE, FIRST_HELD, FIRST_TRUE = range(6)


@kernel(i64(words_in, i64, i64, i64))
def has_place(words, base, side, place):
    """Return 1 while a place is not behind the last block of its side.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    place  block in the directory * BLOCK_LEVELS + position in the block, 0 or more
    """
    return i64(place // BLOCK_LEVELS < words[base + B_SIDE + side * B_SIDE_WORDS + S_BLOCKS])


@kernel(i64(words_in, i64, i64, i64))
def place_word(words, base, side, place):
    """Return the word that holds the key at a place; its quantity lies BLOCK_LEVELS further.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    place  as in has_place, which said yes
    """
    room = (words[base + layout.B_BLOCKS] + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    block_id = words[base + BOOK_HEADER_WORDS + (3 * side + 1) * room + place // BLOCK_LEVELS]
    return base + BOOK_HEADER_WORDS + 7 * room + block_id * BLOCK_WORDS + place % BLOCK_LEVELS


@kernel(i64(words_in, i64, i64, i64))
def place_key(words, base, side, place):
    """Return the key at a place of a side, KEY_NONE behind the last.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    place  as in has_place
    """
    return words[place_word(words, base, side, place)] if has_place(words, base, side, place) else KEY_NONE


@kernel(i64(words_in, i64, i64, i64))
def next_place(words, base, side, place):
    """Return the place behind a place.

    words  int64[:]
    base   first word of the book
    side   BID or ASK
    place  as in has_place, which said yes
    """
    room = (words[base + layout.B_BLOCKS] + DIRECTORY_STEP - 1) // DIRECTORY_STEP * DIRECTORY_STEP
    block, position = place // BLOCK_LEVELS, place % BLOCK_LEVELS
    length = words[base + BOOK_HEADER_WORDS + (3 * side + 2) * room + block]
    return place + 1 if position + 1 < length else (block + 1) * BLOCK_LEVELS


@kernel(void(words_in, i64, words_in, i64, i64, words_out, i64))
def compare_side(held, held_base, true, true_base, side, found, at):
    """Compare one side of two books, level by level, as far as both are known completely.

    held       int64[:], the book that is judged
    held_base  its first word
    true       int64[:], the book it should equal
    true_base  its first word
    side       BID or ASK
    found      int64[:], may be `true`
    at         first of six words: levels and differences are added; of the first difference side, price
               and both quantities are set, 0 where the level is absent
    """
    sign, here, there = 2 * side - 1, i64(0), i64(0)
    bound = min(sign * held[held_base + B_HORIZON + side], sign * true[true_base + B_HORIZON + side])
    while True:
        held_key = place_key(held, held_base, side, here)
        true_key = place_key(true, true_base, side, there)
        key, held_qty, true_qty = min(held_key, true_key), i64(0), i64(0)
        if key > bound or key == KEY_NONE:
            return
        if held_key == key:
            held_qty = held[place_word(held, held_base, side, here) + BLOCK_LEVELS]
            here = next_place(held, held_base, side, here)
        if true_key == key:
            true_qty = true[place_word(true, true_base, side, there) + BLOCK_LEVELS]
            there = next_place(true, true_base, side, there)
        found[at + LEVELS] += 1
        if held_qty != true_qty:
            if found[at + DIFFERENT] == 0:
                found[at + FIRST_SIDE], found[at + FIRST_PRICE] = side, sign * key
                found[at + FIRST_HELD], found[at + FIRST_TRUE] = held_qty, true_qty
            found[at + DIFFERENT] += 1


@kernel(i64(words_out, Frame, Rows, i64))
def rebuild(work, frame, rows, symbol_id):
    """Make the private book of the decoded snapshot and the kept diffs behind it.

    work       int64[:], workspace
    frame      frame_dtype[1], filled by the snapshot scanner; overwritten
    rows       level_dtype[2, cap], filled by the snapshot scanner; overwritten
    symbol_id  row of the symbol table under audit
    Returns    id the private book stands at; -1 when the diffs do not continue the snapshot.
    """
    rule = work[work[W_INSTRUMENTS] + symbol_id * INSTRUMENT_WORDS + RULE_WORD]
    kept, base = work[layout.GEO_SYMBOLS], work[W_AUDIT_BOOK]
    recv_ns, mono_ns, is_first, book_id = work[W_RECV_NS], work[W_MONO_NS], i64(1), frame[0].last_id
    fill_book(work, base, frame, rows, work[layout.GEO_BOOK_BLOCKS], work[W_SNAPSHOT_LIMIT])
    at = pending_of(work, kept)
    stop = at + work[state_of(work, kept) + ST_USED]
    while at < stop:
        last_id = work[at + P_LAST]
        verdict = decide(rule, is_first, book_id, work[at + P_FIRST], last_id, work[at + P_PREV])
        if verdict == SYNC_GAP:
            return i64(-1)
        if verdict == SYNC_ACCEPT:
            restore_diff(work, frame, rows, symbol_id, at)
            for side in range(SIDES):
                apply_rows(work, base, side, rows, frame[0].rows[side])
            is_first, book_id = i64(0), last_id
        at += work[at + P_WORDS]
    work[W_RECV_NS], work[W_MONO_NS] = recv_ns, mono_ns
    return book_id


@kernel(i64(words_in, words_out, Frame, Rows, i64))
def take_audit(words, work, frame, rows, symbol_id):
    """Judge a symbol's live book by the decoded snapshot.

    words      int64[:], the bus
    work       int64[:], workspace; the result stands from W_AUDIT_LEVELS on
    frame      frame_dtype[1], filled by the snapshot scanner; overwritten unless AUDIT_EARLY comes back
    rows       level_dtype[2, cap], filled by the snapshot scanner
    symbol_id  row of the symbol table
    Returns    an AUDIT_* code.
    """
    state, snapshot_id = state_of(work, symbol_id), frame[0].last_id
    if work[W_AUDIT] == AUDIT_FULL:
        return i64(AUDIT_NO_ROOM)
    if work[W_AUDIT] != symbol_id + 1 or work[state + ST_PHASE] not in (PHASE_SYNCED, PHASE_HOLDING):
        return i64(AUDIT_OUT_OF_LINE)
    if snapshot_id < work[W_AUDIT_FROM]:
        return i64(AUDIT_OLD)
    if work[state + ST_BOOK_ID] < snapshot_id:
        return i64(AUDIT_EARLY)
    if rebuild(work, frame, rows, symbol_id) != work[state + ST_BOOK_ID]:
        return i64(AUDIT_OUT_OF_LINE)
    for word in range(FIRST_TRUE + 1):
        work[W_AUDIT_LEVELS + word] = 0
    live, base = book_of(work, symbol_id), work[W_AUDIT_BOOK]
    for side in range(SIDES):
        compare_side(words, live, work, base, side, work, W_AUDIT_LEVELS)
    return i64(AUDIT_DIFFERENT if work[W_AUDIT_LEVELS + DIFFERENT] > 0 else AUDIT_SAME)
