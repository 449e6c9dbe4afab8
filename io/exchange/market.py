"""The simulated market: seeded order flow over matching books, with no clock and no socket.

Each symbol is an immigration–death process around a wandering price: limit orders arrive at distances
drawn from the instrument's shape, levels are cancelled evenly, market orders consume the touch. So the
density of the book settles to the shape of the arrivals, and deletes happen where the levels are.
"""

from bisect import bisect_left
from dataclasses import replace

import numpy as np

from .instruments import Instrument, typical_sizes
from .ladder import ASK, BID, Ladder, key_of, price_of
from .matching import MIN_LEVELS, Ids, Matching, Step, Ticker

BEAT_MEDIAN = 22.0  # orders per beat (one frame of the fastest usual stream), as recorded
BEAT_SIGMA = 1.2
BEAT_MAX = 4_000
MARKET_SHARE = 0.04  # market orders among all orders
SWEEP_SHARE, SWEEP_LOTS = 0.08, 8  # some market orders are this much larger and move the price
MAX_MANTISSA = 1 << 62  # no quantity printed is larger, whatever its decimals
FIRST_SHARED_ID = 5_123_107_832_349


class SymbolMarket:
    """One instrument's matching book and the order flow that plays on it."""

    def __init__(self, instrument: Instrument, rng: np.random.Generator, ids: Ids) -> None:
        self.instrument, self.rng = instrument, rng
        self.beat_rate = 0.0
        self._owed = 0.0
        self.matching = Matching(first_book(instrument, rng), ids, MAX_MANTISSA // instrument.qty_unit)
        self.book = self.matching.book
        self.history = self.matching.history

    def refine(self, digits: int) -> None:
        """Count prices in ticks 10^digits times smaller from now on; the history starts over at this book."""
        one, factor = self.instrument, 10**digits
        tick = one.tick / factor
        price_digits = max(one.price_digits, -int(tick.normalize().as_tuple().exponent))
        shape = one.shape.scaled(factor)
        self.instrument = replace(one, tick=tick, price_digits=price_digits, shape=shape)
        levels = (dict(self.book.top(side)) for side in (BID, ASK))
        finer = Ladder(*({price * factor: lots for price, lots in side.items()} for side in levels))
        self.matching.restart(finer)
        self.book, self.history = self.matching.book, self.matching.history

    def new_beat(self) -> None:
        """Draw how many orders the next beat brings."""
        drawn = BEAT_MEDIAN * float(np.exp(BEAT_SIGMA * self.rng.standard_normal()))
        self.beat_rate = min(drawn, BEAT_MAX)

    def step(self, beats: float = 1.0) -> Step:
        """Let `beats` of a beat pass."""
        self._owed += self.beat_rate * beats
        orders = int(self._owed)
        self._owed -= orders
        return self.burst(orders)

    def burst(self, orders: int) -> Step:
        """Let exactly `orders` orders arrive, and tell what they did."""
        step = self.matching.step = Step()
        bids, asks = self.book.keys
        bid_qty, ask_qty = self.book.qty
        touch = bids[0], asks[0], bid_qty[bids[0]], ask_qty[asks[0]]
        moved_id = 0
        for draw in self._draws(orders):
            self._order(*draw)
            after = bids[0], asks[0], bid_qty[bids[0]], ask_qty[asks[0]]
            if after != touch:
                touch, moved_id = after, step.changes[-1].update_id
        if moved_id:
            step.ticker = Ticker(moved_id, (-touch[0], touch[2]), (touch[1], touch[3]))
        return step

    def _draws(self, count: int) -> zip:
        """Random numbers for `count` orders: what, side, distance in ticks, where, lots."""
        if count <= 0:
            return zip()
        shape = self.instrument.shape
        what, where = self.rng.random((2, count))
        distance = np.interp(self.rng.random(count), shape.quantiles, shape.distances)
        sides = self.rng.integers(0, 2, count)
        sizes = typical_sizes(self.instrument, self.rng, count)
        return zip(what.tolist(), sides.tolist(), distance.tolist(), where.tolist(), sizes, strict=True)

    def _order(self, what: float, side: int, distance: float, where: float, lots: int) -> None:
        if what < MARKET_SHARE:
            sweep = SWEEP_LOTS if what < MARKET_SHARE * SWEEP_SHARE else 1
            return self.matching.market(self._taker(where), lots * sweep)
        keys = self.book.keys[side]
        share = self.instrument.shape.delete_share
        pull = 4.0 * (len(keys) / self.instrument.levels - 1.0)  # holds the number of levels
        deletes = MARKET_SHARE + share * min(max(1.0 + pull, 0.1), 1.9)
        if what < deletes:
            key = keys[int(where * len(keys))]
            return self.matching.cancel(side, key) if len(keys) > MIN_LEVELS else None
        price = self._price(side, distance)
        if what < deletes + 1.0 - MARKET_SHARE - 2.0 * share:
            nearest = min(bisect_left(keys, key_of(side, price)), len(keys) - 1)
            return self._resize(side, keys[nearest], lots, where)
        return self.matching.limit(side, price, lots)

    def _resize(self, side: int, key: int, lots: int, where: float) -> None:
        held = self.book.qty[side][key]
        if where < 0.5 or held == 1:
            self.matching.limit(side, price_of(side, key), lots)
        else:
            self.matching.cancel(side, key, min(lots, held - 1))

    def _taker(self, where: float) -> int:
        """BID buys, ASK sells; leaning back towards the starting price so that the walk stays bounded."""
        start = self.instrument.start_tick
        lean = (start - self.book.best(BID)[0]) / (0.01 * start)
        return BID if where < 0.5 + min(max(lean, -0.35), 0.35) else ASK

    def _price(self, side: int, distance: float) -> int:
        """A passive price `distance` ticks from the mid: never through the other side, at least one tick."""
        bid, ask = self.book.best(BID)[0], self.book.best(ASK)[0]
        middle = (bid + ask) / 2
        if side == BID:
            return min(max(int(middle - min(distance, 0.9 * middle)), 1), ask - 1)
        return max(int(middle + distance + 0.999), bid + 1)


class Market:
    """All symbols of one venue. Spot numbers each symbol by itself; USD-M shares one counter with holes."""

    def __init__(self, instruments: list[Instrument], seed: int, shared_ids: bool) -> None:
        root = np.random.default_rng(seed)
        shared = Ids(FIRST_SHARED_ID, root, skip_max=40)
        self.symbols: dict[str, SymbolMarket] = {}
        for instrument in instruments:
            rng = np.random.default_rng(root.integers(1 << 62))
            ids = shared if shared_ids else Ids(int(rng.integers(10**9, 10**11)), rng)
            self.symbols[instrument.symbol] = SymbolMarket(instrument, rng, ids)

    def step(self, beats: float, new_beat: bool) -> dict[str, Step]:
        """Let every symbol live through `beats` of a beat."""
        steps = {}
        for symbol, one in self.symbols.items():
            if new_beat:
                one.new_beat()
            steps[symbol] = one.step(beats)
        return steps


def first_book(instrument: Instrument, rng: np.random.Generator) -> Ladder:
    """A book of the settled density, one tick wide at the starting price."""
    shape, book = instrument.shape, Ladder()
    for side, touch in ((BID, instrument.start_tick), (ASK, instrument.start_tick + 1)):
        book.set(side, key_of(side, touch), 1)
        distances = np.interp(rng.random(4 * instrument.levels), shape.quantiles, shape.distances)
        for distance in distances.tolist():
            if len(book.keys[side]) >= instrument.levels:
                break
            price = touch + int(distance) if side == ASK else max(1, touch - int(min(distance, 0.9 * touch)))
            book.set(side, key_of(side, price), 1)
        keys = list(book.keys[side])
        for key, lots in zip(keys, typical_sizes(instrument, rng, len(keys)), strict=True):
            book.set(side, key, lots)
    return book
