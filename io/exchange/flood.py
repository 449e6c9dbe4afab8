"""A flood for throughput benchmarks: depth frames as fast as one socket takes them, with ids in sequence.

    python -m ringbook.io.exchange.flood --port 9100 --seconds 10

Run as a process of its own. It answers exchangeInfo and depth like the spot exchange, takes one websocket
(`/stream`), waits for its SUBSCRIBE and for a depth snapshot to be fetched, then sends one buffer of ready
framed messages again and again; between two passes only update ids and event times are rewritten. Quantities
are absolute and bids stay below asks, so the book after any whole pass is the same: GET /ringbook/truth.
"""

import argparse
import base64
import hashlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import orjson

from .instruments import catalogue
from .ladder import ASK, BID
from .listing import exchange_info
from .prebuilt import FIRST_ID, Buffer, build, framed
from .venues import SPOT

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REPLY_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
SNAPSHOT_WAIT_S = 30.0
SETTLE_S = 0.2  # between the snapshot and the flood, so that the client has loaded it


@dataclass
class Flood:
    """The server: `serve_forever` answers, `report` holds what the flood sent once it is over."""

    buffer: Buffer
    seconds: float
    per_second: float = 0.0
    snapshot_taken: threading.Event = field(default_factory=threading.Event)
    report: dict[str, float] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def handle(self, connection: socket.socket) -> None:
        """One connection: HTTP requests until it asks for a websocket."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as reader:
            while line := reader.readline(8192):
                path = line.split()[1].decode()
                headers = dict(iter_headers(reader.readline))
                if b"upgrade" in headers.get(b"connection", b"").lower():
                    accept = base64.b64encode(
                        hashlib.sha1(headers[b"sec-websocket-key"] + WEBSOCKET_GUID).digest()
                    )
                    connection.sendall(
                        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
                    )
                    return self._websocket(connection, reader.read)
                body = self._reply(path)
                connection.sendall(REPLY_HEAD % len(body) + body)
                if "/depth" in path:
                    self.snapshot_taken.set()
        return None

    def _reply(self, path: str) -> bytes:
        printer = self.buffer.printer
        if "/exchangeInfo" in path:
            return orjson.dumps(exchange_info(SPOT, [printer.instrument], time.time_ns() // 1_000_000, 6000))
        if "/depth" in path:
            tops = self.buffer.base.top(BID), self.buffer.base.top(ASK)
            return printer.snapshot(FIRST_ID - 1, tops, time.time_ns())
        if "/truth" in path:
            tops = self.buffer.book.top(BID), self.buffer.book.top(ASK)
            return printer.snapshot(int(self.report.get("last_update_id", 0)), tops, time.time_ns())
        return orjson.dumps(self.report)

    def _websocket(self, connection: socket.socket, read: Callable[[int], bytes]) -> None:
        while b'"SUBSCRIBE"' not in (text := client_message(read)):
            if not text:
                return
        number = orjson.loads(text).get("id")
        connection.sendall(framed(orjson.dumps({"result": None, "id": number})))
        if self.snapshot_taken.wait(SNAPSHOT_WAIT_S):
            time.sleep(SETTLE_S)
            self._send(connection)
        while client_message(read):  # stay until the client leaves
            pass

    def _send(self, connection: socket.socket) -> None:
        next_id, passes, start_s = FIRST_ID, 0, time.monotonic()
        while time.monotonic() - start_s < self.seconds:
            next_id = self.buffer.stamp(next_id, time.time_ns() // 1_000_000)
            self._send_pass(connection)
            passes += 1
        elapsed_s = time.monotonic() - start_s
        self.report = {
            "messages": passes * self.buffer.messages,
            "bytes": passes * len(self.buffer.data),
            "seconds": round(elapsed_s, 6),
            "messages_per_second": round(passes * self.buffer.messages / elapsed_s),
            "last_update_id": next_id - 1,
        }
        self.over.set()

    def _send_pass(self, connection: socket.socket) -> None:
        """All messages once: in one piece, or one by one at `per_second`."""
        data, starts = self.buffer.data.data, self.buffer.starts.tolist()
        if not self.per_second:
            return connection.sendall(data)
        due_s = time.monotonic()
        for start, stop in pairwise(starts):
            due_s += 1.0 / self.per_second
            time.sleep(max(0.0, due_s - time.monotonic()))
            connection.sendall(data[start:stop])
        return None


def iter_headers(readline: Callable[[int], bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Header lines until the empty one: name in lower case, value."""
    while line := readline(8192).strip():
        name, _, value = line.partition(b":")
        yield name.strip().lower(), value.strip()


def client_message(read: Callable[[int], bytes]) -> bytes:
    """The next masked frame of a client, any opcode; b"" when it has closed."""
    head = read(2)
    if len(head) < 2 or head[0] & 15 == 8:
        return b""
    size = head[1] & 127
    if size >= 126:
        size = int.from_bytes(read(2 if size == 126 else 8), "big")
    mask = read(4)
    text = read(size)
    return bytes(byte ^ mask[at & 3] for at, byte in enumerate(text)) or b"\0"


def serve(flood: Flood, listener: socket.socket) -> None:
    """Answer connections, each in a thread, for as long as the listener is open."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(flood, connection), daemon=True).start()


def answer(flood: Flood, connection: socket.socket) -> None:
    """Serve one connection; a client that leaves or talks nonsense ends its flood."""
    try:
        flood.handle(connection)
    except (OSError, ValueError, IndexError, KeyError):
        flood.over.set()  # a client that left or talks nonsense ends its flood


def main(arguments: list[str] | None = None) -> None:
    """Parse the options, listen, flood once, linger."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose; it is printed")
    parser.add_argument("--symbol", default="BTCUSDT", choices=sorted(catalogue("spot")))
    parser.add_argument("--stream", help="default: <symbol>@depth@100ms")
    parser.add_argument("--levels", type=int, default=10, help="changed levels a side in each message")
    parser.add_argument("--mbytes", type=float, default=16.0, help="bytes of ready messages, in millions")
    parser.add_argument("--seconds", type=float, default=10.0, help="ends with the pass then under way")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: as fast as possible")
    parser.add_argument("--linger", type=float, default=5.0, help="seconds to answer /ringbook/truth after")
    parser.add_argument("--core", type=int, help="pin the process to this core")
    chosen = parser.parse_args(arguments)
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    stream = chosen.stream or f"{chosen.symbol.lower()}@depth@100ms"
    buffer = build(int(chosen.mbytes * 1e6), chosen.levels, chosen.symbol, stream)
    flood = Flood(buffer, chosen.seconds, chosen.rate)
    with socket.create_server((chosen.host, chosen.port)) as listener:
        sys.stdout.write(f"listening on {listener.getsockname()[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=serve, args=(flood, listener), daemon=True).start()
        flood.over.wait()
        sys.stdout.write(orjson.dumps(flood.report).decode() + "\n")
        sys.stdout.flush()
        time.sleep(chosen.linger)


if __name__ == "__main__":
    main()
