"""The shadow audit: a snapshot, brought to the id of the live book by the diffs kept meanwhile, against that book.

The snapshot goes into a private book, the kept diffs behind it by the venue's own rule; at equal ids both must
hold the same levels as far as both are known completely. Nothing here changes the live book.
"""

from .. import layout
from ..jit import Frame, Rows, Triple, i64, kernel, void, words_in, words_out
from ..layout import (
    B_GROUPS,
    B_HORIZON,
    B_SIDE,
    B_SIDE_WORDS,
    GROUP_LEVELS,
    KEY_NONE,
    NEAR_LEVELS,
    S_GROUPS,
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
from .book import qty_of
from .book_apply import apply_rows
from .book_near import place_at
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


@kernel(Triple(words_in, i64, words_in, i64, i64, i64, i64))
def count_differences(words, base, others, other_base, side, bound, is_missing_only):
    """Look every level of one book up in another.

    words            int64[:], the book whose levels are looked up
    base             its first word
    others           int64[:], the book they are looked up in
    other_base       its first word
    side             BID or ASK
    bound            worst key up to which both are known completely
    is_missing_only  1: only those are counted that the other book does not have
    Returns          (levels counted, those with another quantity there, best key of these or KEY_NONE)
    """
    room, groups = words[base + B_GROUPS], words[base + B_SIDE + side * B_SIDE_WORDS + S_GROUPS]
    levels, different, best = i64(0), i64(0), i64(KEY_NONE)
    for entry in range(NEAR_LEVELS + groups * GROUP_LEVELS):
        key_at, qty_at = place_at(base, side, room, entry)
        key, qty = words[key_at], words[qty_at]
        if qty > 0 and key <= bound:
            other_qty = qty_of(others, other_base, side, key)
            if other_qty == 0 or not is_missing_only:
                levels += 1
                different += i64(other_qty != qty)
                best = min(best, key if other_qty != qty else KEY_NONE)
    return levels, different, best


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
    sign = 2 * side - 1
    bound = min(sign * held[held_base + B_HORIZON + side], sign * true[true_base + B_HORIZON + side])
    levels, different, best = count_differences(true, true_base, held, held_base, side, bound, 0)
    more, missing, first = count_differences(held, held_base, true, true_base, side, bound, 1)
    key = min(best, first)
    if found[at + DIFFERENT] == 0 and different + missing > 0:
        found[at + FIRST_SIDE], found[at + FIRST_PRICE] = side, sign * key
        found[at + FIRST_HELD] = qty_of(held, held_base, side, key)
        found[at + FIRST_TRUE] = qty_of(true, true_base, side, key)
    found[at + LEVELS] += levels + more
    found[at + DIFFERENT] += different + missing


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
    levels, floor = work[layout.GEO_BOOK_LEVELS], work[layout.GEO_TOP_N]
    fill_book(work, base, frame, rows, levels, floor, work[W_SNAPSHOT_LIMIT])
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
