"""The table of the kernels that read sockets: what stands where, and the codes in it."""

# The table is int64[HEADER_WORDS + rows * ROW_WORDS].
T_ROWS = 0  # sockets in use
T_NEXT = 1  # the one that has its turn
T_SPIN = 2  # 1: read without waiting; 0: sleep in epoll_wait
T_DEADLINE = 3  # CLOCK_MONOTONIC, ns: Python wants to run
T_EPOLL, T_EVENTS, T_EVENT_ROOM = 4, 5, 6  # descriptor, address of its events, how many fit
T_EVENT_BYTES, T_EVENT_FD = 7, 8  # size of an event, offset of the descriptor in it
T_ERRNO = 9  # address of this thread's errno
T_EPOLL_WAIT, T_READ = 10, 11  # C functions
T_BIO_WRITE, T_BIO_CTRL, T_SSL_READ, T_SSL_PENDING, T_SSL_ERROR, T_CLEAR = range(12, 18)  # of OpenSSL
T_CIPHER, T_CIPHER_BYTES = 18, 19  # room for one read of what is still encrypted
T_READ_BYTES = 20  # most bytes of one read
T_ROW = 21  # word offset of the socket that a SERVE_* code is about
T_COLD = 22  # 1: epoll told of something for Python, or was interrupted by a signal
T_ASKED = 23  # 1: epoll was asked since Python ran
T_LOOKS = 24  # looks at sockets since epoll was asked
HEADER_WORDS = 32
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
