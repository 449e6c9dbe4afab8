"""Latency and health in figures: rates, percentiles of the last seconds, how every book is."""

from collections import deque
from typing import Any

import numpy as np

from ...engine import layout
from ...engine.layout import HIST_BUCKETS, HIST_EXTRA
from ...engine.percentiles import upper_bounds

RATES = ("frames", "records", "trades", "levels", "bytes")
TOTALS = (
    "gaps", "resyncs", "snapshots", "buffer_drops", "evictions", "malformed", "venue_errors", "disconnects",
)  # fmt: skip
STAGES = ("venue_to_recv", "recv_to_publish")
SHARES = (50.0, 99.0, 99.9)
WINDOW_NS = 10_000_000_000
MAX_SYMBOLS = 48  # shown one by one; those that are not LIVE come first
TREND = 120


def window_percentiles(counts: np.ndarray, bounds: np.ndarray) -> list[int] | None:
    """p50, p99 and p99.9 of the counts of one histogram's buckets: upper bounds in ns; None for no counts."""
    running = np.cumsum(counts)
    total = int(running[-1])
    if total <= 0:
        return None
    ranks = [max(1, int(np.ceil(total * share / 100))) for share in SHARES]
    return [int(bounds[min(int(np.searchsorted(running, rank)), len(bounds) - 1)]) for rank in ranks]


class PanelModel:
    """Counters and histograms of about the last WINDOW_NS: the difference of two looks.

    looks  most looks kept, so that memory is bounded whatever the rate is
    """

    def __init__(self, looks: int = 256) -> None:
        self.looks: deque[tuple[int, dict[str, int], dict[str, np.ndarray]]] = deque(maxlen=looks)
        self.trend: deque[tuple[float, float]] = deque(maxlen=TREND)
        self.bounds = upper_bounds()
        self.generation: int | None = None

    def update(
        self, health: dict[str, Any], counters: dict[str, int], histograms: dict[str, np.ndarray], now_ns: int
    ) -> dict[str, Any]:
        """What the picture needs, from what Bus.health, .counters and .histograms say; now_ns is monotonic."""
        if self.generation != health["generation"]:  # a new writer counts from 0
            self.looks.clear()
            self.generation = health["generation"]
        buckets = {name: histograms[name][HIST_EXTRA : HIST_EXTRA + HIST_BUCKETS] for name in STAGES}
        while len(self.looks) > 1 and now_ns - self.looks[1][0] >= WINDOW_NS:
            self.looks.popleft()
        self.looks.append((now_ns, counters, buckets))
        then_ns, before, old = self.looks[0]
        seconds = (now_ns - then_ns) / 1e9
        stages = {name: window_percentiles(buckets[name] - old[name], self.bounds) for name in STAGES}
        self._note_trend(buckets)
        return {
            "verdict": health["verdict"],
            "pid": health["pid"],
            "generation": health["generation"],
            "heartbeat_ms": health["heartbeat_age_ns"] / 1e6,
            "seconds": seconds,
            "rates": {n: (counters[n] - before[n]) / seconds if seconds > 0 else None for n in RATES},
            "totals": {n: counters[n] for n in TOTALS},
            "stages": stages,
            "trend_p50": np.array([p50 for p50, _ in self.trend], np.float32),
            "trend_p99": np.array([p99 for _, p99 in self.trend], np.float32),
            **symbols_of(health["symbols"]),
        }

    def _note_trend(self, buckets: dict[str, np.ndarray]) -> None:
        """Keep p50 and p99 of receive-to-publish since the look before, in µs; NaN where nothing came."""
        if len(self.looks) < 2:
            return
        now = buckets["recv_to_publish"] - self.looks[-2][2]["recv_to_publish"]
        found = window_percentiles(now, self.bounds)
        self.trend.append((found[0] / 1e3, found[1] / 1e3) if found else (float("nan"), float("nan")))


def symbols_of(shown: dict[str, str]) -> dict[str, Any]:
    """Symbols with their health, what is not LIVE first, at most MAX_SYMBOLS; and how many there are of each."""
    order = sorted(shown.items(), key=lambda one: (one[1] == "LIVE", one[0]))
    states = {name: sum(state == name for state in shown.values()) for name in layout.HEALTH_NAMES}
    return {
        "symbols": [list(one) for one in order[:MAX_SYMBOLS]],
        "symbols_left_out": max(0, len(order) - MAX_SYMBOLS),
        "states": {name: count for name, count in states.items() if count},
    }
