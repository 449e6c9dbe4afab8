"""Wire → record latency, no reader attached: one 20-level diff at a time, paced, through a real websocket.

    python -m benchmarks.latency [--rate 10000] [--messages 20000] [--rounds 3]

A sender process on core 0 writes the time of sending into each message (as its venue time, in ns); the engine
side on core 1 reads, decodes, applies and publishes; wire → record is publish stamp minus send stamp, taken
from the records themselves. `raw socket` is the floor: a bare non-blocking or blocking recv, no work at all.
Sources are interleaved; percentiles are medians over the rounds.
"""

import argparse
import asyncio
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import aiohttp
import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.pipeline import ingest_room
from ringbook.engine.workspace import W_NEXT_SEQ, W_PUBLISH_ALL
from ringbook.io.direct import DirectSource
from ringbook.io.exchange.flood import client_message
from ringbook.io.host import SpinSelector
from ringbook.io.sources import EarlyBytes, run_plain

from . import frames
from .kernels import make_feed
from .machine import describe, table

E_AT = b'"E":'
STAMP_DIGITS = 19
HELLO = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SNAPSHOT = b'{"lastUpdateId":1,"bids":[["60000.00","1"]],"asks":[["70000.00","1"]]}'


def level(price: int, number: int) -> str:
    """One level as the venue prints it."""
    return f'["{price}.{number:02d}000000","0.{number + 1:02d}000000"]'


def messages(count: int) -> list[bytes]:
    """Valid consecutive diffs of 20 recorded levels, bids under asks, room for a stamp in E."""
    made = []
    for number in range(count):
        bids = ",".join(
            f'["{60000 - (number * 7 + i * 13) % 900}.{i:02d}000000","0.{i + 1:02d}000000"]'
            for i in range(10)
        )
        asks = ",".join(
            f'["{60001 + (number * 11 + i * 17) % 900}.{i:02d}000000","0.{i + 1:02d}000000"]'
            for i in range(10)
        )
        made.append(
            b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%019d,"s":"BTCUSDT","U":%d,"u":%d,"b":[%s],"a":[%s]}}'
            % (0, number + 2, number + 2, bids.encode(), asks.encode())
        )
    return made


def send(listener: socket.socket, count: int, rate: float, raw: bool) -> None:
    """The sender process: shake hands, wait for a byte to begin, send paced."""
    os.sched_setaffinity(0, {0})
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if raw:
        connection.recv(1)
    else:
        handshake(connection)
    data, offsets = frames.packed(messages(count), framed=True)
    view, at = memoryview(data), []
    for start, stop in pairwise(offsets.tolist()):
        at.append(start + bytes(data[start:stop]).index(E_AT) + len(E_AT))
    due, step = time.time_ns() + 50_000_000, int(1e9 / rate)
    for number in range(count):
        while (now := time.time_ns()) < due:
            pass
        view[at[number] : at[number] + STAMP_DIGITS] = b"%019d" % now
        connection.sendall(view[offsets[number] : offsets[number + 1]])
        due += step
    connection.recv(1)


def handshake(connection: socket.socket) -> None:
    """Answer the upgrade, then wait for the first client frame."""
    import base64
    import hashlib

    reader = connection.makefile("rb")
    key = b""
    while line := reader.readline().strip():
        if line.lower().startswith(b"sec-websocket-key:"):
            key = line.split(b":", 1)[1].strip()
    connection.sendall(HELLO + base64.b64encode(hashlib.sha1(key + GUID).digest()) + b"\r\n\r\n")
    client_message(reader.read)


class Nobody:
    """A receiver that only ends the run."""

    listening = True

    def __init__(self, done: asyncio.Event, is_over: Callable[[], bool]) -> None:
        self.done, self.is_over = done, is_over

    def on_seen(self) -> None:
        if self.is_over():
            self.done.set()

    def on_ping(self, payload: bytes) -> None: ...
    def on_pong(self, payload: bytes) -> None: ...
    def on_close(self, code: int, reason: str) -> None: ...
    def on_violation(self, code: int, reason: str) -> None:
        raise AssertionError(reason)

    def on_lost(self, reason: str) -> None:
        self.done.set()


