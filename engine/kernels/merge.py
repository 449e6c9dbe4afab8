"""Many buses read as one stream, ordered by receive time within a window.

Each bus has a cursor and a private record; the earliest of the records held is handed out when no other bus can
still show an earlier one: all hold a later one, or the record has aged by the window and they are empty. What
comes too late for that is handed out at once and counted. The writers share nothing and know nothing of it.
"""

from ..jit import i64, kernel, void, words_in, words_out
from ..layout import FLAG_FROM_BOARD, R_RECV, R_TAGS, READ_BUSY, READ_EARLY, READ_LAPPED, READ_OK
from . import llvm
from .cursor import BOARD_DONE, CUR_BOARD, CUR_SEQ, NEW_SYMBOL, advance
from .idle import NEVER_SLEEP
from .wait import WAIT_READY, WAIT_TIMEOUT, is_ready

MERGE_MOST = 64  # buses
# The table is int64[buses * ROW_WORDS]. Six arrays of each bus, as address and length; see cursor.advance.
M_WORDS, M_GEO, M_CURSOR, M_SEEN, M_WANTED, M_OUT = range(0, 12, 2)
M_HELD = 12  # 1: `out` is a record that was not handed out yet
M_RECV = 13  # its recv_ns
M_HELD_AT = 14  # the clock when it was taken up
M_BUSY_SINCE = 15  # the clock since when there is something to read but nothing to show; 0: it is not so
M_GONE = 16  # 1: the writer has gone; nobody waits for this bus
M_READ = 17  # records handed out, those of the board not counted
M_LATE = 18  # of these, older than one handed out before
ROW_WORDS = 24
# The state is int64[MERGE_WORDS].
MG_WINDOW = 0  # ns
MG_MARK = 1  # latest recv_ns handed out; records of the board do not move it
MG_BUS = 2  # bus of the record handed out last, or of the NEW_SYMBOL
MG_PATIENCE = 3  # ns until the earliest record held is due; NOTHING_HELD
MG_NAP = 4  # slept on, never woken
MERGE_WORDS = 16
NOTHING_HELD = -1
TAKE_TRIES = 4


@kernel(i64(words_out, i64, i64))
def take_up(table, at, now_ns):
    """Hold the next record of one bus, if there is one.

    table    int64[buses * ROW_WORDS]
    at       word offset of the row; it holds no record
    now_ns   CLOCK_REALTIME, read before
    Returns  READ_OK, READ_EARLY, NEW_SYMBOL; READ_BUSY: there is more to look at before one can be shown.
    """
    words, geo = llvm.words_at(table, at + M_WORDS), llvm.words_at(table, at + M_GEO)
    cursor, seen = llvm.words_at(table, at + M_CURSOR), llvm.words_at(table, at + M_SEEN)
    wanted, out = llvm.words_at(table, at + M_WANTED), llvm.words_at(table, at + M_OUT)
    code = i64(READ_BUSY)
    for _ in range(TAKE_TRIES):
        code = advance(words, geo, cursor, seen, wanted, out)
        if code not in (READ_LAPPED, READ_BUSY):
            break
    if code == READ_OK:
        table[at + M_HELD], table[at + M_HELD_AT], table[at + M_RECV] = 1, now_ns, out[R_RECV]
    if code in (READ_OK, READ_EARLY):
        table[at + M_BUSY_SINCE] = 0
        return code
    if table[at + M_BUSY_SINCE] == 0:
        table[at + M_BUSY_SINCE] = now_ns
    return i64(NEW_SYMBOL) if code == NEW_SYMBOL else i64(READ_BUSY)


@kernel(i64(i64, i64, i64))
def time_left(window_ns, since_ns, now_ns):
    """Return how much of the window is left, 0 or less when it is over or the clock was set back.

    window_ns  its length
    since_ns   when it began
    now_ns     the same clock, now
    """
    passed = llvm.wrapping_sub(now_ns, since_ns)
    return i64(0) if passed < 0 else window_ns - min(passed, window_ns)


@kernel(i64(words_in, i64, i64, i64))
def patience(table, at, window_ns, now_ns):
    """Return for how many ns a held record still waits for the empty buses: the window, from its receive time.

    A receive time in the future counts as the moment the record was taken up.

    table      int64[buses * ROW_WORDS]
    at         word offset of its row
    window_ns  0 or more
    now_ns     CLOCK_REALTIME
    """
    left = time_left(window_ns, table[at + M_HELD_AT], now_ns)
    if llvm.wrapping_sub(now_ns, table[at + M_RECV]) < 0:
        return left
    return min(left, time_left(window_ns, table[at + M_RECV], now_ns))


