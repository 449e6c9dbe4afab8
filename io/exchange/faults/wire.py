"""The socket's side of a faulty connection: writes what its line gives, resets, goes deaf, holds a handshake back."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from .damage import chopped
from .line import Line

NO_LINGER = struct.pack("ii", 1, 0)


class Wire:
    """One connection's transport and line."""

    def __init__(
        self, transport: asyncio.Transport, drain: Callable[[], Awaitable[None]], now_s: Callable[[], float]
    ) -> None:
        self.transport, self.drain, self.now_s = transport, drain, now_s
        self.line = Line()
        self.deaf_until_s = self.silent_until_s = 0.0  # answers no ping, sends no ping

    @property
    def wait_s(self) -> float | None:
        """How long nothing is due; None: until something is put on the line."""
        next_s = self.line.next_s
        return None if next_s is None else max(0.0, next_s - self.now_s())

    @property
    def deaf(self) -> bool:
        return self.now_s() < self.deaf_until_s

    @property
    def silent(self) -> bool:
        return self.line.frozen or self.now_s() < self.silent_until_s

    async def flush(self) -> None:
        """Write what is due, each segment by itself."""
        for segment in self.line.take(self.now_s()):
            if self.transport.is_closing():
                raise ConnectionResetError("the client has gone")
            self.transport.write(segment)
        await self.drain()

    def freeze(self) -> None:
        """Read no more; the line, frozen too, writes no more."""
        with contextlib.suppress(RuntimeError):
            self.transport.pause_reading()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        handle = self.transport.get_extra_info("socket")
        if handle is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    def end(self) -> None:
        """End the stream without a close frame."""
        self.transport.close()


class HeldWrites:
    """Stands for a transport while a handshake's reply is made, so that it can be written byte by byte."""

    def __init__(self, transport: Any) -> None:
        self._transport, self._held, self._holding = transport, bytearray(), True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: Any) -> None:
        if self._holding:
            self._held += data
        else:
            self._transport.write(data)

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    async def dribble(self, gap_s: float) -> None:
        """Write what was held, one byte each `gap_s`, and hold nothing from then on."""
        self._holding = False
        for byte in chopped(bytes(self._held), 1):
            self._transport.write(byte)
            await asyncio.sleep(gap_s)
