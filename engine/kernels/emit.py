"""Records: fields written straight into the claimed ring slot, then committed, then copied to the board.

Order per event: book area, then ring, then board cell; `head` is stored once per drained batch.
"""

from .. import layout
from ..jit import INLINE, Frame, Rows, i64, kernel, void, words_out
from ..layout import ASK, BID, SIDES
from ..workspace import (
    ST_CAUSE,
    ST_HEALTH,
    STATE_WORDS,
    W_INJECTED_CLOCK,
    W_MONO_NS,
    W_NEXT_SEQ,
    W_RECV_NS,
    W_STATES,
)
from . import llvm
from .board import board_write
from .book import show_top
from .histogram import record
from .ring import claim, commit

C_RECORDS, C_BOOKS, C_TRADES = layout.C["records"], layout.C["books"], layout.C["trades"]
C_TICKERS, C_STATUSES, C_DEPTHS = layout.C["tickers"], layout.C["statuses"], layout.C["depths"]
HIST_VENUE_TO_RECV = 0  # positions in layout.HISTOGRAM_NAMES
HIST_RECV_TO_PUBLISH = 1


@kernel(void(words_out, words_out, i64, i64))
def count(words, work, counter, amount):
    """Add to a counter of the bus.

    words    int64[:], the bus
    work     int64[:], workspace
    counter  index in layout.COUNTER_NAMES
    amount   added, any sign
    """
    words[work[layout.GEO_COUNTERS] + counter] += amount


@kernel(i64(words_out, i64))
def state_of(work, symbol_id):
    """Return the word offset of a symbol's state in the workspace.

    work       int64[:], workspace
    symbol_id  row of the symbol table, in range
    """
    return work[W_STATES] + symbol_id * STATE_WORDS


@kernel(i64(words_out, i64))
def book_of(work, symbol_id):
    """Return the word offset of a symbol's full book in the bus.

    work       int64[:], workspace
    symbol_id  row of the symbol table, in range
    """
    return work[layout.GEO_BOOKS] + symbol_id * work[layout.GEO_BOOK_STRIDE]


@kernel(i64(words_out, words_out, Frame, i64, i64, i64, i64))
def open_record(words, work, frame, symbol_id, kind, side, flags):
    """Claim the next slot and write the record's header.

    words      int64[:], the bus, this process its only writer
    work       int64[:], workspace
    frame      frame_dtype[1], times and ids of the event
    symbol_id  row of the symbol table
    kind       layout.KIND_*
    side       aggressor of a trade, else NO_SIDE
    flags      layout.FLAG_*
    Returns    word offset of the slot; payload and commit are the caller's.
    """
    slot = claim(words, work, work[W_NEXT_SEQ])
    state = state_of(work, symbol_id)
    tags = kind | (work[state + ST_HEALTH] << 8) | (side << 16) | (flags << 24) | (symbol_id << 32)
    llvm.store_relaxed(words, slot + layout.R_TAGS, tags)
    llvm.store_relaxed(words, slot + layout.R_EVENT, frame[0].event_ns)
    llvm.store_relaxed(words, slot + layout.R_TXN, frame[0].txn_ns)
    llvm.store_relaxed(words, slot + layout.R_RECV, work[W_RECV_NS])
    llvm.store_relaxed(words, slot + layout.R_MONO, work[W_MONO_NS])
    llvm.store_relaxed(words, slot + layout.R_FIRST, frame[0].first_id)
    llvm.store_relaxed(words, slot + layout.R_LAST, frame[0].last_id)
    llvm.store_relaxed(words, slot + layout.R_CAUSE, work[state + ST_CAUSE])
    for word in range(layout.R_HORIZON, layout.R_CAUSE):
        llvm.store_relaxed(words, slot + word, i64(0))
    llvm.store_relaxed(words, slot + layout.R_MISSED, i64(0))
    llvm.store_relaxed(words, slot + layout.R_CHECKSUM, i64(0))
    return slot


