"""What a decoded frame does: a diff goes through its symbol's sequence rule to the book, the rest to the ring."""

from .. import layout
from ..jit import INLINE, Frame, Rows, i64, kernel, void, words_out
from ..workspace import (
    ARRIVAL_WORDS,
    PHASE_BUFFERING,
    PHASE_HOLDING,
    PHASE_IDLE,
    PHASE_SYNCED,
    ST_BOOK_ID,
    ST_FIRST,
    ST_HAS_DIFFS,
    ST_HEALTH,
    ST_PHASE,
    W_ARRIVALS,
    W_BOOK,
    W_HOLD_NS,
    W_INSTRUMENTS,
    W_MONO_NS,
    W_NEXT_SEQ,
    W_RECV_NS,
)
from .apply import RULE_WORD, apply_diff, lose_book
from .book_apply import expect_rows
from .emit import book_of, count, emit_image, emit_trade, state_of
from .histogram import record
from .hold import hold_diff, release_held
from .legs import is_known_image, is_known_trade, note_copy, note_diff, note_win
from .pending import keep_diff, keep_in_order
from .ring import expect
from .sync import SYNC_ACCEPT, SYNC_DROP, decide
from .views import INSTRUMENT_WORDS

C_DUPLICATES, C_REPEATS = layout.C["duplicates"], layout.C["repeats"]
C_BUFFERED, C_BUFFER_DROPS = layout.C["buffered"], layout.C["buffer_drops"]


@kernel(void(words_out, words_out, Frame, Rows))
def buffer_diff(words, work, frame, rows):
    """Keep a diff until a snapshot comes.

    words  int64[:], the bus
    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_BOOK
    rows   level_dtype[2, cap]
    """
    symbol_id = frame[0].symbol_id
    count(words, work, C_BUFFERED, 1)
    if work[W_HOLD_NS] > 0:
        lost = max(i64(0), keep_in_order(work, frame, rows, symbol_id))
    else:
        lost = keep_diff(work, frame, rows, symbol_id)
    count(words, work, C_BUFFER_DROPS, lost)


@kernel(void(words_out, words_out, Frame, Rows), **INLINE)
def accept_diff(words, work, frame, rows):
    """Take a decoded diff through its symbol's sequence rule.

    words  int64[:], the bus
    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_BOOK
    rows   level_dtype[2, cap]
    """
    diff, is_shared = frame[0], work[W_HOLD_NS] > 0
    symbol_id = diff.symbol_id
    state = state_of(work, symbol_id)
    phase = work[state + ST_PHASE]
    if is_shared:
        note_diff(work, symbol_id, diff.last_id)
    if phase in (PHASE_SYNCED, PHASE_HOLDING):
        rule = work[work[W_INSTRUMENTS] + symbol_id * INSTRUMENT_WORDS + RULE_WORD]
        is_first, book_id = work[state + ST_FIRST], work[state + ST_BOOK_ID]
        verdict = decide(rule, is_first, book_id, diff.first_id, diff.last_id, diff.prev_id)
        if verdict == SYNC_ACCEPT:
            if is_shared:
                note_win(words, work, symbol_id, diff.last_id)
            apply_diff(words, work, frame, rows, symbol_id)
            if phase == PHASE_HOLDING and work[state + ST_PHASE] == PHASE_HOLDING:
                release_held(words, work, frame, rows, symbol_id)
        elif verdict == SYNC_DROP:
            count(words, work, C_DUPLICATES, 1)
            if is_shared:
                note_copy(words, work, symbol_id, diff.last_id)
        elif not is_shared or hold_diff(words, work, frame, rows, symbol_id) == 0:
            lose_book(words, work, frame, symbol_id, layout.CAUSE_SEQUENCE_GAP)
        phase = work[state + ST_PHASE]
    if phase == PHASE_BUFFERING:  # the event that showed the gap is kept too: the snapshot decides
        buffer_diff(words, work, frame, rows)


@kernel(void(words_out, words_out, Frame, Rows))
def accept_image(words, work, frame, rows):
    """Publish the venue's best bid and offer, or its partial depth.

    words  int64[:], the bus
    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_TICKER or KIND_DEPTH
    rows   level_dtype[2, cap]
    """
    state = state_of(work, frame[0].symbol_id)
    alone = frame[0].kind == layout.KIND_DEPTH and work[state + ST_HAS_DIFFS] == 0
    if alone and work[state + ST_HEALTH] != layout.LIVE:
        work[state + ST_HEALTH], work[state + ST_PHASE] = layout.LIVE, PHASE_IDLE
    emit_image(words, work, frame, rows, 1 if alone else 0)


@kernel(void(words_out, words_out, Frame, Rows), **INLINE)
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
    is_shared = work[W_HOLD_NS] > 0
    expect(words, work, work[W_NEXT_SEQ])
    if event.kind == layout.KIND_BOOK:
        base = book_of(work, event.symbol_id)
        if base != work[W_BOOK]:  # else most of it is near already
            work[W_BOOK] = base
            for side in range(layout.SIDES):  # before anything is looked at
                expect_rows(words, base, side, rows, event.rows[side])
        accept_diff(words, work, frame, rows)
    elif event.kind == layout.KIND_TRADE:
        if is_shared and is_known_trade(work, frame):
            count(words, work, C_REPEATS, 1)
        else:
            emit_trade(words, work, frame)
    elif is_shared and is_known_image(work, frame):
        count(words, work, C_REPEATS, 1)
    else:
        accept_image(words, work, frame, rows)
