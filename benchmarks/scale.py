"""Cost of a message from 1 to 2,000 symbols and from 50 to 10,000 levels a side, its memory, and no allocation.

    python -m benchmarks.scale [--quick]

Symbols are chosen by Zipf's law, as in real traffic, or all alike. Beside stands the floor: the same number of
dependent reads, each at a random line of as much memory as the books in use take, by the same choice of symbol.
Every run is verified: no gap, every book LIVE at its last id, every record published, and numba's own counter of
allocations unchanged. The bus is a file in shared memory with an engine's ring, its pages there from the start.
"""

import argparse
import gc
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numba
import numpy as np
from numba.core.runtime import _nrt_python, rtsys

from ringbook.engine import jit, layout, routes
from ringbook.engine.instruments import from_steps
from ringbook.engine.pipeline import Pipeline, ingest_room
from ringbook.engine.workspace import W_PUBLISH_ALL
from ringbook.io.bus import WriterBus, create
from ringbook.io.feed import Feed
from ringbook.io.venues.base import get_venue

from . import frames
from .kernels import Quiet, ticks_per_second
from .machine import describe, table
from .rust_offline import walk

SYMBOLS, DEPTHS = (1, 10, 100, 1000, 2000), (50, 200, 1000, 5000, 10_000)
MESSAGE_LEVELS, MIDDLE = 20, 6_000_000
ZIPF_POWER = 1.0
STRETCHES, WARM_PART, TIMED_PART = 6, 4, 5  # a quarter warms all, the last fifth of a stretch is timed
PARTS = 20  # of the floor: their median counts, so that a pause of the machine does not
WRAPPED = 8  # the call from Python into the loop wraps each array once, however many messages follow
SERIAL = itertools.count()  # of buses
DATA = Path(__file__).with_name("data") / "scale.json"


@dataclass
class Market:
    """A feed with many symbols, all in sync, and the messages to come."""

    feed: Feed
    bus: WriterBus
    depth: int
    chosen: np.ndarray  # symbol of each message
    data: np.ndarray
    offsets: np.ndarray


def snapshot_body(depth: int, symbol: int) -> bytes:
    """A book of `depth` levels a side, one tick apart, its size the symbol's own."""
    sides = ([MIDDLE - 1 - i for i in range(depth)], [MIDDLE + i for i in range(depth)])
    bids, asks = ([[f"{p / 100:.2f}", f"{symbol % 90 + 1}.5"] for p in side] for side in sides)
    return json.dumps({"lastUpdateId": 1, "bids": bids, "asks": asks}, separators=(",", ":")).encode()


def choices(symbols: int, count: int, zipf: bool) -> np.ndarray:
    """The symbol of each message."""
    weights = 1.0 / np.arange(1, symbols + 1) ** (ZIPF_POWER if zipf else 0.0)
    return np.random.default_rng(7).choice(symbols, count, p=weights / weights.sum())


def diffs(chosen: np.ndarray, depth: int) -> list[bytes]:
    """A diff of 20 levels for each chosen symbol, four in five of them changes near the best price."""
    dice, last, made = np.random.default_rng(11), {}, []
    far = np.minimum((dice.exponential(depth / 12, (len(chosen), MESSAGE_LEVELS))).astype(int), depth - 1)
    sizes = dice.integers(0, 5, far.shape)  # 0 deletes
    for number, symbol in enumerate(chosen.tolist()):
        last[symbol] = u = last.get(symbol, 1) + 1
        rows = [f'["{{}}","{size}.25"]' if size else '["{}","0"]' for size in sizes[number].tolist()]
        half = MESSAGE_LEVELS // 2
        away = far[number].tolist()
        bids = ",".join(
            row.format(f"{(MIDDLE - 1 - at) / 100:.2f}") for row, at in zip(rows[:half], away, strict=False)
        )
        asks = ",".join(
            row.format(f"{(MIDDLE + at) / 100:.2f}") for row, at in zip(rows[half:], away[half:], strict=True)
        )
        made.append(
            f'{{"stream":"s{symbol}usdt@depth@100ms","data":{{"e":"depthUpdate","E":1700000000000,'
            f'"s":"S{symbol}USDT",'
            f'"U":{u},"u":{u},"b":[{bids}],"a":[{asks}]}}}}'.encode()
        )
    return made


