"""The plainest book: a dict of price → quantity per side. The oracle of kernels/book.py."""

from ringbook.engine.layout import ASK, BID, HORIZON_OPEN, TOP_N_MAX


class BookModel:
    def __init__(self) -> None:
        self.levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.limit: list[int | None] = [None, None]  # worst price taken; None until levels were dropped
        self.horizon = list(HORIZON_OPEN)
        self.orphans = 0

    def beyond(self, side: int, price: int) -> bool:
        limit = self.limit[side]
        return limit is not None and (price > limit if side == ASK else price < limit)

    def prices(self, side: int) -> list[int]:
        return sorted(self.levels[side], reverse=side == BID)

    def set_level(self, side: int, price: int, qty: int) -> int | None:
        """Set or delete; returns the rank that changed, None when nothing did."""
        held = self.levels[side]
        rank = sum(1 for other in held if (other < price if side == ASK else other > price))
        if qty <= 0:
            self.orphans += price not in held
            return rank if held.pop(price, None) is not None else None
        if self.beyond(side, price) or held.get(price) == qty:
            return None
        held[price] = qty
        return rank

    def trim(self, side: int, limit: int) -> int:
        """Forget every level worse than `limit`; returns how many."""
        self.limit[side] = limit
        gone = [price for price in self.levels[side] if self.beyond(side, price)]
        for price in gone:
            del self.levels[side][price]
        return len(gone)

    def top(self, side: int, n: int) -> list[tuple[int, int]]:
        return [(price, self.levels[side][price]) for price in self.prices(side)[:n]]

    def crossed(self) -> bool:
        bids, asks = self.levels
        return bool(bids) and bool(asks) and max(bids) >= min(asks)


def same_rank(found: int, expected: int | None, unchanged: int) -> bool:
    """Ranks are exact where a record can show them, and merely large behind."""
    if expected is None:
        return found == unchanged
    return found == expected or (expected >= TOP_N_MAX and TOP_N_MAX <= found < unchanged)
