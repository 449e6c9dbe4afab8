"""What each book truly was at each update id, in absolute prices: the simulation's own account, not the exchange's."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from decimal import Decimal

from ringbook.io.exchange.instruments import Instrument
from ringbook.io.exchange.ladder import Ladder
from ringbook.io.exchange.matching import Change

DIGITS = 14  # prices and quantities are counted in 10^-DIGITS
BID, ASK = 0, 1


class Side:
    """One side of one book: quantities by key, best first; `key` is the price, negative for bids."""

    def __init__(self, qty: dict[int, int]) -> None:
        self.qty, self.keys = dict(qty), sorted(qty)

    def set(self, key: int, qty: int) -> None:
        """Make the level hold `qty`; 0 removes it."""
        if qty:
            if key not in self.qty:
                insort(self.keys, key)
            self.qty[key] = qty
        elif self.qty.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]


class SymbolTruth:
    """One symbol since the start. `at` is cheap when asked for ids that rise."""

    def __init__(self, instrument: Instrument, update_id: int, book: Ladder) -> None:
        self.first_id = self.last_id = update_id
        self.ids: list[int] = []
        self.born_ns: list[int] = []
        self.rows: list[tuple[int, int, int]] = []  # side, key, quantity
        self.measure(instrument)
        self._base = tuple(
            {key * self.tick: lots * self.step for key, lots in side.items()} for side in book.qty
        )
        self._rewind()

    def measure(self, instrument: Instrument) -> None:
        """Ticks and lots are worth this much from now on."""
        self.tick, self.step = (
            int(Decimal(one).scaleb(DIGITS)) for one in (instrument.tick, instrument.step)
        )

    def _rewind(self) -> None:
        self._sides, self._done = [Side(qty) for qty in self._base], 0

    def note(self, changes: Iterable[Change], now_ns: int) -> None:
        """The market moved."""
        for update_id, side, price, lots in changes:
            key = (price if side == ASK else -price) * self.tick
            self.ids.append(update_id)
            self.born_ns.append(now_ns)
            self.rows.append((side, key, lots * self.step))
            self.last_id = update_id

    def at(self, update_id: int) -> list[Side]:
        """Both sides right after `update_id`."""
        stop = bisect_right(self.ids, update_id)
        if stop < self._done:
            self._rewind()
        for side, key, qty in self.rows[self._done : stop]:
            self._sides[side].set(key, qty)
        self._done = stop
        return self._sides

    def missing_since_ns(self, update_id: int) -> int:
        """When the first change after `update_id` happened; 0 when there is none."""
        place = bisect_right(self.ids, update_id)
        return self.born_ns[place] if place < len(self.ids) else 0


class Truth:
    """All symbols, with every number they ever printed their ids by.

    now_ns  set before each step of the market
    shifts  symbol → how much smaller its ids were ever printed, oldest first
    """

    def __init__(self) -> None:
        self.symbols: dict[str, SymbolTruth] = {}
        self.shifts: dict[str, list[int]] = {}
        self.now_ns = 0

    def open(self, symbol: str, instrument: Instrument, update_id: int, book: Ladder) -> None:
        """A symbol begins."""
        self.symbols[symbol] = SymbolTruth(instrument, update_id, book)
        self.shifts[symbol] = [0]

    def note(self, symbol: str, changes: Iterable[Change]) -> None:
        """Its market moved."""
        self.symbols[symbol].note(changes, self.now_ns)

    def measure(self, symbol: str, instrument: Instrument) -> None:
        """Its price grid is finer from now on."""
        self.symbols[symbol].measure(instrument)

    def shift(self, symbol: str, by: int) -> None:
        """From now on ids are printed smaller by `by`."""
        if by not in self.shifts[symbol]:
            self.shifts[symbol].append(by)

    def true_ids(self, symbol: str, printed_id: int) -> list[int]:
        """What a printed id may mean: the market's ids, newest numbering first."""
        one = self.symbols[symbol]
        ids = (printed_id + by for by in reversed(self.shifts[symbol]))
        return [true_id for true_id in ids if one.first_id <= true_id <= one.last_id]
