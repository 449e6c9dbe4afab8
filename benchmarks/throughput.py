"""Messages a second through a real websocket on loopback into a bus: 20-level diffs, both frame sources.

    python -m benchmarks.throughput [--seconds 10] [--rounds 3]

The sender floods from core 0, the engine runs on core 1; TCP holds the sender back, so the sender's rate is
the engine's. Every message must have been taken, and the final book must equal the sender's.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal

import numpy as np
import psutil

from ringbook.io.census import rm
from ringbook.io.children import Child
from ringbook.io.reader import join

from .machine import describe, table

LEVELS_A_SIDE = 10


def flood_once(source: str, seconds: float) -> dict[str, float]:
    """One round; returns messages a second, CPU share of the engine and bytes a second."""
    options = ["--seconds", str(seconds), "--levels", str(LEVELS_A_SIDE), "--core", "0", "--linger", "20"]
    command = [sys.executable, "-m", "ringbook.io.exchange.flood", *options]
    flood = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert flood.stdout is not None
    port = int(flood.stdout.readline().split()[-1])
    name, base = f"flood-{os.getpid()}", f"127.0.0.1:{port}"
    arguments = ("--venue", "binance-spot", "--symbols", "BTCUSDT", "--streams", "depth@100ms", "--core", "1")
    addresses = (
        "--rest-url",
        f"http://{base}",
        "--ws-url",
        f"ws://{base}",
        "--source",
        source,
        "--bus",
        name,
    )
    try:
        with Child("the engine", "run", *arguments, *addresses) as engine:
            engine.ready(90)
            with join(name) as bus:
                process = psutil.Process(engine.process.pid)
                report = json.loads(flood.stdout.readline())
                spent = sum(process.cpu_times()[:2])
                wait_for(bus, int(report["messages"]))
                verify(bus, base, report)
                figures = {"rate": report["messages"] / report["seconds"], "cpu": spent / report["seconds"]}
                figures["records"] = bus.counters()["books"]
                figures["gbytes"] = report["bytes"] / report["seconds"] / 1e9
        rm(name)
        return figures
    finally:
        flood.kill()
        flood.wait()


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
    with urllib.request.urlopen(f"http://{base}/ringbook/truth", timeout=10) as reply:
        truth = json.load(reply)
    book = bus.book("BTCUSDT", full=True)
    assert book.health == "LIVE" and book.last_update_id == int(report["last_update_id"])
    for side, name in enumerate(("bids", "asks")):
        assert book.exact(side) == [(Decimal(p), Decimal(q)) for p, q in truth[name]], name


def main() -> None:
    """Interleave the sources and print medians."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"direct": [], "plain": []}
    for _ in range(chosen.rounds):
        for source, rounds in found.items():
            rounds.append(flood_once(source, chosen.seconds))
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
                f"{median['records'] / chosen.seconds / 1e6:.2f} M",
            )
        )
    headers = ("source", "messages/s", "range", "GB/s", "ns/message", "engine CPU", "BOOK records/s")
    sys.stdout.write(f"{describe()}\n\n{table(headers, rows)}\n")


if __name__ == "__main__":
    main()
