"""Pauses of the ingest loop, with the engine's rule for Python's collector and with Python's own.

    python -m benchmarks.pauses [--minutes 10] [--quick]

A loop hands reads to the direct source as a socket would, and every 50 ms does a tick's work: a large JSON body
comes, is kept for a while and dropped, and some cyclic garbage is left. A pause is the time from the start of one
read to the start of the next, the tick's own work taken out. Collections are counted where they happen, by Python
itself; with the engine's rule one on the path fails the run. Each rule runs in a process of its own, in turns of a
minute at most.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from collections import deque
from typing import Any

import numpy as np
import orjson

from ringbook.engine import jit, layout
from ringbook.engine.kernels.histogram import record
from ringbook.engine.percentiles import percentiles
from ringbook.engine.pipeline import ingest_room
from ringbook.io.collector import Collector
from ringbook.io.direct import DirectSource

from . import frames
from .kernels import make_feed
from .latency import Nobody
from .machine import describe, table
from .peers.ours import generated

OURS, PYTHONS = "the engine's: off, turns in quiet ticks", "Python's own"
TICK_NS, TURN_S = 50_000_000, 60.0
MESSAGES, KEPT_BODIES, CYCLES = 2_000, 40, 200
QUIET_EVERY = 20  # ticks; in the others frames came
BODY = json.dumps(
    [{"symbol": f"S{n}", "filters": [{"type": i, "tick": "0.01"} for i in range(5)]} for n in range(60)]
)


class Counted:
    """Collections and the longest of them, on the path and off it, as the interpreter reports them."""

    def __init__(self) -> None:
        self.on_path, self.off_path, self.longest_ns, self.is_reading = 0, 0, 0, False
        self._begun = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.monotonic_ns()
            return
        self.longest_ns = max(self.longest_ns, time.monotonic_ns() - self._begun)
        if self.is_reading:
            self.on_path += 1
        else:
            self.off_path += 1


def chores(kept: deque[Any], number: int) -> None:
    """What a tick does besides: parse, keep, drop, and leave cycles behind."""
    kept.append(orjson.loads(BODY))
    for _ in range(CYCLES):
        knot: list[Any] = []
        knot.append(knot)


def play(rule: str, seconds: float) -> dict[str, Any]:
    """Run the loop by one rule; what was seen."""
    feed, messages = make_feed("spot"), generated(MESSAGES)
    assert feed.snapshot(0, messages[0], 0, 1, 1) == 0
    receiver = Nobody(None, lambda: False)  # type: ignore[arg-type]
    source = DirectSource(feed, receiver, 1 << 20)
    data, offsets = frames.packed(messages[1:], framed=True)
    raw = memoryview(data.tobytes())
    reads = [raw[a:b] for a, b in zip(offsets.tolist(), offsets.tolist()[1:], strict=False)]
    saved = feed.pipeline.words.copy(), feed.pipeline.space.states.copy()
    words, kept, counted = np.zeros(layout.HIST_WORDS, np.int64), deque(maxlen=KEPT_BODIES), Counted()
    collector, clock, frames_taken = Collector(), time.monotonic_ns, layout.C["frames"]
    feed.pipeline.counters[frames_taken] = 0
    if rule == OURS:
        collector.begin()
    gc.callbacks.append(counted)
    end_ns, ticks, total = clock() + int(seconds * 1e9), 0, 0
    next_tick, before = clock() + TICK_NS, clock()
    while before < end_ns:
        counted.is_reading = True
        for read in reads:
            source.get_buffer(-1)[: len(read)] = read
            source.buffer_updated(len(read))
            now = clock()
            record(words, 0, now - before)
            before = now
        counted.is_reading = False
        total += len(reads)
        assert feed.pipeline.space.states[0]["book_id"] == 1 + len(reads)
        feed.pipeline.words[: len(saved[0])], feed.pipeline.space.states[:] = saved
        if before >= next_tick:
            ticks, next_tick = ticks + 1, before + TICK_NS
            chores(kept, ticks)
            if rule == OURS:
                collector.turn(0 if ticks % QUIET_EVERY < 2 else ticks)
        before = clock()
    gc.callbacks.remove(counted)
    collector.end()
    return {
        **percentiles(words, (50.0, 99.0, 99.9, 99.99)), "reads": total, "on_path": counted.on_path,
        "off_path": counted.off_path, "longest_ns": counted.longest_ns, "words": words.tolist(),
    }  # fmt: skip


def measure(minutes: float) -> dict[str, list[dict[str, Any]]]:
    """Both rules in turns, each turn in a process of its own."""
    found: dict[str, list[dict[str, Any]]] = {OURS: [], PYTHONS: []}
    turns = max(1, round(minutes * 60 / TURN_S))
    for _ in range(turns):
        for rule, seen in found.items():
            words = [sys.executable, "-m", "benchmarks.pauses", "--play", rule]
            words += ["--minutes", str(minutes / turns)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            seen.append(json.loads(done.stdout))
    return found


def line(rule: str, seen: list[dict[str, Any]]) -> list[str]:
    """One row of the table: all turns of a rule together."""
    words = np.array([one["words"] for one in seen])
    together = words.sum(axis=0)
    together[2] = words[:, 2].max()  # the maximum is no sum
    found = percentiles(together, (50.0, 99.0, 99.9, 99.99))
    shares = [f"{found[key] / 1000:.1f}" for key in ("p50", "p99", "p99.9", "p99.99", "max")]
    on_path, off_path = (sum(one[key] for one in seen) for key in ("on_path", "off_path"))
    longest = max(one["longest_ns"] for one in seen) / 1000
    return [
        rule,
        f"{sum(one['reads'] for one in seen):,}",
        *shares,
        f"{on_path:,}",
        f"{off_path:,}",
        f"{longest:,.0f}",
    ]


def main() -> int:
    """Print the table; fail when the engine's rule let a collection onto the path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of each rule")
    parser.add_argument("--quick", action="store_true", help="three seconds of each rule")
    parser.add_argument("--play", choices=(OURS, PYTHONS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    ingest_room("binance")
    jit.warm()
    if chosen.play:
        sys.stdout.write(json.dumps(play(chosen.play, chosen.minutes * 60)))
        return 0
    minutes = 0.05 if chosen.quick else chosen.minutes
    found = measure(minutes)
    rows = [line(rule, seen) for rule, seen in found.items()]
    shares = ("p50 µs", "p99 µs", "p99.9 µs", "p99.99 µs", "max µs")
    headers = ("rule", "reads", *shares, "collections on the path", "off it", "longest, µs")
    sys.stdout.write(f"{describe()}\n\n{minutes:g} minutes of each rule.\n\n{table(headers, rows)}\n")
    return 1 if sum(one["on_path"] for one in found[OURS]) else 0


if __name__ == "__main__":
    sys.exit(main())
