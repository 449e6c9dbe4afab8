"""New records of one symbol since the last look, in one bounded jitted call and as plain arrays."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...engine import layout
from ...engine.kernels import cursor as cursors
from ...engine.kernels import ring
from ..place import Place

if TYPE_CHECKING:
    from ..reader import Bus

CAPACITY = 4_096  # records taken at one look; older ones beyond that are counted as lost
EMPTY = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Tops:
    """Best prices, one row a BOOK record, oldest first; mantissas at the scale of `digits`."""

    recv_ns: np.ndarray = field(default_factory=EMPTY.copy)  # int64[n]
    is_live: np.ndarray = field(default_factory=lambda: EMPTY.astype(bool))  # bool[n]: LIVE, with both sides
    price: np.ndarray = field(default_factory=lambda: np.zeros((0, layout.SIDES), np.int64))  # int64[n, 2]
    qty: np.ndarray = field(default_factory=lambda: np.zeros((0, layout.SIDES), np.int64))  # int64[n, 2]


@dataclass(frozen=True)
class Trades:
    """Trades, oldest first; mantissas at the scale of `digits`."""

    recv_ns: np.ndarray = field(default_factory=EMPTY.copy)
    price: np.ndarray = field(default_factory=EMPTY.copy)
    qty: np.ndarray = field(default_factory=EMPTY.copy)
    is_buy: np.ndarray = field(default_factory=lambda: EMPTY.astype(bool))


@dataclass(frozen=True)
class News:
    """What one look found.

    digits    decimals of price and quantity that all rows share
    lost      seqs of the bus that were not looked at: overwritten, or more than one look takes
    """

    digits: tuple[int, int] = (0, 0)
    tops: Tops = field(default_factory=Tops)
    trades: Trades = field(default_factory=Trades)
    lost: int = 0


def tops_of(records: np.ndarray) -> Tops:
    """The best prices of the BOOK records among `records`, record_dtype[n]."""
    books = records[records["kind"] == layout.KIND_BOOK]
    both = (books["count"] > 0).all(axis=1)
    price, qty = books["price"][:, :, 0].copy(), books["qty"][:, :, 0].copy()
    return Tops(books["recv_ns"].copy(), (books["health"] == layout.LIVE) & both, price, qty)


def trades_of(records: np.ndarray) -> Trades:
    """The trades among `records`, record_dtype[n]."""
    rows = records[records["kind"] == layout.KIND_TRADE]
    return Trades(
        rows["recv_ns"].copy(),
        rows["trade_price"].copy(),
        rows["trade_qty"].copy(),
        rows["side"] == layout.BID,
    )


class Drain:
    """A place in the ring that is moved on by whole batches; the writer never waits for it.

    bus, symbol   what to read
    capacity      records taken at one look, at most
    """

    def __init__(self, bus: "Bus", symbol: str, capacity: int = CAPACITY) -> None:
        self.bus, self.symbol, self.capacity = bus, symbol, capacity
        self.lost = 0
        self.is_first = True  # what came before the first look is not lost
        self._enter(bus)

    def _enter(self, bus: "Bus") -> None:
        self.place = Place(bus.link, self.symbol, None, "newest")
        self.out = np.zeros(self.capacity * len(self.place.out), np.int64)
        words, _, geo = self.place.bus
        self.next_seq = ring.oldest_readable(words, geo, self.place.link.first_seq)

    def read(self) -> tuple[np.ndarray, int]:
        """Copies of the new records, record_dtype[n], and how many seqs were lost on the way."""
        expected = self.next_seq
        if self.place.link is not self.bus.link:
            self._enter(self.bus)  # the next writer of the name goes on with the seqs of the last
        place = self.place
        words, _, geo = place.bus
        last = ring.newest(words, geo)
        place.learn_symbols()  # after `last`: every record up to it is of a symbol known now
        count = cursors.copy_newest(words, geo, place.cursor, place.wanted, last, self.next_seq, self.out)
        # What is readable after the walk was readable during it, so nothing from here on is missing.
        oldest = ring.oldest_readable(words, geo, place.link.first_seq)
        width = len(place.out)
        rows = self.out[len(self.out) - count * width :].view(place.record.dtype)
        if count == self.capacity:  # the walk ended here, not at the oldest
            oldest = int(rows["seq"][0])
        lost = 0 if self.is_first else max(0, layout.wrap_seq(oldest - expected))
        self.lost, self.is_first = self.lost + lost, False
        self.next_seq = layout.wrap_seq(last + 1)
        return rows[rows["seq"] - oldest >= 0], lost

    def news(self) -> News:
        """The new records as arrays; only those of the newest scale, if the instrument was rescaled."""
        records, lost = self.read()
        table = self.bus.symbol_rows
        if not len(records):
            return News(lost=lost)
        newest = int(records["symbol_id"][-1])
        same = records[records["symbol_id"] == newest]
        row = table[newest]
        digits = int(row["price_digits"]), int(row["qty_digits"])
        return News(digits, tops_of(same), trades_of(same), lost)
