"""What an accepted diff does to its book, and how a book is lost; each change of health is told in records."""

from .. import layout
from ..jit import INLINE, Frame, Rows, i64, kernel, void, words_out
from ..layout import ASK, B_EVICTED, B_ORPHANS, BID
from ..workspace import (
    AUDIT_LOST,
    P_FIRST,
    PHASE_BUFFERING,
    PHASE_HOLDING,
    ST_BLIND,
    ST_BOOK_ID,
    ST_CAUSE,
    ST_COUNT,
    ST_FIRST,
    ST_GAPS,
    ST_HEALTH,
    ST_MISSED,
    ST_PHASE,
    ST_RESYNCS,
    ST_SPOILED,
    ST_WANTS,
    W_AUDIT,
    W_CHANGED,
    W_DELTAS,
    W_NEXT_SEQ,
    W_PUBLISH_ALL,
    W_RECV_NS,
)
from . import llvm
from .book import is_crossed
from .book_apply import apply_rows
from .book_area import book_begin, book_end
from .delta import count_parts, emit_delta
from .emit import book_of, count, emit_book, emit_status, state_of
from .ledger import note_health
from .pending import clear_pending, keep_for_audit, pending_of

C_LEVELS, C_GAPS = layout.C["levels"], layout.C["gaps"]
C_CROSSED, C_UNCHANGED = layout.C["crossed"], layout.C["unchanged_books"]
C_EVICTIONS, C_ORPHANS = layout.C["evictions"], layout.C["orphan_deletes"]
RULE_WORD = layout.instrument_dtype.fields["rule"][1] // layout.WORD_BYTES  # type: ignore[index]


@kernel(void(words_out, words_out, Frame, i64, i64, i64))
def set_health(words, work, frame, symbol_id, health, cause):
    """Change a symbol's health and tell it: book area, STATUS and BOOK on the ring, board.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1], the event at which it changed
    symbol_id  row of the symbol table
    health     new health
    cause      layout.CAUSE_*
    """
    state, base = state_of(work, symbol_id), book_of(work, symbol_id)
    old, recv_ns, blind_ns = work[state + ST_HEALTH], work[W_RECV_NS], i64(0)
    if old == layout.LIVE and health != layout.LIVE:
        work[state + ST_BLIND] = recv_ns
    if old != layout.LIVE and work[state + ST_BLIND] > 0:
        blind_ns = recv_ns - work[state + ST_BLIND]
    if health == layout.LIVE:
        work[state + ST_BLIND] = 0
    work[state + ST_HEALTH], work[state + ST_CAUSE], work[W_CHANGED] = health, cause, 1
    book_begin(words, base)
    event_ns, book_id = frame[0].event_ns, work[state + ST_BOOK_ID]
    as_of = llvm.wrapping_add(work[W_NEXT_SEQ], 1)  # the STATUS below, then the BOOK
    book_end(words, base, as_of, book_id, recv_ns, event_ns, health)
    flags = layout.FLAG_SNAPSHOT if cause == layout.CAUSE_SNAPSHOT else 0
    note_health(words, work, symbol_id, old, blind_ns)
    if work[W_AUDIT] == symbol_id + 1 and health not in (layout.LIVE, layout.STALE):
        work[W_AUDIT] = AUDIT_LOST
    emit_status(words, work, frame, symbol_id, old, blind_ns, work[state + ST_MISSED])
    work[state + ST_MISSED] = 0
    emit_book(words, work, frame, symbol_id, flags)


@kernel(void(words_out, words_out, Frame, i64, i64))
def lose_book(words, work, frame, symbol_id, cause):
    """Declare a symbol's book lost: GAP, buffer from here on, ask for a snapshot.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1], the event that showed the loss
    symbol_id  row of the symbol table
    cause      layout.CAUSE_*; a sequence gap where a diff came but could not be read becomes CAUSE_MALFORMED
    """
    state, first_id, is_useless = state_of(work, symbol_id), frame[0].first_id, True
    if work[state + ST_PHASE] == PHASE_HOLDING and work[state + ST_COUNT] > 0:
        # What waits may be of use to the snapshot, and begins behind the hole.
        first_id, is_useless = work[pending_of(work, symbol_id) + P_FIRST], False
    book_id = work[state + ST_BOOK_ID]
    work[state + ST_MISSED] = max(i64(0), first_id - book_id - 1) if cause == layout.CAUSE_SEQUENCE_GAP else 0
    if cause == layout.CAUSE_SEQUENCE_GAP and work[state + ST_SPOILED] == book_id + 1:
        cause = i64(layout.CAUSE_MALFORMED)
    work[state + ST_PHASE], work[state + ST_WANTS] = PHASE_BUFFERING, 1
    work[state + ST_GAPS] += 1
    work[state + ST_RESYNCS] += 1
    if is_useless:
        clear_pending(work, symbol_id)
    count(words, work, C_GAPS, 1)
    if cause == layout.CAUSE_CROSSED:
        count(words, work, C_CROSSED, 1)
    set_health(words, work, frame, symbol_id, layout.GAP, cause)


@kernel(i64(words_out, words_out, Frame, Rows, i64), **INLINE)
def change_book(words, work, frame, rows, symbol_id):
    """Apply the diff's levels to the full book; the caller holds the book's seqlock.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1] of KIND_BOOK
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table
    Returns    1 when the last record shows something else now, else 0.
    """
    base, state, diff = book_of(work, symbol_id), state_of(work, symbol_id), frame[0]
    shown, evicted, orphans = i64(0), words[base + B_EVICTED], words[base + B_ORPHANS]
    for side in range(layout.SIDES):
        shown |= apply_rows(words, base, side, rows, diff.rows[side])
    work[state + ST_BOOK_ID], work[state + ST_FIRST] = diff.last_id, 0
    count(words, work, C_LEVELS, diff.rows[BID] + diff.rows[ASK])
    count(words, work, C_EVICTIONS, words[base + B_EVICTED] - evicted)
    count(words, work, C_ORPHANS, words[base + B_ORPHANS] - orphans)
    return shown


@kernel(void(words_out, words_out, Frame, Rows, i64), **INLINE)
def apply_diff(words, work, frame, rows, symbol_id):
    """Apply an accepted diff and publish the top of the book if it changed.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1] of KIND_BOOK
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table
    """
    base, state = book_of(work, symbol_id), state_of(work, symbol_id)
    book_begin(words, base)
    shown = change_book(words, work, frame, rows, symbol_id) | work[W_PUBLISH_ALL]
    crossed = is_crossed(words, base)
    health = layout.GAP if crossed else work[state + ST_HEALTH]
    parts = count_parts(work, frame) if work[W_DELTAS] == 1 and not crossed else 0
    as_of = llvm.wrapping_add(work[W_NEXT_SEQ], parts - 1 + shown)
    book_end(words, base, as_of, frame[0].last_id, work[W_RECV_NS], frame[0].event_ns, health)
    if work[W_AUDIT] == symbol_id + 1:
        keep_for_audit(work, frame, rows)
    if parts > 0:
        emit_delta(words, work, frame, rows, symbol_id)
    if crossed:
        lose_book(words, work, frame, symbol_id, layout.CAUSE_CROSSED)
    elif work[state + ST_HEALTH] == layout.STALE:
        set_health(words, work, frame, symbol_id, layout.LIVE, layout.CAUSE_RECOVERED)
    elif shown:
        emit_book(words, work, frame, symbol_id, 0)
    else:
        count(words, work, C_UNCHANGED, 1)
