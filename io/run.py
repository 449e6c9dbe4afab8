"""The engine process: one bus, one feed, a few websocket links, snapshots within the venue's budget."""

import asyncio
import gc
import logging
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import numpy as np

from ..engine import jit, layout
from ..engine.backoff import NS_PER_S, Backoff
from ..engine.instruments import Instrument, InstrumentError
from ..engine.kernels.snapshot import SNAPSHOT_LIVE, SNAPSHOT_UNWANTED
from ..engine.pipeline import ingest_room
from ..engine.slow import Rejected
from ..engine.snapshots import FIRST_SYNC, RESYNC, Fetch, SnapshotScheduler
from . import show
from .assembly import (
    IDS_PER_LINK,
    choose_instruments,
    open_bus,
    open_connections,
    open_pipeline,
    stream_names,
)
from .config import EngineConfig
from .feed import Feed
from .host import event_loop, pin
from .link import Link
from .rest import Rest, trust
from .sources import EarlyBytes
from .venues.base import Ack, ServerShutdown, Venue, VenueError, get_venue
from .watching import Watching

log = logging.getLogger(__name__)
TICK_S = 0.05
WATCH_EVERY_NS = NS_PER_S // 2
RETRY_FIRST_NS, RETRY_CAP_NS = NS_PER_S // 2, 30 * NS_PER_S


