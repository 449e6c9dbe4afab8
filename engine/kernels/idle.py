"""What a hybrid reader does between records: spin for a while, then sleep."""

from ..jit import i64, kernel, words_in, words_out
from .cursor import CUR_MISSED, CUR_SEQ, CUR_SLEEPS
from .wait import WAIT_MISSED, WAIT_READY, sleep_until, spin_until

NEVER_SLEEP = -1


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
    code = spin_until(words, geo, cursor[CUR_SEQ], spin_ticks)
    if code == WAIT_READY or sleep_ns == NEVER_SLEEP:
        return code
    cursor[CUR_SLEEPS] += 1
    code = sleep_until(words, ctl, geo, cursor[CUR_SEQ], sleep_ns)
    if code == WAIT_MISSED:
        cursor[CUR_MISSED] += 1
        return WAIT_READY
    return code
