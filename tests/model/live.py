"""Oracles of the live views' arithmetic: one row after the other, exact fractions, no numpy."""

from fractions import Fraction
from itertools import pairwise


def imbalance(rows: list[tuple]) -> list[int]:
    """Order-flow imbalance of each step; rows are (live, bid, ask, bid quantity, ask quantity)."""
    steps = []
    for old, new in pairwise(rows):
        step = 0
        if old[0] and new[0]:
            step += new[3] if new[1] >= old[1] else 0
            step -= old[3] if new[1] <= old[1] else 0
            step -= new[4] if new[2] <= old[2] else 0
            step += old[4] if new[2] >= old[2] else 0
        steps.append(step)
    return steps


def lines(rows: list[tuple], columns: range, step_ns: int) -> list[Fraction | None]:
    """Mid shown in each absolute column; rows are (time, live, bid, ask), all of them, in order of time.

    The last value in the column or before it; nothing where a row of the column was not live.
    """
    shown: list[Fraction | None] = []
    for column in columns:
        value: Fraction | None = None
        is_broken = False
        for time_ns, is_live, bid, ask in rows:
            if time_ns // step_ns > column:
                break
            value = Fraction(bid + ask, 2) if is_live else None
            is_broken = time_ns // step_ns == column and (is_broken or not is_live)
        shown.append(None if is_broken else value)
    return shown


def cells(levels: list[tuple[int, int]], cell: int, first: int, count: int) -> list[int]:
    """Quantity in each cell of a column: levels are (price, quantity)."""
    return [sum(qty for price, qty in levels if price // cell == first + n) for n in range(count)]


def curve(levels: list[tuple[int, int]], mid: Fraction, width: int) -> dict[int, int]:
    """Cumulated quantity at each price of one side within `width` of the mid, best first."""
    total, found = 0, {}
    for price, qty in levels:
        total += qty
        if abs(price - mid) <= width:
            found[price] = total
    return found
