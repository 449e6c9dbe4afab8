"""The event loop's waiting place: while it waits, a kernel reads the sockets of `direct` sources.

asyncio asks its selector to wait. This one waits inside a jitted kernel that asks the same epoll, reads the
sockets that were handed to it, and takes what they bring through to the bus; it comes back to Python when
asyncio would have been woken anyway, when a timer is due, or when a source has something for Python: a control
frame, a frame that the scanners leave alone, a changed symbol, the end of a connection. So a message costs no
Python at all. Sockets stay registered as asyncio registered them: one that is not handed over, or handed back,
is read by its transport as ever.
"""

import platform
import selectors
import time
from typing import Any, Protocol

import numpy as np

from ..engine.kernels import socket_table as table_of
from ..engine.kernels.socket_table import HEADER_WORDS, ROW_WORDS
from ..engine.pipeline import Pipeline
from .openssl import Secured, address_of, errno_address, libc, libssl

SOCKETS_MOST = 64
EVENTS_MOST = 64
CIPHER_BYTES = 256 << 10
LONGEST_S = 0.25  # Python looks around at least this often
# struct epoll_event is packed on x86-64 only.
EVENT_BYTES, EVENT_FD = (12, 4) if platform.machine() == "x86_64" else (16, 8)


class Served(Protocol):
    """A source whose socket is read here."""

    pipeline: Pipeline

    @property
    def wants_service(self) -> bool: ...
    def write_row(self, row: np.ndarray) -> None: ...
    def read_row(self, row: np.ndarray) -> None: ...
    def served(self, code: int, row: np.ndarray) -> None: ...


class ServingSelector(selectors.EpollSelector):
    """An epoll selector that serves sockets while it waits.

    spin         never sleep: sockets are read again and again, at the price of a whole core
    fused_reads  False: serve none, leave all to their transports
    """

    def __init__(self, spin: bool = False, fused_reads: bool = True) -> None:
        super().__init__()
        self.spin, self.fused_reads = spin, fused_reads
        self.sources: dict[int, Served] = {}  # by descriptor, in the order of the rows
        self.calls = 0
        self._pipeline: Pipeline | None = None
        self.table = np.zeros(HEADER_WORDS + SOCKETS_MOST * ROW_WORDS, np.int64)
        self.rows = self.table[HEADER_WORDS:].reshape(SOCKETS_MOST, ROW_WORDS)
        self._events = np.zeros(EVENTS_MOST * EVENT_BYTES, np.uint8)
        self._cipher = np.zeros(CIPHER_BYTES, np.uint8)
        self._wire()

    def _wire(self) -> None:
        """Put the addresses of everything the kernel uses into the table; this object keeps it alive."""
        at, table, plain = table_of, self.table, libc()
        table[at.T_SPIN], table[at.T_EPOLL] = int(self.spin), self.fileno()
        table[at.T_EVENTS], table[at.T_EVENT_ROOM] = self._events.ctypes.data, EVENTS_MOST
        table[at.T_EVENT_BYTES], table[at.T_EVENT_FD] = EVENT_BYTES, EVENT_FD
        table[at.T_CIPHER], table[at.T_CIPHER_BYTES] = self._cipher.ctypes.data, CIPHER_BYTES
        table[at.T_EPOLL_WAIT], table[at.T_READ] = address_of(plain.epoll_wait), address_of(plain.read)
        if (library := libssl()) is not None:
            table[at.T_BIO_WRITE] = address_of(library.BIO_write)
            table[at.T_BIO_CTRL] = address_of(library.BIO_ctrl)
            table[at.T_SSL_PENDING] = address_of(library.SSL_has_pending)
            table[at.T_SSL_READ] = address_of(library.SSL_read)
            table[at.T_SSL_ERROR] = address_of(library.SSL_get_error)
            table[at.T_CLEAR] = address_of(library.ERR_clear_error)

    # -- sources come and go
    def adopt(self, source: Served, fd: int, secret: Secured | None, read_bytes: int) -> bool:
        """Read this source's socket from now on; False when it cannot be.

        secret      OpenSSL's side of its TLS; None for a plain socket
        read_bytes  most bytes of one read
        """
        is_full = len(self.sources) == SOCKETS_MOST
        if (
            not self.fused_reads
            or is_full
            or self._pipeline not in (None, source.pipeline)
            or fd not in self.get_map()
        ):
            return False
        self._pipeline = source.pipeline
        row, self.sources[fd] = self.rows[len(self.sources)], source
        row[:] = 0
        row[table_of.S_FD], row[table_of.S_HOT] = fd, 1
        row[table_of.S_READY] = table_of.READY_HELD
        if secret is not None:
            row[table_of.S_SSL], row[table_of.S_BIO] = secret.ssl, secret.bio
        self.table[table_of.T_READ_BYTES] = read_bytes
        self.table[table_of.T_ROWS], self.table[table_of.T_NEXT] = len(self.sources), 0
        return True

    def release(self, fd: int) -> None:
        """Leave this socket to its transport."""
        if fd not in self.sources:
            return
        number, last = list(self.sources).index(fd), len(self.sources) - 1
        self.rows[number:last] = self.rows[number + 1 : last + 1].copy()
        del self.sources[fd]
        self.table[table_of.T_ROWS], self.table[table_of.T_NEXT] = last, 0
        if not self.sources:
            self._pipeline = None

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """As ever; a socket that asyncio reads no more is not served either."""
        key = super().unregister(fileobj)
        self.release(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As ever; a socket that asyncio only writes to is not served."""
        key = super().modify(fileobj, events, data)
        if not events & selectors.EVENT_READ:
            self.release(key.fd)
        return key

    # -- waiting
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Serve until something is there for Python, or the time is over."""
        for fd, source in list(self.sources.items()):
            if not source.wants_service:
                self.release(fd)
        if self._pipeline is None:
            return super().select(0 if self.spin else timeout)
        wait_s = LONGEST_S if timeout is None else min(max(timeout, 0.0), LONGEST_S)
        code = self._serve(time.monotonic_ns() + int(wait_s * 1e9))
        return self._cold() if code == table_of.SERVE_EVENTS else []

    def _serve(self, deadline_ns: int) -> int:
        assert self._pipeline is not None
        table, sources = self.table, list(self.sources.values())
        for source, row in zip(sources, self.rows, strict=False):
            source.write_row(row)
        table[table_of.T_DEADLINE], table[table_of.T_ERRNO] = deadline_ns, errno_address()
        self.calls += 1
        code = self._pipeline.serve(table)
        about = int(table[table_of.T_ROW] - HEADER_WORDS) // ROW_WORDS
        for number, source in enumerate(sources):
            row = self.rows[number]
            if row[table_of.S_READS] or number == about:
                source.read_row(row)
        if about >= 0:
            sources[about].served(code, self.rows[about].copy())
        return code

    def _cold(self) -> list[tuple[selectors.SelectorKey, int]]:
        """What epoll has for asyncio; the kernel reads what is served."""
        ready = []
        for key, events in super().select(0):
            events &= ~selectors.EVENT_READ if key.fd in self.sources else -1
            if events:
                ready.append((key, events))
        return ready
