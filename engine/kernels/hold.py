"""A diff that does not chain, while another connection may still bring what is missing: it waits, bounded.

The symbol's buffer of diffs holds what waits; the book stands as it is, LIVE, until the hole is filled or
the wait is over. Then it is a gap like any other, and what waited goes to the snapshot.
"""

from .. import layout
from ..jit import Frame, Rows, i64, kernel, void, words_out
from ..workspace import (
    P_FIRST,
    P_LAST,
    P_PREV,
    P_WORDS,
    PHASE_HOLDING,
    PHASE_SYNCED,
    ST_BOOK_ID,
    ST_COUNT,
    ST_FIRST,
    ST_HELD_SINCE,
    ST_PHASE,
    ST_USED,
    W_HOLD_NS,
    W_INSTRUMENTS,
    W_MONO_NS,
    W_RECV_NS,
)
from .apply import RULE_WORD, apply_diff
from .emit import count, state_of
from .legs import note_copy, note_win
from .pending import COPY, clear_pending, keep_in_order, pending_of, remove_diff, restore_diff
from .sync import SYNC_ACCEPT, SYNC_DROP, SYNC_GAP, decide
from .views import INSTRUMENT_WORDS

HELD_MAX = 64  # diffs of one symbol that may wait
C_HELD, C_FILLED, C_EXPIRED = layout.C["held"], layout.C["filled"], layout.C["holds_expired"]
C_DUPLICATES = layout.C["duplicates"]


@kernel(i64(words_out, i64, i64))
def is_over(work, symbol_id, mono_ns):
    """Tell whether a symbol has waited long enough, by time or by the number of diffs.

    work       int64[:], workspace
    symbol_id  row of the symbol table, in PHASE_HOLDING
    mono_ns    CLOCK_MONOTONIC, ns
    """
    state = state_of(work, symbol_id)
    waited_ns = mono_ns - work[state + ST_HELD_SINCE]
    return i64(waited_ns >= work[W_HOLD_NS] or work[state + ST_COUNT] >= HELD_MAX)


@kernel(i64(words_out, words_out, Frame, Rows, i64))
def hold_diff(words, work, frame, rows, symbol_id):
    """Let a diff wait for what lies between the book and it.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1] of KIND_BOOK, which the sequence rule called a gap
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table, in PHASE_SYNCED or PHASE_HOLDING
    Returns    1 if it waits; 0 if the wait is over: the caller declares the gap.
    """
    state = state_of(work, symbol_id)
    if frame[0].last_id < frame[0].first_id:
        return i64(0)  # an id range that runs backwards: nothing can fill that
    if work[state + ST_PHASE] == PHASE_SYNCED:
        clear_pending(work, symbol_id)
        work[state + ST_PHASE], work[state + ST_HELD_SINCE] = PHASE_HOLDING, work[W_MONO_NS]
    elif is_over(work, symbol_id, work[W_MONO_NS]):
        count(words, work, C_EXPIRED, 1)
        return i64(0)
    kept = keep_in_order(work, frame, rows, symbol_id)
    if kept == 0:
        count(words, work, C_HELD, 1)
        note_win(words, work, symbol_id, frame[0].last_id)
    elif kept == COPY:
        note_copy(words, work, symbol_id, frame[0].last_id)
    return i64(kept <= 0)


@kernel(i64(words_out, i64))
def next_held(work, symbol_id):
    """Find a diff that waits no longer: one that continues the book, or one that the book contains.

    work       int64[:], workspace
    symbol_id  row of the symbol table, in PHASE_HOLDING
    Returns    its word offset; -1 when every diff still waits, or there is none.
    """
    rule = work[work[W_INSTRUMENTS] + symbol_id * INSTRUMENT_WORDS + RULE_WORD]
    state, at = state_of(work, symbol_id), pending_of(work, symbol_id)
    is_first, book_id, stop = work[state + ST_FIRST], work[state + ST_BOOK_ID], at + work[state + ST_USED]
    while at < stop:
        verdict = decide(rule, is_first, book_id, work[at + P_FIRST], work[at + P_LAST], work[at + P_PREV])
        if verdict != SYNC_GAP:
            return at
        at += work[at + P_WORDS]
    return i64(-1)


@kernel(void(words_out, words_out, Frame, Rows, i64))
def release_held(words, work, frame, rows, symbol_id):
    """Apply what waited and fits now; the symbol is in order again when nothing waits any more.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1], overwritten
    rows       level_dtype[2, cap], overwritten
    symbol_id  row of the symbol table, in PHASE_HOLDING
    """
    rule = work[work[W_INSTRUMENTS] + symbol_id * INSTRUMENT_WORDS + RULE_WORD]
    state, recv_ns, mono_ns = state_of(work, symbol_id), work[W_RECV_NS], work[W_MONO_NS]
    at = next_held(work, symbol_id)
    while at >= 0:
        verdict = decide(
            rule, work[state + ST_FIRST], work[state + ST_BOOK_ID],
            work[at + P_FIRST], work[at + P_LAST], work[at + P_PREV],
        )  # fmt: skip
        if verdict == SYNC_ACCEPT:
            work[state + ST_HELD_SINCE] = mono_ns  # one hole is filled; another one has its own time
            restore_diff(work, frame, rows, symbol_id, at)
        remove_diff(work, symbol_id, at)
        if verdict == SYNC_DROP:
            count(words, work, C_DUPLICATES, 1)
        else:
            apply_diff(words, work, frame, rows, symbol_id)
            work[W_RECV_NS], work[W_MONO_NS] = recv_ns, mono_ns
            if work[state + ST_PHASE] != PHASE_HOLDING:
                return  # crossed: the book is lost, and what waited goes to the snapshot
        at = next_held(work, symbol_id)
    if work[state + ST_USED] == 0:
        work[state + ST_PHASE] = PHASE_SYNCED
        count(words, work, C_FILLED, 1)
