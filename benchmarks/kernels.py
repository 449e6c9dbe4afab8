"""Decode and the fused path, looped inside one jitted call over distinct recorded frames (no sockets).

    python -m benchmarks.kernels [--rounds 15] [--markets spot usdm]

Answers are verified in the run: decoded rows against orjson + Decimal, the fused path's final book against
plain Python.
"""

import argparse
import sys
import time
from decimal import Decimal

import numba
import numpy as np
import orjson

from ringbook.engine import jit, layout, routes
from ringbook.engine.instruments import from_steps
from ringbook.engine.kernels import binance, llvm
from ringbook.engine.pipeline import Pipeline, ingest_room
from ringbook.engine.slow import Rejected
from ringbook.engine.workspace import W_CURSOR
from ringbook.io.feed import Feed
from ringbook.io.memory_bus import MemoryBus
from ringbook.io.venues.base import get_venue

from . import frames
from .machine import describe, interleaved, table

ROUNDS = 15
_rate = 0.0


class Quiet:
    """A listener with nothing to say."""

    def on_reply(self, body: dict) -> None: ...
    def on_unknown_stream(self, payload: bytes) -> bool:
        return False

    def on_rejected(self, why: Rejected) -> None:
        raise AssertionError(why)

    def on_changed(self) -> None: ...
    def on_rescaled(self, old_id: int, new_id: int) -> None: ...


def make_feed(market: str, symbol_capacity: int = 4, slots: int = 16_384) -> Feed:
    """A feed on a bus in memory, one symbol, its diff stream routed, not yet in sync."""
    venue = get_venue(frames.VENUES[market])
    bus = MemoryBus(slots, 20, symbol_capacity)
    pipeline = Pipeline(bus.words, bus.ctl, bus.geo, venue.scanner, route_count=routes.slots_for(16))
    feed = Feed(pipeline, bus, venue.name, venue.rule, venue.time_unit_ns, Quiet())
    symbol = frames.SYMBOLS[market]
    feed.add_instrument(from_steps(symbol, *frames.STEPS[market]))
    cadence = "100ms" if market == "spot" else "0ms"
    feed.add_streams({venue.stream_name(symbol, f"depth@{cadence}"): (symbol, layout.KIND_BOOK)})
    feed.pipeline.start_sync(0)
    return feed


@numba.njit
def decode_all(scan, data, offsets, tables, frame, rows):
    """Scan every message; the sum of last ids keeps the work from being thrown away."""
    total = 0
    for i in range(len(offsets) - 1):
        if scan(data, offsets[i], offsets[i + 1], tables[0], tables[1], frame, rows) != 0:
            return -1
        total += frame[0].last_id + rows[0, 0].price
    return total


def decode(market: str, levels: int, most: int) -> list[object]:
    """One row of the decode table."""
    feed, made = make_feed(market), frames.resized(frames.depth_frames(market), levels, most)
    data, offsets = frames.packed(made, framed=False)
    space = feed.pipeline.space
    tables = (space.routes, space.instruments)
    verify_rows(feed, made)

    def ours() -> None:
        assert decode_all(binance.scan, data, offsets, tables, space.frame, space.rows) > 0

    def by_orjson() -> None:
        for body in made:
            orjson.loads(body)

    def by_orjson_float() -> None:
        for body in made:
            message = orjson.loads(body)["data"]
            for side in (message["b"], message["a"]):
                for level in side:
                    float(level[0]), float(level[1])

    took = interleaved({"ours": ours, "orjson": by_orjson, "float": by_orjson_float}, ROUNDS)
    best = {name: float(np.median(values)) for name, values in took.items()}
    size = int(offsets[-1])
    return [
        market, levels, len(made), f"{size / len(made):.0f}", f"{best['ours'] / len(made) * 1e9:.0f}",
        f"{best['ours'] / len(made) / levels * 1e9:.1f}", f"{size / best['ours'] / 1e9:.2f}",
        f"{best['orjson'] / best['ours']:.1f}x", f"{best['float'] / best['ours']:.1f}x",
    ]  # fmt: skip


