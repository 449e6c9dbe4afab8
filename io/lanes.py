"""All lanes of an engine: which stream travels where, roll-overs one after the other, replies to their asker."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import aiohttp

from ..engine import layout
from ..engine.backoff import NS_PER_S
from ..engine.connection import State
from ..engine.rollover import Stagger
from .assembly import open_attempts, open_connection, share_out
from .clock import MACHINE, Clock
from .config import EngineConfig
from .feed import Feed
from .lane import LEGS, Lane, Owner
from .link import Link
from .venues.base import Venue

NEWS_NS = 60 * NS_PER_S  # announcements closer together than this are one shutdown
HOLD_NS_PER_MS = 1_000_000


class Lanes:
    """Opens, ticks and closes every connection.

    owner  told when lanes go up and down
    """

    def __init__(
        self, config: EngineConfig, venue: Venue, feed: Feed, owner: Owner,
        session: aiohttp.ClientSession, tls: Any, rng: random.Random, clock: Clock = MACHINE,
    ) -> None:  # fmt: skip
        self.config, self.venue, self.feed, self.owner = config, venue, feed, owner
        self.session, self.tls, self.rng, self.clock = session, tls, rng, clock
        self.attempts, self.stagger = open_attempts(venue), Stagger()
        self.lanes: list[Lane] = []
        self._made = 0
        self._announced_ns = -(1 << 62)

    @property
    def links(self) -> list[Link]:
        """Every connection, successors too."""
        return [link for lane in self.lanes for link in lane.links]

    def _make_link(self, lane: Lane, slot: int) -> Link:
        config = self.config
        machine = open_connection(config, self.venue, lane.streams, self.attempts, self.rng)
        leg = LEGS[slot & 1] if config.redundancy > 1 else ""
        name = f"{self.venue.name}/{lane.group}/{self._made}{leg}"
        self._made += 1
        return Link(
            name, self.venue.ws_address(lane.group), machine, self.session, self.tls, self.feed, lane,
            config.source, config.max_message_bytes, slot, self.clock,
        )  # fmt: skip

    # -- streams
    def add(self, names: Sequence[bytes], now_ns: int) -> None:
        """Carry these streams: on lanes with room first, then on new ones."""
        for group, share in share_out(self.venue, names):
            for lane in self.lanes:
                room = self.venue.limits.streams - len(lane.streams)
                if lane.group == group and room > 0 and share:
                    lane.add(share[:room], now_ns)
                    share = share[room:]
            if share:
                legs = self.config.redundancy
                lane = Lane(group, share, legs, self.feed, self.owner, self._make_link)
                self.lanes.append(lane)
                self._share()
                lane.start(now_ns)

    def remove(self, names: Sequence[bytes], now_ns: int) -> None:
        """Carry these streams no more; a lane left without any stays for later ones."""
        for lane in self.lanes:
            gone = [name for name in names if name in lane.streams]
            if gone:
                lane.remove(gone, now_ns)

    def carries(self, name: bytes) -> bool:
        """Whether a stream's lane is up."""
        return any(lane.is_up for lane in self.lanes if name in lane.streams)

    def ask_again(self, name: bytes, now_ns: int, leg: int | None = None) -> None:
        """Subscribe one silent stream anew, on all connections or on one leg's."""
        for lane in self.lanes:
            if name in lane.streams:
                lane.ask_again(name, now_ns, leg)

    # -- time
    def tick(self, now_ns: int) -> None:
        """Give every machine the time; one that must wait for a roll-over asks again next time."""

        def may_start(announced: bool) -> bool:
            under_way = sum(seat.plan.under_way for lane in self.lanes for seat in lane.seats)
            return self.stagger.may_start(now_ns, under_way, announced)

        for lane in self.lanes:
            lane.tick(now_ns, may_start)
        self._share()
        up = sum(link.connection.state is State.RUNNING for link in self.links)
        self.feed.pipeline.counters[layout.C["connections"]] = up

    def _share(self) -> None:
        """Diffs wait for each other only while more than one connection may bring them."""
        pipeline = self.feed.pipeline
        if any(lane.is_shared for lane in self.lanes):
            if not pipeline.is_shared:
                pipeline.share(self.config.hold_ms * HOLD_NS_PER_MS)
        elif pipeline.is_shared and not pipeline.holds():
            pipeline.share(0)

    # -- replies
    def shutdown_announced(self, origin: Link, now_ns: int) -> None:
        """One connection was told of a shutdown: it leaves, and so do all that stood when the news first came."""
        if now_ns - self._announced_ns > NEWS_NS:
            self._announced_ns = now_ns
        for link in self.links:
            if link is origin or link.connection.opened_ns < self._announced_ns:
                link.perform(link.connection.shutdown_announced(now_ns))

    async def finish(self) -> None:
        """Close everything at once, briefly."""
        await asyncio.gather(*(lane.finish() for lane in self.lanes))
