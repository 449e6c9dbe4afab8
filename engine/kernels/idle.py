"""What a hybrid reader does between records: spin for a while, then sleep."""

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import CTL_WAKE, H_HEAD
from . import llvm
from .cursor import CUR_MISSED, CUR_SEQ, CUR_SLEEPS, CUR_SUSPECT, CUR_SUSPECT_HEAD, CUR_SUSPECT_WORD
from .wait import (
    WAIT_READY,
    WAIT_SUSPECT,
    WAKE_MISSED,
    WAKE_OPEN,
    judge_wake,
    sleep_until,
    spin_until,
)

NEVER_SLEEP = -1


@kernel(void(words_in, words_in, words_out))
def settle_suspicion(words, ctl, cursor):
    """Find out, if it can be known by now, whether a wake-up that seemed lost was only late; count a lost one.

    words   int64[:], the bus
    ctl     int64[CTL_WORDS], the control page
    cursor  int64[CURSOR_WORDS]
    """
    if cursor[CUR_SUSPECT] == 0:
        return
    verdict = judge_wake(words, ctl, cursor[CUR_SUSPECT_WORD], cursor[CUR_SUSPECT_HEAD])
    if verdict != WAKE_OPEN:
        cursor[CUR_SUSPECT] = 0
    if verdict == WAKE_MISSED:
        cursor[CUR_MISSED] += 1


@kernel(i64(words_in, words_out, words_in, words_out, i64, i64))
def wait_for_next(words, ctl, geo, cursor, spin_ticks, sleep_ns):
    """Wait for the cursor's next record: first spinning, then in one bounded sleep.

    words       int64[:], the bus
    ctl         int64[CTL_WORDS]: the control page, or a private page for a reader that may not write there
    geo         int64[GEO_LENGTH]
    cursor      int64[CURSOR_WORDS]
    spin_ticks  ticks to spin before sleeping
    sleep_ns    longest sleep; NEVER_SLEEP for spinning only
    Returns     WAIT_READY or WAIT_TIMEOUT.
    """
    seq = cursor[CUR_SEQ]
    code = spin_until(words, geo, seq, spin_ticks)
    if code == WAIT_READY or sleep_ns == NEVER_SLEEP:
        return code
    settle_suspicion(words, ctl, cursor)
    cursor[CUR_SLEEPS] += 1
    word = llvm.load_acquire(ctl, CTL_WAKE)  # PAIR clear-before-bump
    code = sleep_until(words, ctl, geo, seq, sleep_ns)
    if code != WAIT_SUSPECT:
        return code
    head = llvm.load_acquire(words, H_HEAD)  # PAIR records-before-head
    if llvm.wrapping_sub(head, seq) > 0:  # else the batch is not announced yet, so nobody was to be woken
        cursor[CUR_SUSPECT], cursor[CUR_SUSPECT_WORD], cursor[CUR_SUSPECT_HEAD] = 1, word, head
        settle_suspicion(words, ctl, cursor)
    return WAIT_READY
