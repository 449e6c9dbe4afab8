"""Waiting for a record: spin with PAUSE, or sleep in a futex on the control page; always bounded.

Kernels here return to Python at the end of every budget, so that Ctrl-C and stop() are seen.
"""

from .. import layout
from ..jit import i64, kernel, words_in, words_out
from . import llvm
from .ring import slot_of

R_SEQ, H_HEAD = layout.R_SEQ, layout.H_HEAD
CTL_WAKE, CTL_WAITERS = layout.CTL_WAKE, layout.CTL_WAITERS

WAIT_READY = 0  # the record, or a later one in its slot, is there
WAIT_TIMEOUT = 1  # the budget is spent
WAIT_MISSED = 2  # ready, but no wake-up came although the writer had looked for sleepers: must never happen
SETTLE_NS = 200_000  # how long a writer may take from storing head to bumping the wake word


@kernel(i64(words_in, words_in, i64))
def is_ready(words, geo, seq):
    """Return 1 when the slot of `seq` holds it or a later record, else 0.

    words  int64[:], the bus
    geo    int64[GEO_LENGTH]
    seq    the seq expected next
    """
    # Relaxed: read_record looks again, with acquire.
    found = llvm.load_relaxed(words, slot_of(geo, seq) + R_SEQ)
    return 1 if llvm.wrapping_sub(found, seq) >= 0 else 0


@kernel(i64(words_in, words_in, i64, i64))
def spin_until(words, geo, seq, budget_ticks):
    """Spin until record `seq` is there or the budget is spent.

    words         int64[:], the bus
    geo           int64[GEO_LENGTH]
    seq           the seq expected next
    budget_ticks  cycle-counter ticks
    Returns       WAIT_READY or WAIT_TIMEOUT.
    """
    begun = llvm.read_ticks()
    while True:
        if is_ready(words, geo, seq):
            return WAIT_READY
        if llvm.read_ticks() - begun >= budget_ticks:
            return WAIT_TIMEOUT
        llvm.cpu_relax()


@kernel(i64(words_in, words_in, words_in, i64, i64))
def missed_wake(words, ctl, geo, seq, word):
    """Tell a lost wake-up from a record that came just as the sleep ran out.

    The writer commits a batch, stores head, looks for sleepers, bumps the word. A record found before head
    passed it, or a word that moves soon, is no loss.

    words    int64[:], the bus
    ctl      int64[CTL_WORDS], the control page
    geo      int64[GEO_LENGTH]
    seq      the seq that was slept for, now ready
    word     the wake word the sleep began with
    Returns  WAIT_READY or WAIT_MISSED.
    """
    head = llvm.load_acquire(words, H_HEAD)  # PAIR records-before-head
    if llvm.wrapping_sub(head, seq) <= 0:
        return WAIT_READY
    begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
    while llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun < SETTLE_NS:
        if llvm.load_acquire(ctl, CTL_WAKE) != word:  # PAIR clear-before-bump
            return WAIT_READY
        if llvm.load_relaxed(words, H_HEAD) != head:
            break  # the writer went on to another batch and never woke for this one
        llvm.cpu_relax()
    latest = llvm.load_acquire(ctl, CTL_WAKE)  # PAIR clear-before-bump
    return WAIT_READY if latest != word else WAIT_MISSED


@kernel(i64(words_in, words_out, words_in, i64, i64))
def sleep_until(words, ctl, geo, seq, timeout_ns):
    """Sleep until record `seq` is there, a wake-up comes for another, or the time is over.

    The word is read first, then the flag raised, then the slot looked at again: either the writer sees the
    flag or this reader sees the record. The flag is 0 or 1, so a killed sleeper costs one idle wake.

    words       int64[:], the bus
    ctl         int64[CTL_WORDS], the control page
    geo         int64[GEO_LENGTH]
    seq         the seq expected next
    timeout_ns  1 ms to 10 ms
    Returns     WAIT_READY, WAIT_TIMEOUT (or woken for nothing), WAIT_MISSED.
    """
    word = llvm.load_acquire(ctl, CTL_WAKE)  # PAIR clear-before-bump
    llvm.store_seq_cst(ctl, CTL_WAITERS, 1)
    llvm.fence_seq_cst()  # PAIR records-before-flag
    if is_ready(words, geo, seq):
        return WAIT_READY  # the flag stays up: one wake-up too many, never one too few
    begun = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
    llvm.futex_wait(ctl, CTL_WAKE, word, timeout_ns)
    if not is_ready(words, geo, seq):
        return WAIT_TIMEOUT
    if llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun < timeout_ns:
        return WAIT_READY
    return missed_wake(words, ctl, geo, seq, word)
