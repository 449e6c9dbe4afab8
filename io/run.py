"""The engine process: one bus, one feed, its lanes of websockets, snapshots within the venue's budget."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from ..engine import jit, layout
from ..engine.backoff import NS_PER_S, Backoff
from ..engine.instruments import Instrument, InstrumentError
from ..engine.pipeline import ingest_room
from ..engine.slow import Rejected
from . import show
from .assembly import choose_instruments, open_pipeline, stream_names
from .audit import Audit
from .config import EngineConfig
from .errors import RingbookError
from .feed import Feed
from .fetching import Fetching
from .host import event_loop, pin
from .lane import Lane
from .lanes import Lanes
from .link import Link
from .outside import Outside
from .quiet import complain
from .reload import Reloads
from .rest import Rest, trust
from .venues.base import Ack, ServerShutdown, Venue, VenueError, get_venue
from .watch import Watch

log = logging.getLogger(__name__)
TICK_S = 0.05
RETRY_FIRST_NS, RETRY_CAP_NS = NS_PER_S // 2, 30 * NS_PER_S
EXCHANGE_INFO_TRIES = 3  # of a subscription while running; at the start there is no end to them


class Engine:
    """One venue, published on one bus."""

    def __init__(
        self, config: EngineConfig, say: Callable[[str], None], fast: bool = False,
        outside: Outside | None = None,
    ) -> None:  # fmt: skip
        self.config, self.say, self.fast = config, say, fast  # fast: aiofastnet serves the loop
        self.outside = outside or Outside()
        self.clock, self.rng = self.outside.clock, self.outside.rng
        group_urls = {"market": config.ws_market_url or None}
        self.venue: Venue = get_venue(config.venue).at(config.rest_url, config.ws_url, **group_urls)
        limit = self.venue.clamp_limit(config.snapshot_limit or self.venue.snapshot_limit)
        self.fetching = Fetching(self.venue, limit, self.rng, self.clock)
        self.audit = Audit(config.audit_s, self.fetching)
        self.stopping = asyncio.Event()

    @property
    def links(self) -> list[Link]:
        """Every connection there is now."""
        return self.lanes.links if hasattr(self, "lanes") else []

    # -- start
    async def run(self, ready: Callable[..., None]) -> None:
        """Follow the venue until told to stop."""
        tls = trust(self.config.ca_file)
        async with self.outside.session() as session:
            self.rest = Rest(session, self.venue, tls, self.fetching.heard)
            instruments = await self._instruments(self.config.symbols)
            if instruments is None:
                return
            self._open(instruments, session, tls)
            try:
                self.lanes.add(list(self._streams), self.clock.mono_ns())
                self.say(self._start_line())
                ready(bus=self.bus.name, pid=os.getpid(), path=str(self.bus.path))
                self.outside.settle()
                await self._follow()
            finally:
                self.outside.collector.end()
                await self._stop()

    async def _instruments(self, symbols: Sequence[str], tries: int = 1 << 62) -> list[Instrument] | None:
        """What the venue says of these symbols; None when told to stop, or after so many tries."""
        backoff = Backoff(RETRY_FIRST_NS, RETRY_CAP_NS, self.rng)
        while not self.stopping.is_set() and backoff.tries < tries:
            body, reply = await self.rest.exchange_info()
            reason = reply.reason
            if body is not None:
                try:
                    return choose_instruments(self.venue, symbols, self.venue.parse_instruments(body))
                except InstrumentError as error:
                    reason = str(error)
            delay_s = backoff.next_ns(reply.retry_after_ns) / NS_PER_S
            log.warning("no instruments from %s: %s; again in %.1f s", self.venue.rest_url, reason, delay_s)
            with_timeout = asyncio.wait_for(self.stopping.wait(), delay_s)
            await asyncio.gather(with_timeout, return_exceptions=True)
        return None

    def _open(self, instruments: list[Instrument], session: aiohttp.ClientSession, tls: Any) -> None:
        self.bus = self.outside.bus(self.config, self.venue)
        self.pipeline = open_pipeline(self.config, self.venue, self.bus)
        self.feed = Feed(
            self.pipeline,
            self.bus,
            self.venue.name,
            self.venue.rule,
            self.venue.time_unit_ns,
            self,
            self.venue.slow_path,
        )
        for instrument in instruments:
            self.feed.add_instrument(instrument)
        self._streams = stream_names(self.config, self.venue, self.config.symbols)
        self.feed.add_streams(self._streams)
        self.lanes = Lanes(self.config, self.venue, self.feed, self, session, tls, self.rng, self.clock)
        self.watch = Watch(self.config, self.feed, self.lanes, self.rng, self.clock)
        self.fetching.begin(self.feed, self.rest)
        self.audit.begin(self.feed, self.rest)

    def _start_line(self) -> str:
        wait_s = self.fetching.scheduler.seconds_for(len(self.config.symbols))
        return (
            f"bus {self.bus.name!r} at {self.bus.path} ({self.bus.storage}; generation {self.bus.generation}), "
            f"{len(self.config.symbols)} symbols, {len(self.links)} connections, source {self.config.source}, "
            f"{'aiofastnet, ' if self.fast else ''}all snapshots asked for within about {wait_s:.0f} s"
        )

    # -- run
    async def _follow(self) -> None:
        while not self.stopping.is_set():
            self._turn()
            await asyncio.sleep(TICK_S)

    def _turn(self) -> None:
        now_ns = self.clock.mono_ns()
        self.bus.beat(self.clock.wall_ns())
        self.lanes.tick(now_ns)
        if self.pipeline.is_shared:
            self._stamp()
            self.pipeline.end_holds()
        self.fetching.tick(now_ns)
        self.watch.tick(now_ns)
        self.audit.tick(now_ns)
        self.feed.poll_changed()
        self.outside.collector.turn(int(self.pipeline.counters[layout.C["frames"]]))

    def _stamp(self) -> None:
        self.pipeline.stamp(self.clock.wall_ns(), self.clock.mono_ns())

    # -- symbols while running
    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Follow more symbols; those followed already are left alone.

        Raises  ConfigError for a symbol the venue does not have, BusFull when the symbol table lacks room; then
                nothing was added. RingbookError when the venue does not answer.
        """
        new = [name for name in dict.fromkeys(symbols) if name.encode() not in self.feed.ids]
        instruments = await self._instruments(new, EXCHANGE_INFO_TRIES) if new else []
        if instruments is None:
            raise RingbookError(
                f"{self.venue.rest_url} did not say what {', '.join(new)} are; try again later"
            )
        instruments = [one for one in instruments if one.symbol not in self.feed.ids]  # it took a while
        self._expect_room(len(instruments))
        for instrument in instruments:
            self.feed.add_instrument(instrument)
        names = stream_names(self.config, self.venue, [one.name for one in instruments])
        self.feed.add_streams(names)
        self.lanes.add(list(names), self.clock.mono_ns())
        self._begin(
            [
                self.feed.ids[symbol]
                for name, (symbol, kind) in names.items()
                if kind == layout.KIND_BOOK and self.lanes.carries(name)
            ]
        )

    def _expect_room(self, rows: int) -> None:
        try:
            self.bus.expect_room(rows)
        except RingbookError:
            self.pipeline.count("rows_refused")
            raise

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Follow these symbols no more: DOWN, their rows retired. Names not followed are left alone."""
        for symbol in (name.encode() for name in symbols):
            symbol_id = self.feed.ids.get(symbol)
            if symbol_id is not None:
                streams = [
                    name for name, (owner, kind) in self.feed.names.items() if owner == symbol_id and kind
                ]
                self.lanes.remove(streams, self.clock.mono_ns())
                self._end([symbol_id], layout.CAUSE_UNSUBSCRIBED)
                self.feed.remove_symbol(symbol)
                log.info("%s: unsubscribed", symbol.decode())

    def _begin(self, symbol_ids: list[int]) -> None:
        """These books' streams are being subscribed: diffs are buffered, snapshots wanted."""
        now_ns = self.clock.mono_ns()
        self._stamp()
        for symbol_id in symbol_ids:
            self.pipeline.start_sync(symbol_id)
        self.fetching.want_first(symbol_ids, now_ns)
        self.watch.begin(symbol_ids, now_ns)

    def _end(self, symbol_ids: list[int], cause: int) -> None:
        self._stamp()
        self.fetching.cancel(symbol_ids)
        self.watch.end(symbol_ids)
        for symbol_id in symbol_ids:
            self.pipeline.stop_sync(symbol_id, layout.DOWN, cause)

    # -- owner of the lanes
    def lane_up(self, lane: Lane) -> None:
        """A lane's first connection stands."""
        self._begin(lane.books())

    def lane_down(self, lane: Lane, reason: str) -> None:
        """A lane's last connection is gone: what it fed is DOWN."""
        self._end(lane.books(), layout.CAUSE_CONNECTION_LOST)

    # -- listener of the feed
    def on_changed(self) -> None:
        """Some state changed: want exactly the snapshots the symbols want."""
        self.fetching.follow_wants(self.clock.mono_ns())

    def on_rescaled(self, old_id: int, new_id: int) -> None:
        """A symbol goes on in another row."""
        self.fetching.cancel([old_id])
        self.watch.end([old_id])
        self.watch.begin([new_id], self.clock.mono_ns())

    def on_reply(self, body: dict[str, Any]) -> None:
        """An ack, an error or a notice, for the connection that brought it."""
        reply, now_ns, link = self.venue.classify(body), self.clock.mono_ns(), self.feed.origin.link
        if isinstance(reply, Ack):
            self.pipeline.count("acks")
            link.perform(link.connection.acknowledged(now_ns, reply.id))
        elif isinstance(reply, VenueError):
            self.pipeline.count("venue_errors")
            refused = link.connection.subscriptions.refused(reply.id, reply.message)
            log.error("%s: error %d: %s %s", link.name, reply.code, reply.message, refused or "")
        elif isinstance(reply, ServerShutdown):
            self.lanes.shutdown_announced(link, now_ns)
        else:
            self.pipeline.count("unknown_frames")

    def on_unknown_stream(self, payload: bytes) -> bool:
        """Frames of streams nobody asked for are counted by the feed."""
        return False

    def on_rejected(self, why: Rejected) -> None:
        """A frame that could not be used; the sequence rule will notice what it carried."""
        log.warning("frame refused (%s): %s", layout.DECODE_NAMES[why.code], why.reason)

    # -- stop
    async def _stop(self) -> None:
        await self.lanes.finish()
        self.fetching.stop()
        self.audit.stop()
        self._stamp()
        for symbol_id in self.feed.ids.values():
            self.pipeline.stop_sync(symbol_id, layout.DOWN, layout.CAUSE_STOPPED)
        self.bus.close()
        self.say(f"bus {self.bus.name!r} closed at seq {self.pipeline.next_seq - 1}")


def run_engine(
    config: EngineConfig,
    say: Callable[[str], None],
    ready: Callable[..., None],
    reload: Callable[[], EngineConfig] | None = None,
) -> int:
    """Warm the kernels, then follow the venue until SIGINT or SIGTERM.

    reload  reads the configuration again at SIGHUP; symbols may change while running, other keys may not
    """
    ingest_room(get_venue(config.venue).scanner)
    jit.warm(show.WarmProgress())
    if config.core >= 0:
        pin(config.core)
    loop, fast = event_loop(config.spin, config.fused_reads)
    loop.set_exception_handler(complain)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        engine = Engine(config, say, fast)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, engine.stopping.set)
        loop.add_signal_handler(signal.SIGHUP, Reloads(engine, reload or (lambda: config)).ask)
        runner.run(engine.run(ready))
    return 0
