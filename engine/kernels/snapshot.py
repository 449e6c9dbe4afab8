"""A REST snapshot becomes a book: does it fit the buffered diffs, and what do they make of it."""

from .. import layout
from ..jit import Frame, Rows, i64, kernel, void, words_out
from ..layout import B_EVICTED
from ..workspace import (
    P_FIRST,
    P_LAST,
    P_PREV,
    P_WORDS,
    PHASE_BUFFERING,
    PHASE_SYNCED,
    ST_BOOK_ID,
    ST_COUNT,
    ST_FIRST,
    ST_HEALTH,
    ST_PHASE,
    ST_USED,
    ST_WANTS,
    W_INSTRUMENTS,
    W_SNAPSHOT_LIMIT,
)
from .apply import RULE_WORD, change_book, lose_book, set_health
from .book import book_reset, is_crossed, set_horizon
from .book_apply import load_rows
from .book_area import book_begin, book_end
from .emit import book_of, count, state_of
from .pending import clear_pending, pending_of, restore_diff
from .sync import SYNC_ACCEPT, SYNC_DROP, SYNC_GAP, decide
from .views import INSTRUMENT_WORDS

C_SNAPSHOTS, C_DUPLICATES = layout.C["snapshots"], layout.C["duplicates"]
C_EVICTIONS = layout.C["evictions"]

# What `take_snapshot` answers.
SNAPSHOT_LIVE = 0  # the book is live
SNAPSHOT_TOO_OLD = 1  # older than the first buffered diff allows: fetch again
SNAPSHOT_GAP = 2  # it fitted, but the buffered diffs have a hole: fetch again
SNAPSHOT_UNWANTED = 3  # the symbol does not wait for one
SNAPSHOT_CROSSED = 4  # the result is crossed: fetch again


@kernel(i64(words_out, i64, i64, i64, i64))
def verdict_at(work, symbol_id, at, is_first, book_id):
    """Ask the symbol's rule about one buffered diff.

    work       int64[:], workspace
    symbol_id  row of the symbol table
    at         word offset of the diff
    is_first   1 for the first diff after the snapshot
    book_id    id the book would stand at
    Returns    a verdict of sync.decide.
    """
    rule = work[work[W_INSTRUMENTS] + symbol_id * INSTRUMENT_WORDS + RULE_WORD]
    return decide(rule, is_first, book_id, work[at + P_FIRST], work[at + P_LAST], work[at + P_PREV])


@kernel(i64(words_out, i64, i64))
def first_kept(work, symbol_id, snapshot_id):
    """Find the first buffered diff that is not contained in the snapshot.

    work         int64[:], workspace
    symbol_id    row of the symbol table
    snapshot_id  the snapshot's lastUpdateId
    Returns      its verdict: SYNC_ACCEPT, SYNC_GAP; SYNC_DROP when every diff is contained, or there is none.
    """
    at = pending_of(work, symbol_id)
    stop = at + work[state_of(work, symbol_id) + ST_USED]
    while at < stop:
        verdict = verdict_at(work, symbol_id, at, 1, snapshot_id)
        if verdict != SYNC_DROP:
            return verdict
        at += work[at + P_WORDS]
    return i64(SYNC_DROP)


@kernel(void(words_out, i64, Frame, Rows, i64, i64, i64))
def fill_book(words, base, frame, rows, levels, floor, limit):
    """Make a book of the decoded snapshot, complete as far as the venue did not cut it off.

    words   int64[:]
    base    first word of the book
    frame   frame_dtype[1]: the row counts
    rows    level_dtype[2, cap]
    levels  levels a side the book holds at most
    floor   as in book_reset
    limit   levels a side that were asked for; 0 unknown
    """
    book_reset(words, base, levels, floor)
    for side in range(layout.SIDES):
        count_rows, sign = frame[0].rows[side], 2 * side - 1
        load_rows(words, base, side, rows, count_rows)
        if count_rows > 0 and (count_rows >= limit or limit == 0):
            # The venue cut the side off here: further levels exist but are unknown.
            worst = rows[side, 0].price
            for row in range(count_rows):
                worst = sign * max(sign * worst, sign * rows[side, row].price)
            set_horizon(words, base, side, worst)


