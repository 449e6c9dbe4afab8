"""The plainest book: a dict of price → quantity per side. The oracle of kernels/book.py."""

from ringbook.engine.layout import ASK, BID, HORIZON_OPEN


class BookModel:
    def __init__(self, room: int) -> None:
        self.room = room  # levels a side
        self.levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.limit: list[int | None] = [None, None]  # worst price taken; None until levels were dropped
        self.horizon = list(HORIZON_OPEN)
        self.orphans = self.evicted = 0
        self.notes: set[str] = set()  # rare things that happened

    def prices(self, side: int) -> list[int]:
        return sorted(self.levels[side], reverse=side == BID)

    def set_level(self, side: int, price: int, qty: int) -> bool:
        """Set or delete; returns whether that changed anything."""
        held = self.levels[side]
        if qty <= 0:
            self.orphans += price not in held
            return held.pop(price, None) is not None
        if held.get(price) == qty or (price not in held and not self.make_room(side, price)):
            return False
        held[price] = qty
        return True

    def make_room(self, side: int, price: int) -> bool:
        """Whether a new level is taken; the worst one goes where there is no room."""
        held, limit = self.levels[side], self.limit[side]
        if limit is not None and (price > limit if side == ASK else price < limit):
            self.evicted += 1
            self.notes.add("beyond the limit")
            return False
        if len(held) < self.room:
            return True
        worst = self.prices(side)[-1]
        is_worse = price > worst if side == ASK else price < worst
        self.notes.add("new one dropped" if is_worse else "worst dropped")
        self.drop(side, price if is_worse else worst)
        return not is_worse

    def drop(self, side: int, price: int) -> None:
        """Forget a level, and know nothing from there on."""
        self.levels[side].pop(price, None)
        self.evicted += 1
        limit = price - 1 if side == ASK else price + 1
        self.limit[side] = limit
        self.horizon[side] = (min if side == ASK else max)(self.horizon[side], limit)

    def top(self, side: int, n: int) -> list[tuple[int, int]]:
        return [(price, self.levels[side][price]) for price in self.prices(side)[:n]]

    def crossed(self) -> bool:
        bids, asks = self.levels
        return bool(bids) and bool(asks) and max(bids) >= min(asks)
