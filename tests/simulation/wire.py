"""The one thing modelled: TCP. Two transports in memory, the way to the exchange that makes them, and its failures."""

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from ringbook.io.exchange.faults.injector import Faults

from .clock import VirtualLoop

END, RESET = b"", None  # what follows the last byte
CUT_SHARE = 0.2  # of deliveries that come in pieces
PIECES_MAX = 4
DELAYS_S = (0.0005, 0.005, 0.04, 0.3)  # one way; two legs may be further apart than two diffs
HOST = "10.0.0.1"


class End(asyncio.Transport):
    """One end of a connection: what is written arrives at the other one later, in order, cut anywhere.

    delay_s  from here to the other end
    """

    def __init__(
        self, loop: VirtualLoop, rng: random.Random, delay_s: float, heard: Callable[[], None]
    ) -> None:
        super().__init__({"peername": (HOST, 1), "sockname": (HOST, 2)})
        self.loop, self.rng, self.delay_s, self.heard = loop, rng, delay_s, heard
        self.other: End = self
        self.protocol: Any = None
        self._coming: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = 0.0
        self._reading, self._closing, self._lost = True, False, False

    # -- out
    def write(self, data: Any) -> None:
        if not self._closing:
            self._pass(bytes(data))

    def _pass(self, data: bytes | None) -> None:
        jitter_s = self.rng.random() * 0.3 * self.delay_s
        self._last_s = max(self._last_s, self.loop.time() + self.delay_s + jitter_s)
        self.other.arrive(self._last_s, data)

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    # -- the end
    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Say good-bye; the other end learns it behind the last byte."""
        if not self._closing:
            self._pass(END)
            self._finish(None)

    def abort(self) -> None:
        """Reset: the other end loses what has not arrived."""
        if not self._closing:
            self.other._coming.clear()
            self._pass(RESET)
            self._finish(None)

    def _finish(self, error: Exception | None) -> None:
        self._closing = True
        self._coming.clear()
        if not self._lost:
            self._lost = True
            self.loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: Exception | None) -> None:
        self.protocol.connection_lost(error)

    # -- in
    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._plan()

    def arrive(self, at_s: float, data: bytes | None) -> None:
        """Bytes, END or RESET are on their way."""
        if not self._closing:
            self._coming.append((at_s, data))
            self._plan()

    def _plan(self) -> None:
        if self._coming and self._reading and self._timer is None:
            self._timer = self.loop.call_at(self._coming[0][0], self._deliver)

    def _deliver(self) -> None:
        self._timer = None
        now_s, parts = self.loop.time() + 1e-9, []
        while self._coming and self._coming[0][0] <= now_s and self._reading:
            data = self._coming.popleft()[1]
            if data:
                parts.append(data)
                continue
            self._hand(b"".join(parts))
            self._other_ended(data)
            return
        self._hand(b"".join(parts))
        self._plan()

    def _hand(self, data: bytes) -> None:
        if data and self.rng.random() < CUT_SHARE:
            edges = sorted(
                self.rng.randrange(len(data) + 1) for _ in range(self.rng.randrange(1, PIECES_MAX))
            )
            for start, stop in zip([0, *edges], [*edges, len(data)], strict=True):
                self._give(data[start:stop])
        else:
            self._give(data)

    def _give(self, data: bytes) -> None:
        while data and not self._closing:
            if isinstance(self.protocol, asyncio.BufferedProtocol):
                space = self.protocol.get_buffer(-1)
                size = min(len(space), len(data))
                space[:size] = data[:size]
                self.protocol.buffer_updated(size)
                data = data[size:]
            else:
                self.protocol.data_received(data)
                data = b""
            self.heard()

    def _other_ended(self, how: bytes | None) -> None:
        if self._closing:
            return
        if how is RESET:
            self._finish(ConnectionResetError(104, "Connection reset by peer"))
        elif not self.protocol.eof_received():
            self.close()


class Way(aiohttp.BaseConnector):
    """Where aiohttp's client gets its connections: look-up, TCP, TLS and their failures, then two ends in memory.

    faults  the exchange's, for those that strike before a byte is exchanged
    serve   makes the server's protocol of a connection
    heard   told whenever a client has taken bytes
    """

    def __init__(
        self, loop: VirtualLoop, rng: random.Random, faults: Faults, serve: Callable[[], Any],
        heard: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(force_close=True, loop=loop)
        self.rng, self.faults, self.serve, self.heard = rng, faults, serve, heard
        self.virtual = loop

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        delay_s = self.rng.choice(DELAYS_S)
        if self.faults.lookup(req.url.host or ""):
            error = OSError(-3, "Temporary failure in name resolution")
            raise aiohttp.ClientConnectorDNSError(req.connection_key, error)
        await asyncio.sleep(delay_s)
        for strike in self.faults.handshake("tls"):
            await asyncio.sleep(delay_s)
            if strike.values["how"] == "certificate":
                unknown = ssl.SSLCertVerificationError("certificate verify failed")
                raise aiohttp.ClientConnectorCertificateError(req.connection_key, unknown)
            raise aiohttp.ClientConnectorSSLError(req.connection_key, ssl.SSLError("handshake aborted"))
        client: ResponseHandler = self._factory()
        near = End(self.virtual, self.rng, delay_s, self.heard)
        far = End(self.virtual, self.rng, delay_s, lambda: None)
        near.other, far.other = far, near
        near.protocol, far.protocol = client, self.serve()
        client.connection_made(near)
        far.protocol.connection_made(far)
        return client
