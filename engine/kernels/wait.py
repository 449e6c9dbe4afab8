"""Waiting for a record: spin with PAUSE, or sleep in a futex on the control page; always bounded.

Kernels here return to Python at the end of every budget, so that Ctrl-C and stop() are seen.
"""

from .. import layout
from ..jit import i64, kernel, words_in, words_out
from . import llvm
from .ring import slot_of

R_SEQ, H_HEAD = layout.R_SEQ, layout.H_HEAD
CTL_WAKE, CTL_WAITERS, CTL_WOKEN_FOR = layout.CTL_WAKE, layout.CTL_WAITERS, layout.CTL_WOKEN_FOR

WAIT_READY = 0  # the record, or a later one in its slot, is there
WAIT_TIMEOUT = 1  # the budget is spent
WAIT_SUSPECT = 2  # ready, but the sleep ran out: the wake-up is late, or lost; `judge_wake` tells which
WAKE_OPEN, WAKE_CAME, WAKE_MISSED = range(3)


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


@kernel(i64(words_in, words_in, i64, i64))
def judge_wake(words, ctl, word, head):
    """Say whether the wake-up for a record that was announced, but slept through, was late or is lost.

    No clock can tell: a writer may be stopped for long between storing head and looking for sleepers. What it
    does next can. It looks once for each head it stores, so a second head with the word unmoved, or a first bump
    that was made for a later head, shows that it looked and saw nobody.

    words    int64[:], the bus
    ctl      int64[CTL_WORDS], the control page
    word     the wake word before the sleep
    head     head after it, beyond the record
    Returns  WAKE_OPEN: not yet known; WAKE_CAME; WAKE_MISSED: must never happen.
    """
    # Head first: with a later head, what the writer did about the earlier one is visible too.
    latest = llvm.load_acquire(words, H_HEAD)  # PAIR records-before-head
    bumps = llvm.wrapping_sub(llvm.load_acquire(ctl, CTL_WAKE), word)  # PAIR clear-before-bump
    if bumps == 0:
        return WAKE_MISSED if latest != head else WAKE_OPEN
    if bumps == 1 and llvm.wrapping_sub(llvm.load_relaxed(ctl, CTL_WOKEN_FOR), head) > 0:
        return WAKE_MISSED
    return WAKE_CAME  # or it cannot be told any more: several bumps, the last one hides the others


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
    Returns     WAIT_READY, WAIT_TIMEOUT (or woken for nothing), WAIT_SUSPECT.
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
    slept_ns = llvm.clock_ns(llvm.CLOCK_MONOTONIC) - begun
    return WAIT_READY if slept_ns < timeout_ns else WAIT_SUSPECT
