"""One order book aggregated by price level, both sides held the same way."""

from bisect import bisect_left, insort
from collections.abc import Iterable

BID, ASK = 0, 1
Levels = dict[int, int]  # price → quantity


class Ladder:
    """Quantities by key, and the keys sorted best first; `key = price` for asks, `-price` for bids."""

    def __init__(self, bids: Levels | None = None, asks: Levels | None = None) -> None:
        self.qty: tuple[Levels, Levels] = (
            {-price: lots for price, lots in (bids or {}).items()},
            dict(asks or {}),
        )
        self.keys: tuple[list[int], list[int]] = (sorted(self.qty[BID]), sorted(self.qty[ASK]))

    def set(self, side: int, key: int, lots: int) -> None:
        """Make the level hold `lots`; 0 removes it, and removing an absent level changes nothing."""
        qty, keys = self.qty[side], self.keys[side]
        if lots:
            if key not in qty:
                insort(keys, key)
            qty[key] = lots
        elif key in qty:
            del qty[key]
            del keys[bisect_left(keys, key)]

    def best(self, side: int) -> tuple[int, int]:
        """Best price and its quantity; (0, 0) for an empty side."""
        keys = self.keys[side]
        if not keys:
            return 0, 0
        return price_of(side, keys[0]), self.qty[side][keys[0]]

    def top(self, side: int, count: int | None = None) -> list[tuple[int, int]]:
        """The best `count` levels as (price, quantity), best first; all of them for None."""
        qty = self.qty[side]
        return [(price_of(side, key), qty[key]) for key in self.keys[side][:count]]

    def crossed(self) -> bool:
        bids, asks = self.keys
        return bool(bids and asks) and -bids[0] >= asks[0]

    def apply(self, changes: Iterable[tuple[int, int, int]]) -> None:
        """Set each (side, price, quantity) in turn."""
        for side, price, lots in changes:
            self.set(side, key_of(side, price), lots)

    def copy(self) -> "Ladder":
        other = Ladder()
        other.qty = (self.qty[BID].copy(), self.qty[ASK].copy())
        other.keys = (self.keys[BID].copy(), self.keys[ASK].copy())
        return other


def key_of(side: int, price: int) -> int:
    """Sort key of a price: smaller is better, whichever the side."""
    return price if side == ASK else -price


price_of = key_of  # the map is its own inverse
