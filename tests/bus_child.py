"""Processes for the bus tests: `python -m tests.bus_child ROLE …`, spawned, never forked."""

import sys
import time

from ringbook.engine.kernels import ring
from ringbook.io import bus

from .bus_tools import publish_book


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
