"""Mid, microprice and trades of the last minute: one point a column, nothing where the book was not LIVE."""

from typing import Any

import numpy as np

from ...engine.layout import ASK, BID
from .columns import Clock, Columns, shifted
from .drain import News, Tops

MID, MICRO = 0, 1
BUY, SELL = 0, 1


def mids(tops: Tops) -> np.ndarray:
    """Mid and microprice of each row in mantissas, float64[n, 2]; NaN where the book was not LIVE.

    The microprice weighs each best price with the quantity of the other side.
    """
    bid, ask = tops.price[:, BID].astype(float), tops.price[:, ASK].astype(float)
    bid_qty, ask_qty = tops.qty[:, BID].astype(float), tops.qty[:, ASK].astype(float)
    mid, total = (bid + ask) / 2, bid_qty + ask_qty
    micro = np.where(total > 0, (bid * ask_qty + ask * bid_qty) / np.where(total > 0, total, 1.0), mid)
    return np.where(tops.is_live[:, None], np.stack([mid, micro], 1), np.nan)


class PriceTrack:
    """Bounded history of mid and microprice.

    A column shows the last value in it, or the one before if none came: a LIVE book that does not change has a
    price. A column in which the book was not LIVE, or records were lost, is empty. Trades of one side in one
    column are added up; their price is the mean, weighed by quantity.
    """

    def __init__(self, columns: int = 600, step_ns: int = 100_000_000) -> None:
        self.axis, self.clock = Columns(columns, step_ns), Clock()
        self.lines = np.full((columns, 2), np.nan)
        self.is_broken = np.zeros(columns, bool)
        self.carry = np.full(2, np.nan)
        self.taken, self.paid = np.zeros((columns, 2)), np.zeros((columns, 2))

    def update(self, news: News, wall_ns: int, is_live: bool) -> None:
        """Take what one look found; is_live is what the book is shown as now."""
        tops = news.tops
        now_ns = self.clock.now_ns(np.concatenate([tops.recv_ns, news.trades.recv_ns]), wall_ns)
        came = self.axis.advance(now_ns)
        shifted(self.lines, came, np.nan)
        for values in (self.is_broken, self.taken, self.paid):
            shifted(values, came, 0)
        first = max(0, self.axis.count - 1 - came)  # the column that was the newest is not complete yet
        values = mids(tops) * 10.0 ** -news.digits[0]
        columns_of = np.maximum.accumulate(self.axis.of(tops.recv_ns))
        at = np.clip(columns_of, first, None)
        if news.lost:
            self.carry[:] = np.nan
            self.is_broken[first : int(at[0]) + 1 if len(at) else None] = True
        self.is_broken[at[~tops.is_live & (columns_of >= 0)]] = True
        if not is_live:
            self.is_broken[(int(at[-1]) if len(at) else first) + 1 :] = True
            self.is_broken[-1] = True
        known = np.concatenate([self.carry[None], values])
        columns = np.arange(first, self.axis.count)
        self.lines[first:] = known[np.searchsorted(at, columns, side="right")]
        self.lines[self.is_broken] = np.nan
        self.carry = known[-1].copy()
        self._add_trades(news)

    def _add_trades(self, news: News) -> None:
        new = news.trades
        at = self.axis.of(new.recv_ns)
        inside = at >= 0
        place = at[inside], np.where(new.is_buy, BUY, SELL)[inside]
        qty = new.qty[inside] * 10.0 ** -news.digits[1]
        np.add.at(self.taken, place, qty)
        np.add.at(self.paid, place, qty * new.price[inside] * 10.0 ** -news.digits[0])

    def frame(self) -> dict[str, Any]:
        """What the picture needs; a mean price is NaN where nobody took."""
        mean = np.divide(self.paid, self.taken, out=np.full_like(self.paid, np.nan), where=self.taken > 0)
        return {
            "end_ms": self.axis.end_ns / 1e6,
            "step_s": self.axis.step_ns / 1e9,
            "mid": self.lines[:, MID],
            "micro": self.lines[:, MICRO],
            "buy_price": mean[:, BUY],
            "buy_qty": self.taken[:, BUY],
            "sell_price": mean[:, SELL],
            "sell_qty": self.taken[:, SELL],
        }