@kernel(void(words_out, words_out, i64))
def hand_out(table, state, bus):
    """Give the held record of a bus to the caller, who reads `out` before the next call.

    table  int64[buses * ROW_WORDS]
    state  int64[MERGE_WORDS]
    bus    index
    """
    at = bus * ROW_WORDS
    state[MG_BUS], table[at + M_HELD] = bus, 0
    if (llvm.words_at(table, at + M_OUT)[R_TAGS] >> 24) & FLAG_FROM_BOARD:
        return
    table[at + M_READ] += 1
    if table[at + M_RECV] < state[MG_MARK]:
        table[at + M_LATE] += 1
    else:
        state[MG_MARK] = table[at + M_RECV]


@kernel(i64(words_out, words_out, i64))
def next_merged(table, state, now_ns):
    """Hand out the next record of all buses, in the order of receive times as far as the window allows.

    Ties go to the lower bus. A record of the board, a state and no event, comes at once and takes no part in
    the order. One that is older than what was handed out comes at once and is counted.

    table    int64[buses * ROW_WORDS]
    state    int64[MERGE_WORDS]; MG_BUS says whose record it is, MG_PATIENCE how long the next one waits
    now_ns   CLOCK_REALTIME, read before the call: what is empty afterwards was empty then
    Returns  READ_OK; READ_EARLY: nothing is due; READ_BUSY: call again; NEW_SYMBOL: on MG_BUS, as in advance.
    """
    best, unknown, empty, busy = i64(-1), i64(-1), i64(0), i64(0)
    window = state[MG_WINDOW]
    for bus in range(len(table) // ROW_WORDS):
        at = bus * ROW_WORDS
        code = i64(READ_OK) if table[at + M_HELD] else take_up(table, at, now_ns)
        if code == READ_OK:
            if (llvm.words_at(table, at + M_OUT)[R_TAGS] >> 24) & FLAG_FROM_BOARD:
                hand_out(table, state, bus)
                return READ_OK
            if best < 0 or table[at + M_RECV] < table[best * ROW_WORDS + M_RECV]:
                best = i64(bus)
        elif code == READ_EARLY:
            empty += 1 - table[at + M_GONE]
        else:
            if code == NEW_SYMBOL:
                unknown = i64(bus)
            if time_left(window, table[at + M_BUSY_SINCE], now_ns) > 0:
                busy += 1
    state[MG_PATIENCE] = NOTHING_HELD
    if best >= 0:
        state[MG_PATIENCE] = patience(table, best * ROW_WORDS, window, now_ns) if empty else i64(0)
        is_late = table[best * ROW_WORDS + M_RECV] < state[MG_MARK]
        if is_late or (busy == 0 and state[MG_PATIENCE] <= 0):
            hand_out(table, state, best)
            return READ_OK
    if unknown >= 0:  # last, so that a row which never comes holds up no other bus
        state[MG_BUS] = unknown
        return NEW_SYMBOL
    return READ_BUSY if busy else READ_EARLY


@kernel(i64(words_in, words_in, i64, i64))
def wait_merged(table, state, spin_ticks, sleep_ns):
    """Wait until a bus without a held record has something to read: first spinning, then in one bounded nap.

    Nobody wakes a reader of many buses; it looks again after the nap, and the writers pay nothing for it.

    table       int64[buses * ROW_WORDS]
    state       int64[MERGE_WORDS]; the nap ends when the earliest record held is due
    spin_ticks  ticks to spin before sleeping
    sleep_ns    longest nap; NEVER_SLEEP for spinning only
    Returns     WAIT_READY or WAIT_TIMEOUT.
    """
    begun = llvm.read_ticks()
    while True:
        for at in range(0, len(table), ROW_WORDS):
            cursor = llvm.words_at(table, at + M_CURSOR)
            words, geo = llvm.words_at(table, at + M_WORDS), llvm.words_at(table, at + M_GEO)
            unread = cursor[CUR_BOARD] != BOARD_DONE or is_ready(words, geo, cursor[CUR_SEQ])
            if unread and not table[at + M_HELD]:
                return WAIT_READY
        if llvm.read_ticks() - begun >= spin_ticks:
            break
        llvm.cpu_relax()
    nap = sleep_ns if state[MG_PATIENCE] == NOTHING_HELD else min(sleep_ns, state[MG_PATIENCE])
    if sleep_ns != NEVER_SLEEP and nap > 0:
        llvm.futex_wait(state, MG_NAP, state[MG_NAP], nap)
    return WAIT_TIMEOUT


@kernel(void(words_in, words_in, words_out))
def copy_handed(table, state, out):
    """Copy the record that was just handed out.

    table  int64[buses * ROW_WORDS]
    state  int64[MERGE_WORDS], as next_merged left it
    out    int64[slot_words] of that bus
    """
    found = llvm.words_at(table, state[MG_BUS] * ROW_WORDS + M_OUT)
    llvm.move_words(out, 0, found, 0, min(len(out), len(found)))
