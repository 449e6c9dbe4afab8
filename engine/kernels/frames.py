"""Websocket framing: where the next server frame lies in the bytes of a socket read (RFC 6455, section 5)."""

import numba

from ..jit import INLINE, bytes_in, i64, kernel

# What `next_frame` answers.
FRAME_MESSAGE = 0  # one whole text or binary message in one frame
FRAME_MORE = 1  # the frame is not complete yet
FRAME_CONTROL = 2  # close, ping or pong, complete
FRAME_FRAGMENT = 3  # part of a fragmented message, complete as a frame
FRAME_BAD = 4  # a protocol error: close with 1002
FRAME_TOO_BIG = 5  # longer than `max_bytes`: close with 1009

OP_CONTINUATION, OP_TEXT, OP_BINARY, OP_CLOSE, OP_PING, OP_PONG = 0, 1, 2, 8, 9, 10
CONTROL_MAX_BYTES = 125

Found = numba.types.UniTuple(i64, 4)


@kernel(i64(bytes_in, i64, i64))
def read_big_endian(buf, at, count):
    """Read `count` bytes as an unsigned big-endian number.

    buf    uint8[:]
    at     first byte; the caller checked that at + count <= len(buf)
    count  1..8
    Returns int64; negative when the top bit of 8 bytes is set.
    """
    value = i64(0)
    for i in range(count):
        value = (value << 8) | i64(buf[at + i])
    return value


@kernel(Found(bytes_in, i64, i64, i64), **INLINE)
def next_frame(buf, at, end, max_bytes):
    """Find the next frame a server sent.

    buf        uint8[:], bytes of the connection
    at         offset of the frame's first byte
    end        offset behind the last byte received, at <= end <= len(buf)
    max_bytes  largest payload accepted
    Returns    (status, payload start, payload length, opcode | FIN << 7); for FRAME_MORE the second
               value is how many bytes from `at` are needed to go on (2 when even the header is short).
    """
    have = end - at
    if have < 2:
        return i64(FRAME_MORE), i64(2), i64(0), i64(0)
    first, second = i64(buf[at]), i64(buf[at + 1])
    opcode, final = first & 0x0F, first >> 7
    tag = opcode | (final << 7)
    length, header = second & 0x7F, i64(2)
    if first & 0x70 or second & 0x80:  # no extension was offered; a server never masks
        return i64(FRAME_BAD), at, length, tag
    if opcode > OP_BINARY and (opcode < OP_CLOSE or opcode > OP_PONG):
        return i64(FRAME_BAD), at, length, tag
    if opcode >= OP_CLOSE and (final == 0 or length > CONTROL_MAX_BYTES):
        return i64(FRAME_BAD), at, length, tag
    if length >= 126:
        size = i64(2) if length == 126 else i64(8)
        header += size
        if have < header:
            return i64(FRAME_MORE), header, i64(0), tag
        length = read_big_endian(buf, at + 2, size)
    if length < 0:  # RFC 6455 5.2: the most significant bit must be 0
        return i64(FRAME_BAD), at, length, tag
    if length > max_bytes:
        return i64(FRAME_TOO_BIG), at, length, tag
    if have < header + length:
        return i64(FRAME_MORE), header + length, i64(0), tag
    if opcode >= OP_CLOSE:
        return i64(FRAME_CONTROL), at + header, length, tag
    if final == 0 or opcode == OP_CONTINUATION:
        return i64(FRAME_FRAGMENT), at + header, length, tag
    return i64(FRAME_MESSAGE), at + header, length, tag