def market(symbols: int, depth: int, count: int, zipf: bool) -> Market:
    """Set everything up."""
    venue, room = get_venue("binance-spot"), max(layout.BOOK_LEVELS_DEFAULT, depth)
    bus = create(
        f"scale-{os.getpid()}-{next(SERIAL)}", venue=venue.name, symbol_capacity=symbols, book_levels=room
    )
    slots = routes.slots_for(2 * symbols + 2)
    pipeline = Pipeline(bus.words, bus.ctl, bus.geo, venue.scanner, route_count=slots, publish_all=True)
    feed = Feed(pipeline, bus, venue.name, venue.rule, venue.time_unit_ns, Quiet())
    names = [f"S{number}USDT".encode() for number in range(symbols)]
    for name in names:
        feed.add_instrument(from_steps(name, "0.01", "0.00000001"))
    feed.add_streams({venue.stream_name(name, "depth@100ms"): (name, layout.KIND_BOOK) for name in names})
    for number in range(symbols):
        pipeline.start_sync(number)
        assert feed.snapshot(number, snapshot_body(depth, number), 0, 1, 1) >= 0
    assert pipeline.work[W_PUBLISH_ALL] == 1
    for number in range(symbols):  # all of it is held, nothing was dropped
        held = pipeline.book_base(number) + layout.B_SIDE + layout.S_LEVELS
        assert (pipeline.words[[held, held + layout.B_SIDE_WORDS]] == depth).all()
    chosen = choices(symbols, count, zipf)
    data, offsets = frames.packed(diffs(chosen, depth), framed=True)
    return Market(feed, bus, depth, chosen, data, offsets)


def allocations() -> tuple[int, ...]:
    """Numba's counters."""
    stats = rtsys.get_allocation_stats()
    return stats.alloc, stats.free, stats.mi_alloc, stats.mi_free


