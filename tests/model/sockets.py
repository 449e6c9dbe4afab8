"""Scripted sockets behind C functions: what read, epoll_wait and OpenSSL would do, and what must come of it."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field

AGAIN, EOF, NOTIFY, BROKEN = "again", "eof", "notify", "broken"
EAGAIN, ECONNRESET, SSL_FAILED, WANT_READ, ZERO_RETURN, PENDING = 11, 104, 1, 2, 6, 10
COLD_FD, FIRST_FD, EPOLLIN = 7, 100, 1
RECORD_BYTES = 5  # OpenSSL gives at most one record at a time
Long, Pointer, Int = ctypes.c_long, ctypes.c_void_p, ctypes.c_int
KEY = 0x5A
FATE_OF = {NOTIFY: ZERO_RETURN, BROKEN: SSL_FAILED}
SIGN = b"!"  # on the wire for NOTIFY and BROKEN


@dataclass
class Scripted:
    """One socket: what comes, one after another.

    bytes, AGAIN (nothing now), EOF, an errno; within TLS also NOTIFY (its end) and BROKEN (no TLS any more)
    """

    script: list[bytes | str | int]
    is_tls: bool = False
    bio: bytearray = field(default_factory=bytearray)
    fate: int = WANT_READ  # what OpenSSL says when it has no more

    def expected(self) -> tuple[bytes, str | int]:
        """All bytes before the end, and how it ends; "open" when it does not."""
        taken = b""
        for step in self.script:
            if isinstance(step, bytes):
                taken += step
            elif step != AGAIN and (self.is_tls or step not in FATE_OF):
                return taken, step
        return taken, "open"


class World:
    """C functions over scripted sockets, and a log of their calls: "epoll" or the descriptor read."""

    def __init__(self, sockets: list[Scripted]) -> None:
        self.sockets = sockets
        self.errno, self.log = Int(0), []
        self.errors = 1  # OpenSSL's queue, one for all: Python left one there
        self._kept = [
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long)(self.read),
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long, Long)(self.epoll_wait),
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long)(self.bio_write),
            ctypes.CFUNCTYPE(Long, Long, Int, Long, Pointer)(self.bio_ctrl),
            ctypes.CFUNCTYPE(Int, Long, Pointer, Long)(self.ssl_read),
            ctypes.CFUNCTYPE(Int, Long)(self.ssl_pending),
            ctypes.CFUNCTYPE(Int, Long, Long)(self.ssl_error),
            ctypes.CFUNCTYPE(Int)(self.clear),
        ]

    def addresses(self) -> Iterator[int]:
        """Where they lie: read, epoll_wait, then those of OpenSSL in the order of the table."""
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
            if one.is_tls and one.script and one.script[0] in FATE_OF and len(wire) < room:
                wire += self._end(one)
            ctypes.memmove(into, wire, len(wire))
            return len(wire)
        if step in FATE_OF:
            if not one.is_tls:
                one.script.pop(0)
                return self.read(fd, into, room)
            ctypes.memmove(into, self._end(one), len(SIGN))
            return len(SIGN)
        if step == EOF:
            return 0
        if step == AGAIN and one.script:
            one.script.pop(0)
        self.errno.value = EAGAIN if step == AGAIN else int(step)
        return -1

    def _end(self, one: Scripted) -> bytes:
        """TLS ends here."""
        one.fate = FATE_OF[str(one.script.pop(0))]
        return SIGN

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
        ends = wire.endswith(SIGN) and one.fate != WANT_READ
        data = wire[: -len(SIGN)] if ends else wire
        one.bio += bytes(byte ^ KEY for byte in data) + (SIGN if ends else b"")
        return size

    def bio_ctrl(self, bio: int, command: int, number: int, pointer: int | None) -> int:
        """What the memory holds: all but what one record was begun with."""
        assert (command, number, pointer) == (PENDING, 0, None)
        return max(0, len(self.sockets[bio - FIRST_FD].bio) - RECORD_BYTES)

    def ssl_pending(self, ssl: int) -> int:
        """Whether a record was begun, as a read ahead would."""
        return int(0 < len(self.sockets[ssl - FIRST_FD].bio) <= RECORD_BYTES)

    def ssl_read(self, ssl: int, into: int, room: int) -> int:
        """One record, or nothing."""
        one = self.sockets[ssl - FIRST_FD]
        part = bytes(one.bio[: min(room, RECORD_BYTES)])
        if part.endswith(SIGN) and one.fate != WANT_READ and len(one.bio) == len(part):
            part = part[: -len(SIGN)]
        del one.bio[: len(part)]
        ctypes.memmove(into, part, len(part))
        self.errors += not part and one.fate == SSL_FAILED
        return len(part) or -1

    def ssl_error(self, ssl: int, result: int) -> int:
        """Why ssl_read gave nothing; an error in the queue, whose ever it is, comes first."""
        return SSL_FAILED if self.errors else self.sockets[ssl - FIRST_FD].fate

    def clear(self) -> int:
        """Forget all errors."""
        self.errors = 0
        return 0
