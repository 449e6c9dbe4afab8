"""A venue of a few lines that does exactly what a test tells it, right or wrong; no websocket library."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from .model.frames import Frame, encode

PATIENCE_S = 30.0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
FILTERS = [
    {"filterType": "PRICE_FILTER", "tickSize": "0.01", "minPrice": "0.01", "maxPrice": "1000000"},
    {"filterType": "LOT_SIZE", "stepSize": "0.01", "minQty": "0.01", "maxQty": "9000"},
]
CLOSE, PING, PONG = 8, 9, 10
Reply = tuple[int, dict[str, str], bytes]


def accept(request: bytes) -> bytes:
    """The 101 reply to a websocket handshake."""
    found = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    assert found is not None, request
    answer = base64.b64encode(hashlib.sha1(found[1] + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
    )


def http(reply: Reply) -> bytes:
    """One HTTP answer."""
    status, headers, body = reply
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode() + body


def depth(symbol: str, last_id: int) -> Reply:
    """A snapshot of one level a side."""
    body = {"lastUpdateId": last_id, "bids": [["99.00", "1"]], "asks": [["101.00", "2"]]}
    return 200, {}, json.dumps(body).encode()


def diff(symbol: str, number: int) -> bytes:
    """The next update of a symbol, bare quantities changing with its number."""
    data = {"e": "depthUpdate", "E": number, "s": symbol, "U": number, "u": number}
    data |= {"b": [["99.00", str(number)]], "a": []}
    name = f"{symbol.lower()}@depth@100ms"
    return json.dumps({"stream": name, "data": data}, separators=(",", ":")).encode()


class Socket:
    """The server's end of one websocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard: list[tuple[int, bytes]] = []  # (opcode, payload) of the client's frames, in order
        self.ended = asyncio.Event()
        self.gone = False

    def go(self) -> None:
        """End the stream without a word."""
        self.gone = True
        self.writer.write_eof()

    def send(self, *frames: Frame) -> None:
        """Send frames in one write; nothing once the server has gone."""
        if not self.gone and not self.writer.is_closing():
            self.writer.write(b"".join(map(encode, frames)))

    def text(self, *messages: bytes) -> None:
        """Send text messages."""
        self.send(*(Frame(1, message) for message in messages))

    async def listen(self) -> None:
        """Write down every frame of the client until it goes."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, second = await self.reader.readexactly(2)
                size = second & 127
                if size > 125:
                    size = int.from_bytes(await self.reader.readexactly({126: 2, 127: 8}[size]), "big")
                assert second & 0x80, "a client must mask"
                mask, body = await self.reader.readexactly(4), await self.reader.readexactly(size)
                payload = bytes(byte ^ mask[i & 3] for i, byte in enumerate(body))
                self.heard.append((first & 15, payload))
                if first & 15 == 1:
                    number = json.loads(payload)["id"]
                    self.text(b'{"result":null,"id":%d}' % number)
        self.ended.set()

    def of(self, opcode: int) -> list[bytes]:
        """Payloads of the client's frames of one kind."""
        return [payload for kind, payload in self.heard if kind == opcode]

    @property
    def close_code(self) -> int | None:
        """The code of the client's close frame."""
        return next((int.from_bytes(payload[:2], "big") for payload in self.of(CLOSE)), None)


class RawVenue:
    """REST and websocket on one port.

    replies   path's last part → replies to give before the usual one
    refusals  answers to websocket handshakes before they succeed
    behind    bytes to write together with the 101
    """

    def __init__(self, *symbols: str) -> None:
        self.symbols = symbols
        self.replies: dict[str, list[Reply]] = {}
        self.refusals: list[Reply] = []
        self.behind = b""
        self.asked: list[str] = []
        self.sockets: list[Socket] = []
        self.last_id = 10
        self._serving: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "RawVenue":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for socket in self.sockets:
            socket.writer.transport.abort()
        if self._serving:
            await asyncio.wait(self._serving, timeout=PATIENCE_S)

    @property
    def urls(self) -> dict[str, str]:
        """Where an engine's configuration has to point."""
        return {"rest_url": f"http://127.0.0.1:{self.port}", "ws_url": f"ws://127.0.0.1:{self.port}"}

    def tick(self, socket: Socket) -> None:
        """One diff of every symbol."""
        self.last_id += 1
        socket.text(*(diff(symbol, self.last_id) for symbol in self.symbols))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            if b"pgrade: websocket" in request and not self.refusals:
                writer.write(accept(request) + self.behind)
                socket = Socket(reader, writer)
                self.sockets.append(socket)
                await socket.listen()
            elif b"pgrade: websocket" in request:
                writer.write(http(self.refusals.pop(0)))
            else:
                writer.write(http(self.answer(request.split()[1].decode())))
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._serving.discard(task)

    def answer(self, target: str) -> Reply:
        """The reply to a REST request: a prepared one, else the usual one."""
        path, _, query = target.partition("?")
        name = path.rpartition("/")[2]
        self.asked.append(name)
        if self.replies.get(name):
            return self.replies[name].pop(0)
        if name == "exchangeInfo":
            rows = [{"symbol": symbol, "status": "TRADING", "filters": FILTERS} for symbol in self.symbols]
            return 200, {}, json.dumps({"symbols": rows}).encode()
        if name == "depth":
            return depth(re.findall(r"symbol=(\w+)", query)[0], self.last_id)
        return 404, {}, b"{}"


Condition = Callable[[], bool]


async def until(condition: Condition, meanwhile: Callable[[], Awaitable[None] | None] | None = None) -> None:
    """Wait for a condition, for a bounded time, doing something each turn."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            if meanwhile is not None:
                meanwhile()
            await asyncio.sleep(0.02)
