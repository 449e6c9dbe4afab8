"""Readers that join a busy writer at random moments and follow full depth: compared with dicts at every stop."""

import random
import subprocess
import sys
import time
from pathlib import Path

from ringbook.io.depth import Depth
from ringbook.io.reader import join

from .depth_bus import CYCLE, MIDDLE, SYMBOLS, diffs, held

JOINS = 12


class Truth:
    """The plain books of the writer process at any update id, by dicts."""

    def __init__(self) -> None:
        self.rows, self.counts = diffs()
        self.books = [({}, {}), ({}, {})]
        self.ids = [0, 0]

    def at(self, which: int, update_id: int) -> tuple[dict, dict]:
        for number in range(self.ids[which], update_id):
            at = (number + 7 * which) % CYCLE
            for side, book in enumerate(self.books[which]):
                for price, qty in self.rows[at, side, : self.counts[at, side]].tolist():
                    book.pop(price, None)
                    if qty:
                        book[price] = qty
        self.ids[which] = update_id
        return self.books[which]


def test_joining_at_random_moments_under_full_load(bus_directory: Path) -> None:
    """Readers come and go while a process writes: each joins, follows, and is right at every stop."""
    rng, truth = random.Random(9), Truth()
    command = [sys.executable, "-m", "tests.depth_bus", str(bus_directory)]

    def compare(depth: Depth) -> None:
        depth.advance()
        for which, symbol in enumerate(SYMBOLS):
            book = depth.book(symbol)
            assert (
                book.stored_health == "LIVE"
            )  # what is shown is STALE while the machine is too busy to beat
            assert held(depth, symbol) == truth.at(which, book.last_update_id)

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        with join("depth", bus_directory) as reader:
            for _ in range(JOINS):
                time.sleep(rng.random() / 10)
                depth = reader.depth(SYMBOLS)
                for _ in range(rng.randint(1, 8)):
                    depth.wait()
                    compare(depth)
            child.stdin.write("stop\n")
            child.stdin.flush()
            total = int(child.stdout.readline())
            compare(depth)
            assert truth.ids == [total, total]
        child.communicate("\n", timeout=30)
    assert total > 1000
    assert MIDDLE not in truth.books[0][0]
