"""The ring: one writer, any number of readers that map it read-only; no reader can slow the writer.

A slot's first word is its seq. The writer stores `seq - 1` there before it touches the body: that slot can
never rightly hold `seq - 1`, readers of `seq` take it for "not yet", readers of the last lap for "lapped".
Seqs start at 1 and are compared by wrapping difference, so nothing happens at 2^63.
"""

from .. import layout
from ..jit import i64, kernel, void, words_in, words_out
from ..layout import READ_EARLY, READ_LAPPED, READ_OK
from . import llvm

R_SEQ = layout.R_SEQ
H_HEAD = layout.H_HEAD
CTL_WAKE, CTL_WAITERS, CTL_WOKEN_FOR = layout.CTL_WAKE, layout.CTL_WAITERS, layout.CTL_WOKEN_FOR
GEO_RING, GEO_SLOT_MASK, GEO_SLOT_WORDS = layout.GEO_RING, layout.GEO_SLOT_MASK, layout.GEO_SLOT_WORDS
EVERYBODY = (1 << 31) - 1


@kernel(i64(words_in, i64))
def slot_of(geo, seq):
    """Return the word offset of the slot that carries `seq`.

    geo  int64[GEO_LENGTH]
    seq  any int64
    """
    return geo[GEO_RING] + (seq & geo[GEO_SLOT_MASK]) * geo[GEO_SLOT_WORDS]


@kernel(void(words_out, words_in, i64))
def expect(words, geo, seq):
    """Ask for the lines of a slot before it is written, while there is other work: its last lap was long ago.

    words  int64[:], the bus, this process its only writer
    geo    int64[GEO_LENGTH]
    seq    one past the last committed
    """
    slot = slot_of(geo, seq)
    for word in range(0, geo[GEO_SLOT_WORDS], llvm.LINE_WORDS):
        llvm.expect_line(words, slot + word)


@kernel(i64(words_out, words_in, i64))
def claim(words, geo, seq):
    """Take the slot of the next record; the caller writes its fields with store_relaxed, then commits.

    words    int64[:], the bus, this process its only writer
    geo      int64[GEO_LENGTH]
    seq      one past the last committed
    Returns  word offset of the slot.
    """
    slot = slot_of(geo, seq)
    llvm.store_relaxed(words, slot + R_SEQ, llvm.wrapping_sub(seq, 1))
    # A release store of seq - 1 would hold back what came before it; the body comes after.
    llvm.fence_release()  # PAIR busy-before-body
    return slot


@kernel(void(words_out, i64, i64))
def commit(words, slot, seq):
    """Let readers see the record: all of it or none.

    words  int64[:], the bus
    slot   word offset returned by claim
    seq    the seq that was claimed
    """
    llvm.store_release(words, slot + R_SEQ, seq)  # PAIR body-before-seq


@kernel(i64(words_out, words_in, i64, words_out))
def publish_head(words, geo, next_seq, ctl):
    """Say how far the ring goes and wake sleepers if there are any: once per drained batch.

    words     int64[:], the bus
    geo       int64[GEO_LENGTH]
    next_seq  one past the last committed
    ctl       int64[CTL_WORDS], the control page
    Returns   1 if somebody slept and was woken, else 0.
    """
    llvm.store_release(words, H_HEAD, next_seq)  # PAIR records-before-head
    llvm.fence_seq_cst()  # PAIR records-before-flag
    if llvm.load_relaxed(ctl, CTL_WAITERS) == 0:
        return 0
    # Clear, then bump, then wake. Were it bumped first, a reader that saw the new word could raise its flag
    # and lose it to the clear.
    llvm.store_relaxed(ctl, CTL_WAITERS, 0)
    llvm.store_relaxed(ctl, CTL_WOKEN_FOR, next_seq)
    word = llvm.wrapping_add(llvm.load_relaxed(ctl, CTL_WAKE), 1)
    llvm.store_release(ctl, CTL_WAKE, word)  # PAIR clear-before-bump
    llvm.futex_wake(ctl, CTL_WAKE, EVERYBODY)
    return 1


@kernel(i64(words_in, words_in, i64, words_out))
def read_record(words, geo, seq, out):
    """Copy record `seq` out of the ring, or say why not.

    words    int64[:], the bus
    geo      int64[GEO_LENGTH]
    seq      the seq expected next
    out      int64[slot_words], private; its content means nothing unless READ_OK comes back
    Returns  READ_OK; READ_EARLY: not yet written; READ_LAPPED: overwritten, or being so.
    """
    slot = slot_of(geo, seq)
    found = llvm.load_acquire(words, slot + R_SEQ)  # PAIR body-before-seq
    ahead = llvm.wrapping_sub(found, seq)
    if ahead != 0:
        return READ_EARLY if ahead < 0 else READ_LAPPED
    # Line by line, in vectors, where relaxed loads stay single words. What raced with the writer is thrown away
    # below, and nothing looks at it before.
    for word in range(0, geo[GEO_SLOT_WORDS], llvm.LINE_WORDS):
        llvm.move_line(out, word, words, slot + word)
    # An acquire load below would hold back what comes after it; the copy came before.
    llvm.fence_acquire()  # PAIR busy-before-body
    return READ_OK if llvm.load_relaxed(words, slot + R_SEQ) == seq else READ_LAPPED


@kernel(i64(words_in, words_in))
def newest(words, geo):
    """Return the last seq the writer has announced; one below the first seq while there is none.

    words  int64[:], the bus
    geo    int64[GEO_LENGTH]
    """
    return llvm.wrapping_sub(llvm.load_acquire(words, H_HEAD), 1)  # PAIR records-before-head


@kernel(i64(words_in, words_in, i64))
def newest_after_lap(words, geo, seq):
    """Return a committed seq, the newest known, for a reader that was lapped while it expected `seq`.

    The slot itself names a committed record, which matters when `head` lags behind a long batch.

    words  int64[:], the bus
    geo    int64[GEO_LENGTH]
    seq    the seq that was READ_LAPPED
    """
    seen = llvm.load_acquire(words, slot_of(geo, seq) + R_SEQ)  # PAIR body-before-seq
    head = newest(words, geo)
    return head if llvm.wrapping_sub(head, seen) > 0 else seen


@kernel(i64(words_in, words_in, i64))
def oldest_readable(words, geo, first_seq):
    """Return the oldest seq that the ring still held a moment ago; the writer may be lapping it right now.

    words      int64[:], the bus
    geo        int64[GEO_LENGTH]
    first_seq  first seq of this generation
    """
    oldest = llvm.wrapping_sub(newest(words, geo), geo[GEO_SLOT_MASK])
    return first_seq if llvm.wrapping_sub(first_seq, oldest) > 0 else oldest
