"""Our side of each part, in this interpreter, on the texts that the peers get."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np

from ringbook.engine import layout
from ringbook.engine.kernels import binance
from ringbook.engine.kernels.book import book_reset, write_top
from ringbook.engine.kernels.book_apply import apply_rows
from ringbook.engine.workspace import W_PUBLISH_ALL
from ringbook.io.feed import Feed

from .. import frames, latency, paced
from ..kernels import decode_all, make_feed
from ..rust_offline import stream
from .job import PASSES, TOP, Job, digest, sampled

LEVELS_A_SIDE = layout.BOOK_LEVELS_DEFAULT
LOOPED, CALLED = "ours", "ours, called from Python for each message"


def inputs(most: int) -> tuple[list[bytes], str]:
    """The snapshot, then diffs; and where they are from."""
    if all((frames.folder() / name).exists() for name in frames.FILES["spot"]):
        return stream("spot")[: most + 1], "recorded BTCUSDT depth, spot"
    return generated(min(most, 5_000)), "generated diffs, for there are no recordings"


def generated(count: int) -> list[bytes]:
    """A snapshot and diffs of 20 levels, with a time in milliseconds."""
    empty, stamp = b"0" * paced.STAMP_DIGITS, b"1700000000000"
    return [paced.SNAPSHOT, *(text.replace(empty, stamp, 1) for text in paced.messages(count))]


def top_of(words: np.ndarray, base: int) -> list:
    """The best levels of both sides, as mantissas."""
    found = []
    for side in range(layout.SIDES):
        out = np.zeros(2 * TOP, np.int64)
        count = write_top(words, base, side, out, 0, TOP, TOP)
        found.append([[int(out[i]), int(out[TOP + i])] for i in range(count)])
    return found


def rows_of(feed: Feed, text: bytes) -> list[np.ndarray]:
    """Both sides of a text as the scanner decodes it."""
    space, buf = feed.pipeline.space, np.frombuffer(text + b"\0" * 64, np.uint8)
    assert binance.scan(buf, 0, len(text), space.routes, space.instruments, space.frame, space.rows) == 0
    return [space.rows[side, : space.frame[0]["rows"][side]].copy() for side in range(layout.SIDES)]


def timed(passes: Callable[[], object], again: Callable[[], object]) -> float:
    """Median seconds of some passes, each after `again`; a pass before them compiles and warms."""
    taken = []
    for number in range(PASSES + 1):
        again()
        begun = time.perf_counter()
        passes()
        taken += [time.perf_counter() - begun] * (number > 0)
    return float(np.median(taken))


def decode(job: Job) -> tuple[float, Any]:
    """Seconds for every text, and the digest of what some of them held."""
    feed = make_feed("spot")
    data, offsets = frames.packed(job.messages, framed=False)
    space = feed.pipeline.space
    tables = (space.routes, space.instruments)

    def whole() -> None:
        assert decode_all(binance.scan, data, offsets, tables, space.frame, space.rows) > 0

    seconds = timed(whole, lambda: None)
    answer = [
        [[list(map(int, row)) for row in side] for side in rows_of(feed, text)]
        for text in sampled(job.messages)
    ]
    return seconds, digest(answer)


@numba.njit
def book_walk(words, flat, offsets, counts, out, read):
    """Apply decoded messages; with `read`, both sides' top after each."""
    total = 0
    for message in range(len(counts)):
        rows = frames.levels_at(flat, offsets, message)
        for side in range(2):
            apply_rows(words, 0, side, rows, counts[message, side])
        if read:
            for side in range(2):
                write_top(words, 0, side, out, 0, 20, 20)
                total += out[0] ^ out[39]
    return total


def book(job: Job) -> tuple[float, Any]:
    """Seconds for every decoded delta into the full book, and its top."""
    feed = make_feed("spot")
    flat, offsets, counts = frames.packed_levels([rows_of(feed, text) for text in job.messages])
    assert feed.snapshot(0, job.snapshot, 0, 1, 1) == 0
    base, words = feed.pipeline.book_base(0), np.zeros(layout.book_words(LEVELS_A_SIDE), np.int64)
    book_reset(words, 0, LEVELS_A_SIDE, TOP)
    words[:] = feed.pipeline.words[base : base + len(words)]
    out, start = np.zeros(2 * TOP, np.int64), words.copy()
    seconds = timed(
        lambda: book_walk(words, flat, offsets, counts, out, job.read_top), lambda: np.copyto(words, start)
    )
    return seconds, top_of(words, 0)


@numba.njit
def take_each(ingest, words, ctl, data, work, offsets):
    """Every framed message, one call each."""
    for i in range(len(offsets) - 1):
        if ingest(words, ctl, data, work, offsets[i], offsets[i + 1], 1, 1) != 0:
            return i
    return -1


def handler(job: Job, who: str) -> tuple[float, Any]:
    """Seconds from websocket frames to published records, each with the top 20; and the final top."""
    feed = make_feed("spot")
    assert feed.snapshot(0, job.snapshot, 0, 1, 1) == 0
    pipe = feed.pipeline
    pipe.work[W_PUBLISH_ALL] = 1
    data, offsets = frames.packed(job.messages, framed=True)
    saved, bounds = (pipe.words.copy(), pipe.work.copy()), offsets.tolist()
    first, ingest, words, ctl, work = pipe.next_seq, pipe.ingest, pipe.words, pipe.ctl, pipe.work

    def restore() -> None:
        pipe.words[:], pipe.work[:] = saved

    def looped() -> None:
        assert take_each(ingest, words, ctl, data, work, offsets) == -1

    def called() -> None:
        for start, stop in pairwise(bounds):
            ingest(words, ctl, data, work, start, stop, 1, 1)

    seconds = timed(looped if who == LOOPED else called, restore)
    assert pipe.next_seq - first == len(job.messages) and pipe.counters[layout.C["gaps"]] == 0
    return seconds, top_of(pipe.words, pipe.book_base(0))


def transport(count: int, rate: float) -> np.ndarray:
    """Percentiles in ns from sending to a published record, through our own frame source."""
    percentiles, _ = latency.one(latency.Run(count, rate, False, None), latency.DIRECT, None, Path())
    return percentiles[list(latency.SHOWN)]
