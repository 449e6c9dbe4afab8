"""What every ingest call does around the venue's scanner, whatever the venue."""

from .. import layout
from ..jit import INLINE, i64, kernel, void, words_out
from ..workspace import (
    ST_BOOK_ID,
    W_HAND_CODE,
    W_HAND_LENGTH,
    W_HAND_START,
    W_HAND_TAG,
    W_MONO_NS,
    W_NEXT_SEQ,
    W_RECV_NS,
)
from . import llvm
from .accept import accept
from .apply import lose_book, set_health
from .book_area import serve_book_request
from .emit import count, state_of
from .hold import C_EXPIRED, is_over
from .pending import clear_pending
from .ring import publish_head
from .views import frame_of, rows_of

C_READS, C_BYTES, C_HANDED = layout.C["reads"], layout.C["bytes"], layout.C["handed_back"]
C_SLOW, C_REQUESTS = layout.C["slow_decodes"], layout.C["book_requests"]

DRAINED = 0  # everything complete was taken; W_CURSOR and W_NEED_BYTES say what is left
HANDED_BACK = 1  # a frame for Python lies at W_HAND_*; call again from W_CURSOR afterwards


@kernel(void(words_out, i64, i64, i64, i64))
def hand_back(work, code, start, length, tag):
    """Leave a frame for Python.

    work    int64[:], workspace
    code    a scanner's negative code, or a FRAME_* status
    start   offset of its payload in the buffer
    length  bytes of its payload
    tag     opcode | FIN << 7
    """
    work[W_HAND_CODE], work[W_HAND_START] = code, start
    work[W_HAND_LENGTH], work[W_HAND_TAG] = length, tag


@kernel(i64(words_out, words_out, i64, i64, i64), **INLINE)
def begin_read(words, work, recv_ns, mono_ns, size):
    """Note the stamps of a read and beat the heart.

    words    int64[:], the bus
    work     int64[:], workspace
    recv_ns  CLOCK_REALTIME at the socket, ns
    mono_ns  CLOCK_MONOTONIC at the socket, ns
    size     bytes read
    Returns  the seq the next record will get, for end_read.
    """
    work[W_RECV_NS], work[W_MONO_NS] = recv_ns, mono_ns
    count(words, work, C_READS, 1)
    count(words, work, C_BYTES, size)
    llvm.store_relaxed(words, layout.H_HEARTBEAT, recv_ns)
    return work[W_NEXT_SEQ]


@kernel(void(words_out, words_out, words_out, i64), **INLINE)
def end_read(words, ctl, work, first_seq):
    """Publish the head and wake sleepers if anything was published; serve a reader that asks for a full book.

    words      int64[:], the bus
    ctl        int64[:], the control page
    work       int64[:], workspace
    first_seq  what begin_read returned
    """
    if work[W_NEXT_SEQ] != first_seq:
        publish_head(words, work, work[W_NEXT_SEQ], ctl)
    count(words, work, C_REQUESTS, serve_book_request(words, work, ctl))


@kernel(void(words_out, words_out, words_out, i64, i64))
def apply_decoded(words, ctl, work, recv_ns, mono_ns):
    """Act on a frame that Python decoded into the workspace's frame and rows (the slow path).

    words    int64[:], the bus
    ctl      int64[:], the control page
    work     int64[:], workspace
    recv_ns  CLOCK_REALTIME of the read, ns
    mono_ns  CLOCK_MONOTONIC of the read, ns
    """
    first_seq = begin_read(words, work, recv_ns, mono_ns, 0)
    count(words, work, C_SLOW, 1)
    accept(words, work, frame_of(work), rows_of(work))
    end_read(words, ctl, work, first_seq)


@kernel(void(words_out, i64))
def blank_frame(work, symbol_id):
    """Forget the times of the last frame, and name the id the book stands at: what follows has another reason.

    work       int64[:], workspace
    symbol_id  row of the symbol table; an id of 0 without a book
    """
    frame, book_id = frame_of(work), max(i64(0), work[state_of(work, symbol_id) + ST_BOOK_ID])
    frame[0].event_ns, frame[0].txn_ns = 0, 0
    frame[0].first_id, frame[0].last_id = book_id, book_id


@kernel(void(words_out, words_out, words_out, i64, i64, i64))
def tell_health(words, ctl, work, symbol_id, health, cause):
    """Change a symbol's health for a reason outside the data; stamps stand in W_RECV_NS and W_MONO_NS.

    words      int64[:], the bus
    ctl        int64[:], the control page
    work       int64[:], workspace
    symbol_id  row of the symbol table
    health     new health
    cause      layout.CAUSE_*; a rescaled row keeps its buffered diffs, else only LIVE and STALE do
    """
    first_seq = work[W_NEXT_SEQ]
    blank_frame(work, symbol_id)
    if health != layout.STALE and health != layout.LIVE and cause != layout.CAUSE_RESCALED:
        clear_pending(work, symbol_id)
    set_health(words, work, frame_of(work), symbol_id, health, cause)
    end_read(words, ctl, work, first_seq)


@kernel(void(words_out, words_out, words_out, i64, i64))
def lose(words, ctl, work, symbol_id, cause):
    """Declare a book lost for a reason the sequence rule cannot see; stamps as in tell_health.

    words      int64[:], the bus
    ctl        int64[:], the control page
    work       int64[:], workspace
    symbol_id  row of the symbol table
    cause      layout.CAUSE_*
    """
    first_seq = work[W_NEXT_SEQ]
    blank_frame(work, symbol_id)
    lose_book(words, work, frame_of(work), symbol_id, cause)
    end_read(words, ctl, work, first_seq)


@kernel(i64(words_out, words_out, words_out, i64))
def end_hold(words, ctl, work, symbol_id):
    """Declare the gap of a symbol that has waited long enough for another connection; stamps as in tell_health.

    words      int64[:], the bus
    ctl        int64[:], the control page
    work       int64[:], workspace
    symbol_id  row of the symbol table, in PHASE_HOLDING
    Returns    1 if its wait was over, else 0.
    """
    if is_over(work, symbol_id, work[W_MONO_NS]) == 0:
        return i64(0)
    count(words, work, C_EXPIRED, 1)
    lose(words, ctl, work, symbol_id, layout.CAUSE_SEQUENCE_GAP)
    return i64(1)
