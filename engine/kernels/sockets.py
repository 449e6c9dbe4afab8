"""Reading sockets without Python: wait, read and decrypt until bytes are there, or something for Python is.

The C functions are called through their addresses, which stand in the table like everything else of the world
outside: this file opens nothing and knows no socket but by its number. Every wait ends at T_DEADLINE.
"""

from ..jit import i64, kernel, void, words_out
from ..workspace import W_CHANGED, W_CURSOR, W_NEED_BYTES
from . import llvm
from .session import HANDED_BACK
from .socket_reads import fill, forget_errors, move_up
from .socket_table import (
    FILL_ENDED,
    FILL_NOTHING,
    HEADER_WORDS,
    NOBODY,
    READY_NOT,
    READY_READ,
    ROW_WORDS,
    S_BEGIN,
    S_BY_HAND,
    S_CAPACITY,
    S_FD,
    S_FILLED,
    S_HOT,
    S_MONO,
    S_READS,
    S_READY,
    S_RECV,
    SERVE_CHANGED,
    SERVE_ENDED,
    SERVE_EVENTS,
    SERVE_HANDED,
    SERVE_OVER,
    SERVE_RAW,
    SERVE_ROOM,
    T_ASKED,
    T_COLD,
    T_DEADLINE,
    T_EPOLL,
    T_EPOLL_WAIT,
    T_EVENT_BYTES,
    T_EVENT_FD,
    T_EVENT_ROOM,
    T_EVENTS,
    T_LOOKS,
    T_NEXT,
    T_ROW,
    T_ROWS,
    T_SPIN,
)

EPOLLOUT = 4
MOST_LOOKS = 16  # then epoll is asked, for the sake of everything else
READ_LOOKS = 4  # what a read counts for
MOST_WAIT_MS = 1000
NS_PER_MS = 1_000_000


@kernel(i64(words_out))
def first_filled(table):
    """Read from the sockets that may have something, in turn, until one has.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    Returns  word offset of the socket, S_FILLED says how much it has; or NOBODY.
    """
    rows = table[T_ROWS]
    for _ in range(rows):
        at = HEADER_WORDS + table[T_NEXT] * ROW_WORDS
        table[T_NEXT] = table[T_NEXT] + 1 if table[T_NEXT] + 1 < rows else 0
        if table[at + S_HOT] and (table[T_SPIN] or table[at + S_READY] != READY_NOT):
            size = fill(table, at)
            if size != FILL_NOTHING:
                table[at + S_FILLED] = size
                return at
    return i64(NOBODY)


@kernel(i64(words_out))
def someone_ready(table):
    """Return 1 when a socket is known to have something, else 0.

    table  int64[HEADER_WORDS + rows * ROW_WORDS]
    """
    for row in range(table[T_ROWS]):
        at = HEADER_WORDS + row * ROW_WORDS
        if table[at + S_HOT] and table[at + S_READY] != READY_NOT:
            return i64(1)
    return i64(0)


@kernel(void(words_out, i64))
def ask(table, wait_ms):
    """Ask epoll which sockets have something, and whether there is anything for Python.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    wait_ms  longest wait
    """
    table[T_ASKED], table[T_LOOKS] = 1, 0
    found = llvm.call_c(table[T_EPOLL_WAIT], table[T_EPOLL], table[T_EVENTS], table[T_EVENT_ROOM], wait_ms)
    if found < 0:
        table[T_COLD] = 1
    for number in range(found):
        event = table[T_EVENTS] + number * table[T_EVENT_BYTES]
        flags, fd = llvm.load_c_int(event), llvm.load_c_int(event + table[T_EVENT_FD])
        is_ours = False
        for row in range(table[T_ROWS]):
            at = HEADER_WORDS + row * ROW_WORDS
            if table[at + S_HOT] and table[at + S_FD] == fd:
                is_ours = flags & EPOLLOUT == 0
                if flags & ~EPOLLOUT and table[at + S_READY] == READY_NOT:
                    table[at + S_READY] = READY_READ
        if not is_ours:
            table[T_COLD] = 1


@kernel(void(words_out))
def begin_serving(table):
    """Python has run: everything is to be looked at anew.

    table  int64[HEADER_WORDS + rows * ROW_WORDS]
    """
    forget_errors(table)
    table[T_COLD] = table[T_ASKED] = 0
    table[T_LOOKS] = MOST_LOOKS


@kernel(i64(words_out, i64, i64))
def leave(table, at, code):
    """Go back to Python.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    at       word offset of the socket that the code is about; 0 for none
    code     SERVE_*
    Returns  the code as a number that cannot be taken for a socket, see code_of.
    """
    table[T_ROW] = at
    return i64(NOBODY) - code


@kernel(i64(i64))
def code_of(left):
    """Return the SERVE_* code of what `leave` returned.

    left  what it returned, <= NOBODY
    """
    return i64(NOBODY) - left


@kernel(i64(words_out))
def next_filled(table):
    """Wait until a socket has bytes to take, or Python is wanted.

    table    int64[HEADER_WORDS + rows * ROW_WORDS], begin_serving was called
    Returns  word offset of the socket, its stamps taken; or what `leave` returned.
    """
    while True:
        if table[T_LOOKS] < MOST_LOOKS:
            at = first_filled(table)
            if at != NOBODY:
                table[T_LOOKS] += READ_LOOKS
                table[at + S_RECV] = llvm.clock_ns(llvm.CLOCK_REALTIME)
                table[at + S_MONO] = llvm.clock_ns(llvm.CLOCK_MONOTONIC)
                if table[at + S_FILLED] == FILL_ENDED:
                    return leave(table, at, SERVE_ENDED)
                table[at + S_READS] += 1
                return leave(table, at, SERVE_RAW) if table[at + S_BY_HAND] else at
            table[T_LOOKS] += 1
            if table[T_SPIN]:
                continue
        if table[T_COLD]:
            return leave(table, 0, SERVE_EVENTS)
        left_ns = table[T_DEADLINE] - llvm.clock_ns(llvm.CLOCK_MONOTONIC)
        if table[T_ASKED] and left_ns <= 0:
            return leave(table, 0, SERVE_OVER)
        wait_ms = i64(0)
        if not table[T_SPIN] and left_ns > 0 and not someone_ready(table):
            wait_ms = min((left_ns + NS_PER_MS - 1) // NS_PER_MS, MOST_WAIT_MS)
        ask(table, wait_ms)


@kernel(i64(words_out, words_out, i64, i64))
def settle(table, work, at, result):
    """Note how far a socket's bytes were taken; make room for more.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    work     int64[:], workspace, as `ingest` left it
    at       word offset of the socket
    result   DRAINED or HANDED_BACK
    Returns  0 to go on, else what `leave` returned.
    """
    table[at + S_BEGIN] = work[W_CURSOR]
    if result == HANDED_BACK:
        return leave(table, at, SERVE_HANDED)
    move_up(table, at)
    if work[W_NEED_BYTES] > table[at + S_CAPACITY] - table[at + S_BEGIN]:
        return leave(table, at, SERVE_ROOM)
    if work[W_CHANGED]:
        return leave(table, at, SERVE_CHANGED)
    return i64(0)
