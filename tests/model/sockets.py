"""Scripted sockets behind C functions: what read, epoll_wait and OpenSSL would do, and what must come of it."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field

AGAIN, EOF, NOTIFY = "again", "eof", "notify"
EAGAIN, ECONNRESET, WANT_READ, ZERO_RETURN = 11, 104, 2, 6
COLD_FD, FIRST_FD, EPOLLIN = 7, 100, 1
RECORD_BYTES = 5  # OpenSSL gives at most one record at a time
Long, Pointer, Int = ctypes.c_long, ctypes.c_void_p, ctypes.c_int
KEY = 0x5A


@dataclass
class Scripted:
    """One socket: bytes, AGAIN (nothing now), EOF, NOTIFY (the end within TLS) or an errno, one after another."""

    script: list[bytes | str | int]
    is_tls: bool = False
    bio: bytearray = field(default_factory=bytearray)
    notified: bool = False

    def expected(self) -> tuple[bytes, str | int]:
        """All bytes before the end, and how it ends; "open" when it does not."""
        taken = b""
        for step in self.script:
            if isinstance(step, bytes):
                taken += step
            elif step != AGAIN and (self.is_tls or step != NOTIFY):
                return taken, step
        return taken, "open"


class World:
    """C functions over scripted sockets, and a log of their calls: "epoll" or the descriptor read."""

    def __init__(self, sockets: list[Scripted]) -> None:
        self.sockets = sockets
        self.errno, self.log = Int(0), []
        self._kept = [
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long)(self.read),
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long, Long)(self.epoll_wait),
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long)(self.bio_write),
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long)(self.ssl_read),
            ctypes.CFUNCTYPE(Int, Long, Long)(self.ssl_error),
            ctypes.CFUNCTYPE(Int)(lambda: 0),
        ]

    def addresses(self) -> Iterator[int]:
        """Where read, epoll_wait, BIO_write, SSL_read, SSL_get_error and ERR_clear_error lie."""
        return (ctypes.cast(function, Pointer).value or 0 for function in self._kept)

    def read(self, fd: int, into: int, room: int) -> int:
        """As read(2) on a non-blocking socket."""
        self.log.append(fd)
        one = self.sockets[fd - FIRST_FD]
        step = one.script[0] if one.script else AGAIN
        if isinstance(step, bytes):
            part = step[:room]
            one.script[:1] = [step[room:]] if step[room:] else []
            wire = bytes(byte ^ KEY for byte in part) if one.is_tls else part
            ctypes.memmove(into, wire, len(wire))
            return len(wire)
        if step == NOTIFY:
            one.script.pop(0)
            if not one.is_tls:
                return self.read(fd, into, room)
            one.notified = True
            ctypes.memmove(into, b"!", 1)
            return 1
        if step == EOF:
            return 0
        if step == AGAIN and one.script:
            one.script.pop(0)
        self.errno.value = EAGAIN if step == AGAIN else int(step)
        return -1

    def epoll_wait(self, epoll: int, events: int, room: int, wait_ms: int) -> int:
        """Every socket with something to read; when none has, something that is not ours."""
        self.log.append("epoll")
        ready = [FIRST_FD + i for i, one in enumerate(self.sockets) if one.script and one.script[0] != AGAIN]
        for one in self.sockets:  # time passes
            if one.script and one.script[0] == AGAIN:
                one.script.pop(0)
        for number, fd in enumerate(ready or [COLD_FD]):
            ctypes.memmove(
                events + 16 * number, bytes(Int(EPOLLIN)) + b"\0" * 4 + bytes(Int(fd)) + b"\0" * 4, 16
            )
        return len(ready) or 1

    def bio_write(self, bio: int, data: int, size: int) -> int:
        """OpenSSL's memory takes everything."""
        one = self.sockets[bio - FIRST_FD]
        wire = ctypes.string_at(data, size)
        one.bio += b"" if wire == b"!" and one.notified else bytes(byte ^ KEY for byte in wire)
        return size

    def ssl_read(self, ssl: int, into: int, room: int) -> int:
        """One record, or nothing."""
        one = self.sockets[ssl - FIRST_FD]
        part = bytes(one.bio[: min(room, RECORD_BYTES)])
        del one.bio[: len(part)]
        ctypes.memmove(into, part, len(part))
        return len(part) or -1

    def ssl_error(self, ssl: int, result: int) -> int:
        """Why ssl_read gave nothing."""
        return ZERO_RETURN if self.sockets[ssl - FIRST_FD].notified else WANT_READ
