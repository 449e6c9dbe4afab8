"""The whole distribution behind `latency`: sending to published record at 10,000 messages/s, loopback TCP.

    python -m benchmarks.latency_cdf [--messages 40000] [--keep]

With --keep the points go to `benchmarks/data`, for `benchmarks.plots`.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

from ringbook.engine import jit
from ringbook.engine.pipeline import ingest_room

from . import latency
from .machine import describe, table
from .plots import DATA

RATE = 10_000.0
SHARES = [*range(1, 100), 99.5, 99.9, 99.95, 99.99]
SHOWN = (1, 10, 50, 90, 99, 99.9, 99.99)
WAYS = ((latency.BARE, False), (latency.DIRECT, False), (latency.BARE, True), (latency.DIRECT, True))


def many_quantiles(latencies: np.ndarray) -> np.ndarray:
    """As latency.quantiles, at every share of the picture."""
    return np.percentile(latencies[latency.WARM :], SHARES)


def main() -> int:
    """Measure, print some of it, keep all of it if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {1})
    ingest_room("binance")
    jit.warm()
    latency.quantiles = many_quantiles  # what its runs hand back
    kept, rows = [], []
    for name, spins in WAYS:
        run = latency.Run(chosen.messages, RATE, spins, None)
        found, _ = latency.one(run, name, None, Path())
        points = [[share, round(ns / 1000, 2)] for share, ns in zip(SHARES, found.tolist(), strict=True)]
        label = f"{name}, {'spinning' if spins else 'blocking'}"
        kept.append([label, points])
        rows.append([label, *(f"{us:.1f}" for share, us in points if share in SHOWN)])
    if chosen.keep:
        DATA.mkdir(exist_ok=True)
        (DATA / "latency_cdf.json").write_text(json.dumps(kept) + "\n")
    headers = ("receiver", *(f"p{share:g} µs" for share in SHOWN))
    sys.stdout.write(f"{describe()}\n\n{chosen.messages:,} messages each.\n\n{table(headers, rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