@kernel(void(words_out, words_out, i64, i64, i64), **INLINE)
def close_record(words, work, slot, counter, board_symbol):
    """Stamp and commit the record, put it on the board if asked, and step the sequence.

    words         int64[:], the bus
    work          int64[:], workspace
    slot          word offset returned by open_record
    counter       index in layout.COUNTER_NAMES of this kind of record
    board_symbol  row whose board cell shows this record; -1 for none
    """
    recv_ns, seq = work[W_RECV_NS], work[W_NEXT_SEQ]
    publish_ns = recv_ns if work[W_INJECTED_CLOCK] else llvm.clock_ns(llvm.CLOCK_REALTIME)
    llvm.store_relaxed(words, slot + layout.R_PUBLISH, publish_ns)
    commit(words, slot, seq)
    if board_symbol >= 0:
        board_write(words, work, board_symbol, slot)
    work[W_NEXT_SEQ] = llvm.wrapping_add(seq, 1)
    count(words, work, C_RECORDS, 1)
    count(words, work, counter, 1)
    histograms = work[layout.GEO_HISTOGRAMS]
    record(words, histograms + HIST_RECV_TO_PUBLISH * layout.HIST_WORDS, publish_ns - recv_ns)


@kernel(void(words_out, words_out, i64, i64))
def blank_payload(words, work, slot, written):
    """Zero the payload behind what was written, so that a record holds nothing of the slot's last lap.

    words    int64[:], the bus
    work     int64[:], workspace
    slot     word offset of the record
    written  payload words the caller fills itself
    """
    for word in range(slot + layout.R_PAYLOAD + written, slot + work[layout.GEO_SLOT_WORDS]):
        llvm.store_relaxed(words, word, i64(0))


@kernel(void(words_out, i64, i64))
def describe_book(words, slot, base):
    """Write depth and horizon of a full book into a record's header.

    words  int64[:], the bus
    slot   word offset of the record
    base   first word of the book
    """
    sides = base + layout.B_SIDE + layout.S_LEVELS
    depth = words[sides] | (words[sides + layout.B_SIDE_WORDS] << 32)
    llvm.store_relaxed(words, slot + layout.R_DEPTH, depth)
    for side in range(SIDES):
        llvm.store_relaxed(words, slot + layout.R_HORIZON + side, words[base + layout.B_HORIZON + side])


@kernel(void(words_out, words_out, Frame, i64, i64), **INLINE)
def emit_book(words, work, frame, symbol_id, flags):
    """Publish the top N of a symbol's full book, on the ring and on the board.

    words      int64[:], the bus
    work       int64[:], workspace
    frame      frame_dtype[1], the event that changed the book
    symbol_id  row of the symbol table
    flags      layout.FLAG_*
    """
    slot = open_record(words, work, frame, symbol_id, layout.KIND_BOOK, layout.NO_SIDE, flags)
    base, top_n = book_of(work, symbol_id), work[layout.GEO_TOP_N]
    price_at = slot + layout.R_PAYLOAD
    qty_at = price_at + SIDES * top_n
    blank_payload(words, work, slot, 2 * SIDES * top_n)
    counts = i64(0)
    for side in range(SIDES):
        at = side * top_n
        counts |= show_top(words, base, side, price_at + at, qty_at + at, top_n) << (32 * side)
    llvm.store_relaxed(words, slot + layout.R_COUNT, counts)
    describe_book(words, slot, base)
    close_record(words, work, slot, C_BOOKS, symbol_id)


@kernel(void(words_out, words_out, Frame))
def emit_trade(words, work, frame):
    """Publish the trade that was decoded.

    words  int64[:], the bus
    work   int64[:], workspace
    frame  frame_dtype[1] of KIND_TRADE
    """
    trade = frame[0]
    slot = open_record(words, work, frame, trade.symbol_id, layout.KIND_TRADE, trade.side, trade.flags)
    at = slot + layout.R_PAYLOAD
    llvm.store_relaxed(words, at, trade.trade_price)
    llvm.store_relaxed(words, at + 1, trade.trade_qty)
    llvm.store_relaxed(words, at + 2, trade.trade_id)
    llvm.store_relaxed(words, at + 3, trade.trade_first_id)
    llvm.store_relaxed(words, at + 4, trade.trade_last_id)
    blank_payload(words, work, slot, 5)
    close_record(words, work, slot, C_TRADES, -1)


