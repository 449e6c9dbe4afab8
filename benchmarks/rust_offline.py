"""Beside Rust, without sockets: decode, the book, and the whole path from text to record, on the same bytes.

    python -m benchmarks.rust_offline [--rounds 5] [--markets spot usdm]

Both publish one record for every message (100 % of the events), and both fold counts, prices and quantities of
every record into the same digest; the run fails unless the digests are equal. Ours decodes the websocket frame
too; Rust gets the bare text. Runs alternate on one core; medians over the rounds.

Beside decoding into structs stands what simd-json's own benchmark measures, `to_tape_with_buffers`, on the same
messages: nothing typed, no number made. No use of the library can be faster than that.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import orjson

from ringbook.engine import jit, layout
from ringbook.engine.kernels import binance, llvm
from ringbook.engine.kernels.book import book_reset, write_top
from ringbook.engine.kernels.book_apply import apply_rows
from ringbook.engine.pipeline import ingest_room
from ringbook.engine.workspace import W_NEXT_SEQ, W_PUBLISH_ALL

from . import frames, yardstick
from .kernels import decode_all, make_feed, ticks_now, ticks_per_second
from .machine import describe, table

DIGITS = {"spot": (2, 8), "usdm": (2, 3)}
INNER = 5  # passes in one run
LEVELS = (2, 20, 100, 1000)
LEVELS_A_SIDE = layout.BOOK_LEVELS_DEFAULT


def stream(market: str) -> list[bytes]:
    """The recorded snapshot, then every diff that lies behind it."""
    snapshot, diffs = b"", []
    for text in frames.lines(market):
        if text.startswith(b'{"lastUpdateId"') and not snapshot:
            snapshot = text
        elif b'"depthUpdate"' in text:
            diffs.append(text)
    last_id = orjson.loads(snapshot)["lastUpdateId"]
    return [snapshot, *(text for text in diffs if orjson.loads(text)["data"]["u"] > last_id)]


@numba.njit
def fold(words, slot, words_of_slot, digest):
    """The digest over counts, prices and quantities of one record, as the yardstick folds it."""
    for at in range(words_of_slot):
        if at == layout.R_COUNT or at >= layout.R_PAYLOAD:
            digest = (digest ^ np.uint64(words[slot + at])) * np.uint64(0x100000001B3)
            digest = (digest << np.uint64(23)) | (digest >> np.uint64(41))
    return digest


@numba.njit
def fold_all(words, slots, words_of_slot):
    """The digest over the records at `slots`, in their order."""
    digest = np.uint64(0)
    for slot in slots:
        digest = fold(words, slot, words_of_slot, digest)
    return np.int64(digest)


@numba.njit
def walk(ingest, words, ctl, data, work, offsets, picked, result):
    """Take every framed message; result: ticks of the picked ones, digest of all records."""
    ticks, digest = 0, np.uint64(0)
    slot_words, mask = work[layout.GEO_SLOT_WORDS], work[layout.GEO_SLOT_MASK]
    for i in range(len(offsets) - 1):
        first = work[W_NEXT_SEQ]
        begun = llvm.read_ticks()
        if ingest(words, ctl, data, work, offsets[i], offsets[i + 1], 1, 1) != 0:
            return -1
        if picked[i]:
            ticks += llvm.read_ticks() - begun
        if work[W_NEXT_SEQ] != first + 1:
            return -2
        digest = fold(words, work[layout.GEO_RING] + (first & mask) * slot_words, slot_words, digest)
    result[0], result[1] = ticks, np.int64(digest)
    return 0


def levels_in(messages: list[bytes]) -> np.ndarray:
    """Levels of each message."""
    return np.array([frames.levels_of(text) for text in messages])


def ours_fused(market: str, messages: list[bytes], low: int, high: int) -> tuple[float, int]:
    """ns per picked message and the digest, from websocket frame to record."""
    counts = levels_in(messages[1:])
    picked = (counts >= low) & (counts <= high)
    data, offsets = frames.packed(messages[1:], framed=True)
    feed = make_feed(market)
    assert feed.snapshot(0, messages[0], 0, 1, 1) == 0
    pipe = feed.pipeline
    pipe.work[W_PUBLISH_ALL] = 1
    saved, took, result = (pipe.words.copy(), pipe.work.copy()), [], np.zeros(2, np.int64)
    for _ in range(INNER):
        pipe.words[:], pipe.work[:] = saved
        assert walk(pipe.ingest, pipe.words, pipe.ctl, data, pipe.work, offsets, picked, result) == 0
        took.append(result[0] / ticks_per_second() / picked.sum() * 1e9)
    assert pipe.space.states[0]["health"] == layout.LIVE and pipe.counters[layout.C["gaps"]] == 0
    return float(np.median(took)), int(result[1]) & (1 << 64) - 1


@numba.njit
def book_walk(words, flat, offsets, counts, out):
    """Apply decoded messages and read the top after each; the yardstick's checksum."""
    total = 0
    for message in range(len(counts)):
        rows = frames.levels_at(flat, offsets, message)
        for side in range(2):
            apply_rows(words, 0, side, rows, counts[message, side])
        for side in range(2):
            write_top(words, 0, side, out, 0, 20, 20)
            total += out[0] ^ out[39]
    return total


