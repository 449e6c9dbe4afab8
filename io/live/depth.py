"""Cumulated depth on both sides of the mid, at a bounded number of points."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.layout import SIDE_NAMES, SIDES

if TYPE_CHECKING:
    from ..views import Book

NICE = (1.0, 2.0, 5.0, 10.0)
SPAN_LEVELS = 200  # levels a side that the automatic width makes room for
SPAN_SHARE = 0.9  # of the quantity of a side


def nice_above(value: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is not below a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in NICE if step * power >= value * (1 - 1e-9))


def distances(book: "Book", side: int) -> np.ndarray:
    """How far each level is from the best one of its side, in mantissas, int64[n]."""
    prices = book.levels[side][:, 0]
    return np.abs(prices - prices[0]) if len(prices) else np.zeros(0, np.int64)


def auto_width(book: "Book", levels: int = SPAN_LEVELS) -> float | None:
    """A nice distance from the mid for a picture; None while a side is empty.

    On either side it shows the nearest `levels` levels, or those that hold SPAN_SHARE of the quantity if they
    are fewer: a few far orders must not press everything else together.
    """
    if not all(len(rows) for rows in book.levels):
        return None
    far = 0
    for side in range(SIDES):
        sums = np.cumsum(book.levels[side][:, 1].astype(float))
        most = min(levels - 1, int(np.searchsorted(sums, SPAN_SHARE * sums[-1])), len(sums) - 1)
        far = max(far, int(distances(book, side)[most]))
    gap = int(book.levels[1][0, 0] - book.levels[0][0, 0])
    mid = int(book.levels[0][0, 0]) + gap / 2  # no picture needs prices below 0
    return min(nice_above(max(far + gap / 2, 1.0) / 10**book.price_digits), mid / 10**book.price_digits)


class DepthModel:
    """Depth curves: at each point the exact quantity from the touch to that price.

    width   distance from the mid that is shown, in price; None: found from the first LIVE book
    points  points a side; more levels than that share points, and a point is exact at its price
    """

    def __init__(self, width: float | None = None, points: int = 160) -> None:
        self.width, self.points = width, points

    def update(self, book: "Book") -> dict[str, Any]:
        """What the picture needs; prices run away from the mid."""
        if self.width is None and book.health == "LIVE":
            self.width = auto_width(book)
        frame: dict[str, Any] = {"mid": book.mid, "width": self.width, "price_digits": book.price_digits}
        for side in range(SIDES):
            prices, sums, merged = self._curve(book, side)
            frame[f"{SIDE_NAMES[side]}_price"] = prices
            frame[f"{SIDE_NAMES[side]}_sum"] = sums
            frame[f"{SIDE_NAMES[side]}_merged"] = merged
        frame["is_full"] = book.is_full
        return frame

    def _curve(self, book: "Book", side: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Prices and cumulated quantities of one side, and how many levels share a point."""
        rows = book.levels[side]
        if book.mid is None or self.width is None:
            return np.zeros(0), np.zeros(0), 0
        prices, sums = rows[:, 0] / 10.0**book.price_digits, np.cumsum(rows[:, 1]) / 10.0**book.qty_digits
        inside = int((np.abs(prices - book.mid) <= self.width).sum())
        kept = np.arange(inside)
        if inside > self.points:  # the last level of each piece of the width
            piece = (np.abs(prices[:inside] - book.mid) * self.points / self.width).astype(np.int64)
            kept = np.flatnonzero(np.diff(piece, append=-1))
        return prices[kept], sums[kept], inside - len(kept)
