"""A feed with two LIVE symbols in memory, for the tests that throw bad input at it."""

import numpy as np

from ringbook.engine import layout
from ringbook.engine.instruments import from_steps
from ringbook.engine.kernels.book_check import check_book
from ringbook.engine.pipeline import Pipeline
from ringbook.engine.slow import Rejected
from ringbook.io.feed import Feed
from ringbook.io.memory_bus import MemoryBus
from ringbook.io.venues.base import get_venue

from .test_frame_sources import SNAPSHOT, Script


class Heard(Script):
    """Also keeps the reasons."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: list[str] = []

    def on_rejected(self, why: Rejected) -> None:
        super().on_rejected(why)
        self.reasons.append(f"{layout.DECODE_NAMES[why.code]}: {why.reason}")


BOOK_LEVELS = 1024


class Rig:
    """Two LIVE symbols on a bus in memory; ETHUSDT only watches."""

    def __init__(self, symbol_capacity: int = 8) -> None:
        self.bus, self.heard, venue = (
            MemoryBus(64, 5, symbol_capacity, BOOK_LEVELS),
            Heard(),
            get_venue("binance-spot"),
        )
        self.pipe = Pipeline(
            self.bus.words, self.bus.ctl, self.bus.geo, "binance", route_count=64, injected_clock=True,
            pending_words=4096,
        )  # fmt: skip
        self.feed = Feed(self.pipe, self.bus, venue.name, venue.rule, venue.time_unit_ns, self.heard)
        streams = {}
        for symbol in (b"BTCUSDT", b"ETHUSDT"):
            self.feed.add_instrument(from_steps(symbol, "0.01", "0.01"))
            for suffix, kind in (
                (b"depth@100ms", layout.KIND_BOOK), (b"trade", layout.KIND_TRADE),
                (b"bookTicker", layout.KIND_TICKER), (b"depth20@100ms", layout.KIND_DEPTH),
            ):  # fmt: skip
                streams[symbol.lower() + b"@" + suffix] = (symbol, kind)
        self.feed.add_streams(streams)
        self.pipe.stamp(7, 7)
        for symbol_id in (0, 1):
            self.pipe.start_sync(symbol_id)
            assert self.feed.snapshot(symbol_id, SNAPSHOT, 0, 7, 7) == 0
        self.now_ns = 1000

    def send(self, message: bytes) -> None:
        self.now_ns += 1
        self.feed.message(message, self.now_ns, self.now_ns)

    def count(self, name: str) -> int:
        return int(self.pipe.counters[layout.C[name]])

    def health(self) -> list[str]:
        return [layout.HEALTH_NAMES[int(self.pipe.space.states[i]["health"])] for i in self.feed.ids.values()]

    def book_id(self) -> int:
        return int(self.pipe.space.states[self.feed.ids[b"BTCUSDT"]]["book_id"])

    def books(self) -> bytes:
        """All of the full books, to the bit."""
        start = int(self.bus.geo[layout.GEO_BOOKS])
        return self.bus.words[start:].tobytes()

    def check(self) -> None:
        """Records in sequence, books well-formed, the bystander untouched."""
        for symbol_id in range(self.bus.symbol_count):
            assert check_book(self.bus.words, self.pipe.book_base(symbol_id), BOOK_LEVELS) == 0
        kept = self.bus.records(max(1, self.pipe.next_seq - 60), self.pipe.next_seq)[:, 0]
        assert (np.diff(kept) == 1).all()
        assert self.pipe.space.states[1]["book_id"] == 10
        assert self.pipe.space.states[1]["health"] == layout.LIVE
