"""Order-flow imbalance: how much the best prices gained or lost, and who took, second by second.

Each change from one best bid and ask to the next adds to the imbalance (Cont, Kukanov and Stoikov, 2014):

    + new bid quantity   if the bid price did not fall      - old bid quantity   if it did not rise
    - new ask quantity   if the ask price did not rise      + old ask quantity   if it did not fall
"""

from typing import Any

import numpy as np

from ...engine.layout import ASK, BID
from .columns import Clock, Columns, shifted
from .drain import News, Tops

BUY, SELL = 0, 1


def imbalances(tops: Tops) -> np.ndarray:
    """Imbalance of each step from a row to the next, int64[n - 1]; 0 unless both are LIVE."""
    bid, ask = tops.price[:, BID], tops.price[:, ASK]
    bid_qty, ask_qty = tops.qty[:, BID], tops.qty[:, ASK]
    step = np.where(bid[1:] >= bid[:-1], bid_qty[1:], 0) - np.where(bid[1:] <= bid[:-1], bid_qty[:-1], 0)
    step -= np.where(ask[1:] <= ask[:-1], ask_qty[1:], 0) - np.where(ask[1:] >= ask[:-1], ask_qty[:-1], 0)
    return np.where(tops.is_live[1:] & tops.is_live[:-1], step, 0)


class FlowTrack:
    """Bounded history of imbalance and taken quantity, exact: sums of mantissas, each record counted once.

    A column in which the book was not LIVE, or records were lost, is marked as incomplete. A rescaled
    instrument begins anew.
    """

    def __init__(self, columns: int = 120, step_ns: int = 1_000_000_000) -> None:
        self.axis, self.clock = Columns(columns, step_ns), Clock()
        self.sums = np.zeros(columns, np.int64)
        self.taken = np.zeros((columns, 2), np.int64)
        self.is_broken = np.ones(columns, bool)
        self.digits: tuple[int, int] | None = None
        self.last = Tops()

    def update(self, news: News, wall_ns: int, is_live: bool) -> None:
        """Take what one look found; is_live is what the book is shown as now."""
        tops, trades = news.tops, news.trades
        now_ns = self.clock.now_ns(np.concatenate([tops.recv_ns, trades.recv_ns]), wall_ns)
        is_first = self.axis.newest is None
        came = self.axis.advance(now_ns)
        for values in (self.sums, self.taken, self.is_broken):
            shifted(values, came, 0)
        if is_first:
            self.is_broken[: self._begin(news)] = True
        has_rows = len(tops.recv_ns) or len(trades.recv_ns)
        if has_rows and self.digits != news.digits:
            self._restart(news.digits, is_first)
        if news.lost:
            self.last = Tops()
            self.is_broken[max(0, self.axis.count - 1 - came) :] = True
        self._add(tops)
        at = self.axis.of(trades.recv_ns)
        np.add.at(self.taken, (at[at >= 0], np.where(trades.is_buy, BUY, SELL)[at >= 0]), trades.qty[at >= 0])
        if not is_live:
            self.is_broken[-1] = True

    def _begin(self, news: News) -> int:
        """First column that the first look covers whole."""
        times = np.concatenate([news.tops.recv_ns, news.trades.recv_ns])
        return (
            min(self.axis.count, max(0, int(self.axis.of(times.min()[None])[0]) + 1))
            if len(times)
            else self.axis.count
        )

    def _restart(self, digits: tuple[int, int], is_first: bool) -> None:
        self.digits, self.last = digits, Tops()
        if not is_first:
            self.sums[:], self.taken[:], self.is_broken[:] = 0, 0, True

    def _add(self, new: Tops) -> None:
        """Add the steps between the rows, the first from the last row of the look before."""
        if not len(new.recv_ns):
            return
        names = ("recv_ns", "is_live", "price", "qty")
        tops = Tops(*(np.concatenate([getattr(self.last, name), getattr(new, name)]) for name in names))
        at = self.axis.of(tops.recv_ns)
        inside = at[1:] >= 0
        np.add.at(self.sums, at[1:][inside], imbalances(tops)[inside])
        self.is_broken[at[(at >= 0) & ~tops.is_live]] = True
        self.last = Tops(*(getattr(new, name)[-1:] for name in names))

    def frame(self) -> dict[str, Any]:
        """What the picture needs, in quantities."""
        scale = 10.0 ** -(self.digits or (0, 0))[1]
        return {
            "end_ms": self.axis.end_ns / 1e6,
            "step_s": self.axis.step_ns / 1e9,
            "ofi": self.sums * scale,
            "buy": self.taken[:, BUY] * scale,
            "sell": self.taken[:, SELL] * scale,
            "broken": self.is_broken.astype(np.uint8),
        }
