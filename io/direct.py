"""The default frame source: the transport writes into our numpy buffer, one jitted call per socket read."""

import asyncio
import fcntl
import os
import ssl
import struct
import termios
from typing import Any

import aiohttp
import numpy as np

from ..engine import layout
from ..engine.kernels.frames import (
    FRAME_BAD,
    FRAME_CONTROL,
    FRAME_FRAGMENT,
    FRAME_MESSAGE,
    FRAME_TOO_BIG,
    OP_CLOSE,
    OP_PING,
    next_frame,
)
from ..engine.kernels.socket_table import (
    FATE_EOF,
    FATE_ERROR,
    FATE_NOTIFIED,
    FATE_TLS,
    S_BEGIN,
    S_BUFFER,
    S_BUFFER_BYTES,
    S_BY_HAND,
    S_CAPACITY,
    S_END,
    S_ERROR,
    S_FATE,
    S_FULL,
    S_MONO,
    S_READS,
    S_RECV,
    S_SLOT,
    SERVE_ENDED,
    SERVE_HANDED,
    SERVE_RAW,
    SERVE_ROOM,
)
from ..engine.pipeline import DRAINED
from ..engine.workspace import W_CURSOR, W_HAND_CODE, W_HAND_LENGTH, W_HAND_START, W_HAND_TAG, W_NEED_BYTES
from .clock import MACHINE, Clock
from .feed import Feed
from .openssl import secured
from .serving import ServingSelector
from .sources import (
    CLOSE_PROTOCOL_ERROR,
    CLOSE_TOO_BIG,
    EarlyBytes,
    Fragments,
    Receiver,
    parse_close,
)

PADDING_BYTES = 64  # the scanner may load this far behind the data
READ_BYTES = 256 << 10  # offered to one socket read: stays in a core's second-level cache
BACKLOG_EVERY = 64  # reads between two looks at the socket's queue
BACKLOG = layout.C["backlog_bytes"]


