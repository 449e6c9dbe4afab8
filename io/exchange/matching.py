"""A true matching engine for one symbol: limit, market and cancel orders on a book aggregated by level.

Every change of a level takes an update id of its own and goes into the history, so the book is known
after each id; orders match before they rest, so the book never crosses.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .ladder import BID, Ladder, key_of, price_of
from .truth import History

MIN_LEVELS = 32  # market orders and cancels never thin a side below this


class Change(NamedTuple):
    """One level of the book changed."""

    update_id: int
    side: int
    price: int  # ticks
    lots: int  # after the change; 0 = the level is gone


class Trade(NamedTuple):
    """One fill."""

    trade_id: int
    price: int
    lots: int
    buyer_is_maker: bool


class AggTrade(NamedTuple):
    """The fills of one order at one price."""

    agg_id: int
    price: int
    lots: int
    first_trade_id: int
    last_trade_id: int
    buyer_is_maker: bool


class Ticker(NamedTuple):
    """The best of both sides right after `update_id`, the last change that moved it."""

    update_id: int
    bid: tuple[int, int]
    ask: tuple[int, int]


@dataclass
class Step:
    """What happened to one symbol since the last step."""

    changes: list[Change] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    agg_trades: list[AggTrade] = field(default_factory=list)
    ticker: Ticker | None = None

    def after(self, earlier: "Step") -> "Step":
        """This step and the one before it as one."""
        return Step(
            earlier.changes + self.changes,
            earlier.trades + self.trades,
            earlier.agg_trades + self.agg_trades,
            self.ticker or earlier.ticker,
        )


class Ids:
    """A counter of update ids. `skip_max` > 0 leaves holes, as ids shared with unseen symbols do."""

    def __init__(self, start: int, rng: np.random.Generator, skip_max: int = 0) -> None:
        self.last = start
        self._rng, self._skip_max = rng, skip_max
        self._skips: list[int] = []

    def next(self) -> int:
        if self._skip_max:
            if not self._skips:
                self._skips = self._rng.integers(0, self._skip_max, 1024).tolist()
            self.last += self._skips.pop()
        self.last += 1
        return self.last


class Matching:
    """One symbol's book with its ids, trades and history; `step` collects what happens."""

    def __init__(self, book: Ladder, ids: Ids, max_lots: int = 1 << 62) -> None:
        self.book, self.ids, self.max_lots = book, ids, max_lots
        self.history = History(book, ids.next())
        self.step = Step()
        self.trade_id, self.agg_id = 1_000_000, 500_000

    def restart(self, book: Ladder) -> None:
        """Go on with this book, at the same update id; what was before is forgotten."""
        self.book = book
        self.history = History(book, self.history.last_id)

    def limit(self, side: int, price: int, lots: int) -> None:
        """A limit order: takes what it crosses, then rests what is left."""
        lots = self._take(1 - side, lots, key_of(1 - side, price))
        if lots:
            key = key_of(side, price)
            self._set(side, key, min(self.book.qty[side].get(key, 0) + lots, self.max_lots))

    def market(self, side: int, lots: int) -> None:
        """A market order of the taker's `side`: consumes the other side, never its last levels."""
        other = self.book.keys[1 - side]
        self._take(1 - side, lots, other[max(0, len(other) - MIN_LEVELS)])

    def cancel(self, side: int, key: int, lots: int | None = None) -> None:
        """Take `lots` (or all) off a resting level."""
        held = self.book.qty[side][key]
        self._set(side, key, 0 if lots is None else max(0, held - lots))

    def _take(self, side: int, lots: int, worst_key: int) -> int:
        """Consume resting levels of `side` from the best down to `worst_key`; what is left of `lots`."""
        keys, qty = self.book.keys[side], self.book.qty[side]
        while lots and keys and keys[0] <= worst_key:
            key = keys[0]
            filled = min(lots, qty[key])
            lots -= filled
            self._fill(side, key, filled)
        return lots

    def _fill(self, side: int, key: int, lots: int) -> None:
        """One aggregated trade: its fills are separate trades, each with a book change of its own."""
        price, maker_bought = price_of(side, key), side == BID
        first, rest = self.trade_id + 1, lots
        while rest:
            part = rest if rest < 8 or self.trade_id - first >= 2 else int(rest * 0.6) + 1
            rest -= part
            self.trade_id += 1
            self._set(side, key, self.book.qty[side][key] - part)
            self.step.trades.append(Trade(self.trade_id, price, part, maker_bought))
        self.agg_id += 1
        self.step.agg_trades.append(AggTrade(self.agg_id, price, lots, first, self.trade_id, maker_bought))

    def _set(self, side: int, key: int, lots: int) -> None:
        self.book.set(side, key, lots)
        change = Change(self.ids.next(), side, price_of(side, key), lots)
        self.step.changes.append(change)
        self.history.append(*change)
