"""A link to a bus in this process's memory, and a writer process whose every diff follows from its number."""

import sys
import threading
import time

import numpy as np
from numba import njit

from ringbook.engine import layout
from ringbook.engine.kernels import session
from ringbook.engine.kernels.llvm import cpu_relax
from ringbook.engine.kernels.sync import RULES
from ringbook.engine.pipeline import Pipeline
from ringbook.io import bus
from ringbook.io.depth import Depth
from ringbook.io.owner import Verdict

from .ready import load_kernels

SYMBOLS = ("BTCUSDT", "ETHUSDT")
MIDDLE, CYCLE, ROWS = 5000, 4096, 30  # rows a side: three slots at top_n 10
TOP_N, SLOTS, BURST, REST_S = 10, 512, 500, 0.1


class MemoryLink:
    """What a reader needs of an attachment, without files."""

    name, ctl, first_seq = "memory", None, 1

    def __init__(self, memory_bus, top_n: int) -> None:
        self.words, self.geo, self.top_n = memory_bus.words, memory_bus.geo, top_n

    def verdict(self) -> Verdict:
        return Verdict.RUNNING


def held(depth: Depth, symbol: str = "TESTUSDT") -> tuple[dict[int, int], dict[int, int]]:
    """The followed book as two dicts; every price once, best first."""
    book = depth.book(symbol)
    for side, sign in enumerate((-1, 1)):
        assert (np.diff(sign * book.levels[side][:, 0]) > 0).all()
    return tuple(dict(rows.tolist()) for rows in book.levels)  # type: ignore[return-value]


def diffs() -> tuple[np.ndarray, np.ndarray]:
    """The rows of every diff: level_dtype[CYCLE, 2, ROWS] and how many count, int64[CYCLE, 2]."""
    rng = np.random.default_rng(5)
    rows = np.zeros((CYCLE, 2, ROWS), layout.level_dtype)
    away = rng.integers(1, 1500, (CYCLE, 2, ROWS))
    rows["price"] = MIDDLE + away * np.array([-1, 1])[None, :, None]
    rows["qty"] = rng.integers(0, 3, (CYCLE, 2, ROWS)) * rng.integers(1, 1000, (CYCLE, 2, ROWS))
    return rows, rng.integers(0, ROWS + 1, (CYCLE, 2)).astype(np.int64)


@njit(nogil=True)
def send(words, ctl, work, frame, target, rows, counts, first, count, clock):
    """Feed `count` diffs from number `first` on, both symbols in turn; diff i carries the ids i+1 of its symbol."""
    for number in range(first, first + count):
        for symbol_id in range(2):
            at = (number + 7 * symbol_id) % len(rows)
            frame[0].kind, frame[0].symbol_id = layout.KIND_BOOK, symbol_id
            frame[0].first_id = frame[0].last_id = number + 1
            frame[0].prev_id = number
            for side in range(2):
                frame[0].rows[side] = counts[at, side]
                for row in range(counts[at, side]):
                    target[side, row] = rows[at, side, row]
            session.apply_decoded(words, ctl, work, clock, clock)
        for _ in range(20):
            cpu_relax()


def write(directory: str) -> None:
    """The writer process: bursts flat out, rests in which the plain model catches up, until a line comes in."""
    load_kernels()
    rows, counts = diffs()
    with bus.create(
        "depth", venue="test", symbol_capacity=4, slot_count=SLOTS, top_n=TOP_N, directory=directory
    ) as owner:
        pipe = Pipeline(owner.words, owner.ctl, owner.geo, "binance", next_seq=owner.next_seq, deltas=True)
        body = np.frombuffer(b'{"lastUpdateId":0,"bids":[],"asks":[]}'.ljust(128), np.uint8).copy()
        for symbol in SYMBOLS:
            symbol_id = owner.add_symbol(symbol.encode(), "test", 0, 0, 1, 1)
            pipe.space.instruments[symbol_id]["rule"] = RULES["spot"]
            pipe.open_book(symbol_id)
            pipe.stamp(time.time_ns(), time.monotonic_ns())
            pipe.start_sync(symbol_id)
            assert pipe.snapshot(body, 38, symbol_id, 0) == 0
        parts = (owner.words, owner.ctl, pipe.work, pipe.space.frame, pipe.space.rows, rows, counts)
        send(*parts, 0, 0, time.time_ns())  # compiled before anybody waits
        print("ready", flush=True)
        told, first = threading.Event(), 0
        threading.Thread(target=lambda: told.set() if sys.stdin.readline() else None, daemon=True).start()
        while not told.wait(REST_S):
            send(*parts, first, BURST, time.time_ns())
            first += BURST
        print(first, flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    write(*sys.argv[1:])
