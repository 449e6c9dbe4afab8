"""The jitted path for Binance: one call takes a socket read from bytes to published records.

Another venue family gets a file like this one beside its scanner; everything called here is shared.
"""

from .. import layout
from ..jit import bytes_in, i64, kernel, words_out
from ..workspace import W_CURSOR, W_LEG, W_MAX_MESSAGE, W_NEED_BYTES, W_NEXT_SEQ
from . import llvm
from .accept import accept
from .ahead import expect_text
from .audit import take_audit
from .binance import scan, scan_snapshot
from .emit import count
from .frames import FRAME_BAD, FRAME_MESSAGE, FRAME_MORE, FRAME_TOO_BIG, next_frame
from .session import C_HANDED, DRAINED, HANDED_BACK, begin_read, end_read, hand_back
from .snapshot import take_snapshot
from .socket_table import S_BEGIN, S_BUFFER, S_END, S_MONO, S_RECV, S_SLOT
from .sockets import begin_serving, code_of, next_filled, settle
from .views import frame_of, instruments_of, routes_of, rows_of

C_FRAMES = layout.C["frames"]
WHOLE_TEXT = 0x81  # tag of a whole text message: FIN << 7 | opcode 1


@kernel(i64(words_out, words_out, bytes_in, words_out, i64, i64, i64, i64))
def ingest(words, ctl, buf, work, begin, end, recv_ns, mono_ns):
    """Take every complete websocket frame of a read through to the bus.

    words    int64[:], the bus, this process its only writer
    ctl      int64[:], the control page
    buf      uint8[:], bytes of the connection, len(buf) >= end + 64
    work     int64[:], workspace
    begin    offset of the first byte not yet taken
    end      offset behind the last byte received
    recv_ns  CLOCK_REALTIME at the socket, ns
    mono_ns  CLOCK_MONOTONIC at the socket, ns
    Returns  DRAINED or HANDED_BACK; W_CURSOR is where to go on.
    """
    frame, rows, routes, instruments = frame_of(work), rows_of(work), routes_of(work), instruments_of(work)
    first_seq = begin_read(words, work, recv_ns, mono_ns, end - begin)
    at, result, frames, max_bytes = begin, i64(DRAINED), i64(0), work[W_MAX_MESSAGE]
    while True:
        status, start, length, tag = next_frame(buf, at, end, max_bytes)
        if status == FRAME_MORE:
            work[W_NEED_BYTES] = start
            break
        frames += 1
        at = start + length
        if status == FRAME_MESSAGE:
            expect_text(buf, start, at)
            status = scan(buf, start, at, routes, instruments, frame, rows)
            if status == layout.DECODED:
                accept(words, work, frame, rows)
                continue
        elif status in (FRAME_BAD, FRAME_TOO_BIG):
            at = end  # the connection cannot be read any further
        hand_back(work, status, start, length, tag)
        count(words, work, C_HANDED, 1)
        result = i64(HANDED_BACK)
        break
    work[W_CURSOR] = at
    count(words, work, C_FRAMES, frames)
    end_read(words, ctl, work, first_seq)
    return result


@kernel(i64(words_out, words_out, bytes_in, words_out, i64, i64, i64, i64))
def ingest_message(words, ctl, buf, work, begin, end, recv_ns, mono_ns):
    """Take one whole message, already free of websocket framing, through to the bus.

    words    int64[:], the bus, this process its only writer
    ctl      int64[:], the control page
    buf      uint8[:], the message at buf[begin:end], len(buf) >= end + 64
    work     int64[:], workspace
    begin    offset of its first byte
    end      offset behind its last byte
    recv_ns  CLOCK_REALTIME at the socket, ns
    mono_ns  CLOCK_MONOTONIC at the socket, ns
    Returns  DRAINED, or HANDED_BACK when Python must look at it.
    """
    frame, rows = frame_of(work), rows_of(work)
    first_seq = begin_read(words, work, recv_ns, mono_ns, end - begin)
    count(words, work, C_FRAMES, 1)
    code = scan(buf, begin, end, routes_of(work), instruments_of(work), frame, rows)
    result = i64(DRAINED)
    if code == layout.DECODED:
        accept(words, work, frame, rows)
    else:
        hand_back(work, code, begin, end - begin, WHOLE_TEXT)
        count(words, work, C_HANDED, 1)
        result = i64(HANDED_BACK)
    end_read(words, ctl, work, first_seq)
    return result


@kernel(i64(words_out, words_out, bytes_in, words_out, i64, i64, i64))
def ingest_snapshot(words, ctl, buf, work, begin, end, symbol_id):
    """Take the body of a REST depth reply; its stamps stand in W_RECV_NS and W_MONO_NS.

    words      int64[:], the bus, this process its only writer
    ctl        int64[:], the control page
    buf        uint8[:], the body at buf[begin:end], len(buf) >= end + 64
    work       int64[:], workspace; W_SNAPSHOT_LIMIT is the number of levels asked for, 0 unknown
    begin      offset of its first byte
    end        offset behind its last byte
    symbol_id  row of the symbol table
    Returns    a SNAPSHOT_* code, or the scanner's negative code.
    """
    frame, rows, first_seq = frame_of(work), rows_of(work), work[W_NEXT_SEQ]
    code = scan_snapshot(buf, begin, end, symbol_id, instruments_of(work), frame, rows)
    if code == layout.DECODED:
        code = take_snapshot(words, work, frame, rows, symbol_id)
    end_read(words, ctl, work, first_seq)
    return code


@kernel(i64(words_out, bytes_in, words_out, i64, i64, i64))
def ingest_audit(words, buf, work, begin, end, symbol_id):
    """Judge a symbol's live book by the body of a REST depth reply; nothing is published.

    words      int64[:], the bus, this process its only writer
    buf        uint8[:], the body at buf[begin:end], len(buf) >= end + 64
    work       int64[:], workspace; W_SNAPSHOT_LIMIT is the number of levels asked for, 0 unknown
    begin      offset of its first byte
    end        offset behind its last byte
    symbol_id  row of the symbol table
    Returns    an AUDIT_* code of kernels/audit.py, or the scanner's negative code.
    """
    frame, rows = frame_of(work), rows_of(work)
    code = scan_snapshot(buf, begin, end, symbol_id, instruments_of(work), frame, rows)
    return take_audit(words, work, frame, rows, symbol_id) if code == layout.DECODED else code


@kernel(i64(words_out, words_out, words_out, words_out))
def serve(words, ctl, work, table):
    """Wait for sockets and take what they bring through to the bus, until Python is wanted.

    words    int64[:], the bus, this process its only writer
    ctl      int64[:], the control page
    work     int64[:], workspace
    table    int64[:], the sockets, see socket_table.py
    Returns  SERVE_*; T_ROW is the socket it is about.
    """
    begin_serving(table)
    while True:
        at = next_filled(table)
        if at < 0:
            return code_of(at)
        work[W_LEG] = table[at + S_SLOT]
        buf, begin, end = llvm.bytes_at(table, at + S_BUFFER), table[at + S_BEGIN], table[at + S_END]
        result = ingest(words, ctl, buf, work, begin, end, table[at + S_RECV], table[at + S_MONO])
        left = settle(table, work, at, result)
        if left < 0:
            return code_of(left)
