"""Looks after each symbol's stream: tells a silent one, asks for it again, tries a stuck book again."""

import logging
import random

import numpy as np

from ..engine import layout
from ..engine.backoff import NS_PER_S, Budget
from ..engine.retries import Retries
from ..engine.watchdog import FINE, LegWatch, StuckBooks, Watchdog
from ..engine.workspace import PHASE_IDLE, PHASE_SYNCED
from .clock import MACHINE, Clock
from .config import EngineConfig
from .feed import Feed
from .lanes import Lanes

log = logging.getLogger(__name__)
WATCH_EVERY_NS = NS_PER_S // 2
ASK_FIRST_NS, ASK_CAP_NS = 10 * NS_PER_S, 600 * NS_PER_S
STUCK_FIRST_NS, STUCK_CAP_NS = 30 * NS_PER_S, 600 * NS_PER_S
TRIES_PER_MIN = 10  # of either sort, all symbols together: a venue in trouble is not stormed


class Watch:
    """The watchdog and what follows from it.

    feed   whose symbols are watched
    lanes  where a silent stream is asked for again
    """

    def __init__(
        self, config: EngineConfig, feed: Feed, lanes: Lanes, rng: random.Random, clock: Clock = MACHINE
    ) -> None:
        self.feed, self.lanes, self.clock = feed, lanes, clock
        limits = (config.stale_floor_s, config.stale_ceiling_s, config.first_frame_s)
        states = feed.pipeline.space.states
        self.dog = Watchdog(len(states), *(int(seconds * NS_PER_S) for seconds in limits))
        self.standing = StuckBooks(len(states))
        minute_ns = 60 * NS_PER_S
        self.silent = Retries(ASK_FIRST_NS, ASK_CAP_NS, Budget(TRIES_PER_MIN, minute_ns), rng)
        self.legs = LegWatch(len(states)) if config.redundancy > 1 else None
        self.half = Retries(ASK_FIRST_NS, ASK_CAP_NS, Budget(TRIES_PER_MIN, minute_ns), rng)
        self.stuck = Retries(STUCK_FIRST_NS, STUCK_CAP_NS, Budget(TRIES_PER_MIN, minute_ns), rng)
        self._watched_ns = 0

    def begin(self, symbol_ids: list[int], now_ns: int) -> None:
        """These streams are subscribed."""
        self.dog.watch(symbol_ids, now_ns)

    def end(self, symbol_ids: list[int]) -> None:
        """These streams are not expected any more."""
        self.dog.ignore(symbol_ids)
        self.silent.forget(symbol_ids)
        self.stuck.forget(symbol_ids)

    def tick(self, now_ns: int) -> None:
        """Look, twice a second."""
        if now_ns - self._watched_ns >= WATCH_EVERY_NS:
            self._watched_ns = now_ns
            self._judge(now_ns)
            self._find_standing(now_ns)
            self._ask_again(now_ns)
            self._try_again(now_ns)
            if self.legs is not None:
                self._compare_legs(self.legs, now_ns)

    def _judge(self, now_ns: int) -> None:
        pipeline = self.feed.pipeline
        newest = pipeline.space.arrivals[:, layout.KIND_BOOK, :]
        for change in self.dog.poll(now_ns, newest[:, 0].copy(), newest[:, 1].copy()):
            if change.verdict == FINE:
                self.silent.forget([change.index])
                continue
            self.silent.want(change.index, now_ns)
            log.warning("%s: its depth stream is silent", self.feed.known[change.index].name)
            if pipeline.space.states[change.index]["health"] == layout.LIVE:
                pipeline.count("stale_streams")
                pipeline.stamp(self.clock.wall_ns(), now_ns)
                pipeline.tell_health(change.index, layout.STALE, layout.CAUSE_STALE)

    def _find_standing(self, now_ns: int) -> None:
        """A book that stands still while diffs come has lost its place: the venue's ids have jumped back."""
        pipeline, states = self.feed.pipeline, self.feed.pipeline.space.states
        synced, is_first = states["phase"] == PHASE_SYNCED, states["is_first"] == 1
        counts = pipeline.space.arrivals[:, layout.KIND_BOOK, 1].copy()
        for symbol_id in self.standing.poll(now_ns, synced, is_first, states["book_id"], counts):
            pipeline.stamp(self.clock.wall_ns(), now_ns)
            pipeline.lose(symbol_id, layout.CAUSE_SEQUENCE_GAP)
            log.warning("%s: its update ids have jumped back", self.feed.known[symbol_id].name)

    def _ask_again(self, now_ns: int) -> None:
        """A stream may be acknowledged and yet silent: subscribe it anew, the others stay as they are."""
        for symbol_id in self.silent.due(now_ns):
            self._subscribe_again(symbol_id, now_ns)

    def _compare_legs(self, legs: LegWatch, now_ns: int) -> None:
        """A leg silent on a stream that the other one brings is asked for it again, alone."""
        last_ids = self.feed.pipeline.space.legs["last_id"]  # slots 0 and 2 are leg A, 1 and 3 leg B
        silent = legs.poll(now_ns, np.maximum(last_ids[:, :2], last_ids[:, 2:]))
        if silent is not None:
            keys = {2 * symbol_id + leg for symbol_id, leg in silent}
            self.half.forget(self.half.tries.keys() - keys)
            for key in keys:
                self.half.want(key, now_ns)
        for key in self.half.due(now_ns):
            self._subscribe_again(key // 2, now_ns, key % 2)

    def _subscribe_again(self, symbol_id: int, now_ns: int, leg: int | None = None) -> None:
        for name, owner in list(self.feed.names.items()):
            if owner == (symbol_id, layout.KIND_BOOK):
                self.feed.pipeline.count("resubscribes")
                self.lanes.ask_again(name, now_ns, leg)

    def _try_again(self, now_ns: int) -> None:
        """A book that no scale can hold stays GAP; the value may be gone from a later snapshot."""
        states, known = self.feed.pipeline.space.states, list(self.feed.ids.values())
        lost = (states["health"] == layout.GAP) & (states["phase"] == PHASE_IDLE)
        now_stuck = {symbol_id for symbol_id in known if lost[symbol_id]}
        live = np.flatnonzero(states["health"] == layout.LIVE)
        self.stuck.forget(live.tolist())
        for symbol_id in now_stuck:
            self.stuck.want(symbol_id, now_ns)
        for symbol_id in self.stuck.due(now_ns):
            if symbol_id in now_stuck:
                log.warning("%s: trying its book again", self.feed.known[symbol_id].name)
                self.feed.pipeline.stamp(self.clock.wall_ns(), now_ns)
                self.feed.pipeline.start_sync(symbol_id)