def verify_rows(feed: Feed, made: list[bytes]) -> None:
    """The scanner's rows of some frames equal orjson + Decimal."""
    space, instrument = feed.pipeline.space, feed.known[0]
    scales = Decimal(10) ** instrument.price_digits, Decimal(10) ** instrument.qty_digits
    for body in made[:: max(1, len(made) // 50)]:
        buf = np.frombuffer(body + b"\0" * 64, np.uint8)
        assert binance.scan(buf, 0, len(body), space.routes, space.instruments, space.frame, space.rows) == 0
        for side, name in enumerate("ba"):
            want = [
                (int(Decimal(p) * scales[0]), int(Decimal(q) * scales[1]))
                for p, q in orjson.loads(body)["data"][name]
            ]
            assert space.rows[side, : len(want)].tolist() == want


@numba.njit
def ingest_all(ingest, words, ctl, data, work, begin, end):
    """Every framed message of the buffer, through to published records."""
    result = ingest(words, ctl, data, work, begin, end, 1, 1)
    return result if work[W_CURSOR] == end else -1


def fused(market: str, low: int, high: int) -> list[object]:
    """One row of the fused table: websocket bytes to record, on the recorded stream as it was."""
    messages = [m for m in frames.lines(market) if b'"depthUpdate"' in m or b'"lastUpdateId"' in m[:40]]
    feed = make_feed(market)
    for at, body in enumerate(messages):  # sync on the recorded snapshot
        if body.startswith(b'{"lastUpdateId"'):
            assert feed.snapshot(0, body, 0, 1, 1) == 0
            messages = messages[at + 1 :]
            break
        feed.message(body, 1, 1)
    pipeline, chosen = feed.pipeline, [m for m in messages if low <= frames.levels_of(m) <= high]
    levels = sum(map(frames.levels_of, chosen))
    data, offsets = frames.packed(messages, framed=True)
    starts = {m: i for i, m in enumerate(messages)}
    saved = pipeline.words.copy(), pipeline.work.copy()

    def whole() -> None:
        pipeline.words[:], pipeline.work[:] = saved
        assert (
            ingest_all(
                pipeline.ingest, pipeline.words, pipeline.ctl, data, pipeline.work, 0, int(offsets[-1])
            )
            == 0
        )

    whole()
    assert pipeline.counters[layout.C["gaps"]] == 0
    rounds = []
    for _ in range(ROUNDS):  # frames outside the range are applied too, but not timed
        pipeline.words[:], pipeline.work[:] = saved
        rounds.append(time_chosen(pipeline, data, offsets, [starts[m] for m in chosen]))
    per_frame = float(np.median(rounds)) / len(chosen)
    return [
        market, f"{low}..{high}", len(chosen), f"{levels / len(chosen):.1f}", f"{per_frame * 1e9:.0f}",
        f"{per_frame * len(chosen) / levels * 1e9:.1f}",
    ]  # fmt: skip


@numba.njit
def timed_walk(ingest, words, ctl, data, work, offsets, picked, clock):
    """Apply all frames in order; the sum of the cycle counter over the picked ones."""
    ticks = 0
    for i in range(len(offsets) - 1):
        begun = clock()
        if ingest(words, ctl, data, work, offsets[i], offsets[i + 1], 1, 1) != 0:
            return -1
        if picked[i]:
            ticks += clock() - begun
    return ticks


def time_chosen(pipeline: Pipeline, data: np.ndarray, offsets: np.ndarray, chosen: list[int]) -> float:
    """Seconds spent in the chosen frames."""
    picked = np.zeros(len(offsets), np.bool_)
    picked[chosen] = True
    ticks = timed_walk(
        pipeline.ingest, pipeline.words, pipeline.ctl, data, pipeline.work, offsets, picked, ticks_now
    )
    assert ticks > 0
    return ticks / ticks_per_second()


@numba.njit
def ticks_now():
    """The core's cycle counter."""
    return llvm.read_ticks()


def ticks_per_second() -> float:
    """Rate of the cycle counter, by CLOCK_MONOTONIC."""
    global _rate
    if not _rate:
        begun, ticks = time.perf_counter(), ticks_now()
        time.sleep(0.2)
        _rate = (ticks_now() - ticks) / (time.perf_counter() - begun)
    return _rate


def main() -> None:
    """Print both tables."""
    global ROUNDS
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--markets", nargs="+", choices=list(frames.STEPS), default=list(frames.STEPS))
    chosen = parser.parse_args()
    ROUNDS = chosen.rounds
    ingest_room("binance")
    jit.warm()
    sys.stdout.write(describe() + "\n\n")
    rows = [decode(m, n, 1500 if n < 1000 else 1000) for m in chosen.markets for n in (2, 20, 100, 1000)]
    headers = (
        "market",
        "levels",
        "frames",
        "bytes",
        "ns/frame",
        "ns/level",
        "GB/s",
        "vs orjson",
        "vs orjson+float",
    )
    sys.stdout.write(table(headers, rows) + "\n\n")
    rows = [fused(m, low, high) for m in chosen.markets for low, high in ((18, 22), (90, 110), (0, 2000))]
    headers = ("market", "levels", "frames", "mean levels", "ns/frame", "ns/level")
    sys.stdout.write(table(headers, rows) + "\n")


if __name__ == "__main__":
    main()
