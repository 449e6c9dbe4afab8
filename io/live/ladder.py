"""The top of a book as rows of text and shares: exact prices, what changed since the last look."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.layout import ASK, BID, SIDES

if TYPE_CHECKING:
    from ..views import Book

SHOWN_DIGITS = 5  # digits of a quantity worth reading, beside those before the point


def decimal_text(mantissa: int, digits: int, shown: int | None = None) -> str:
    """A mantissa as a decimal, exact; with `shown` decimals the rest is cut off."""
    sign, text = "-" if mantissa < 0 else "", str(abs(mantissa)).rjust(digits + 1, "0")
    whole, rest = (text[:-digits], text[-digits:]) if digits else (text, "")
    rest = rest if shown is None else rest[:shown]
    return f"{sign}{whole}.{rest}" if rest else sign + whole


def qty_decimals(largest: int, digits: int) -> int:
    """Decimals to show of quantities up to `largest`: about SHOWN_DIGITS digits in all, never more than there are."""
    whole = len(str(largest)) - digits if largest >= 10**digits else 1
    return min(digits, max(0, SHOWN_DIGITS - whole))


def weights(book: "Book") -> dict[str, float | None]:
    """Microprice and imbalance of the best level; None while a side is empty."""
    if not all(len(rows) for rows in book.levels):
        return {"micro": None, "imbalance": None}
    (bid, bid_qty), (ask, ask_qty) = (map(int, book.levels[side][0]) for side in range(SIDES))
    total = bid_qty + ask_qty
    if total <= 0:
        return {"micro": book.mid, "imbalance": 0.0}
    micro = (bid * ask_qty + ask * bid_qty) / total / 10**book.price_digits
    return {"micro": micro, "imbalance": (bid_qty - ask_qty) / total}


class LadderModel:
    """Rows of the ladder, and how each level differs from the look before.

    levels  rows a side, at most
    """

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.before: tuple[dict[int, int], dict[int, int]] | None = None

    def update(self, book: "Book") -> dict[str, Any]:
        """What the picture needs; `change` is 1 where a quantity grew or a level came, -1 where it shrank."""
        sides = [book.levels[side][: self.levels] for side in range(SIDES)]
        largest = max((int(rows[:, 1].max()) for rows in sides if len(rows)), default=0)
        shown = qty_decimals(largest, book.qty_digits)
        is_live = book.health == "LIVE"
        rows = [
            [self._row(book, side, level, largest, shown) for level in sides[side]] for side in (BID, ASK)
        ]
        # Levels that scroll in from below the rows shown are not new: remember the whole record.
        known = [{int(price): int(qty) for price, qty in book.levels[side]} for side in (BID, ASK)]
        self.before = (known[BID], known[ASK]) if is_live else None
        spread = None
        if all(len(one) for one in book.levels):
            gap = int(book.levels[ASK][0, 0] - book.levels[BID][0, 0])
            spread = decimal_text(gap, book.price_digits)
        return {
            "bids": rows[BID],
            "asks": rows[ASK],
            "levels": self.levels,
            "spread": spread,
            "mid": book.mid,
            "price_digits": book.price_digits,
            "last_update_id": str(book.last_update_id),
            "depth": list(book.depth),
            **weights(book),
        }

    def _row(self, book: "Book", side: int, level: np.ndarray, largest: int, shown: int) -> list[Any]:
        """Price, quantity, share of the largest, change."""
        price, qty = int(level[0]), int(level[1])
        change = 0
        if self.before is not None:
            old = self.before[side].get(price, 0)
            change = (qty > old) - (qty < old)
        texts = decimal_text(price, book.price_digits), decimal_text(qty, book.qty_digits, shown)
        return [*texts, qty / largest if largest > 0 else 0.0, change]
