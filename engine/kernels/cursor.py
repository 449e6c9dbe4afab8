"""A reader's place in the ring: follow it record by record, count what was lost, start again from the board.

A lapped reader resumes at the newest record. Between the two lies an unknown number of changes, so the latest
BOOK of every symbol is handed out from the board first; a BOOK of the ring that is not newer than the one
from the board is skipped.
"""

from .. import layout
from ..jit import i64, kernel, words_in, words_out
from ..layout import FLAG_FROM_BOARD, KIND_BOOK, R_SEQ, R_TAGS, READ_EARLY, READ_LAPPED, READ_OK
from . import llvm
from .board import board_read
from .ring import newest_after_lap, read_record

# A cursor is int64[CURSOR_WORDS], private to one reader.
CUR_SEQ = 0  # the seq expected next
CUR_READ = 1  # records handed out of the ring
CUR_LOST = 2  # records overwritten before they were read, exact
CUR_LAPS = 3  # how often
CUR_BOARD = 4  # next symbol to hand out from the board; BOARD_DONE when there is none
CUR_FILTERED = 5  # 1: only symbols marked WANTED; 0: all
CUR_KIND = 6  # only this KIND_*; ANY for all
CUR_MISSED = 7  # wake-ups that never came
CUR_SLEEPS = 8
CUR_SKIPPED = 9  # records of the ring that were not asked for, or older than the board's
CUR_SUSPECT = 10  # 1: a wake-up whose fate is not known yet, see kernels/idle.py
CUR_SUSPECT_WORD = 11  # the wake word before that sleep
CUR_SUSPECT_HEAD = 12  # head after it
CURSOR_WORDS = 16
ANY = -1
BOARD_DONE = -1
UNWANTED, WANTED, UNKNOWN = range(3)  # per symbol_id; UNKNOWN: Python has not looked at that row yet
NEW_SYMBOL = 5  # beside READ_*: the next record is of an UNKNOWN symbol; mark it, then call again
SKIP_LIMIT = 4096  # unwanted records passed over in one call, so that it stays bounded


@kernel(i64(words_in, words_in, words_in))
def judge(cursor, wanted, record):
    """Say whether the cursor asks for a record: UNWANTED, WANTED or UNKNOWN.

    cursor  int64[CURSOR_WORDS]
    wanted  int64[symbol capacity]
    record  int64[slot_words], read from shared memory and so not trusted for an index
    """
    tags = record[R_TAGS]
    symbol_id = (tags >> 32) & 0xFFFFFFFF
    if symbol_id >= len(wanted) or (cursor[CUR_KIND] != ANY and cursor[CUR_KIND] != tags & 0xFF):
        return UNWANTED
    return wanted[symbol_id] if cursor[CUR_FILTERED] else WANTED


@kernel(i64(words_in, words_in, words_out, words_out, words_in, words_out))
def next_from_board(words, geo, cursor, seen, wanted, out):
    """Hand out the next symbol's latest BOOK, and note its seq.

    words    int64[:], the bus
    geo      int64[GEO_LENGTH]
    cursor   int64[CURSOR_WORDS]
    seen     int64[symbol capacity], seq of the board record handed out per symbol
    wanted   int64[symbol capacity]; what is UNKNOWN is left for the ring
    out      int64[slot_words], private
    Returns  READ_OK, or READ_EMPTY once all symbols are through.
    """
    while 0 <= cursor[CUR_BOARD] < geo[layout.GEO_SYMBOLS]:
        symbol_id = cursor[CUR_BOARD]
        cursor[CUR_BOARD] = symbol_id + 1
        if board_read(words, geo, symbol_id, out) == READ_OK:
            seen[symbol_id] = out[R_SEQ]
            if judge(cursor, wanted, out) == WANTED:
                out[R_TAGS] |= FLAG_FROM_BOARD << 24
                return READ_OK
    cursor[CUR_BOARD] = BOARD_DONE
    return layout.READ_EMPTY


