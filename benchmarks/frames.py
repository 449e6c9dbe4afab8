"""Input of the benchmarks: distinct real depth frames from the recordings, framed as a server would."""

import gzip
import os
import struct
from pathlib import Path

import numba
import numpy as np
import orjson

from ringbook.engine import layout

PROJECT = Path(__file__).resolve().parent.parent
FILES = {
    "spot": ("binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"),
    "usdm": ("binance-usdm/ethusdt_20240808.gz",),
}
SYMBOLS = {"spot": b"BTCUSDT", "usdm": b"ETHUSDT"}
VENUES = {"spot": "binance-spot", "usdm": "binance-usdm"}
STEPS = {"spot": ("0.01", "0.00000001"), "usdm": ("0.01", "0.001")}


def folder() -> Path:
    """Where the recordings lie."""
    return Path(os.environ.get("RINGBOOK_RECORDINGS") or PROJECT.parent / "shared" / "data")


def lines(market: str) -> list[bytes]:
    """Every recorded message of a market, REST bodies included."""
    found = []
    for name in FILES[market]:
        with gzip.open(folder() / name) as file:
            found += [line.partition(b" ")[2].rstrip() for line in file]
    return found


def depth_frames(market: str, low: int = 0, high: int = 1 << 30, most: int = 5000) -> list[bytes]:
    """Diff frames whose number of levels lies in low..high."""
    found = []
    for body in lines(market):
        if b'"depthUpdate"' in body and low <= levels_of(body) <= high:
            found.append(body)
            if len(found) == most:
                break
    return found


def levels_of(body: bytes) -> int:
    """Levels in a diff frame."""
    data = orjson.loads(body)["data"]
    return len(data["b"]) + len(data["a"])


def resized(frames: list[bytes], levels: int, most: int) -> list[bytes]:
    """Frames of exactly `levels` levels, made of recorded levels in recorded order; all distinct."""
    pool: list[tuple[list, list]] = [(m["b"], m["a"]) for m in (orjson.loads(f)["data"] for f in frames)]
    bids, asks = [level for b, _ in pool for level in b], [level for _, a in pool for level in a]
    template, made, half = orjson.loads(frames[0]), [], levels // 2
    for number in range(most):
        start_b, start_a = number * 7 % (len(bids) - half), number * 11 % (len(asks) - levels + half)
        template["data"]["U"] = template["data"]["u"] = 50_000_000_000 + number
        template["data"]["b"] = bids[start_b : start_b + half]
        template["data"]["a"] = asks[start_a : start_a + levels - half]
        made.append(orjson.dumps(template))
    return made


def packed_levels(decoded: list[list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels of many messages as dense as a list of them: (level_dtype[:], offsets[n + 1], counts[n, 2]).

    A message's part of the levels is [2, rows of its longer side], as kernels take it; see levels_at.
    """
    counts = np.array([[len(rows) for rows in sides] for sides in decoded], np.int64)
    longest = counts.max(axis=1)
    offsets = np.concatenate([[0], np.cumsum(2 * longest)])
    flat = np.zeros(offsets[-1], layout.level_dtype)
    for message, sides in enumerate(decoded):
        for side, rows in enumerate(sides):
            first = offsets[message] + side * longest[message]
            flat[first : first + len(rows)] = rows
    return flat, offsets, counts


@numba.njit
def levels_at(flat, offsets, message):
    """One message's levels out of packed_levels."""
    first, last = offsets[message], offsets[message + 1]
    return flat[first:last].reshape((2, (last - first) // 2))


def packed(messages: list[bytes], framed: bool) -> tuple[np.ndarray, np.ndarray]:
    """(bytes with 64 of padding, offsets[n + 1]); framed adds the websocket headers."""
    parts, offsets, at = [], [0], 0
    for body in messages:
        head = b""
        if framed:
            size = len(body)
            form = struct.pack("!BB", 0x81, size) if size < 126 else struct.pack("!BBH", 0x81, 126, size)
            head = form if size < 65536 else struct.pack("!BBQ", 0x81, 127, size)
        parts += [head, body]
        at += len(head) + len(body)
        offsets.append(at)
    data = np.frombuffer(b"".join(parts) + b"\0" * 64, np.uint8).copy()
    return data, np.array(offsets, np.int64)
