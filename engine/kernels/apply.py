"""What a decoded frame does: a diff goes through its symbol's sequence rule to the book, the rest to the ring."""

from .. import layout
from ..jit import Frame, Rows, i64, kernel, void, words_out
from ..layout import ASK, BID
from ..workspace import (
    ARRIVAL_WORDS,
    PHASE_BUFFERING,
    PHASE_IDLE,
    PHASE_SYNCED,
    ST_BLIND,
    ST_BOOK_ID,
    ST_CAUSE,
    ST_FIRST,
    ST_GAPS,
    ST_HAS_DIFFS,
    ST_HEALTH,
    ST_MISSED,
    ST_PHASE,
    ST_RESYNCS,
    ST_WANTS,
    W_ARRIVALS,
    W_CHANGED,
    W_DELTAS,
    W_INSTRUMENTS,
    W_MONO_NS,
    W_NEXT_SEQ,
    W_PUBLISH_ALL,
    W_RECV_NS,
)
from . import llvm
from .book import apply_rows, is_crossed
from .book_area import book_begin, book_end
from .delta import count_parts, emit_delta
from .emit import book_of, count, emit_book, emit_image, emit_status, emit_trade, state_of
from .histogram import record
from .pending import clear_pending, keep_diff
from .sync import SYNC_ACCEPT, SYNC_DROP, decide
from .views import INSTRUMENT_WORDS

C_LEVELS, C_DUPLICATES = layout.C["levels"], layout.C["duplicates"]
C_BUFFERED, C_BUFFER_DROPS = layout.C["buffered"], layout.C["buffer_drops"]
C_GAPS, C_CROSSED, C_UNCHANGED = layout.C["gaps"], layout.C["crossed"], layout.C["unchanged_books"]
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
    cause      layout.CAUSE_*
    """
    state = state_of(work, symbol_id)
    missed = max(i64(0), frame[0].first_id - work[state + ST_BOOK_ID] - 1)
    work[state + ST_MISSED] = missed if cause == layout.CAUSE_SEQUENCE_GAP else 0
    work[state + ST_PHASE], work[state + ST_WANTS] = PHASE_BUFFERING, 1
    work[state + ST_GAPS] += 1
    work[state + ST_RESYNCS] += 1
    clear_pending(work, symbol_id)
    count(words, work, C_GAPS, 1)
    if cause == layout.CAUSE_CROSSED:
        count(words, work, C_CROSSED, 1)
    set_health(words, work, frame, symbol_id, layout.GAP, cause)


@kernel(i64(words_out, words_out, Frame, Rows, i64))
def change_book(words, work, frame, rows, symbol_id):
    """Apply the diff's levels to the full book; the caller holds the book's seqlock.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1] of KIND_BOOK
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table
    Returns    smallest rank that changed.
    """
    base, state, diff = book_of(work, symbol_id), state_of(work, symbol_id), frame[0]
    bids, asks = diff.rows[BID], diff.rows[ASK]
    rank = min(apply_rows(words, base, BID, rows, bids), apply_rows(words, base, ASK, rows, asks))
    work[state + ST_BOOK_ID], work[state + ST_FIRST] = diff.last_id, 0
    count(words, work, C_LEVELS, bids + asks)
    return rank


@kernel(void(words_out, words_out, Frame, Rows, i64))
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
    rank = change_book(words, work, frame, rows, symbol_id)
    crossed = is_crossed(words, base)
    shown = rank < work[layout.GEO_TOP_N] or work[W_PUBLISH_ALL] == 1
    health = layout.GAP if crossed else work[state + ST_HEALTH]
    parts = count_parts(work, frame) if work[W_DELTAS] == 1 and not crossed else 0
    as_of = llvm.wrapping_add(work[W_NEXT_SEQ], parts - 1 + shown)
    book_end(words, base, as_of, frame[0].last_id, work[W_RECV_NS], frame[0].event_ns, health)
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


@kernel(void(words_out, words_out, Frame, Rows))
def accept_diff(words, work, frame, rows):
    """Take a decoded diff through its symbol's sequence rule.

    words  int64[:], the bus
    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_BOOK
    rows   level_dtype[2, cap]
    """
    diff = frame[0]
    symbol_id = diff.symbol_id
    state = state_of(work, symbol_id)
    phase = work[state + ST_PHASE]
    if phase == PHASE_SYNCED:
        rule = work[work[W_INSTRUMENTS] + symbol_id * INSTRUMENT_WORDS + RULE_WORD]
        is_first, book_id = work[state + ST_FIRST], work[state + ST_BOOK_ID]
        verdict = decide(rule, is_first, book_id, diff.first_id, diff.last_id, diff.prev_id)
        if verdict == SYNC_ACCEPT:
            apply_diff(words, work, frame, rows, symbol_id)
        elif verdict == SYNC_DROP:
            count(words, work, C_DUPLICATES, 1)
        else:
            lose_book(words, work, frame, symbol_id, layout.CAUSE_SEQUENCE_GAP)
        phase = work[state + ST_PHASE]
        if phase == PHASE_SYNCED:
            return
    if phase == PHASE_BUFFERING:  # the event that showed the gap is kept too: the snapshot decides
        count(words, work, C_BUFFERED, 1)
        count(words, work, C_BUFFER_DROPS, keep_diff(work, frame, rows, symbol_id))


@kernel(void(words_out, words_out, Frame, Rows))
def accept(words, work, frame, rows):
    """Act on one decoded frame.

    words  int64[:], the bus
    work   int64[:], workspace
    frame  frame_dtype[1]; kind 0 means valid but nothing to do
    rows   level_dtype[2, cap]
    """
    event = frame[0]
    if event.kind == 0:
        return
    arrival = work[W_ARRIVALS] + event.symbol_id * ARRIVAL_WORDS + 2 * event.kind
    work[arrival] = work[W_MONO_NS]
    work[arrival + 1] += 1
    if event.event_ns > 0:
        record(words, work[layout.GEO_HISTOGRAMS], work[W_RECV_NS] - event.event_ns)
    if event.kind == layout.KIND_BOOK:
        accept_diff(words, work, frame, rows)
    elif event.kind == layout.KIND_TRADE:
        emit_trade(words, work, frame)
    else:
        state = state_of(work, event.symbol_id)
        alone = event.kind == layout.KIND_DEPTH and work[state + ST_HAS_DIFFS] == 0
        if alone and work[state + ST_HEALTH] != layout.LIVE:
            work[state + ST_HEALTH], work[state + ST_PHASE] = layout.LIVE, PHASE_IDLE
        emit_image(words, work, frame, rows, 1 if alone else 0)
