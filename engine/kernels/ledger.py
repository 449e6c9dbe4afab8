"""The ledger: the newest outages of all books, one row each, told while they last and when they end.

An outage begins when a LIVE book is LIVE no more and ends when it is LIVE again, whatever happens in between.
Outage n lies in row (n - 1) % LEDGER_ROWS, under a seqlock of its own: a writer that dies at any store leaves
at most one row that cannot be read, and no torn one.
"""

from .. import layout
from ..jit import i64, kernel, void, words_in, words_out
from ..layout import (
    G_BEGIN,
    G_BLIND,
    G_END,
    G_GENERATION,
    G_MISSED,
    G_NUMBER,
    G_SYMBOL,
    G_TAGS,
    G_VERSION,
    GAP_WORDS,
    GEO_LEDGER,
    LEDGER_HEADER_WORDS,
    LEDGER_ROWS,
    LIVE,
    STALE,
)
from ..workspace import ST_BLIND, ST_CAUSE, ST_HAS_DIFFS, ST_HEALTH, ST_MISSED, ST_OUTAGE, W_RECV_NS
from . import llvm
from .emit import count, state_of

C_OUTAGES, C_BLIND = layout.C["outages"], layout.C["blind_ns"]
SYMBOL_ROW_WORDS = layout.symbol_dtype.itemsize // layout.WORD_BYTES
NAME_WORDS = layout.SYMBOL_BYTES // layout.WORD_BYTES
TRIES = 64


@kernel(i64(words_in, i64))
def ledger_row(geo, number):
    """Return the word offset of the row of an outage.

    geo     int64[GEO_LENGTH] or longer
    number  of the outage, any int64
    """
    return geo[GEO_LEDGER] + LEDGER_HEADER_WORDS + ((number - 1) & (LEDGER_ROWS - 1)) * GAP_WORDS


@kernel(void(words_out, i64))
def row_begin(words, row):
    """Open a change of a row: its version is odd until row_end.

    words  int64[:], this process the only writer
    row    word offset of the row
    """
    llvm.store_relaxed(words, row + G_VERSION, llvm.load_relaxed(words, row + G_VERSION) | 1)
    llvm.fence_release()  # PAIR ledger-odd-before-row


@kernel(void(words_out, i64))
def row_end(words, row):
    """Close a change of a row.

    words  int64[:], this process the only writer
    row    word offset of the row, opened by row_begin
    """
    version = llvm.load_relaxed(words, row + G_VERSION)
    llvm.store_release(words, row + G_VERSION, (version | 1) + 1)  # PAIR ledger-row-before-even


@kernel(void(words_out, words_out, i64))
def open_outage(words, work, symbol_id):
    """Begin an outage: the newest row of the ledger is this symbol's.

    words      int64[:], the bus, this process its only writer
    work       int64[:], workspace; W_RECV_NS is when it began
    symbol_id  row of the symbol table, its state told already
    """
    state, ledger = state_of(work, symbol_id), work[GEO_LEDGER]
    number = words[ledger] + 1
    row, cause = ledger_row(work, number), work[state + ST_CAUSE]
    name = work[layout.GEO_SYMBOL_TABLE] + symbol_id * SYMBOL_ROW_WORDS
    row_begin(words, row)
    tags = cause | (cause << 8) | (work[state + ST_HEALTH] << 16) | (symbol_id << 32)
    llvm.store_relaxed(words, row + G_NUMBER, number)
    llvm.store_relaxed(words, row + G_BEGIN, work[W_RECV_NS])
    llvm.store_relaxed(words, row + G_END, i64(0))
    llvm.store_relaxed(words, row + G_TAGS, tags)
    llvm.store_relaxed(words, row + G_MISSED, work[state + ST_MISSED])
    llvm.store_relaxed(words, row + G_BLIND, i64(0))
    llvm.store_relaxed(words, row + G_GENERATION, words[layout.H_GENERATION])
    for word in range(NAME_WORDS):
        llvm.store_relaxed(words, row + G_SYMBOL + word, words[name + word])
    row_end(words, row)
    llvm.store_relaxed(words, ledger, number)
    work[state + ST_OUTAGE] = number
    count(words, work, C_OUTAGES, 1)