class DirectSource(asyncio.BufferedProtocol):
    """Reads a websocket into one numpy buffer; one jitted call per socket read."""

    def __init__(
        self, feed: Feed, receiver: Receiver, max_message_bytes: int, clock: Clock = MACHINE
    ) -> None:
        self.feed, self.receiver = feed, receiver
        self.pipeline = feed.pipeline
        self._wall_ns, self._mono_ns = clock.wall_ns, clock.mono_ns
        self.fragments = Fragments(max_message_bytes)
        self.max_message_bytes = max_message_bytes
        self._reads = 0
        self.is_served = False  # the loop's selector reads the socket
        self._ended = False  # a close frame or a violation: nothing behind it is read
        self._error: Exception | None = None  # why reading ended, where the transport was not told
        self._allocate(READ_BYTES * 4)

    def _allocate(self, capacity: int) -> None:
        self.buf = np.zeros(capacity + PADDING_BYTES, np.uint8)
        self.view = memoryview(self.buf)  # type: ignore[arg-type]
        self.capacity, self.begin, self.end = capacity, 0, 0
        self._address = self.buf.ctypes.data

    def take_over(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Become the protocol of the connection; nothing the server already sent is lost."""
        assert isinstance(ws, EarlyBytes) and ws._conn is not None and ws.early is not None
        self.ws: EarlyBytes = ws
        self.handler: Any = ws.handler
        transport: Any = ws._conn.transport
        self.transport = transport
        self.socket = transport.get_extra_info("socket")
        transport.set_protocol(self)
        if not transport.is_reading():
            transport.resume_reading()
        early = ws.early
        while early:
            space = self.get_buffer(len(early))
            size = min(len(space), len(early))
            space[:size] = early[:size]
            early = early[size:]
            self.buffer_updated(size)
        self._ask_for_service()

    def _ask_for_service(self) -> None:
        """Let the loop's selector read the socket, if it can: then no Python runs for a message."""
        selector = getattr(asyncio.get_running_loop(), "_selector", None)
        ssl_object = self.transport.get_extra_info("ssl_object")
        secret = secured(ssl_object) if ssl_object is not None else None
        if isinstance(selector, ServingSelector) and (ssl_object is None) == (secret is None):
            self.is_served = selector.adopt(self, self.socket.fileno(), secret, READ_BYTES)
            self._kept = ssl_object  # the kernel holds addresses of what lies behind it

    # -- asyncio.BufferedProtocol
    def get_buffer(self, sizehint: int) -> memoryview:
        """Room behind the last byte; what is left of a frame moves to the front when room runs short."""
        if self.capacity - self.end < READ_BYTES // 4 and self.begin > 0:
            left = self.end - self.begin
            self.buf[:left] = self.buf[self.begin : self.end].copy()
            self.begin, self.end = 0, left
        return self.view[self.end : min(self.end + READ_BYTES, self.capacity)]

    def buffer_updated(self, nbytes: int) -> None:
        """A socket read has landed: stamp it, take all complete frames, hand what is left to Python."""
        recv_ns, mono_ns = self._wall_ns(), self._mono_ns()
        if self._ended or not self.receiver.listening:
            self.begin = self.end = 0  # the socket is being closed: make room, read nothing
            return
        if nbytes == READ_BYTES:
            self.pipeline.count("full_reads")
        self.end += nbytes
        self._reads += 1
        if self._reads % BACKLOG_EVERY == 0:
            self._sample_backlog()
        self._take(recv_ns, mono_ns)

    def _take(self, recv_ns: int, mono_ns: int) -> None:
        """Take all complete frames, hand what is left to Python, make room."""
        pipeline, work = self.pipeline, self.pipeline.work
        if pipeline.is_shared:
            pipeline.read_leg(self.receiver.slot)
        begin = self.begin
        while not self._ended and self.receiver.listening:
            if self.fragments.open and self._next_is_message(begin):
                self._violation(CLOSE_PROTOCOL_ERROR, "a new message began inside a fragmented one")
                break
            result = pipeline.ingest(
                pipeline.words, pipeline.ctl, self.buf, work, begin, self.end, recv_ns, mono_ns
            )
            begin = int(work[W_CURSOR])
            if result == DRAINED:
                break
            self._handed_back(recv_ns, mono_ns)
        self.begin = begin
        if begin == self.end:
            self.begin = self.end = 0
        elif work[W_NEED_BYTES] > self.capacity - begin:
            self._make_room(int(work[W_NEED_BYTES]))
        self.receiver.on_seen()
        self.feed.poll_changed()

    def eof_received(self) -> bool | None:
        """Forwarded, so that aiohttp's side of the connection ends too."""
        return self.handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forwarded, then told."""
        self.handler.connection_lost(exc)
        exc = exc or self._error
        self.receiver.on_lost(f"{type(exc).__name__}: {exc}" if exc else "closed by the peer")

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()

    # -- serving.Served
    @property
    def wants_service(self) -> bool:
        """Whether what the socket brings is still to be taken."""
        return not self._ended and self.receiver.listening

    def write_row(self, row: np.ndarray) -> None:
        """Tell the kernel where the bytes are."""
        row[S_BUFFER], row[S_BUFFER_BYTES], row[S_CAPACITY] = self._address, len(self.buf), self.capacity
        row[S_BEGIN], row[S_END] = self.begin, self.end
        row[S_SLOT] = self.receiver.slot if self.pipeline.is_shared else 0
        row[S_BY_HAND] = self.fragments.open

    def read_row(self, row: np.ndarray) -> None:
        """Learn what the kernel did."""
        self.begin, self.end = int(row[S_BEGIN]), int(row[S_END])
        if row[S_FULL]:
            self.pipeline.count("full_reads", int(row[S_FULL]))
        if row[S_READS]:
            row[S_READS] = row[S_FULL] = 0
            self._sample_backlog()
            self.receiver.on_seen()

    def served(self, code: int, row: np.ndarray) -> None:
        """The kernel came back because of this source."""
        if code == SERVE_ENDED:
            self._reading_ended(int(row[S_FATE]), int(row[S_ERROR]))
            return
        recv_ns, mono_ns = int(row[S_RECV]), int(row[S_MONO])
        if code == SERVE_HANDED:
            self._handed_back(recv_ns, mono_ns)
        if code in (SERVE_HANDED, SERVE_RAW, SERVE_ROOM):
            self._take(recv_ns, mono_ns)
        self.feed.poll_changed()

    def _reading_ended(self, fate: int, error: int) -> None:
        """A plain end of the stream is seen by the transport as well; an error was taken away from it."""
        self._ended = True
        if fate == FATE_ERROR:
            self._error = OSError(error, os.strerror(error))
        elif fate == FATE_TLS:
            self._error = ssl.SSLError(error, "the TLS stream cannot be read any further")
        if fate == FATE_NOTIFIED:
            self.transport.close()
        elif fate != FATE_EOF:
            self.transport.abort()

    # -- the slow corner
    def _make_room(self, need: int) -> None:
        left = self.buf[self.begin : self.end].copy()
        if need > self.capacity:  # bounded: next_frame refuses anything above max_message_bytes
            self._allocate(1 << (need + READ_BYTES).bit_length())
        self.buf[: len(left)] = left
        self.begin, self.end = 0, len(left)

    def _sample_backlog(self) -> None:
        try:
            waiting = struct.unpack("i", fcntl.ioctl(self.socket.fileno(), termios.FIONREAD, b"\0\0\0\0"))[0]
        except (OSError, AttributeError):
            return
        self.pipeline.counters[BACKLOG] = waiting

    def _next_is_message(self, begin: int) -> bool:
        """The kernels know nothing of open fragments: asked before each call while there are some."""
        return next_frame(self.buf, begin, self.end, self.max_message_bytes)[0] == FRAME_MESSAGE

    def _handed_back(self, recv_ns: int, mono_ns: int) -> None:
        work, self.feed.origin = self.pipeline.work, self.receiver
        code, start = int(work[W_HAND_CODE]), int(work[W_HAND_START])
        length, tag = int(work[W_HAND_LENGTH]), int(work[W_HAND_TAG])
        if code == FRAME_TOO_BIG:
            limit = self.max_message_bytes
            self._violation(CLOSE_TOO_BIG, f"frame had {length} bytes, at most {limit} are accepted")
            return
        if code == FRAME_BAD:
            self._violation(CLOSE_PROTOCOL_ERROR, f"frame header {bytes(self.buf[start : start + 2]).hex()}")
            return
        payload = bytes(self.buf[start : start + length])
        if code == FRAME_CONTROL:
            self._control(tag & 0x0F, payload)
        elif code == FRAME_FRAGMENT:
            message, violation = self.fragments.add(payload, tag)
            if violation:
                self._violation(*violation)
            elif message is not None:
                self.feed.message(message, recv_ns, mono_ns)
        else:
            self.feed.handed_back(code, payload, recv_ns, mono_ns)

    def _control(self, opcode: int, payload: bytes) -> None:
        self.pipeline.count("control_frames")
        if opcode == OP_PING:
            self.receiver.on_ping(payload)
        elif opcode == OP_CLOSE:
            self._ended = True
            self.receiver.on_close(*parse_close(payload))
        else:
            self.receiver.on_pong(payload)

    def _violation(self, code: int, reason: str) -> None:
        self._ended = True
        self.pipeline.count("malformed")
        if code == CLOSE_TOO_BIG:
            self.pipeline.count("oversize")
        self.receiver.on_violation(code, reason)
