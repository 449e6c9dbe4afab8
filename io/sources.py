"""The two frame sources behind one interface: how bytes of a websocket reach the jitted path.

`plain`   aiohttp parses frames and hands over whole messages; reference, fallback and oracle.
`direct`  after aiohttp's handshake the transport writes into our numpy buffer and one jitted call parses
          all frames in place (decisions/0003). aiohttp only writes from then on.

Both tell a `Receiver` the same things in the same order.
"""

import struct
from typing import Any, Protocol

import aiohttp

from ..engine.kernels.frames import OP_CONTINUATION
from .clock import MACHINE, Clock
from .feed import Feed

CLOSE_PROTOCOL_ERROR, CLOSE_TOO_BIG = 1002, 1009
AIOHTTP_NEEDS = ("_writer", "_response", "_conn", "_reader")


class Receiver(Protocol):
    """What a source tells its connection besides market data (which goes straight to the feed).

    listening  False once the connection was given up: what its socket still brings must not reach the feed,
               whose symbols may already be fed by the next connection
    slot       which connection this is among those that bring the same streams
    """

    listening: bool
    slot: int

    def on_seen(self) -> None: ...
    def on_ping(self, payload: bytes) -> None: ...
    def on_pong(self, payload: bytes) -> None: ...
    def on_close(self, code: int, reason: str) -> None: ...
    def on_violation(self, code: int, reason: str) -> None: ...
    def on_lost(self, reason: str) -> None: ...


def parse_close(payload: bytes) -> tuple[int, str]:
    """Close code and reason of a close frame; 1005 when the peer gave none (RFC 6455, 7.1.5)."""
    if len(payload) < 2:
        return 1005, ""
    return struct.unpack("!H", payload[:2])[0], payload[2:].decode("utf-8", "replace")


class EarlyBytes(aiohttp.ClientWebSocketResponse):
    """A websocket response that keeps what the server sent right behind its handshake.

    aiohttp would feed those bytes to its own parser a moment later, where a frame cut in the middle could
    not be taken over. Between this constructor and the return of `ws_connect` the loop does not run, so
    nothing can be lost.
    """

    def __init__(
        self, reader: Any, writer: Any, protocol: Any, response: Any, *rest: Any, **named: Any
    ) -> None:
        super().__init__(reader, writer, protocol, response, *rest, **named)
        self.handler: Any = response.connection.protocol
        self.early: bytes | None = getattr(self.handler, "_tail", None)
        if self.early:
            self.handler._tail = b""

    def give_back(self) -> None:
        """Let aiohttp's own parser have the kept bytes after all, before it sees any other."""
        early, self.early = self.early, b""
        if early:
            self.handler.data_received(early)


def direct_obstacle(ws: aiohttp.ClientWebSocketResponse) -> str | None:
    """Why `direct` cannot take this connection over; None when it can.

    It leans on a few attributes of aiohttp that are not public; a missing one means `plain`.
    """
    if not isinstance(ws, EarlyBytes):
        return "the session was made without EarlyBytes"
    missing = [name for name in AIOHTTP_NEEDS if not hasattr(ws, name)]
    if missing:
        return f"aiohttp {aiohttp.__version__} lacks {', '.join(missing)}"
    if ws.early is None:
        return f"aiohttp {aiohttp.__version__}: its protocol lacks _tail, the bytes behind the handshake"
    transport = ws._conn.transport if ws._conn else None
    if transport is None or not hasattr(transport, "set_protocol"):
        return f"transport {type(transport).__name__} cannot change its protocol"
    if not hasattr(ws._writer, "close"):
        return f"aiohttp {aiohttp.__version__}: its websocket writer lacks close"
    return None


class Fragments:
    """Puts fragmented messages together again, bounded."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.message = bytearray()  # not a list of parts: empty ones, sent for ever, would make it long
        self.open = False  # a message has begun and not ended

    def add(self, payload: bytes, tag: int) -> tuple[bytes | None, tuple[int, str] | None]:
        """Add one fragment; (whole message or None, (close code, reason) on a violation)."""
        opcode, final = tag & 0x0F, tag >> 7
        if (opcode == OP_CONTINUATION) != self.open:
            expected = "a continuation" if self.open else "a first fragment"
            return None, (CLOSE_PROTOCOL_ERROR, f"fragment had opcode {opcode}, expected {expected}")
        if len(self.message) + len(payload) > self.max_bytes:
            return None, (CLOSE_TOO_BIG, f"message had over {self.max_bytes} bytes in fragments")
        self.message += payload
        self.open = not final
        if self.open:
            return None, None
        message, self.message = bytes(self.message), bytearray()
        return message, None


async def run_plain(
    ws: aiohttp.ClientWebSocketResponse, feed: Feed, receiver: Receiver, clock: Clock = MACHINE
) -> None:
    """Read whole messages from aiohttp until the connection ends.

    To be awaited with no other await since `ws_connect`: the bytes EarlyBytes kept must go back before the
    loop lets aiohttp see later ones.
    """
    reason = "closed by the peer"
    if isinstance(ws, EarlyBytes):
        ws.give_back()
    while receiver.listening:
        message = await ws.receive()
        if not receiver.listening:
            break
        recv_ns, mono_ns = clock.wall_ns(), clock.mono_ns()
        kind = message.type
        if kind in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data = message.data
            feed.origin = receiver
            if feed.pipeline.is_shared:
                feed.pipeline.read_leg(receiver.slot)
            feed.message(data.encode() if isinstance(data, str) else data, recv_ns, mono_ns)
        elif kind is aiohttp.WSMsgType.PING:
            feed.pipeline.count("control_frames")
            receiver.on_ping(bytes(message.data))
        elif kind is aiohttp.WSMsgType.PONG:
            feed.pipeline.count("control_frames")
            receiver.on_pong(bytes(message.data))
        elif kind is aiohttp.WSMsgType.CLOSE:
            feed.pipeline.count("control_frames")
            receiver.on_close(int(message.data or 1005), str(message.extra or ""))
            break  # nothing valid follows, and aiohttp's next receive() would send a close of its own
        elif kind is aiohttp.WSMsgType.ERROR:
            reason = f"{type(message.data).__name__}: {message.data}"
            code = getattr(message.data, "code", None)
            if code:
                feed.pipeline.count("malformed")
                if code == CLOSE_TOO_BIG:
                    feed.pipeline.count("oversize")
                receiver.on_violation(int(code), str(message.data))
            break
        else:
            break
        receiver.on_seen()
        feed.poll_changed()
    receiver.on_lost(reason)
