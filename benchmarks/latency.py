"""Wire → record latency, no reader attached: one 20-level diff at a time, paced, through a real websocket.

    python -m benchmarks.latency [--rates 1000,10000,50000] [--messages 16000] [--rounds 3] [--tls]
                                [--data FILE]

A sender process on core 0 writes the time of sending into each message; the receiver on core 1 reads, decodes,
applies and publishes; wire → record is publish stamp minus send stamp, taken from the records themselves.
`bare socket` is the floor: recv and no work at all. `direct` is read by jitted code; `direct, asyncio reads` by the
loop's transports, with aiofastnet's in their place where it is named. The Rust stack does the same work (see
`rust/`): blocking is tokio on one thread, spinning is tungstenite on a non-blocking socket. Every contestant
publishes one record for every message, and all must come to the same digest of their records. Contestants are
interleaved; percentiles are medians over the rounds. --data keeps whole curves, for plots.
"""

import argparse
import asyncio
import json
import os
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from ringbook.engine import jit, layout
from ringbook.engine.pipeline import ingest_room
from ringbook.engine.workspace import W_NEXT_SEQ, W_PUBLISH_ALL
from ringbook.io.direct import DirectSource
from ringbook.io.feed import Feed
from ringbook.io.serving import ServingSelector
from ringbook.io.sources import EarlyBytes, run_plain

from . import frames, yardstick
from .kernels import make_feed
from .machine import describe, table
from .paced import E_AT, SNAPSHOT, STAMP_DIGITS, Identity, messages, sender
from .rust_offline import fold_all

WARM = 500  # the first messages warm caches
QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100)  # those of rust/src/stats.rs
SHOWN = tuple(QUANTILES.index(q) for q in (50, 99, 99.9))
BARE, PLAIN, RUST = "bare socket", "plain", "Rust"
DIRECT, ASYNCIO, FAST = "direct", "direct, asyncio reads", "direct, aiofastnet reads"


@dataclass(frozen=True)
class Run:
    """One run: how many messages at which rate, spinning or blocking, with TLS or without."""

    count: int
    rate: float
    spin: bool
    identity: Identity | None

    def context(self) -> ssl.SSLContext | None:
        """What a receiver trusts."""
        return ssl.create_default_context(cafile=self.identity.ca_file) if self.identity else None


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


def measure_feed(run: Run, name: str, port: int) -> tuple[np.ndarray, int]:
    """Percentiles of one run through a frame source, and the digest of its records."""
    feed = make_feed("spot", slots=1 << (run.count + 16).bit_length())
    feed.pipeline.space.instruments["time_unit_ns"] = 1
    assert feed.snapshot(0, SNAPSHOT, 0, 1, 1) == 0
    first, feed.pipeline.work[W_PUBLISH_ALL] = feed.pipeline.next_seq, 1
    loop = asyncio.SelectorEventLoop(ServingSelector(run.spin, fused_reads=name == DIRECT))
    if name == FAST:
        import aiofastnet

        aiofastnet.patch_loop(loop)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(follow(run, feed, name, port, first))
    assert feed.pipeline.space.states[0]["health"] == layout.LIVE
    assert feed.pipeline.counters[layout.C["gaps"]] == 0
    return harvest(feed, first, run.count)


async def follow(run: Run, feed: Feed, source: str, port: int, first: int) -> None:
    """Read until every message is a record."""
    done, work = asyncio.Event(), feed.pipeline.work
    receiver = Nobody(done, lambda: int(work[W_NEXT_SEQ]) - first >= run.count)
    context = run.context()
    async with aiohttp.ClientSession(ws_response_class=EarlyBytes) as session:
        url = f"{'https' if context else 'http'}://localhost:{port}/"
        ws = await session.ws_connect(
            url, autoping=False, autoclose=False, compress=0, max_msg_size=0, ssl=context or True
        )
        if source == PLAIN:
            await ws.send_str("go")
            reading = asyncio.create_task(run_plain(ws, feed, receiver))
            await asyncio.wait_for(done.wait(), 120)
            reading.cancel()
        else:
            direct = DirectSource(feed, receiver, 1 << 20)
            direct.take_over(ws)
            assert direct.is_served == (source == DIRECT)
            await ws.send_str("go")
            await asyncio.wait_for(done.wait(), 120)
        ws._response.close()


def harvest(feed: Feed, first: int, count: int) -> tuple[np.ndarray, int]:
    """Latencies from the records themselves, and their digest."""
    words, geo = feed.pipeline.words, feed.pipeline.geo
    width, mask = int(geo[layout.GEO_SLOT_WORDS]), int(geo[layout.GEO_SLOT_MASK])
    at = geo[layout.GEO_RING] + (np.arange(first, first + count) & mask) * width
    latencies = words[at + layout.R_PUBLISH] - words[at + layout.R_EVENT]
    return quantiles(latencies), fold_all(words, at, width) & (1 << 64) - 1


