"""What the tortured processes run inside: production kernels, and a check of every word they hand out."""

import numpy as np

from ringbook.engine import layout
from ringbook.engine.jit import i64, specialise, words_in, words_out
from ringbook.engine.kernels import board, cursor, idle, llvm, ring

from ..bus_tools import BODY_SEQ, BODY_WORD

# A tally is int64[TALLY_WORDS] in memory shared with the conductor; it outlives a killed process.
NAMES = (
    "accepted",  # records taken from the ring, every word of them checked
    "overruns",  # reads refused before the copy: the slot held a later lap
    "rejected",  # reads refused after the copy: the slot changed meanwhile
    "early",  # looks at a record not yet written
    "wrong",  # accepted records that are torn, of another seq, or out of order
    "lost",  # records a following reader was told it lost
    "uncounted",  # records neither read nor counted as lost, or read twice
    "board_ok", "board_busy", "board_empty",
    "sleeps",
    "lost_wakes",  # slept to the end although the writer had looked for sleepers and went on
    "successions",  # times a reader went on to the next writer's file
    "published", "wakes",
)  # fmt: skip
T = {name: place for place, name in enumerate(NAMES)}
TALLY_WORDS = 32
ACCEPTED, OVERRUNS, REJECTED, EARLY, WRONG = (
    T[name] for name in ("accepted", "overruns", "rejected", "early", "wrong")
)
BOARD_OK, PUBLISHED, WAKES = T["board_ok"], T["published"], T["wakes"]
SYMBOLS = 2
ON_BOARD = 3  # records whose seq has these bits clear go to the board
LAPPED_PAUSE = 20  # or nearly all reads beside a writer that runs flat out would find a later lap
FROM_SEQ, FROM_WORD = np.uint64(BODY_SEQ), np.uint64(BODY_WORD)


@specialise
def word_of(seq, word):
    """What record `seq` holds in `word`, as bus_tools.body_word; the checksum word is not asked for."""
    if word == layout.R_TAGS:
        return layout.KIND_TRADE | (seq & 1) << 32
    return np.int64(np.uint64(seq) * FROM_SEQ + np.uint64(word) * FROM_WORD)


@specialise
def write(words, ctl, geo, tally, next_seq, count, batch, pause):
    """Publish `count` records, `batch` to a head, `pause` spins after each batch; returns the next seq."""
    width, seq = geo[layout.GEO_SLOT_WORDS], next_seq
    for done in range(1, count + 1):
        slot = ring.claim(words, geo, seq)
        total = np.uint64(seq)
        for word in range(1, width):
            if word != layout.R_CHECKSUM:
                value = word_of(seq, word)
                llvm.store_relaxed(words, slot + word, value)
                total += np.uint64(value)
        llvm.store_relaxed(words, slot + layout.R_CHECKSUM, np.int64(total))
        ring.commit(words, slot, seq)
        if seq & ON_BOARD == 0:
            board.board_write(words, geo, (seq >> 2) & 1, slot)
        seq = llvm.wrapping_add(seq, i64(1))
        if done % batch == 0:
            tally[WAKES] += ring.publish_head(words, geo, seq, ctl)
            for _ in range(pause):
                llvm.cpu_relax()
    ring.publish_head(words, geo, seq, ctl)
    tally[PUBLISHED] += count
    return seq


@specialise
def is_whole(record, seq):
    """Whether a copy is record `seq`: its checksum, then every word."""
    total = np.uint64(0)
    for word in range(len(record)):
        if word != layout.R_CHECKSUM:
            total += np.uint64(record[word])
    if np.int64(total) != record[layout.R_CHECKSUM] or record[layout.R_SEQ] != seq:
        return False
    wrong = 0
    for word in range(1, len(record)):
        wrong += word != layout.R_CHECKSUM and record[word] != word_of(seq, word)
    return wrong == 0


@specialise
def refused(tally, out, seq):
    """Count a lapped read: still seq - 1 in the copy, as the caller left it, means that no word was copied."""
    tally[OVERRUNS if out[layout.R_SEQ] == llvm.wrapping_sub(seq, i64(1)) else REJECTED] += 1


@specialise
def follow(words, ctl, geo, place, out, tally, tries, spin_ticks, sleep_ns):
    """Follow the ring with the production cursor and wait; ends early on a time-out. Returns 1 if it did."""
    seen, wanted = np.zeros(SYMBOLS, np.int64), np.zeros(SYMBOLS, np.int64)
    for _ in range(tries):
        expected = place[cursor.CUR_SEQ]
        out[layout.R_SEQ] = llvm.wrapping_sub(expected, i64(1))
        code = cursor.advance(words, geo, place, seen, wanted, out)
        went = llvm.wrapping_sub(place[cursor.CUR_SEQ], expected)
        if code == layout.READ_OK:
            tally[ACCEPTED] += 1
            if went != 1 or not is_whole(out, expected):
                llvm.store_relaxed(tally, WRONG, tally[WRONG] + 1)
        elif code == layout.READ_LAPPED:
            refused(tally, out, expected)
            place[cursor.CUR_BOARD] = cursor.BOARD_DONE
            if went < 1:
                llvm.store_relaxed(tally, WRONG, tally[WRONG] + 1)
        else:
            tally[EARLY] += 1
            if idle.wait_for_next(words, ctl, geo, place, spin_ticks, sleep_ns) != 0:
                return 1
    return 0


@specialise
def hammer(words, geo, out, tally, tries):
    """Read as fast as possible: in turn the slot overwritten next, and the two after it."""
    mask = geo[layout.GEO_SLOT_MASK]
    for step in range(tries):
        head = ring.newest(words, geo)
        newest = ring.newest_after_lap(words, geo, head)  # head lags behind a batch
        seq = llvm.wrapping_sub(newest, max(i64(0), mask - step % 3))
        out[layout.R_SEQ] = llvm.wrapping_sub(seq, i64(1))
        code = ring.read_record(words, geo, seq, out)
        if code == layout.READ_OK:
            tally[ACCEPTED] += 1
            if not is_whole(out, seq):
                llvm.store_relaxed(tally, WRONG, tally[WRONG] + 1)
        elif code == layout.READ_LAPPED:
            refused(tally, out, seq)
            for _ in range(LAPPED_PAUSE):
                llvm.cpu_relax()
        else:
            tally[EARLY] += 1


@specialise
def watch_board(words, geo, out, tally, latest, tries):
    """Read the board as fast as possible; a symbol's records never go back."""
    for step in range(tries):
        symbol_id = step & 1
        code = board.board_read(words, geo, symbol_id, out)
        if code != layout.READ_OK:
            tally[BOARD_OK + (1 if code == layout.READ_BUSY else 2)] += 1
            continue
        tally[BOARD_OK] += 1
        seq = out[layout.R_SEQ]
        is_of_symbol = seq & ON_BOARD == 0 and (seq >> 2) & 1 == symbol_id
        goes_on = latest[symbol_id] == 0 or llvm.wrapping_sub(seq, latest[symbol_id]) >= 0
        if not (is_of_symbol and goes_on and is_whole(out, seq)):
            llvm.store_relaxed(tally, WRONG, tally[WRONG] + 1)
        latest[symbol_id] = seq


def warm() -> None:
    """Compile all of it before any process is made."""
    write.compile((words_out, words_out, words_in, words_out, i64, i64, i64, i64))
    follow.compile((words_in, words_out, words_in, words_out, words_out, words_out, i64, i64, i64))
    hammer.compile((words_in, words_in, words_out, words_out, i64))
    watch_board.compile((words_in, words_in, words_out, words_out, words_out, i64))
