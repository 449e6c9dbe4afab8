"""Messages a second through a real websocket on loopback into a bus: 20-level diffs, ours beside the Rust stack.

    python -m benchmarks.throughput [--seconds 10] [--rounds 3]

The sender floods from core 0, the receiver runs on core 1; TCP holds the sender back, so the sender's rate is
the receiver's. Every message must have been taken, and the final full book must equal the sender's, level by
level. The bare socket is the ceiling: the same sender, every byte read, none looked at. `direct` is read by jitted
code, `direct, asyncio reads` by the transport. Ours publishes a record when the visible top changed, Rust one for
every message; both are counted.
"""

import argparse
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO

import numpy as np
import psutil

from ringbook.io.census import rm
from ringbook.io.children import Child
from ringbook.io.direct import READ_BYTES
from ringbook.io.reader import join

from . import yardstick
from .machine import describe, table

LEVELS_A_SIDE = 10
BARE = "bare socket, bytes only"
IDLE_S = 1  # of silence: the flood is over
UPGRADE = (
    b"GET /stream HTTP/1.1\r\nHost: flood\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SUBSCRIBE = b"\x81\xb4\0\0\0\0" + b'{"method":"SUBSCRIBE","params":["x@depth"],"id":1}  '  # mask 0


@contextmanager
def flood(seconds: float) -> Iterator[tuple[str, IO[str]]]:
    """The sender on core 0; yields its address and what it prints."""
    options = ["--seconds", str(seconds), "--levels", str(LEVELS_A_SIDE), "--core", "0", "--linger", "20"]
    command = [sys.executable, "-m", "ringbook.io.exchange.flood", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{process.stdout.readline().split()[-1]}", process.stdout
        finally:
            process.kill()


def figures_of(report: dict, spent_s: float, records: int) -> dict[str, float]:
    """What the table shows of one round."""
    return {
        "rate": report["messages"] / report["seconds"],
        "cpu": spent_s / report["seconds"],
        "records": records / report["seconds"],
        "gbytes": report["bytes"] / report["seconds"] / 1e9,
    }


def flood_ours(way: str, seconds: float, folder: Path) -> dict[str, float]:
    """One round of our engine."""
    source, _, reads = way.partition(", ")
    (folder / "engine.toml").write_text(f"fused_reads = {'false' if reads else 'true'}\n")
    name = f"flood-{os.getpid()}"
    arguments = ("--venue", "binance-spot", "--symbols", "BTCUSDT", "--streams", "depth@100ms", "--core", "1")
    with flood(seconds) as (base, printed):
        addresses = (
            "--rest-url",
            f"http://{base}",
            "--ws-url",
            f"ws://{base}",
            "--source",
            source,
            "--bus",
            name,
            "--config",
            str(folder / "engine.toml"),
        )
        with Child("the engine", "run", *arguments, *addresses) as engine:
            engine.ready(90)
            with join(name) as bus:
                process = psutil.Process(engine.process.pid)
                before = sum(process.cpu_times()[:2])
                report = json.loads(printed.readline())
                spent_s = sum(process.cpu_times()[:2]) - before
                wait_for(bus, int(report["messages"]))
                verify(bus, base, report)
                found = figures_of(report, spent_s, bus.counters()["books"])
        rm(name)
    return found


def flood_bare(seconds: float) -> dict[str, float]:
    """One round of a socket that is read and not looked at: what the sender and the kernel can do."""
    with flood(seconds) as (base, printed), socket.create_connection(base.split(":")) as connection:
        fetch(base, "/api/v3/depth?symbol=BTCUSDT&limit=5000")
        connection.sendall(UPGRADE + SUBSCRIBE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", IDLE_S, 0))
        before, cores = os.times(), os.sched_getaffinity(0)
        os.sched_setaffinity(0, {1})
        taken, buffer = 0, bytearray(READ_BYTES)
        with contextlib.suppress(BlockingIOError):
            while size := connection.recv_into(buffer):
                taken += size
        after = os.times()
        os.sched_setaffinity(0, cores)
        report = json.loads(printed.readline())
    assert 0 < taken - report["bytes"] < 1024, (taken, report)  # more by the handshake and the ack
    return figures_of(report, after.user + after.system - before.user - before.system, 0)


def flood_rust(program: Path, book: str, seconds: float, folder: Path) -> dict[str, float]:
    """One round of the Rust stack."""
    with flood(seconds) as (base, printed):
        snapshot = fetch(base, "/api/v3/depth?symbol=BTCUSDT&limit=5000")
        (folder / "snapshot").write_bytes(snapshot)
        hello = json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 1})
        command = yardstick.command(
            program, "client", url=f"ws://{base}/stream", hello=hello, core=1, book=book, idle_s=1,
            snapshot=folder / "snapshot", ring=folder / "ring",
        )  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            process = psutil.Process(client.pid)
            report = json.loads(printed.readline())
            spent_s = sum(process.cpu_times()[:2])
            found = json.loads(client.communicate(timeout=60)[0])
        assert found["messages"] == report["messages"] and found["last_id"] == int(report["last_update_id"])
        truth, digest = json.loads(fetch(base, "/ringbook/truth")), 0
        for side in ("bids", "asks"):
            for price, qty in truth[side]:
                for text, digits in ((price, 2), (qty, 8)):
                    digest = mix(digest, int(Decimal(text).scaleb(digits)))
        assert found["book"] == digest
    return figures_of(report, spent_s, found["records"])


def mix(digest: int, word: int) -> int:
    """The yardstick's fold, in plain integers."""
    digest = (digest ^ word) * 0x100000001B3 & (1 << 64) - 1
    return (digest << 23 | digest >> 41) & (1 << 64) - 1


def fetch(base: str, path: str) -> bytes:
    """GET from the sender."""
    with urllib.request.urlopen(f"http://{base}{path}", timeout=10) as reply:
        return reply.read()


def wait_for(bus, messages: int) -> None:
    """Wait until the engine has taken everything; an ack is one more frame."""
    deadline = time.monotonic() + 20
    while bus.counters()["frames"] < messages and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    counters = bus.counters()
    assert counters["frames"] - counters["acks"] == messages, (counters["frames"], messages)
    assert counters["gaps"] == 0 and counters["slow_decodes"] == 0


def verify(bus, base: str, report: dict) -> None:
    """The engine's full book equals the sender's."""
    truth = json.loads(fetch(base, "/ringbook/truth"))
    book = bus.book("BTCUSDT", full=True)
    assert book.health == "LIVE" and book.last_update_id == int(report["last_update_id"])
    for side, name in enumerate(("bids", "asks")):
        assert book.exact(side) == [(Decimal(p), Decimal(q)) for p, q in truth[name]], name


def main() -> None:
    """Interleave the receivers and print medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    program = yardstick.build()
    found: dict[str, list[dict[str, float]]] = {
        BARE: [],
        "direct": [],
        "direct, asyncio reads": [],
        "plain": [],
    }
    found |= {f"Rust, {book}": [] for book in yardstick.BOOKS if program}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        for _ in range(chosen.rounds):
            for name, rounds in found.items():
                if program and name.startswith("Rust"):
                    rounds.append(flood_rust(program, name.split()[-1], chosen.seconds, Path(folder)))
                elif name == BARE:
                    rounds.append(flood_bare(chosen.seconds))
                else:
                    rounds.append(flood_ours(name, chosen.seconds, Path(folder)))
    rows = []
    for source, rounds in found.items():
        median = {key: float(np.median([one[key] for one in rounds])) for key in rounds[0]}
        spread = [one["rate"] / 1e6 for one in rounds]
        rows.append(
            (
                source,
                f"{median['rate'] / 1e6:.2f} M",
                f"{min(spread):.2f}–{max(spread):.2f} M",
                f"{median['gbytes']:.2f}",
                f"{1e9 / median['rate']:.0f}",
                f"{median['cpu']:.0%}",
                f"{median['records'] / 1e6:.2f} M",
            )
        )
    headers = ("receiver", "messages/s", "range", "GB/s", "ns/message", "CPU", "BOOK records/s")
    sys.stdout.write(f"{describe()}\n\n{table(headers, rows)}\n")


if __name__ == "__main__":
    main()