def stretches(made: Market) -> Iterator[float]:
    """Play all messages; yields ns a message at the end of each stretch, so that markets can take turns; verified.

    The first messages warm everything; a stretch begins with others that are not timed, and bring the symbols' books
    back into the caches after somebody else's turn.
    """
    pipe, result = made.feed.pipeline, np.zeros(2, np.int64)
    picked = np.ones(len(made.offsets), np.bool_)

    def play(first: int, stop: int) -> float:
        offsets, before = made.offsets[first : stop + 1], allocations()
        assert walk(pipe.ingest, pipe.words, pipe.ctl, made.data, pipe.work, offsets, picked, result) == 0
        grown = [now - then for now, then in zip(allocations(), before, strict=True)]
        assert max(grown) <= WRAPPED, f"numba allocated on the path: {grown}"
        return result[0] / ticks_per_second() / (stop - first) * 1e9

    count = len(made.chosen)
    marks = np.linspace(count // WARM_PART, count, STRETCHES + 1).astype(int).tolist()
    play(0, marks[0])
    for first, stop in pairwise(marks):
        timed = stop - (stop - first) // TIMED_PART
        play(first, timed)
        yield play(timed, stop)
    ids = 1 + np.bincount(made.chosen, minlength=len(made.feed.ids))
    states = pipe.space.states[: len(ids)]
    assert np.array_equal(states["book_id"][ids > 1], ids[ids > 1]) and pipe.counters[layout.C["gaps"]] == 0


@numba.njit
def walk_lines(lines, starts, size, reads):
    """Dependent reads: the next line follows from what the last one held, inside the symbol's own part."""
    at, total = np.int64(0), np.int64(0)
    for start in starts:
        for _ in range(reads):
            at = (
                at * 6364136223846793005 + 1442695040888963407 + lines[start + (at & (size - 1)) * 8]
            ) & 0xFFFFFFFFFFF
            total ^= at
    return total


def floor_ns(symbols: int, depth: int, chosen: np.ndarray) -> float:
    """ns of 20 dependent reads a message over memory like the books'."""
    size = 1 << (max(64, depth // 2) - 1).bit_length()  # cache lines a symbol
    lines, starts = np.zeros(symbols * size * 8, np.int64), chosen * size * 8
    walk_lines(lines, starts, size, MESSAGE_LEVELS)
    taken = []
    for part in np.array_split(starts, PARTS):
        begun = time.perf_counter()
        walk_lines(lines, part, size, MESSAGE_LEVELS)
        taken.append((time.perf_counter() - begun) / len(part) * 1e9)
    return float(np.median(taken))


def memory_of_symbol(symbols: int, depth: int) -> float:
    """Resident bytes that a symbol adds at a depth, by the kernel's own count, in a process of its own."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        import psutil

        market(1, depth, 100, False).bus.delete()  # what is needed once is there
        before = psutil.Process().memory_info().rss
        made = market(symbols, depth, 100, False)
        gc.collect()
        grown = psutil.Process().memory_info().rss - before
        made.bus.delete()
        os.write(write_end, str(grown / len(made.feed.ids)).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return float(text)


def sweep(cases: list[tuple[int, int, bool]], count: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """ns a message of each case (symbols, depth, zipf) in each turn, float64[turns, cases]; the floors, float64[cases].

    All markets of a round are made first and then take turns, so that what the machine does besides meets all alike.
    """
    turns: list[tuple[float, ...]] = []
    floors = []
    for _ in range(rounds):
        made = [market(symbols, depth, count, zipf) for symbols, depth, zipf in cases]
        try:
            turns += zip(*map(stretches, made), strict=True)
        finally:
            for one in made:
                one.bus.delete()
        chosen = [one.chosen[count // WARM_PART :] for one in made]
        floors.append([floor_ns(case[0], case[1], one) for case, one in zip(cases, chosen, strict=True)])
    return np.array(turns), np.median(floors, axis=0)


def to_one(turns: np.ndarray, case: int, one: int) -> float:
    """How many times the cost of case `one` a case has; the median of turns, each compared with its own."""
    return float(np.median(turns[:, case] / turns[:, one]))


def report(cases: list[tuple[int, int, bool]], turns: np.ndarray, floors: np.ndarray, symbols: int) -> str:
    """The two tables: `symbols` cases of each choice, then those of one symbol."""
    taken, deep = np.median(turns, axis=0), 2 * symbols

    def cells(case: int, one: int) -> tuple[str, str, str]:
        return f"{taken[case]:.0f}", f"{to_one(turns, case, one):.2f}x", f"{floors[case]:.0f}"

    by_symbols = [
        (f"{n:,}", "Zipf" if zipf else "all alike", *cells(at, at - at % symbols))
        for at, (n, _, zipf) in enumerate(cases[:deep])
    ]
    by_depth = [(f"{cases[at][1]:,}", *cells(at, deep)) for at in range(deep, len(cases))]
    floor = "20 dependent reads, ns"
    return (
        f"{table(('symbols', 'choice', 'ns/message', 'to one symbol', floor), by_symbols)}\n\nOne symbol:\n\n"
        f"{table(('levels a side', 'ns/message', 'to the first', floor), by_depth)}\n\n"
    )


def keep(cases: list[tuple[int, int, bool]], turns: np.ndarray, floors: np.ndarray, symbols: int) -> None:
    """Write what the plots need; `symbols` as in report."""
    found = list(zip(cases, np.median(turns, axis=0).tolist(), floors.tolist(), strict=True))
    kept = {
        "symbols": [[n, zipf, ours, floor] for (n, _, zipf), ours, floor in found[: 2 * symbols]],
        "levels": [[depth, ours, floor] for (_, depth, _), ours, floor in found[2 * symbols :]],
    }
    DATA.parent.mkdir(exist_ok=True)
    DATA.write_text(json.dumps(kept) + "\n")


def main() -> int:
    """Print the tables; keep what the plots need."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter, nothing kept")
    quick = parser.parse_args().quick
    ingest_room("binance")
    jit.warm()
    _nrt_python.memsys_enable_stats()
    resident = memory_of_symbol(200, 1000)
    assert resident <= 1 << 20, f"{resident / 2**20:.2f} MiB a symbol, expected 1 at most"
    symbols, depths = ((1, 100, 2000), (50, 1000, 10_000)) if quick else (SYMBOLS, DEPTHS)
    count, rounds = (8_000, 1) if quick else (80_000, 3)
    cases = [(number, 100, zipf) for zipf in (True, False) for number in symbols]
    cases += [(1, depth, True) for depth in depths]
    turns, floors = sweep(cases, count, rounds)
    sys.stdout.write(
        f"{describe()}\n\nDiffs of {MESSAGE_LEVELS} levels, frame to record, {count:,} messages, {len(turns)} turns; "
        f"100 levels a side.\n\n{report(cases, turns, floors, len(symbols))}"
    )
    of_file = [int(layout.geometry(4096, 20, n)[layout.GEO_WORDS]) * layout.WORD_BYTES for n in (100, 200)]
    in_file = (of_file[1] - of_file[0]) / 100
    sys.stdout.write(
        f"The bus file has {in_file / 2**20:.2f} MiB for each symbol, whatever its depth. "
        f"Resident memory a symbol at 1,000 levels a side: {resident / 2**20:.2f} MiB. Allocations counted by numba "
        "after warm-up: 0.\n"
    )
    if not quick:
        keep(cases, turns, floors, len(symbols))
    return 0


if __name__ == "__main__":
    sys.exit(main())