@kernel(void(words_out, words_out, i64, i64, i64))
def change_outage(words, work, symbol_id, is_over, blind_ns):
    """Tell what became of an open outage; its row may have been taken by a later one long ago.

    words      int64[:], the bus, this process its only writer
    work       int64[:], workspace
    symbol_id  row of the symbol table, with an open outage
    is_over    1: it ends now
    blind_ns   how long it has lasted
    """
    state = state_of(work, symbol_id)
    number = work[state + ST_OUTAGE]
    row, health = ledger_row(work, number), work[state + ST_HEALTH]
    if is_over:
        work[state + ST_OUTAGE] = 0
        count(words, work, C_BLIND, blind_ns)
    if words[row + G_NUMBER] != number:
        return
    tags = words[row + G_TAGS]
    cause, last_cause, worst = tags & 0xFF, (tags >> 8) & 0xFF, (tags >> 16) & 0xFF
    if health >= STALE and is_over == 0:
        last_cause, worst = work[state + ST_CAUSE], max(worst, health)
    row_begin(words, row)
    tags = cause | (last_cause << 8) | (worst << 16) | (symbol_id << 32)
    llvm.store_relaxed(words, row + G_TAGS, tags)
    llvm.store_relaxed(words, row + G_MISSED, words[row + G_MISSED] + work[state + ST_MISSED])
    if is_over:
        llvm.store_relaxed(words, row + G_END, words[row + G_BEGIN] + blind_ns)
        llvm.store_relaxed(words, row + G_BLIND, blind_ns)
    row_end(words, row)


@kernel(void(words_out, words_out, i64, i64, i64))
def note_health(words, work, symbol_id, old_health, blind_ns):
    """Keep the ledger of a symbol whose health was just changed in its state.

    words       int64[:], the bus, this process its only writer
    work        int64[:], workspace
    symbol_id   row of the symbol table; one without a diff stream has no book that could be lost
    old_health  health before
    blind_ns    time the book had not been LIVE, ns, below 0 when the clock was set back
    """
    state = state_of(work, symbol_id)
    health, is_dropped = work[state + ST_HEALTH], work[state + ST_CAUSE] == layout.CAUSE_UNSUBSCRIBED
    if work[state + ST_OUTAGE] != 0:
        is_over = i64(health == LIVE or is_dropped)
        change_outage(words, work, symbol_id, is_over, max(i64(0), blind_ns))
    elif old_health == LIVE and health != LIVE and not is_dropped and work[state + ST_HAS_DIFFS] == 1:
        open_outage(words, work, symbol_id)


@kernel(i64(words_out, words_out, i64))
def adopt_outage(words, work, symbol_id):
    """Go on with the outage that this symbol's book was in when the last generation ended, if it was.

    words      int64[:], the bus, this process its only writer
    work       int64[:], workspace
    symbol_id  a new row of the symbol table
    Returns    number of the outage, 0 for none.
    """
    state, found = state_of(work, symbol_id), i64(0)
    name = work[layout.GEO_SYMBOL_TABLE] + symbol_id * SYMBOL_ROW_WORDS
    for entry in range(LEDGER_ROWS):
        row = work[GEO_LEDGER] + LEDGER_HEADER_WORDS + entry * GAP_WORDS
        number, is_same = words[row + G_NUMBER], words[row + G_TAGS] >> 32 == layout.NO_ROW
        for word in range(NAME_WORDS):
            is_same &= words[row + G_SYMBOL + word] == words[name + word]
        if is_same and words[row + G_END] == 0 and number > found:
            found = number
    if found > 0:
        row = ledger_row(work, found)
        row_begin(words, row)
        tags = (words[row + G_TAGS] & 0xFFFFFFFF) | (symbol_id << 32)
        llvm.store_relaxed(words, row + G_TAGS, tags)
        row_end(words, row)
        work[state + ST_OUTAGE], work[state + ST_BLIND] = found, words[row + G_BEGIN]
    return found


@kernel(i64(words_in, words_in, words_out))
def read_ledger(words, geo, out):
    """Copy every row of the ledger that can be read whole, in the order of the rows.

    words    int64[:], the bus
    geo      int64[GEO_LENGTH]
    out      int64[LEDGER_ROWS * GAP_WORDS], private: gap_dtype rows
    Returns  rows copied.
    """
    copied, entry, tries = i64(0), i64(0), i64(0)
    while entry < LEDGER_ROWS:
        row, to = geo[GEO_LEDGER] + LEDGER_HEADER_WORDS + entry * GAP_WORDS, copied * GAP_WORDS
        version = llvm.load_acquire(words, row + G_VERSION)  # PAIR ledger-row-before-even
        is_whole = i64(version & 1 == 0 and version != 0)
        if is_whole:
            for word in range(0, GAP_WORDS, llvm.LINE_WORDS):
                llvm.move_line(out, to + word, words, row + word)
            llvm.fence_acquire()  # PAIR ledger-odd-before-row
            is_whole = i64(llvm.load_relaxed(words, row + G_VERSION) == version)
        tries += 1
        if is_whole or version == 0 or tries == TRIES:
            copied, entry, tries = copied + is_whole, entry + 1, i64(0)
    return copied