@kernel(void(words_out, words_out, Frame, Rows, i64))
def load_book(words, work, frame, rows, symbol_id):
    """Replace a symbol's book by the decoded snapshot; the caller holds the book's seqlock.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1]: last_id and the row counts
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table
    """
    state, levels, floor = state_of(work, symbol_id), work[layout.GEO_BOOK_LEVELS], work[layout.GEO_TOP_N]
    fill_book(words, book_of(work, symbol_id), frame, rows, levels, floor, work[W_SNAPSHOT_LIMIT])
    count(words, work, C_EVICTIONS, words[book_of(work, symbol_id) + B_EVICTED])
    work[state + ST_BOOK_ID], work[state + ST_FIRST] = frame[0].last_id, 1


@kernel(i64(words_out, words_out, Frame, Rows, i64))
def replay_pending(words, work, frame, rows, symbol_id):
    """Apply the buffered diffs to a freshly loaded book; the caller holds the book's seqlock.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1], left at the last diff applied
    rows       level_dtype[2, cap], overwritten
    symbol_id  row of the symbol table
    Returns    0, or the word offset of the diff before which something is missing.
    """
    state = state_of(work, symbol_id)
    at = pending_of(work, symbol_id)
    stop = at + work[state + ST_USED]
    while at < stop:
        verdict = verdict_at(work, symbol_id, at, work[state + ST_FIRST], work[state + ST_BOOK_ID])
        if verdict == SYNC_GAP:
            return at
        if verdict == SYNC_ACCEPT:
            restore_diff(work, frame, rows, symbol_id, at)
            change_book(words, work, frame, rows, symbol_id)
        else:
            count(words, work, C_DUPLICATES, 1)
        at += work[at + P_WORDS]
    return i64(0)


@kernel(void(words_out, i64, i64))
def keep_from(work, symbol_id, at):
    """Drop the buffered diffs before `at`.

    work       int64[:], workspace
    symbol_id  row of the symbol table
    at         word offset of the first diff kept
    """
    state, start = state_of(work, symbol_id), pending_of(work, symbol_id)
    stop, kept = start + work[state + ST_USED], i64(0)
    scan = at
    while scan < stop:
        kept += 1
        scan += work[scan + P_WORDS]
    for word in range(stop - at):
        work[start + word] = work[at + word]
    work[state + ST_USED], work[state + ST_COUNT] = stop - at, kept


@kernel(i64(words_out, words_out, Frame, Rows, i64))
def take_snapshot(words, work, frame, rows, symbol_id):
    """Build a symbol's book from the decoded snapshot and the buffered diffs, and publish it.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1], filled by the snapshot scanner
    rows       level_dtype[2, cap], filled by the snapshot scanner
    symbol_id  row of the symbol table
    Returns    a SNAPSHOT_* code; only SNAPSHOT_LIVE makes the book LIVE.
    """
    state, base = state_of(work, symbol_id), book_of(work, symbol_id)
    if work[state + ST_PHASE] != PHASE_BUFFERING:
        return i64(SNAPSHOT_UNWANTED)
    if first_kept(work, symbol_id, frame[0].last_id) == SYNC_GAP:
        return i64(SNAPSHOT_TOO_OLD)
    count(words, work, C_SNAPSHOTS, 1)
    book_begin(words, base)
    load_book(words, work, frame, rows, symbol_id)
    hole = replay_pending(words, work, frame, rows, symbol_id)
    crossed = is_crossed(words, base)
    # Not LIVE yet: set_health below says so, together with the records that carry it.
    book_end(words, base, 0, work[state + ST_BOOK_ID], 0, frame[0].event_ns, work[state + ST_HEALTH])
    if hole > 0:
        keep_from(work, symbol_id, hole)
        return i64(SNAPSHOT_GAP)
    if crossed:
        lose_book(words, work, frame, symbol_id, layout.CAUSE_CROSSED)
        return i64(SNAPSHOT_CROSSED)
    clear_pending(work, symbol_id)
    work[state + ST_PHASE], work[state + ST_WANTS] = PHASE_SYNCED, 0
    set_health(words, work, frame, symbol_id, layout.LIVE, layout.CAUSE_SNAPSHOT)
    return i64(SNAPSHOT_LIVE)