class Engine:
    """One venue, published on one bus."""

    def __init__(self, config: EngineConfig, say: Callable[[str], None], fast: bool = False) -> None:
        self.config, self.say, self.fast = config, say, fast  # fast: aiofastnet serves the loop
        group_urls = {"market": config.ws_market_url or None}
        self.venue: Venue = get_venue(config.venue).at(config.rest_url, config.ws_url, **group_urls)
        self.limit = self.venue.clamp_limit(config.snapshot_limit or self.venue.snapshot_limit)
        self.rng = random.Random()
        weight = self.venue.depth_weight(self.limit)
        self.snapshots = SnapshotScheduler(weight, self.venue.limits.weight_per_min, self.rng)
        self.links: list[Link] = []
        self.stopping = asyncio.Event()
        self._watched_ns = 0
        self._fetches: set[asyncio.Task] = set()

    # -- start
    async def run(self, ready: Callable[..., None]) -> None:
        """Follow the venue until told to stop."""
        tls = trust(self.config.ca_file)
        async with aiohttp.ClientSession(ws_response_class=EarlyBytes) as session:
            self.rest = Rest(session, self.venue, tls)
            instruments = await self._instruments()
            if instruments is None:
                return
            self._open(instruments)
            try:
                self._open_links(session, tls)
                self.say(self._start_line())
                ready(bus=self.bus.name, pid=os.getpid(), path=str(self.bus.path))
                gc.collect()
                gc.freeze()  # what lives now lives for months: not to be walked again
                await self._follow()
            finally:
                await self._stop()

    async def _instruments(self) -> list[Instrument] | None:
        backoff = Backoff(RETRY_FIRST_NS, RETRY_CAP_NS, self.rng)
        while not self.stopping.is_set():
            body, reason = await self.rest.exchange_info()
            if body is not None:
                try:
                    return choose_instruments(
                        self.venue, self.config.symbols, self.venue.parse_instruments(body)
                    )
                except InstrumentError as error:
                    reason = str(error)
            delay_s = backoff.next_ns() / NS_PER_S
            log.warning("no instruments from %s: %s; again in %.1f s", self.venue.rest_url, reason, delay_s)
            with_timeout = asyncio.wait_for(self.stopping.wait(), delay_s)
            await asyncio.gather(with_timeout, return_exceptions=True)
        return None

    def _open(self, instruments: list[Instrument]) -> None:
        self.bus = open_bus(self.config, self.venue)
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
        names = stream_names(self.config, self.venue)
        self.feed.add_streams(names)
        limits = (self.config.stale_floor_s, self.config.stale_ceiling_s, self.config.first_frame_s)
        limits_ns = tuple(int(s * NS_PER_S) for s in limits)
        self.watching = Watching(len(self.bus.symbol_rows), limits_ns, self.pipeline, self.feed)
        self.watchdog = self.watching.watchdog
        self.machines = open_connections(self.config, self.venue, list(names), self.rng)

    def _open_links(self, session: aiohttp.ClientSession, tls: Any) -> None:
        for number, (group, machine) in enumerate(self.machines):
            name, url = f"{self.venue.name}/{group}/{number}", self.venue.ws_address(group)
            source, limit = self.config.source, self.config.max_message_bytes
            self.links.append(Link(name, url, machine, session, tls, self.feed, self, source, limit))

    def _start_line(self) -> str:
        wait_s = self.snapshots.seconds_for(len(self.config.symbols))
        return (
            f"bus {self.bus.name!r} at {self.bus.path} ({self.bus.storage}; generation {self.bus.generation}), "
            f"{len(self.config.symbols)} symbols, {len(self.links)} connections, source {self.config.source}, "
            f"{'aiofastnet, ' if self.fast else ''}all snapshots asked for within about {wait_s:.0f} s"
        )

    # -- run
    async def _follow(self) -> None:
        now_ns = time.monotonic_ns()
        for link in self.links:
            link.perform(link.connection.start(now_ns))
        while not self.stopping.is_set():
            self._turn()
            await asyncio.sleep(TICK_S)

    def _turn(self) -> None:
        now_ns = time.monotonic_ns()
        self.bus.beat(time.time_ns())
        for link in self.links:
            link.tick()
        for fetch in self.snapshots.tick(now_ns):
            task = asyncio.get_running_loop().create_task(self._fetch(fetch))
            self._fetches.add(task)
            task.add_done_callback(self._fetches.discard)
        if now_ns - self._watched_ns >= WATCH_EVERY_NS:
            self._watched_ns = now_ns
            self.watching.poll(now_ns)
        self.feed.poll_changed()

    async def _fetch(self, fetch: Fetch) -> None:
        instrument = self.feed.known[fetch.symbol_id]
        reply = await self.rest.depth(instrument.name, self.limit)
        now_ns = time.monotonic_ns()
        if reply.weight_used >= 0:
            self.snapshots.weight_used(now_ns, reply.weight_used)
        if reply.status != 200:
            self.pipeline.count("snapshot_failures")
            log.warning("%s: no snapshot: %s", instrument.name, reply.reason)
            self.snapshots.failed(fetch, now_ns, reply.status, reply.retry_after_ns)
            return
        if fetch.symbol_id not in self.snapshots.wants:
            self.snapshots.loaded(fetch)  # asked for before a disconnect or a rescale: nothing wants it now
            return
        try:
            code = self.feed.snapshot(fetch.symbol_id, reply.body, self.limit, time.time_ns(), now_ns)
        except Exception:
            self.snapshots.failed(fetch, now_ns)  # or its place among the flights would never be free again
            raise
        if code in (SNAPSHOT_LIVE, SNAPSHOT_UNWANTED):
            self.snapshots.loaded(fetch)
        elif code < 0:
            self.pipeline.count("snapshot_failures")
            log.warning("%s: snapshot %s", instrument.name, layout.DECODE_NAMES[code])
            self.snapshots.failed(fetch, now_ns)
        else:
            self.snapshots.too_old(fetch, now_ns)
        self.feed.poll_changed()

    def _stamp(self) -> None:
        self.pipeline.stamp(time.time_ns(), time.monotonic_ns())

    # -- hooks of the links
    def _fed_by(self, link: Link) -> list[int]:
        """Symbol rows whose book a link's diffs feed."""
        fed = [self.feed.names[name] for name in link.connection.streams if name in self.feed.names]
        return [symbol_id for symbol_id, kind in fed if kind == layout.KIND_BOOK]

    def link_up(self, link: Link) -> None:
        """A connection stands: its symbols buffer diffs and want snapshots."""
        self.pipeline.count("connects")
        self._stamp()
        now_ns, fed = time.monotonic_ns(), self._fed_by(link)
        for symbol_id in fed:
            self.pipeline.start_sync(symbol_id)
            self.snapshots.want(symbol_id, now_ns, FIRST_SYNC)
        self.watchdog.watch(fed, now_ns)
        log.info("%s: connected, source %s", link.name, link.reading)

    def link_down(self, link: Link, reason: str) -> None:
        """A connection is gone: what it fed is DOWN."""
        self.pipeline.count("disconnects")
        log.warning("%s: lost: %s", link.name, reason)
        self._stamp()
        fed = self._fed_by(link)
        for symbol_id in fed:
            self.snapshots.cancel(symbol_id)
            self.pipeline.stop_sync(symbol_id, layout.DOWN, layout.CAUSE_CONNECTION_LOST)
        self.watchdog.ignore(fed)

    # -- listener of the feed
    def on_changed(self) -> None:
        """Some state changed: want exactly the snapshots the symbols want."""
        now_ns = time.monotonic_ns()
        wanted = set(np.flatnonzero(self.pipeline.space.states["wants_snapshot"]).tolist())
        for symbol_id in wanted - self.snapshots.wants.keys():
            self.pipeline.count("resyncs")
            self.snapshots.want(symbol_id, now_ns, RESYNC)
        for symbol_id in self.snapshots.wants.keys() - wanted:
            self.snapshots.cancel(symbol_id)

    def on_rescaled(self, old_id: int, new_id: int) -> None:
        """A symbol goes on in another row."""
        self.snapshots.cancel(old_id)
        self.watchdog.ignore([old_id])
        self.watchdog.watch([new_id], time.monotonic_ns())

    def on_reply(self, body: dict[str, Any]) -> None:
        """An ack, an error or a notice."""
        reply, now_ns = self.venue.classify(body), time.monotonic_ns()
        if isinstance(reply, Ack | VenueError):
            number = reply.id or 0
            link = self.links[min(number // IDS_PER_LINK, len(self.links) - 1)]
            if isinstance(reply, Ack):
                self.pipeline.count("acks")
                link.perform(link.connection.acknowledged(now_ns, number))
            else:
                self.pipeline.count("venue_errors")
                refused = link.connection.subscriptions.refused(number, reply.message)
                log.error("%s: error %d: %s %s", link.name, reply.code, reply.message, refused or "")
        elif isinstance(reply, ServerShutdown):
            for link in self.links:
                link.perform(link.connection.shutdown_announced(now_ns))
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
        for link in self.links:
            await link.finish()
        for task in self._fetches:
            task.cancel()
        self._stamp()
        for symbol_id in self.feed.ids.values():
            self.pipeline.stop_sync(symbol_id, layout.DOWN, layout.CAUSE_STOPPED)
        self.bus.close()
        self.say(f"bus {self.bus.name!r} closed at seq {self.pipeline.next_seq - 1}")


def run_engine(config: EngineConfig, say: Callable[[str], None], ready: Callable[..., None]) -> int:
    """Warm the kernels, then follow the venue until SIGINT or SIGTERM."""
    ingest_room(get_venue(config.venue).scanner)
    jit.warm(show.WarmProgress())
    if config.core >= 0:
        pin(config.core)
    loop, fast = event_loop(config.spin)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        engine = Engine(config, say, fast)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, engine.stopping.set)
        runner.run(engine.run(ready))
    return 0
