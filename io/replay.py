"""Replays recorded frames through the same kernels and state machines, without sockets and without a clock.

Publish stamps repeat the receive stamps, so two replays of one recording give the same records to the bit.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..engine import layout, units
from ..engine.books import sides_of
from ..engine.instruments import Instrument
from ..engine.pipeline import Pipeline
from ..engine.slow import Rejected
from ..engine.workspace import W_NEXT_SEQ
from .feed import Feed
from .memory_bus import MemoryBus
from .recording import Line, snapshot_symbol
from .venues.base import Venue

log = logging.getLogger(__name__)
BOOK_LEVELS = layout.BOOK_LEVELS_MAX  # private memory: all that a venue may have
DIGEST_EVERY = 1024  # records between two looks at the ring, well below its slots


@dataclass
class Summary:
    """What a replay did; `counters` are those of the bus, where a frame given twice to the kernels counts twice."""

    lines: int = 0
    frames: int = 0
    records: int = 0
    snapshots: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def all_live(self) -> bool:
        """Every symbol ended LIVE, and there was one."""
        return bool(self.symbols) and all(health == "LIVE" for health in self.symbols.values())


class Replay:
    """One venue's recorded stream.

    venue        names, rule and time unit
    instruments  symbol → Instrument, or what `fallback` makes of it
    fallback     called with the symbol for an instrument nobody described
    symbols      only these; every symbol of the recording when None
    owners       symbol of each REST depth reply, in order, for recordings whose replies do not name it
    """

    def __init__(
        self,
        venue: Venue,
        instruments: dict[bytes, Instrument],
        fallback: Any,
        symbols: Iterable[bytes] | None = None,
        owners: Iterable[str] = (),
        *,
        top_n: int = layout.TOP_N_DEFAULT,
        symbol_capacity: int = 64,
        publish_all: bool = False,
    ) -> None:
        self.venue, self.instruments, self.fallback = venue, instruments, fallback
        self.wanted = None if symbols is None else set(symbols)
        self.owners = iter(owners)
        self.bus = MemoryBus(4096, top_n, symbol_capacity, BOOK_LEVELS)
        self.pipeline = Pipeline(
            self.bus.words, self.bus.ctl, self.bus.geo, venue.scanner,
            injected_clock=True, publish_all=publish_all,
        )  # fmt: skip
        self.feed = Feed(
            self.pipeline, self.bus, venue.name, venue.rule, venue.time_unit_ns, self, venue.slow_path
        )
        self.summary = Summary()
        self._digest, self._hashed = hashlib.sha256(), 1
        self._recv_ns = 0

    # -- listener of the feed
    def on_reply(self, body: dict[str, Any]) -> None:
        """Acks and notices of the venue: counted."""
        self.pipeline.count("acks" if "result" in body else "unknown_frames")

    def on_rejected(self, why: Rejected) -> None:
        """A frame that could not be used: logged, counted by the feed."""
        log.warning("frame at %d: %s", self._recv_ns, why.reason)

    def on_changed(self) -> None:
        """Nothing to schedule: snapshots come when the recording has them."""

    def on_rescaled(self, old_id: int, new_id: int) -> None:
        """The feed logs it; nothing else is kept per row here."""

    def on_unknown_stream(self, payload: bytes) -> bool:
        """Register a stream when it is first seen; False for streams that are not wanted."""
        try:
            message = orjson.loads(payload)
        except (
            orjson.JSONDecodeError
        ):  # the slow path's library reads more: a name of lone surrogates, UTF-16
            return False
        name = str(message.get("stream") or "")
        parsed = self.venue.parse_stream(name.encode()) if name else None
        if parsed is None:
            symbol = str(message.get("s") or "").encode()
            known = bool(symbol) and symbol not in self.feed.ids and self._wants(symbol)
            if known:
                self._start(symbol, {})
            return known
        symbol, kind = parsed
        if not self._wants(symbol):
            return False
        self._start(symbol, {name.encode(): (symbol, kind)})
        return True

    def _wants(self, symbol: bytes) -> bool:
        return self.wanted is None or symbol in self.wanted

    def _start(self, symbol: bytes, streams: dict[bytes, tuple[bytes, int]]) -> None:
        if symbol not in self.feed.ids:
            self.feed.add_instrument(self.instruments.get(symbol) or self.fallback(symbol))
        self.feed.add_streams(streams)
        symbol_id = self.feed.ids[symbol]
        has_diffs = any(kind == layout.KIND_BOOK for _, kind in streams.values()) or not streams
        if has_diffs and not self.pipeline.space.states[symbol_id]["has_diffs"]:
            self.pipeline.stamp(self._recv_ns, self._recv_ns)
            self.pipeline.start_sync(symbol_id)

    # -- input
    def line(self, line: Line) -> None:
        """Take one line: a frame, a REST depth body, or another REST reply."""
        self._recv_ns = line.recv_ns
        self.summary.lines += 1
        if line.is_snapshot:
            self._snapshot(line)
        elif "/exchangeInfo" in line.url:
            self.instruments = {**self.venue.parse_instruments(orjson.loads(line.body)), **self.instruments}
        elif not line.url:
            self.summary.frames += 1
            self.feed.message(line.body, line.recv_ns, line.recv_ns)
        if self.pipeline.work[W_NEXT_SEQ] - self._hashed >= DIGEST_EVERY:
            self._hash_records()

    def _snapshot(self, line: Line) -> None:
        symbol = next(self.owners, snapshot_symbol(line)).encode()
        if not symbol or not self._wants(symbol):
            log.info("the snapshot at %d belongs to no symbol of this replay", line.recv_ns)
            return
        self._start(symbol, {})  # it may come before the first diff
        self.feed.snapshot(self.feed.ids[symbol], line.body, 0, line.recv_ns, line.recv_ns)
        self.summary.snapshots += 1

    # -- output
    def _hash_records(self) -> None:
        following = self.pipeline.next_seq
        self._digest.update(self.bus.records(self._hashed, following).tobytes())
        self._hashed = following

    def finish(self) -> Summary:
        """Close the digest and sum up."""
        self._hash_records()
        done = self.summary
        counters = self.pipeline.counters
        done.counters = {n: int(counters[i]) for i, n in enumerate(layout.COUNTER_NAMES) if counters[i]}
        done.records = self.pipeline.next_seq - 1
        done.digest = self._digest.hexdigest()
        done.symbols = {symbol.decode(): self._health(symbol) for symbol in self._all_symbols()}
        return done

    def _all_symbols(self) -> list[bytes]:
        return sorted(self.feed.ids.keys() | (self.wanted or set()))

    def _health(self, symbol: bytes) -> str:
        symbol_id = self.feed.ids.get(symbol)
        health = layout.INIT if symbol_id is None else int(self.pipeline.space.states[symbol_id]["health"])
        return layout.HEALTH_NAMES[health]

    def books(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every final full book, exactly: decimal strings, best first."""
        for symbol in self._all_symbols():
            yield symbol.decode(), self._book(symbol)

    def _book(self, symbol: bytes) -> dict[str, Any]:
        book: dict[str, Any] = {
            "health": self._health(symbol),
            "last_update_id": None,
            "bids": [],
            "asks": [],
        }
        symbol_id = self.feed.ids.get(symbol)
        if symbol_id is None:
            return book
        book_id = int(self.pipeline.space.states[symbol_id]["book_id"])
        book["last_update_id"] = book_id if book_id >= 0 else None
        instrument, geo = self.feed.known[symbol_id], self.bus.geo
        base = int(geo[layout.GEO_BOOKS] + symbol_id * geo[layout.GEO_BOOK_STRIDE])
        sides = sides_of(self.bus.words, base, BOOK_LEVELS) if book_id >= 0 else ()
        for name, rows in zip(layout.SIDE_NAMES, sides, strict=False):
            book[name] = [
                [units.to_text(price, instrument.price_digits), units.to_text(qty, instrument.qty_digits)]
                for price, qty in rows.tolist()
            ]
        return book


def replay(replayer: Replay, lines: Iterable[Line]) -> Summary:
    """Feed every line of a recording and sum up."""
    for line in lines:
        replayer.line(line)
    return replayer.finish()
