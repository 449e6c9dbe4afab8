"""The book through time: one column of quantities by price for each step, on a grid that follows the mid."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.layout import ASK, BID, SIDES
from .columns import Clock, Columns, shifted
from .depth import auto_width

if TYPE_CHECKING:
    from ..views import Book

UNKNOWN = 255  # shade of a cell that nobody knows: not LIVE, not looked at, beyond what the book holds
SHADES = 254
HELD_TIMES = 5  # a column holds this many times the prices shown, so that the picture can follow the mid
HEAT_LEVELS = 150


def known_range(book: "Book", side: int) -> int | None:
    """Worst price in mantissas up to which `book.levels` is complete; None: completely known."""
    rows = book.levels[side]
    if len(rows) < book.depth[side]:
        return int(rows[-1, 0]) if len(rows) else None
    end = book.horizon[side]
    return None if end in (0.0, float("inf")) else round(end * 10**book.price_digits)


class HeatMap:
    """Bounded history of the book.

    columns   steps kept
    rows      price cells shown
    step_ns   width of a column; the last LIVE look of a step is shown
    cell      prices in one cell, in price; None: found from the first LIVE book
    """

    def __init__(self, columns: int, rows: int, step_ns: int, cell: float | None = None) -> None:
        self.axis, self.clock, self.rows = Columns(columns, step_ns), Clock(), rows
        self.cell = cell
        self.cell_mantissa = 0
        self.digits: tuple[int, int] | None = None
        self.cells = np.full((columns, rows * HELD_TIMES), np.nan, np.float32)
        self.base = np.zeros(columns, np.int64)  # cell number of each column's first cell
        self.best = np.full((columns, SIDES), np.nan)
        self.bottom = 0  # cell number of the lowest row shown

    def update(self, book: "Book", wall_ns: int) -> None:
        """Take the book as it is now; one that is not LIVE leaves its column unknown."""
        times = np.array([book.recv_ns] if book.recv_ns else [], np.int64)
        came = self.axis.advance(self.clock.now_ns(times, wall_ns))
        shifted(self.cells, came, np.nan)
        shifted(self.base, came, 0)
        shifted(self.best, came, np.nan)
        if book.health != "LIVE" or not all(len(rows) for rows in book.levels):
            self.cells[-1], self.best[-1] = np.nan, np.nan
            return
        self._learn_scale(book)
        middle = int(book.levels[BID][0, 0]) // self.cell_mantissa
        self.base[-1] = middle - self.cells.shape[1] // 2
        self.cells[-1] = self._column(book, int(self.base[-1]))
        self.best[-1] = [int(book.levels[side][0, 0]) for side in range(SIDES)]
        self._follow(middle)

    def _learn_scale(self, book: "Book") -> None:
        digits = book.price_digits, book.qty_digits
        if self.digits == digits:
            return
        self.digits = digits
        self.cells[:], self.best[:] = np.nan, np.nan
        cell = self.cell
        if cell is None:
            width = auto_width(book, HEAT_LEVELS)
            cell = 2 * (width or 1.0) / self.rows
        self.cell_mantissa = max(1, round(cell * 10**book.price_digits))
        self.bottom = int(book.levels[BID][0, 0]) // self.cell_mantissa - self.rows // 2

    def _column(self, book: "Book", base: int) -> np.ndarray:
        """Quantities by cell; NaN beyond what the book knows."""
        count = self.cells.shape[1]
        sums = np.zeros(count, np.int64)
        for side in range(SIDES):
            prices, quantities = book.levels[side].T
            at = prices // self.cell_mantissa - base
            inside = (at >= 0) & (at < count)
            np.add.at(sums, at[inside], quantities[inside])
        column = (sums / 10.0**book.qty_digits).astype(np.float32)
        low, high = known_range(book, BID), known_range(book, ASK)
        if low is not None:  # the cell of the last known price may be known in part only
            column[: max(0, low // self.cell_mantissa - base + 1)] = np.nan
        if high is not None:
            column[max(0, high // self.cell_mantissa - base) :] = np.nan
        return column

    def _follow(self, middle: int) -> None:
        """Move the picture when the mid leaves its middle third, so that it does not tremble."""
        third = self.rows // 3
        if not self.bottom + third <= middle < self.bottom + self.rows - third:
            self.bottom = middle - self.rows // 2

    def shown(self) -> np.ndarray:
        """Quantities in the cells shown, lowest price first: float32[columns, rows]; NaN where unknown."""
        offset = self.bottom - self.base[:, None] + np.arange(self.rows)
        is_held = (offset >= 0) & (offset < self.cells.shape[1])
        found = np.take_along_axis(self.cells, np.clip(offset, 0, self.cells.shape[1] - 1), 1)
        return np.where(is_held, found, np.float32(np.nan))

    def frame(self) -> dict[str, Any]:
        """What the picture needs: shades 0..254, logarithmic up to the largest quantity shown, or UNKNOWN."""
        cells = self.shown()
        is_known = ~np.isnan(cells)
        largest = float(cells[is_known].max()) if is_known.any() else 0.0
        cells[~is_known] = 0.0
        typical = float(np.median(cells[cells > 0])) if largest > 0 else 1.0
        shades = np.log1p(cells / typical) * (SHADES / np.log1p(largest / typical)) if largest > 0 else cells
        scale = 10.0 ** -(self.digits or (0, 0))[0]
        return {
            "end_ms": self.axis.end_ns / 1e6,
            "step_s": self.axis.step_ns / 1e9,
            "columns": self.axis.count,
            "rows": self.rows,
            "cell": self.cell_mantissa * scale,
            "low": self.bottom * self.cell_mantissa * scale,
            "largest": largest,
            "typical": typical,
            "shades": np.where(is_known, np.rint(shades), UNKNOWN).astype(np.uint8),
            "bid": self.best[:, BID] * scale,
            "ask": self.best[:, ASK] * scale,
            "price_digits": (self.digits or (0, 0))[0],
        }
