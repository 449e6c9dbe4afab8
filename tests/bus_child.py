"""Processes for the bus tests: `python -m tests.bus_child ROLE …`, spawned, never forked."""

import sys
import time

import numpy as np

from ringbook.engine import layout
from ringbook.engine.jit import i64, specialise, words_in, words_out
from ringbook.engine.kernels import llvm, ring
from ringbook.io import bus
from ringbook.io.attach import attach

from .bus_tools import publish_book

ENOUGH_RACES = 20


def _flood(words, ctl, geo, first_seq, count):
    """Publish `count` records as fast as possible; word w of record s is s ^ w << 32."""
    width = geo[layout.GEO_SLOT_WORDS]
    for seq in range(first_seq, first_seq + count):
        slot = ring.claim(words, geo, seq)
        for word in range(1, width):
            llvm.store_relaxed(words, slot + word, seq ^ (word << 32))
        ring.commit(words, slot, seq)
        ring.publish_head(words, geo, seq + 1, ctl)


def _hammer(words, geo, out, tally, tries):
    """Read as fast as possible, always near the oldest slot; tally[code] += 1, tally[5] counts wrong records.

    tally[6] counts overruns seen before the copy, tally[7] those seen only after it.
    """
    width, mask = geo[layout.GEO_SLOT_WORDS], geo[layout.GEO_SLOT_MASK]
    for _ in range(tries):
        head = ring.newest(words, geo)
        seq = head - (head & mask)
        slot = ring.slot_of(geo, seq)
        early = llvm.load_acquire(words, slot) != seq
        code = ring.read_record(words, geo, seq, out)
        tally[code] += 1
        if code == layout.READ_LAPPED:
            tally[6 if early else 7] += 1
        if code == layout.READ_OK:
            for word in range(1, width):
                if out[word] != seq ^ (word << 32):
                    tally[5] += 1
                    break


def flood(directory: str, name: str, slots: str, seconds: str) -> None:
    """A writer that laps everybody."""
    owner = bus.create(
        name, venue="test", symbol_capacity=1, slot_count=int(slots), top_n=1, directory=directory
    )
    run = specialise(_flood)
    run.compile((words_out, words_out, words_in, i64, i64))
    print("ready", flush=True)
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        run(owner.words, owner.ctl, owner.geo, owner.next_seq, 20_000)
        owner.beat(time.time_ns())
    print(owner.next_seq, flush=True)
    owner.close()


def hammer(directory: str, name: str, seconds: str) -> list[int]:
    """A reader that is lapped all the time, for longer if a race was not met; returns its tally."""
    link = attach(name, directory)
    run = specialise(_hammer)
    out, tally = np.zeros(link.geo[layout.GEO_SLOT_WORDS], np.int64), np.zeros(8, np.int64)
    run.compile((words_in, words_in, words_out, words_out, i64))
    begun = time.monotonic()
    while (spent := time.monotonic() - begun) < float(seconds) or (
        min(tally[6:]) < ENOUGH_RACES and spent < 5 * float(seconds)
    ):
        run(link.words, link.geo, out, tally, 20_000)
    return tally.tolist()


def publish(directory: str, name: str, count: str, then: str) -> None:
    """A writer of BOOK records; afterwards 'close', or 'hang' until it is killed, or 'claim' and hang."""
    owner = bus.create(name, venue="test", symbol_capacity=4, slot_count=64, directory=directory)
    owner.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
    for _ in range(int(count)):
        publish_book(owner)
    if then == "claim":
        slot = ring.claim(owner.words, owner.geo, owner.next_seq)
        owner.words[slot + 1 : slot + 9] = -1
    print("ready", flush=True)
    while then != "close":
        if then == "beat":
            owner.beat(time.time_ns())
        time.sleep(0.02)
    owner.close()


def paced(directory: str, name: str, count: str, gap_s: str) -> None:
    """A writer of BOOK records, one every `gap_s`."""
    owner = bus.create(name, venue="test", symbol_capacity=4, slot_count=4096, directory=directory)
    owner.add_symbol(b"BTCUSDT", "test", 2, 3, 1, 1)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(count)):
        publish_book(owner)
        time.sleep(float(gap_s))
    owner.close()


def shard(directory: str, name: str, count: str) -> None:
    """One of several writers: BOOK records of its own symbol as fast as Python can, then closed."""
    owner = bus.create(
        name, venue="test", symbol_capacity=2, slot_count=1 << 15, top_n=5, directory=directory
    )
    owner.add_symbol(name.upper().encode(), "test", 2, 3, 1, 1)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(count)):
        publish_book(owner)
    owner.close()


def probe(path: str) -> None:
    """Read everything there is in a bus file that may be damaged; must end by itself, refused or not."""
    from pathlib import Path

    from ringbook.io.errors import RingbookError
    from ringbook.io.reader import join

    for file in sorted(Path(path).glob("*.ring")):
        try:
            with join(file.name.removesuffix(".ring"), path) as reader:
                reader.records(100)
                reader.health()
                reader.counters()
                reader.stages()
                for symbol in reader.symbols:
                    reader.book(symbol)
                    reader.book(symbol, full=True)
                for start in ("oldest", "board"):
                    for _ in range(20):
                        next(reader.follow(start=start, timeout_s=0.001), None)
        except RingbookError:
            pass
    print("alive", flush=True)


if __name__ == "__main__":
    done = globals()[sys.argv[1]](*sys.argv[2:])
    if done is not None:
        print(*done, flush=True)