@kernel(i64(words_in, words_in))
def is_older(seen, record):
    """Return 1 for a BOOK that is not newer than the one handed out from the board, else 0.

    seen    int64[symbol capacity]
    record  int64[slot_words], read from shared memory and so not trusted for an index
    """
    symbol_id = (record[R_TAGS] >> 32) & 0xFFFFFFFF
    if record[R_TAGS] & 0xFF != KIND_BOOK or symbol_id >= len(seen) or seen[symbol_id] == 0:
        return 0
    return 1 if llvm.wrapping_sub(record[R_SEQ], seen[symbol_id]) <= 0 else 0


@kernel(i64(words_in, words_in, words_out, words_out, words_in, words_out))
def advance(words, geo, cursor, seen, wanted, out):
    """Copy the next record the cursor asks for, and step.

    words    int64[:], the bus
    geo      int64[GEO_LENGTH]
    cursor   int64[CURSOR_WORDS]
    seen     int64[symbol capacity], zeroed by the caller at the start
    wanted   int64[symbol capacity], UNWANTED, WANTED or UNKNOWN; used if CUR_FILTERED
    out      int64[slot_words], private; means nothing unless READ_OK comes back
    Returns  READ_OK; READ_EARLY: nothing yet; READ_LAPPED: records were lost and counted, call again;
             READ_BUSY: SKIP_LIMIT unwanted records were passed over, call again; NEW_SYMBOL.
    """
    if cursor[CUR_BOARD] >= 0 and next_from_board(words, geo, cursor, seen, wanted, out) == READ_OK:
        return READ_OK
    for _ in range(SKIP_LIMIT):
        seq = cursor[CUR_SEQ]
        code = read_record(words, geo, seq, out)
        if code == READ_EARLY:
            return READ_EARLY
        if code == READ_LAPPED:
            resume = newest_after_lap(words, geo, seq)
            cursor[CUR_LOST] += llvm.wrapping_sub(resume, seq)
            cursor[CUR_LAPS] += 1
            cursor[CUR_SEQ], cursor[CUR_BOARD] = resume, 0
            return READ_LAPPED
        verdict = judge(cursor, wanted, out)
        if verdict == UNKNOWN:
            return NEW_SYMBOL
        cursor[CUR_SEQ] = llvm.wrapping_add(seq, 1)
        if verdict == WANTED and not is_older(seen, out):
            cursor[CUR_READ] += 1
            return READ_OK
        cursor[CUR_SKIPPED] += 1
    return layout.READ_BUSY


@kernel(i64(words_in, words_in, words_in, words_in, i64, i64, words_out))
def copy_newest(words, geo, cursor, wanted, last_seq, oldest_seq, out):
    """Copy the newest records a cursor asks for, oldest first, to the end of `out`.

    words       int64[:], the bus
    geo         int64[GEO_LENGTH]
    cursor      int64[CURSOR_WORDS], only its filter is used
    wanted      int64[symbol capacity]
    last_seq    newest seq to take
    oldest_seq  oldest seq to look at
    out         int64[n * slot_words], private
    Returns     how many were copied, 0..n; the walk ends at the first one that is lapped.
    """
    width = geo[layout.GEO_SLOT_WORDS]
    at, seq = i64(len(out)), last_seq
    while at >= width and llvm.wrapping_sub(seq, oldest_seq) >= 0:
        target = out[at - width : at]
        code = read_record(words, geo, seq, target)
        if code == READ_LAPPED:
            break
        if code == READ_OK and judge(cursor, wanted, target) == WANTED:
            at -= width
        seq = llvm.wrapping_sub(seq, 1)
    return (len(out) - at) // width


@kernel(i64(i64))
def count_ticks(duration_ns):
    """Return how many cycle-counter ticks pass in `duration_ns`.

    duration_ns  spun away
    """
    begun_ns, begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC), llvm.read_ticks()
    while llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun_ns < duration_ns:
        llvm.cpu_relax()
    return llvm.read_ticks() - begun
