"""Reading sockets without Python: wait, read and decrypt until bytes are there, or something for Python is.

The C functions are called through their addresses, which stand in the table like everything else of the world
outside: this file opens nothing and knows no socket but by its number. Every wait ends at T_DEADLINE.
"""

from ..jit import i64, kernel, void, words_out
from ..workspace import W_CHANGED, W_CURSOR, W_NEED_BYTES
from . import llvm
from .session import HANDED_BACK

# The table is int64[HEADER_WORDS + rows * ROW_WORDS].
T_ROWS = 0  # sockets in use
T_NEXT = 1  # the one that has its turn
T_SPIN = 2  # 1: read without waiting; 0: sleep in epoll_wait
T_DEADLINE = 3  # CLOCK_MONOTONIC, ns: Python wants to run
T_EPOLL, T_EVENTS, T_EVENT_ROOM = 4, 5, 6  # descriptor, address of its events, how many fit
T_EVENT_BYTES, T_EVENT_FD = 7, 8  # size of an event, offset of the descriptor in it
T_ERRNO = 9  # address of this thread's errno
T_EPOLL_WAIT, T_READ, T_BIO_WRITE, T_SSL_READ, T_SSL_ERROR, T_CLEAR = range(10, 16)  # C functions
T_CIPHER, T_CIPHER_BYTES = 16, 17  # room for one read of what is still encrypted
T_READ_BYTES = 18  # most bytes of one read
T_ROW = 19  # word offset of the socket that a SERVE_* code is about
T_COLD = 20  # 1: epoll told of something for Python, or was interrupted by a signal
T_ASKED = 21  # 1: epoll was asked since Python ran
T_LOOKS = 22  # looks at sockets since epoll was asked
HEADER_WORDS = 24
# One socket.
S_BUFFER, S_BUFFER_BYTES = 0, 1  # address and length, padding included
S_FD = 2
S_SLOT = 3  # which connection of those that bring the same streams
S_HOT = 4  # 1: read here; 0: left to Python
S_BEGIN, S_END, S_CAPACITY = 5, 6, 7  # bytes not yet taken; where room ends
S_SSL, S_BIO = 8, 9  # of OpenSSL: the connection, the memory it decrypts from; 0 without TLS
S_READY = 10  # a READY_* code
S_FILLED = 11  # bytes the last read brought, or FILL_ENDED
S_READS = 12  # reads since Python looked
S_RECV, S_MONO = 13, 14  # stamps of the last read
S_FATE, S_ERROR = 15, 16  # why it ended: a FATE_* code, and errno or SSL_get_error
S_BY_HAND = 17  # 1: Python takes the bytes, as it has a part of a fragmented message
S_FULL = 18  # reads that filled all they were offered, since Python looked
ROW_WORDS = 24

READY_NOT, READY_READ, READY_HELD = range(3)  # nothing known; readable; OpenSSL holds decrypted bytes
FATE_RUNS, FATE_EOF, FATE_ERROR, FATE_NOTIFIED, FATE_TLS = range(5)
FILL_NOTHING, FILL_ENDED = 0, -1
NOBODY = -1
# What a serving kernel returns.
SERVE_OVER = 0  # the deadline has come
SERVE_EVENTS = 1  # epoll has something for Python
SERVE_HANDED = 2  # T_ROW: a frame for Python lies at W_HAND_*
SERVE_RAW = 3  # T_ROW: bytes for Python, not looked at
SERVE_ENDED = 4  # T_ROW is read no more, see S_FATE
SERVE_ROOM = 5  # T_ROW: the next frame does not fit, see W_NEED_BYTES
SERVE_CHANGED = 6  # some symbol's state changed

EAGAIN, EINTR, EPOLLOUT = 11, 4, 4
SSL_WANT_READ, SSL_CLOSED = 2, 6
MOST_LOOKS = 16  # then epoll is asked, for the sake of everything else
READ_LOOKS = 4  # what a read counts for
BUSY_SHARE = 8  # a read of more than 1/8 of what was offered is followed by another one without asking
MOST_WAIT_MS = 1000
NS_PER_MS = 1_000_000


@kernel(i64(words_out, i64, i64))
def end_row(table, at, fate):
    """Note that a socket is read no more.

    table  int64[HEADER_WORDS + rows * ROW_WORDS]
    at     word offset of the socket
    fate   FATE_*
    Returns FILL_ENDED.
    """
    table[at + S_FATE] = fate
    return i64(FILL_ENDED)


