"""One read of one socket, decrypted where it has TLS, into the buffer that its table row names."""

from ..jit import i64, kernel, void, words_out
from . import llvm
from .socket_table import (
    FATE_EOF,
    FATE_ERROR,
    FATE_NOTIFIED,
    FATE_RUNS,
    FATE_TLS,
    FILL_ENDED,
    FILL_NOTHING,
    READY_HELD,
    READY_NOT,
    READY_READ,
    S_BEGIN,
    S_BIO,
    S_BUFFER,
    S_CAPACITY,
    S_END,
    S_ERROR,
    S_FATE,
    S_FD,
    S_FULL,
    S_READY,
    S_SSL,
    T_BIO_CTRL,
    T_BIO_WRITE,
    T_CIPHER,
    T_CIPHER_BYTES,
    T_CLEAR,
    T_ERRNO,
    T_READ,
    T_READ_BYTES,
    T_SSL_ERROR,
    T_SSL_PENDING,
    T_SSL_READ,
)

EAGAIN, EINTR = 11, 4
SSL_WANT_READ, SSL_CLOSED = 2, 6
BIO_CTRL_PENDING = 10
BUSY_SHARE = 8  # a read of more than 1/8 of what was offered is followed by another one without asking


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


@kernel(void(words_out))
def forget_errors(table):
    """Empty this thread's queue of OpenSSL's errors: SSL_get_error takes any that lies there for its own.

    Called when Python has run and after every error, so that not every read has to.

    table  int64[HEADER_WORDS + rows * ROW_WORDS]
    """
    if table[T_CLEAR]:
        llvm.call_c(table[T_CLEAR], 0, 0, 0, 0)


@kernel(i64(words_out, i64))
def holds_more(table, at):
    """Return 1 when OpenSSL has something left of what it was given, decrypted or not, else 0.

    To ask costs a fifth of a read in vain.

    table  int64[HEADER_WORDS + rows * ROW_WORDS]
    at     word offset of the socket
    """
    if llvm.call_c(table[T_BIO_CTRL], table[at + S_BIO], BIO_CTRL_PENDING, 0, 0):
        return i64(1)
    return i64(llvm.call_c(table[T_SSL_PENDING], table[at + S_SSL], 0, 0, 0) != 0)


@kernel(i64(words_out, i64))
def decrypt(table, at):
    """Take what OpenSSL can decrypt of what it was given; its queue of errors is empty.

    table    int64[HEADER_WORDS + rows * ROW_WORDS]
    at       word offset of the socket
    Returns  bytes added at S_END, FILL_NOTHING, or FILL_ENDED; what came before the end is given first.
    """
    before = table[at + S_END]
    table[at + S_READY] = READY_HELD
    while table[at + S_CAPACITY] > table[at + S_END] and table[at + S_END] - before < table[T_READ_BYTES]:
        into, room = table[at + S_BUFFER] + table[at + S_END], table[at + S_CAPACITY] - table[at + S_END]
        size = llvm.call_c(table[T_SSL_READ], table[at + S_SSL], into, room, 0)
        if size <= 0:
            error = llvm.call_c(table[T_SSL_ERROR], table[at + S_SSL], size, 0, 0)
            if error == SSL_WANT_READ:
                table[at + S_READY] = READY_NOT
            else:  # stays ready: the end is still to be told when bytes came before it
                forget_errors(table)
                table[at + S_ERROR] = error
                end_row(table, at, FATE_NOTIFIED if error == SSL_CLOSED else FATE_TLS)
            break
        table[at + S_END] += size
        if not holds_more(table, at):
            table[at + S_READY] = READY_NOT
            break
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
    if llvm.call_c(table[T_BIO_WRITE], table[at + S_BIO], table[T_CIPHER], size, 0) != size:
        return end_row(table, at, FATE_TLS)
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
