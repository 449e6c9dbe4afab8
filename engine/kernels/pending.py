"""Diffs kept while a snapshot is fetched: a bounded buffer per symbol, oldest dropped first, all in int64 words."""

from .. import layout
from ..jit import Frame, Rows, i64, kernel, void, words_out
from ..layout import ASK, BID
from ..workspace import (
    AUDIT_FULL,
    P_EVENT,
    P_FIRST,
    P_LAST,
    P_MONO,
    P_PREV,
    P_RECV,
    P_ROWS,
    P_TXN,
    P_WORDS,
    PENDING_HEADER_WORDS,
    ST_COUNT,
    ST_USED,
    W_AUDIT,
    W_MONO_NS,
    W_PENDING,
    W_PENDING_WORDS,
    W_RECV_NS,
)
from .emit import state_of

COPY = -1  # keep_in_order: that diff is buffered already


@kernel(i64(words_out, i64))
def pending_of(work, symbol_id):
    """Return the word offset of a symbol's buffer of diffs.

    work       int64[:], workspace
    symbol_id  row of the symbol table, in range
    """
    return work[W_PENDING] + symbol_id * work[W_PENDING_WORDS]


@kernel(void(words_out, i64))
def clear_pending(work, symbol_id):
    """Forget a symbol's buffered diffs.

    work       int64[:], workspace
    symbol_id  row of the symbol table
    """
    state = state_of(work, symbol_id)
    work[state + ST_USED] = 0
    work[state + ST_COUNT] = 0


@kernel(void(words_out, i64, i64))
def drop_words(work, symbol_id, words_wanted):
    """Drop whole diffs from the front until at least `words_wanted` words are free, or nothing is left.

    work          int64[:], workspace
    symbol_id     row of the symbol table
    words_wanted  words a new diff needs
    """
    state, start, room = state_of(work, symbol_id), pending_of(work, symbol_id), work[W_PENDING_WORDS]
    used, at, dropped = work[state + ST_USED], i64(0), i64(0)
    while at < used and used - at + words_wanted > room:
        at += work[start + at + P_WORDS]
        dropped += 1
    for word in range(used - at):
        work[start + word] = work[start + at + word]
    work[state + ST_USED] = used - at
    work[state + ST_COUNT] -= dropped


@kernel(void(words_out, Frame, Rows, i64))
def write_diff(work, frame, rows, at):
    """Write the decoded diff into the buffer, with the stamps of the read.

    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_BOOK
    rows   level_dtype[2, cap]
    at     word offset, with room for the diff
    """
    diff = frame[0]
    bids, asks = diff.rows[BID], diff.rows[ASK]
    work[at + P_WORDS] = PENDING_HEADER_WORDS + 2 * (bids + asks)
    work[at + P_FIRST], work[at + P_LAST] = diff.first_id, diff.last_id
    work[at + P_PREV], work[at + P_EVENT], work[at + P_TXN] = diff.prev_id, diff.event_ns, diff.txn_ns
    work[at + P_RECV], work[at + P_MONO] = work[W_RECV_NS], work[W_MONO_NS]
    work[at + P_ROWS + BID], work[at + P_ROWS + ASK] = bids, asks
    at += PENDING_HEADER_WORDS
    for side in range(layout.SIDES):
        for row in range(diff.rows[side]):
            work[at], work[at + 1] = rows[side, row].price, rows[side, row].qty
            at += 2


