"""Python peers from the package index beside ours, each doing the same work on the same frames.

    python -m benchmarks.peers [--rounds 5] [--messages 20000] [--peers-python PATH]

Peers run in an interpreter of their own, 3.13 or later, because on an older one pip quietly picks releases that are
years old: `make peers` makes it in `.venv-peers`; RINGBOOK_PEERS_PYTHON or --peers-python name another. Ours and
theirs run in turn on one core; a ratio is the median of the rounds' ratios. Every contestant must come to our
answer, digit by digit, or the run fails. Absent packages are skipped and named.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ringbook.engine import jit
from ringbook.engine.pipeline import ingest_room

from .. import frames, latency, paced, yardstick
from ..machine import describe, table
from . import books, decoders, handlers, ours, transports
from .job import PASSES, Job
from .visit import Peers, interpreter

DIGITS = (2, 8)
LEVELS = (2, 20, 100, 1000)
RATE = 10_000.0


def duel(
    peers: Peers, order: dict[str, Any], mine: Callable, names: list[str], rounds: int, units: float
) -> list:
    """One row for each contestant: its name, ours and theirs in ns a unit, the ratio.

    mine   plays our side of `order`: (seconds, answer)
    units  what the seconds are divided by
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            seconds, answer = mine()
            reply = peers.play(order | {"who": name})
            assert reply["answer"] == answer, f"{name} came to another answer than ours"
            found[name].append((seconds / units * 1e9, reply["seconds"] / units * 1e9))
    rows = []
    for name, pairs in found.items():
        mine_ns, theirs_ns = (float(np.median(values)) for values in zip(*pairs, strict=True))
        ratio = float(np.median([theirs / mine for mine, theirs in pairs]))
        rows.append([peers.label(name), f"{mine_ns:,.1f}", f"{theirs_ns:,.1f}", peers.judge(name, ratio)])
    return rows


def order_of(part: str, path: Path | None, **more: Any) -> dict[str, Any]:
    """A job for the peers' process."""
    return {
        "part": part,
        "path": str(path or ""),
        "digits": DIGITS,
        "read_top": True,
        "port": 0,
        "core": 1,
        **more,
    }


def decode_table(peers: Peers, texts: list[bytes], folder: Path, rounds: int) -> str:
    """Decoders by number of levels."""
    rows = []
    for levels in LEVELS:
        made = frames.resized(texts, levels, 1000 if levels < 1000 else 300)
        path, job = yardstick.pack(folder / "decode", made), Job(made)
        order = order_of("decode", path, passes=PASSES)
        names = peers.present(decoders)
        units = float(len(made) * levels)
        found = duel(peers, order, lambda job=job: ours.decode(job), names, rounds, units)
        rows += [[levels, *row] for row in found]
    return table(("levels", "decoder", "ours ns/level", "theirs ns/level", "ratio"), rows)


def book_table(peers: Peers, messages: list[bytes], path: Path, rounds: int) -> str:
    """Books, by delta, with and without reading the top."""
    rows, units = [], float(sum(map(frames.levels_of, messages[1:])))
    for read_top in (False, True):
        job = Job(messages[1:], messages[0], DIGITS, read_top)
        names = peers.present(books)
        order = order_of("book", path, read_top=read_top)
        found = duel(peers, order, lambda job=job: ours.book(job), names, rounds, units)
        rows += [
            ["updates and the top 20 after each message" if read_top else "updates", *row] for row in found
        ]
    return table(("work", "book", "ours ns/delta", "theirs ns/delta", "ratio"), rows)


def handler_table(peers: Peers, messages: list[bytes], path: Path, rounds: int) -> str:
    """Frame to updated book, top 20 read."""
    rows, job = [], Job(messages[1:], messages[0], DIGITS)
    for who in (ours.LOOPED, ours.CALLED):
        names = peers.present(handlers)
        found = duel(
            peers,
            order_of("handler", path),
            lambda who=who: ours.handler(job, who),
            names,
            rounds,
            len(job.messages),
        )
        rows += [[who, *row] for row in found]
    return table(("our way", "handler", "ours ns/message", "theirs ns/message", "ratio"), rows)


def transport_table(peers: Peers, count: int, rounds: int) -> str:
    """Sending to callback, at a fixed rate; ours to a published record."""
    names = peers.present(transports)
    found: dict[str, list[np.ndarray]] = {
        "ours: decoded, applied, published": [],
        **{name: [] for name in names},
    }
    mine, *_ = found
    for _ in range(rounds):
        found[mine].append(ours.transport(count, RATE))
        for name in names:
            with paced.sender(count, RATE, False, None) as port:
                reply = peers.play(order_of("transport", None, who=name, port=port, count=count))
            assert len(reply["answer"]) == count
            found[name].append(latency.quantiles(np.array(reply["answer"]))[list(latency.SHOWN)])
    rows = [
        [peers.label(name), *(f"{value / 1000:.1f}" for value in np.median(values, axis=0))]
        for name, values in found.items()
    ]
    return table(("client", "p50 µs", "p99 µs", "p99.9 µs"), rows)


def run(peers: Peers, rounds: int, most: int) -> str:
    """All tables."""
    messages, origin = ours.inputs(most)
    texts = [text for text in messages[1:] if frames.levels_of(text)][:5000]
    parts = [
        describe(),
        peers.describe(),
        f"Input: {len(messages) - 1:,} messages, {origin}; {rounds} rounds.",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts += ["Decoding", decode_table(peers, texts, folder, rounds)]
        path = yardstick.pack(folder / "stream", messages)
        parts += ["Book", book_table(peers, messages, path, rounds)]
        parts += ["Frame to updated book, top 20 read", handler_table(peers, messages, path, rounds)]
    heading = f"Socket to callback at {RATE:,.0f} messages/s, loopback; the peers decode nothing"
    return "\n\n".join([*parts, heading, transport_table(peers, min(4 * most, 16_000), rounds)])


def main() -> int:
    """Print the tables, or say why there are none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--peers-python", default="")
    chosen = parser.parse_args()
    python, why_not = interpreter(chosen.peers_python)
    if why_not:
        sys.stdout.write(f"The Python peers are left out: {why_not}\n")
        return 0
    os.sched_setaffinity(0, {1})
    ingest_room("binance")
    jit.warm()
    with Peers(python) as peers:
        sys.stdout.write(run(peers, chosen.rounds, chosen.messages) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