@kernel(i64(words_out, i64, i64, i64))
def read_some(table, at, address, room):
    """Read once from a socket.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    at       word offset of the socket
    address  where the bytes go
    room     how many may, > 0
    Returns  bytes, FILL_NOTHING or FILL_ENDED.
    """
    size = llvm.call_c(table[T_READ], table[at + S_FD], address, room, 0)
    if size > 0:
        return size
    if size == 0:
        return end_row(table, at, FATE_EOF)
    error = llvm.load_c_int(table[T_ERRNO])
    if error in (EAGAIN, EINTR):
        return i64(FILL_NOTHING)
    table[at + S_ERROR] = error
    return end_row(table, at, FATE_ERROR)


@kernel(i64(words_out, i64))
def decrypt(table, at):
    """Take what OpenSSL can decrypt of what it was given.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    at       word offset of the socket
    Returns  bytes added at S_END, FILL_NOTHING, or FILL_ENDED; what came before the end is given first.
    """
    before = table[at + S_END]
    table[at + S_READY] = READY_HELD
    while table[at + S_CAPACITY] > table[at + S_END] and table[at + S_END] - before < table[T_READ_BYTES]:
        llvm.call_c(table[T_CLEAR], 0, 0, 0, 0)
        into, room = table[at + S_BUFFER] + table[at + S_END], table[at + S_CAPACITY] - table[at + S_END]
        size = llvm.call_c(table[T_SSL_READ], table[at + S_SSL], into, room, 0)
        if size <= 0:
            table[at + S_READY] = READY_NOT
            error = llvm.call_c(table[T_SSL_ERROR], table[at + S_SSL], size, 0, 0)
            if error != SSL_WANT_READ:
                table[at + S_ERROR] = error
                end_row(table, at, FATE_NOTIFIED if error == SSL_CLOSED else FATE_TLS)
            break
        table[at + S_END] += size
    size = table[at + S_END] - before
    return i64(FILL_ENDED) if size == 0 and table[at + S_FATE] != FATE_RUNS else size


@kernel(i64(words_out, i64))
def fill(table, at):
    """Read once into a socket's buffer, through OpenSSL where it has TLS.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    at       word offset of the socket
    Returns  bytes added at S_END, FILL_NOTHING or FILL_ENDED.
    """
    if table[at + S_FATE] != FATE_RUNS:
        return i64(FILL_ENDED)
    room = min(table[T_READ_BYTES], table[at + S_CAPACITY] - table[at + S_END])
    if table[at + S_SSL] == 0:
        size = read_some(table, at, table[at + S_BUFFER] + table[at + S_END], room)
        table[at + S_END] += max(size, 0)
        table[at + S_FULL] += size == table[T_READ_BYTES]
        table[at + S_READY] = READY_READ if size * BUSY_SHARE > room else READY_NOT
        return size
    if table[at + S_READY] == READY_HELD:
        size = decrypt(table, at)
        if size != FILL_NOTHING:
            return size
    size = read_some(table, at, table[T_CIPHER], table[T_CIPHER_BYTES])
    if size <= 0:
        table[at + S_READY] = READY_NOT
        return size
    llvm.call_c(table[T_BIO_WRITE], table[at + S_BIO], table[T_CIPHER], size, 0)
    is_busy = size * BUSY_SHARE > table[T_CIPHER_BYTES]
    table[at + S_FULL] += size == table[T_CIPHER_BYTES]
    size = decrypt(table, at)
    if is_busy and table[at + S_READY] == READY_NOT:
        table[at + S_READY] = READY_READ
    return size


@kernel(void(words_out, i64))
def move_up(table, at):
    """Move what is left of a frame to the front of the buffer when room behind it runs short.

    table  int64[HEADER_WORDS + rows * ROW_WORDS]
    at     word offset of the socket
    """
    begin, end = table[at + S_BEGIN], table[at + S_END]
    if begin == end:
        table[at + S_BEGIN] = table[at + S_END] = 0
    elif begin > 0 and table[at + S_CAPACITY] - end < table[T_READ_BYTES] >> 2:
        buf = llvm.bytes_at(table, at + S_BUFFER)
        for i in range(end - begin):
            buf[i] = buf[begin + i]
        table[at + S_BEGIN], table[at + S_END] = 0, end - begin


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