@kernel(i64(words_out, Frame, Rows, i64))
def keep_diff(work, frame, rows, symbol_id):
    """Buffer the decoded diff, dropping the oldest ones when there is no room.

    work       int64[:], workspace
    frame      frame_dtype[1] of KIND_BOOK
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table
    Returns    number of diffs lost for want of room, 0 normally.
    """
    need = PENDING_HEADER_WORDS + 2 * (frame[0].rows[BID] + frame[0].rows[ASK])
    state, before = state_of(work, symbol_id), work[state_of(work, symbol_id) + ST_COUNT]
    room = work[W_PENDING_WORDS]
    if work[state + ST_USED] + need > room:
        # Half the buffer at a time: dropping one by one would move the rest for every diff.
        drop_words(work, symbol_id, max(need, room // 2))
    lost = before - work[state + ST_COUNT]
    if need > room:
        return lost + 1
    write_diff(work, frame, rows, pending_of(work, symbol_id) + work[state + ST_USED])
    work[state + ST_USED] += need
    work[state + ST_COUNT] += 1
    return lost


@kernel(void(words_out, Frame, Rows))
def keep_for_audit(work, frame, rows):
    """Keep a diff that the book under audit has taken; one that is lost for want of room ends the audit.

    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_BOOK
    rows   level_dtype[2, cap]
    """
    if keep_diff(work, frame, rows, work[layout.GEO_SYMBOLS]) > 0:
        work[W_AUDIT] = AUDIT_FULL


@kernel(i64(words_out, Frame, Rows, i64))
def keep_in_order(work, frame, rows, symbol_id):
    """Buffer the decoded diff by its first id, as when connections bring them out of order; a copy is left out.

    work       int64[:], workspace
    frame      frame_dtype[1] of KIND_BOOK
    rows       level_dtype[2, cap]
    symbol_id  row of the symbol table
    Returns    number of diffs lost for want of room, 0 normally; COPY for one that is there already.
    """
    diff, state, start = frame[0], state_of(work, symbol_id), pending_of(work, symbol_id)
    at, used = i64(0), work[state + ST_USED]
    need = PENDING_HEADER_WORDS + 2 * (diff.rows[BID] + diff.rows[ASK])
    while at < used and work[start + at + P_FIRST] <= diff.first_id:
        if work[start + at + P_FIRST] == diff.first_id and work[start + at + P_LAST] == diff.last_id:
            return i64(COPY)
        at += work[start + at + P_WORDS]
    if at == used or used + need > work[W_PENDING_WORDS]:
        return keep_diff(work, frame, rows, symbol_id)  # newest, or so many that the oldest must go
    for word in range(start + used - 1, start + at - 1, -1):
        work[word + need] = work[word]
    write_diff(work, frame, rows, start + at)
    work[state + ST_USED] += need
    work[state + ST_COUNT] += 1
    return i64(0)


@kernel(void(words_out, i64, i64))
def remove_diff(work, symbol_id, at):
    """Take one diff out of the buffer.

    work       int64[:], workspace
    symbol_id  row of the symbol table
    at         word offset of the diff
    """
    state, size = state_of(work, symbol_id), work[at + P_WORDS]
    stop = pending_of(work, symbol_id) + work[state + ST_USED]
    for word in range(at, stop - size):
        work[word] = work[word + size]
    work[state + ST_USED] -= size
    work[state + ST_COUNT] -= 1


@kernel(void(words_out, Frame, Rows, i64, i64))
def restore_diff(work, frame, rows, symbol_id, at):
    """Put a buffered diff back into frame and rows, with the stamps of its own read.

    work       int64[:], workspace
    frame      frame_dtype[1], overwritten
    rows       level_dtype[2, cap], overwritten
    symbol_id  row of the symbol table
    at         word offset of the diff
    """
    diff = frame[0]
    diff.kind, diff.symbol_id = layout.KIND_BOOK, symbol_id
    diff.side, diff.flags = layout.NO_SIDE, 0
    diff.first_id, diff.last_id, diff.prev_id = work[at + P_FIRST], work[at + P_LAST], work[at + P_PREV]
    diff.event_ns, diff.txn_ns = work[at + P_EVENT], work[at + P_TXN]
    work[W_RECV_NS], work[W_MONO_NS] = work[at + P_RECV], work[at + P_MONO]
    word = at + PENDING_HEADER_WORDS
    for side in range(layout.SIDES):
        diff.rows[side] = work[at + P_ROWS + side]
        for row in range(diff.rows[side]):
            rows[side, row].price, rows[side, row].qty = work[word], work[word + 1]
            word += 2
