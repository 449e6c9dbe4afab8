"""Snapshots: which are wanted, fetched through REST within the venue's budget, given to the feed."""

import asyncio
import logging
import random

import numpy as np

from ..engine import layout
from ..engine.kernels.snapshot import SNAPSHOT_LIVE, SNAPSHOT_UNWANTED
from ..engine.snapshots import FIRST_SYNC, RESYNC, Fetch, SnapshotScheduler
from .clock import MACHINE, Clock
from .feed import Feed
from .rest import Rest, RestReply
from .venues.base import Venue

log = logging.getLogger(__name__)


class Fetching:
    """Fetches what symbols want.

    limit  levels a side asked of REST
    """

    def __init__(self, venue: Venue, limit: int, rng: random.Random, clock: Clock = MACHINE) -> None:
        self.limit, self.clock = limit, clock
        self.scheduler = SnapshotScheduler(venue.depth_weight(limit), venue.limits.weight_per_min, rng)
        self._under_way: set[asyncio.Task] = set()

    def begin(self, feed: Feed, rest: Rest) -> None:
        """From now on there is somebody to ask, and to give it to."""
        self.feed, self.rest = feed, rest

    def heard(self, reply: RestReply) -> None:
        """An answer of REST, of any request: the venue's own count of the weight, and its refusals."""
        now_ns = self.clock.mono_ns()
        if reply.weight_used >= 0:
            self.scheduler.weight_used(now_ns, reply.weight_used)
        self.scheduler.refused(now_ns, reply.status, reply.retry_after_ns)

    def want_first(self, symbol_ids: list[int], now_ns: int) -> None:
        """These symbols begin."""
        for symbol_id in symbol_ids:
            self.scheduler.want(symbol_id, now_ns, FIRST_SYNC)

    def cancel(self, symbol_ids: list[int]) -> None:
        """These symbols want none any more."""
        for symbol_id in symbol_ids:
            self.scheduler.cancel(symbol_id)

    def follow_wants(self, now_ns: int) -> None:
        """Some state changed: want exactly the snapshots the symbols want."""
        wanted = set(np.flatnonzero(self.feed.pipeline.space.states["wants_snapshot"]).tolist())
        for symbol_id in wanted - self.scheduler.wants.keys():
            self.feed.pipeline.count("resyncs")
            self.scheduler.want(symbol_id, now_ns, RESYNC)
        for symbol_id in self.scheduler.wants.keys() - wanted:
            self.scheduler.cancel(symbol_id)

    def tick(self, now_ns: int) -> None:
        """Send what may be sent now, and show how much of the budget is used."""
        counters, budget = self.feed.pipeline.counters, self.scheduler.budget
        counters[layout.C["weight_used"]], counters[layout.C["weight_limit"]] = (
            budget.used(now_ns),
            budget.amount,
        )
        for fetch in self.scheduler.tick(now_ns):
            task = asyncio.get_running_loop().create_task(self._fetch(fetch))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def stop(self) -> None:
        """Give up what is under way."""
        for task in self._under_way:
            task.cancel()

    async def _fetch(self, fetch: Fetch) -> None:
        instrument = self.feed.known[fetch.symbol_id]
        reply = await self.rest.depth(instrument.name, self.limit)
        now_ns, scheduler = self.clock.mono_ns(), self.scheduler
        if reply.status != 200:
            self.feed.pipeline.count("snapshot_failures")
            log.warning("%s: no snapshot: %s", instrument.name, reply.reason)
            scheduler.failed(fetch, now_ns, reply.status, reply.retry_after_ns)
            return
        if not scheduler.awaits(fetch):
            scheduler.loaded(fetch)  # asked for before a disconnect or a rescale: its place is free now
            return
        try:
            code = self.feed.snapshot(fetch.symbol_id, reply.body, self.limit, self.clock.wall_ns(), now_ns)
        except Exception:
            scheduler.failed(fetch, now_ns)  # or its place among the flights would never be free again
            raise
        if code in (SNAPSHOT_LIVE, SNAPSHOT_UNWANTED):
            scheduler.loaded(fetch)
        elif code < 0:
            self.feed.pipeline.count("snapshot_failures")
            log.warning("%s: snapshot %s", instrument.name, layout.DECODE_NAMES[code])
            scheduler.failed(fetch, now_ns)
        else:
            if self.feed.pipeline.forget_misnumbered(fetch.symbol_id):
                log.warning("%s: the diffs kept were numbered ahead of those that followed", instrument.name)
            scheduler.too_old(fetch, now_ns)
        self.feed.poll_changed()