def measure_feed(source: str, spin: bool, fast: bool, port: int, count: int) -> np.ndarray:
    """Latencies in ns of one run through a frame source."""
    feed = make_feed("spot")
    feed.pipeline.space.instruments["time_unit_ns"] = 1
    assert feed.snapshot(0, SNAPSHOT, 0, 1, 1) == 0
    first, feed.pipeline.work[W_PUBLISH_ALL] = feed.pipeline.next_seq, 1  # one record for every message
    loop = asyncio.SelectorEventLoop(SpinSelector() if spin else None)
    if fast:
        import aiofastnet

        aiofastnet.patch_loop(loop)
    stamps = np.zeros((count, 2), np.int64)

    async def follow() -> None:
        done, work, seen = asyncio.Event(), feed.pipeline.work, [first]
        words, geo = feed.pipeline.words, feed.pipeline.geo
        slots, mask = int(geo[layout.GEO_SLOT_WORDS]), int(geo[layout.GEO_SLOT_MASK])

        def is_over() -> bool:
            for seq in range(seen[0], int(work[W_NEXT_SEQ])):
                at = int(geo[layout.GEO_RING]) + (seq & mask) * slots
                stamps[seq - first] = words[at + layout.R_EVENT], words[at + layout.R_PUBLISH]
            seen[0] = int(work[W_NEXT_SEQ])
            return seen[0] - first >= count

        receiver = Nobody(done, is_over)
        async with aiohttp.ClientSession(ws_response_class=EarlyBytes) as session:
            url = f"http://127.0.0.1:{port}/"
            ws = await session.ws_connect(url, autoping=False, autoclose=False, compress=0, max_msg_size=0)
            if source == "direct":
                DirectSource(feed, receiver, 1 << 20).take_over(ws)
                await ws.send_str("go")
                await asyncio.wait_for(done.wait(), 120)
            else:
                await ws.send_str("go")
                reading = asyncio.create_task(run_plain(ws, feed, receiver))
                await asyncio.wait_for(done.wait(), 120)
                reading.cancel()
            ws._response.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(follow())
    assert feed.pipeline.space.states[0]["health"] == layout.LIVE
    assert feed.pipeline.counters[layout.C["gaps"]] == 0
    return stamps[:, 1] - stamps[:, 0]


def measure_raw(spin: bool, port: int, count: int) -> np.ndarray:
    """Latencies in ns of a bare socket that reads and does nothing else."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(not spin)
    sizes = np.diff(frames.packed(messages(count), framed=True)[1]).tolist()
    buffer, taken = bytearray(1 << 20), []
    connection.send(b"g")
    have, view = 0, memoryview(buffer)
    for size in sizes:
        while have < size:
            try:
                have += connection.recv_into(view[have:])
            except BlockingIOError:
                continue
        now = time.time_ns()
        start = buffer.index(E_AT) + len(E_AT)
        taken.append(now - int(buffer[start : start + STAMP_DIGITS]))
        buffer[: have - size] = buffer[size:have]
        have -= size
    connection.send(b"x")
    connection.close()
    return np.array(taken)


def one(name: str, spin: bool, count: int, rate: float) -> np.ndarray:
    """One run with a sender of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = multiprocessing.get_context("spawn")
        sender = context.Process(target=send, args=(listener, count, rate, name == "raw socket"), daemon=True)
        sender.start()
        port = listener.getsockname()[1]
        try:
            if name == "raw socket":
                return measure_raw(spin, port, count)
            return measure_feed(name.split()[0], spin, "aiofastnet" in name, port, count)
        finally:
            sender.terminate()
            sender.join()


def main() -> None:
    """Interleave, print medians of percentiles."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=10_000.0)
    parser.add_argument("--messages", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {1})
    ingest_room("binance")
    jit.warm()
    names = ("raw socket", "plain", "direct", "direct + aiofastnet")
    found: dict[tuple[str, bool], list[np.ndarray]] = {}
    for _ in range(chosen.rounds):
        for spin in (False, True):
            for name in names:
                latencies = one(name, spin, chosen.messages, chosen.rate)[500:]  # the first ones warm caches
                found.setdefault((name, spin), []).append(np.percentile(latencies, [50, 99, 99.9]))
    rows = []
    for (name, spin), rounds in found.items():
        p50, p99, p999 = (f"{value / 1000:.1f}" for value in np.median(rounds, axis=0))
        rows.append(("spinning" if spin else "blocking", name, p50, p99, p999))
    headers = ("loop", "reader", "p50 µs", "p99 µs", "p99.9 µs")
    sys.stdout.write(
        f"{describe()}\n{chosen.rate:.0f} messages/s, {chosen.rounds} rounds\n\n{table(headers, rows)}\n"
    )


if __name__ == "__main__":
    main()