@kernel(i64(words_out, words_out, Rows, i64, i64, i64))
def write_rows(words, work, rows, side, count_rows, slot):
    """Write decoded levels of one side into a record, best first whatever their order on the wire.

    words       int64[:], the bus
    work        int64[:], workspace
    rows        level_dtype[2, cap]
    side        BID or ASK
    count_rows  rows[side, :count_rows] are valid
    slot        word offset of the record, payload blanked
    Returns     levels written, at most N; rows of quantity 0 are left out.
    """
    top_n, sign = work[layout.GEO_TOP_N], 2 * side - 1  # key = sign * price, smaller is better
    price_at = slot + layout.R_PAYLOAD + side * top_n
    qty_at = price_at + SIDES * top_n
    kept = i64(0)
    for row in range(count_rows):
        price, qty = rows[side, row].price, rows[side, row].qty
        if qty == 0:
            continue
        at = kept
        while at > 0 and sign * price < sign * words[price_at + at - 1]:
            at -= 1
        if at >= top_n:
            continue
        for move in range(min(kept, top_n - 1), at, -1):
            llvm.store_relaxed(words, price_at + move, words[price_at + move - 1])
            llvm.store_relaxed(words, qty_at + move, words[qty_at + move - 1])
        llvm.store_relaxed(words, price_at + at, price)
        llvm.store_relaxed(words, qty_at + at, qty)
        kept = min(kept + 1, top_n)
    return kept


@kernel(void(words_out, words_out, Frame, Rows, i64))
def emit_image(words, work, frame, rows, on_board):
    """Publish levels as the venue sent them: its best bid and offer, or a partial-depth image.

    words     int64[:], the bus
    work      int64[:], workspace
    frame     frame_dtype[1] of KIND_TICKER or KIND_DEPTH
    rows      level_dtype[2, cap]
    on_board  1: also the symbol's board cell (no diff stream feeds its book)
    """
    symbol_id, kind = frame[0].symbol_id, frame[0].kind
    slot = open_record(words, work, frame, symbol_id, kind, layout.NO_SIDE, frame[0].flags)
    blank_payload(words, work, slot, 0)
    bids = write_rows(words, work, rows, BID, frame[0].rows[BID], slot)
    asks = write_rows(words, work, rows, ASK, frame[0].rows[ASK], slot)
    llvm.store_relaxed(words, slot + layout.R_COUNT, bids | (asks << 32))
    counter = C_TICKERS if kind == layout.KIND_TICKER else C_DEPTHS
    close_record(words, work, slot, counter, symbol_id if on_board else -1)


@kernel(void(words_out, words_out, Frame, i64, i64, i64, i64))
def emit_status(words, work, frame, symbol_id, old_health, blind_ns, ids_missed):
    """Publish that a symbol's health changed; the cause stands in its state.

    words       int64[:], the bus
    work        int64[:], workspace
    frame       frame_dtype[1], the event at which it changed
    symbol_id   row of the symbol table
    old_health  health before
    blind_ns    time the book had not been LIVE, ns; 0 when it was
    ids_missed  update ids not seen; 0 where unknown
    """
    slot = open_record(words, work, frame, symbol_id, layout.KIND_STATUS, layout.NO_SIDE, 0)
    at = slot + layout.R_PAYLOAD
    blank_payload(words, work, slot, 2)
    llvm.store_relaxed(words, at, old_health)
    llvm.store_relaxed(words, at + 1, blind_ns)
    llvm.store_relaxed(words, slot + layout.R_MISSED, ids_missed)
    close_record(words, work, slot, C_STATUSES, -1)
