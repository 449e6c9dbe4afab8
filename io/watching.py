"""Polls the watches over depth streams and books, and tells readers what they find."""

import logging
import time

import numpy as np

from ..engine import layout
from ..engine.pipeline import Pipeline
from ..engine.watchdog import FINE, StuckBooks, Watchdog
from .feed import Feed

log = logging.getLogger(__name__)


class Watching:
    """The watches of one engine. `limits_ns` are the watchdog's: floor, ceiling, first frame."""

    def __init__(self, count: int, limits_ns: tuple[int, ...], pipeline: Pipeline, feed: Feed) -> None:
        self.watchdog, self.stuck = Watchdog(count, *limits_ns), StuckBooks(count)
        self.pipeline, self.feed = pipeline, feed

    def poll(self, now_ns: int) -> None:
        """Judge every stream and book; `now_ns` is monotonic."""
        newest = self.pipeline.space.arrivals[:, layout.KIND_BOOK, :]
        last_ns, counts = newest[:, 0].copy(), newest[:, 1].copy()
        for change in self.watchdog.poll(now_ns, last_ns, counts):
            if change.verdict != FINE:
                self._quiet(change.index)
        self._find_stuck(counts)

    def _quiet(self, symbol_id: int) -> None:
        if self.pipeline.space.states[symbol_id]["health"] == layout.LIVE:
            self.pipeline.count("stale_streams")
            self.pipeline.stamp(time.time_ns(), time.monotonic_ns())
            self.pipeline.tell_health(symbol_id, layout.STALE, layout.CAUSE_STALE)
        log.warning("%s: its depth stream is silent", self.feed.known[symbol_id].name)

    def _find_stuck(self, counts: np.ndarray) -> None:
        states = self.pipeline.space.states
        synced = (states["health"] == layout.LIVE) & (states["is_first"] == 0)
        for symbol_id in self.stuck.poll(synced, states["book_id"], counts):
            self.pipeline.stamp(time.time_ns(), time.monotonic_ns())
            self.pipeline.lose(symbol_id, layout.CAUSE_SEQUENCE_GAP)
            log.warning("%s: its update ids have jumped back", self.feed.known[symbol_id].name)
