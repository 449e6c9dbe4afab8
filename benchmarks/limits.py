"""How far decoding is from the memory's own speed: the same bytes copied, and read once, beside it.

    python -m benchmarks.limits [--rounds 15]

The other limits stand where they are measured: the bare socket in `latency`, the C ring and its ping-pong in `bus`.
"""

import argparse
import sys

import numba
import numpy as np

from ringbook.engine import jit
from ringbook.engine.kernels import binance
from ringbook.engine.pipeline import ingest_room

from . import frames
from .kernels import decode_all, make_feed, verify_rows
from .machine import describe, interleaved, table
from .peers import ours

LEVELS = (2, 20, 100, 1000)


@numba.njit
def xor_words(words):
    """Read every word once."""
    total = np.int64(0)
    for word in words:
        total ^= word
    return total


def row(texts: list[bytes], levels: int, rounds: int) -> list[object]:
    """One line: GB/s of copy, read and decode of the same bytes."""
    feed, made = make_feed("spot"), frames.resized(texts, levels, 1000)
    verify_rows(feed, made)
    data, offsets = frames.packed(made, framed=False)
    space, size = feed.pipeline.space, int(offsets[-1])
    target, words = np.empty_like(data), data[: len(data) // 8 * 8].view(np.int64)
    tables = (space.routes, space.instruments)

    def decode() -> None:
        assert decode_all(binance.scan, data, offsets, tables, space.frame, space.rows) > 0

    took = interleaved(
        {"copy": lambda: np.copyto(target, data), "read": lambda: xor_words(words), "decode": decode}, rounds
    )
    assert np.array_equal(target, data)
    speed = {name: size / float(np.median(seconds)) / 1e9 for name, seconds in took.items()}
    return [
        levels, f"{size / 1e6:.2f}", f"{speed['copy']:.2f}", f"{speed['read']:.2f}", f"{speed['decode']:.2f}",
        f"{speed['decode'] / speed['copy']:.1%}",
    ]  # fmt: skip


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    ingest_room("binance")
    jit.warm()
    messages, origin = ours.inputs(5_000)
    texts = [text for text in messages[1:] if frames.levels_of(text)]
    rows = [row(texts, levels, chosen.rounds) for levels in LEVELS]
    headers = ("levels", "MB", "memcpy GB/s", "read GB/s", "decode GB/s", "decode of memcpy")
    sys.stdout.write(f"{describe()}\n\n1,000 messages made of {origin}; medians of {chosen.rounds}.\n\n")
    sys.stdout.write(table(headers, rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