def quantiles(latencies: np.ndarray) -> np.ndarray:
    """The curve in ns, without the first messages."""
    return np.percentile(latencies[WARM:], QUANTILES)


def measure_bare(run: Run, port: int) -> np.ndarray:
    """Percentiles of a bare socket that reads and does nothing else."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = run.context()
    if context:
        connection = context.wrap_socket(connection, server_hostname="localhost")
    sizes = np.diff(frames.packed(messages(run.count), framed=True)[1]).tolist()
    buffer, taken = bytearray(1 << 20), []
    connection.send(b"g")
    connection.setblocking(not run.spin)
    have, view = 0, memoryview(buffer)
    for size in sizes:
        while have < size:
            try:
                have += connection.recv_into(view[have:])
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
        now = time.time_ns()
        start = buffer.index(E_AT) + len(E_AT)
        taken.append(now - int(buffer[start : start + STAMP_DIGITS]))
        buffer[: have - size] = buffer[size:have]
        have -= size
    connection.setblocking(True)
    connection.send(b"x")
    connection.close()
    return quantiles(np.array(taken))


def measure_rust(run: Run, program: Path, port: int, folder: Path) -> tuple[np.ndarray, int]:
    """Percentiles of the Rust stack on the same stream, and the digest of its records."""
    (folder / "snapshot").write_bytes(SNAPSHOT)
    found = yardstick.run(
        program, "client", url=f"{'wss' if run.identity else 'ws'}://localhost:{port}/", core=1,
        mode="spin" if run.spin else "blocking", count=run.count, snapshot=folder / "snapshot", digest="yes",
        ca_file=run.identity.ca_file if run.identity else "-", ring=folder / "ring",
    )  # fmt: skip
    assert found["messages"] == found["records"] == run.count, found
    return np.array(found["quantiles"], float), found["digest"]


def one(run: Run, name: str, program: Path | None, folder: Path) -> tuple[np.ndarray, int | None]:
    """One contestant's run with a sender of its own."""
    with sender(run.count, run.rate, name == BARE, run.identity) as port:
        if name == BARE:
            return measure_bare(run, port), None
        if name == RUST:
            assert program is not None
            return measure_rust(run, program, port, folder)
        return measure_feed(run, name, port)


def compare(run: Run, rounds: int, program: Path | None, folder: Path) -> list[dict]:
    """The curves of all contestants at one rate, for one way of waiting."""
    names = [BARE, PLAIN, DIRECT, ASYNCIO, FAST] + ([RUST] if program else [])
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    digests = set()
    for _ in range(rounds):
        for name in names:
            percentiles, digest = one(run, name, program, folder)
            found[name].append(percentiles)
            digests |= {digest} - {None}
    assert len(digests) == 1, digests
    way = f"{'TLS' if run.identity else 'TCP'}, {'spinning' if run.spin else 'blocking'}"
    medians = {name: np.median(values, axis=0) / 1000 for name, values in found.items()}
    return [
        {
            "rate": run.rate,
            "way": way,
            "receiver": name,
            "quantiles": list(zip(QUANTILES, us.round(2).tolist(), strict=True)),
        }
        for name, us in medians.items()
    ]


def row_of(curve: dict) -> tuple:
    """What the table shows of a curve."""
    shown = (curve["quantiles"][index][1] for index in SHOWN)
    return (f"{curve['rate']:,.0f}", curve["way"], curve["receiver"], *(f"{us:.1f}" for us in shown))


def main() -> None:
    """Interleave, print medians of percentiles."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rates", default="1000,10000,50000")
    parser.add_argument("--messages", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tls", action="store_true", help="TLS only; default: plain TCP, then TLS")
    parser.add_argument("--data", type=Path, help="keep the curves in this JSON file")
    chosen = parser.parse_args()
    program = yardstick.build()
    os.sched_setaffinity(0, {1})
    ingest_room("binance")
    jit.warm()
    curves = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        for identity in (Identity(),) if chosen.tls else (None, Identity()):
            for rate in map(float, chosen.rates.split(",")):
                for spin in (False, True):
                    run = Run(min(chosen.messages, int(4 * rate)), rate, spin, identity)
                    curves += compare(run, chosen.rounds, program, Path(folder))
    if chosen.data:
        chosen.data.parent.mkdir(exist_ok=True)
        chosen.data.write_text(
            json.dumps({"machine": describe(), "curves": curves}, indent=1) + "\n", "utf-8"
        )
    headers = ("messages/s", "way", "receiver", "p50 µs", "p99 µs", "p99.9 µs")
    versions = f"\n{yardstick.version()}" if program else ""
    sys.stdout.write(
        f"{describe()}{versions}\n{chosen.rounds} rounds\n\n{table(headers, list(map(row_of, curves)))}\n"
    )


if __name__ == "__main__":
    main()