def ours_book(market: str, messages: list[bytes]) -> tuple[float, int]:
    """ns per delta, and the sum over what was read."""
    feed = make_feed(market)
    space, decoded = feed.pipeline.space, []
    for text in messages[1:]:
        buf = np.frombuffer(text + b"\0" * 64, np.uint8)
        assert binance.scan(buf, 0, len(text), space.routes, space.instruments, space.frame, space.rows) == 0
        decoded.append(
            [space.rows[side, : space.frame[0]["rows"][side]].copy() for side in range(layout.SIDES)]
        )
    flat, offsets, counts = frames.packed_levels(decoded)
    assert feed.snapshot(0, messages[0], 0, 1, 1) == 0
    base, words = feed.pipeline.book_base(0), np.zeros(layout.book_words(LEVELS_A_SIDE), np.int64)
    book_reset(words, 0, LEVELS_A_SIDE, 20)
    start = feed.pipeline.words[base : base + len(words)].copy()
    out, took, total = np.zeros(40, np.int64), [], 0
    for _ in range(INNER):
        words[:] = start
        begun = ticks_now()
        total = book_walk(words, flat, offsets, counts, out)
        took.append((ticks_now() - begun) / ticks_per_second() / counts.sum() * 1e9)
    return float(np.median(took)), int(total)


def ours_decode(market: str, made: list[bytes]) -> float:
    """ns per message of the scanner alone."""
    feed = make_feed(market)
    data, offsets = frames.packed(made, framed=False)
    space, took = feed.pipeline.space, []
    for _ in range(INNER):
        begun = time.perf_counter()
        tables = (space.routes, space.instruments)
        assert decode_all(binance.scan, data, offsets, tables, space.frame, space.rows) > 0
        took.append((time.perf_counter() - begun) / len(made) * 1e9)
    return float(np.median(took))


def against(program: Path, market: str, folder: Path, rounds: int) -> tuple[list, list, list]:
    """Rows of the three tables for one market."""
    price_digits, qty_digits = DIGITS[market]
    options = {"price_digits": price_digits, "qty_digits": qty_digits, "rounds": INNER}
    decoded, booked, fused = [], [], []
    for levels in LEVELS:
        made = frames.resized(frames.depth_frames(market), levels, 1500 if levels < 1000 else 1000)
        path, pairs, tapes = yardstick.pack(folder / "decode", made), [], []
        for _ in range(rounds):
            theirs = yardstick.run(program, "decode", messages=path, **options)
            tape = yardstick.run(program, "tape", messages=path, **options)
            pairs.append((ours_decode(market, made), theirs["ns_per_message"]))
            tapes.append((pairs[-1][0], tape["ns_per_message"]))
        size = float(np.mean([len(text) for text in made]))
        decoded.append([market, levels, *ratio(pairs), *ratio(tapes)[1:], f"{size / median(pairs, 0):.2f}"])
    messages = stream(market)
    path = yardstick.pack(folder / "stream", messages)
    for kind in yardstick.BOOKS:
        pairs = []
        for _ in range(rounds):
            theirs = yardstick.run(program, "book", messages=path, book=kind, **options)
            mine, total = ours_book(market, messages)
            assert total == theirs["sum"], (total, theirs)
            pairs.append((mine, theirs["ns_per_delta"]))
        booked.append([market, kind, *ratio(pairs, 1)])
    for low, high in ((18, 22), (90, 110), (0, 5000)):
        for kind in yardstick.BOOKS:
            pairs, per_level = [], 1.0
            for _ in range(rounds):
                theirs = yardstick.run(
                    program, "fused", messages=path, book=kind, low=low, high=high, **options
                )
                mine, digest = ours_fused(market, messages, low, high)
                assert digest == theirs["digest"], (digest, theirs)
                pairs.append((mine, theirs["ns_per_message"]))
                per_level = theirs["levels"] / theirs["messages"]
            fused.append(
                [market, f"{low}..{high}", kind, *ratio(pairs), f"{median(pairs, 0) / per_level:.1f}"]
            )
    return decoded, booked, fused


def median(pairs: list[tuple[float, float]], index: int) -> float:
    """Median of ours (0) or theirs (1)."""
    return float(np.median([pair[index] for pair in pairs]))


def ratio(pairs: list[tuple[float, float]], digits: int = 0) -> list[str]:
    """Ours, theirs, and how many times longer theirs takes, by medians."""
    mine, theirs = median(pairs, 0), median(pairs, 1)
    return [f"{mine:.{digits}f}", f"{theirs:.{digits}f}", f"{theirs / mine:.2f}x"]


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markets", nargs="+", choices=list(DIGITS), default=list(DIGITS))
    chosen = parser.parse_args()
    program = yardstick.build()
    if program is None:
        return
    os.sched_setaffinity(0, {1})
    ingest_room("binance")
    jit.warm()
    tables: tuple[list, list, list] = ([], [], [])
    with tempfile.TemporaryDirectory() as folder:
        for market in chosen.markets:
            for rows, found in zip(
                tables, against(program, market, Path(folder), chosen.rounds), strict=True
            ):
                rows += found
    sys.stdout.write(f"{describe()}\n{yardstick.version()}\n\n")
    heads = (
        (
            "market",
            "levels",
            "ours ns/message",
            "simd-json ns/message",
            "ratio",
            "simd-json's tape alone",
            "ratio",
            "ours GB/s",
        ),
        ("market", "Rust book", "ours ns/delta", "Rust ns/delta", "ratio"),
        ("market", "levels", "Rust book", "ours ns/message", "Rust ns/message", "ratio", "ours ns/level"),
    )
    for head, rows in zip(heads, tables, strict=True):
        sys.stdout.write(table(head, rows) + "\n\n")


if __name__ == "__main__":
    main()
