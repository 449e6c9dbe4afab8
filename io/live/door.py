"""Live views in a notebook: each function gives a widget that updates itself from a background reader.

from ringbook import join, live
live.ladder(join(), "BTCUSDT")
"""

from typing import TYPE_CHECKING, Any

from ..errors import RingbookError
from .heat import HeatMap
from .looks import depth_look, flow_look, heat_look, ladder_look, panel_look, price_look
from .pulse import MAX_RATE_HZ

if TYPE_CHECKING:
    from ..reader import Bus
    from .view import View

__all__ = ["dashboard", "depth", "flow", "health", "heatmap", "ladder", "price"]

MAX_COLUMNS = 2_000
MIN_STEP_S = 0.05


def _view(kind: str, title: str, look: Any, rate_hz: float, height: int) -> "View":
    if not 0 < rate_hz <= MAX_RATE_HZ:
        raise RingbookError(f"rate_hz was {rate_hz!r}, expected more than 0 and at most {MAX_RATE_HZ:g}")
    try:
        from .view import View
    except ImportError:
        raise RingbookError(
            "live views need the package anywidget: pip install 'ringbook[notebook]'"
        ) from None
    return View(kind, title, look, rate_hz, height)


def _columns(seconds: float, step_s: float) -> tuple[int, int]:
    """Columns and their width in ns."""
    if not step_s >= MIN_STEP_S:
        raise RingbookError(f"step_s was {step_s!r}, expected at least {MIN_STEP_S}")
    columns = round(seconds / step_s)
    if not 2 <= columns <= MAX_COLUMNS:
        raise RingbookError(
            f"{seconds!r} s in steps of {step_s!r} s are {columns} columns, expected 2..{MAX_COLUMNS}"
        )
    return columns, round(step_s * 1e9)


def _between(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise RingbookError(f"{name} was {value!r}, expected {low}..{high}")
    return int(value)


def _width(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise RingbookError(f"{name} was {value!r}, expected a price difference above 0, or None")
    return value


def ladder(bus: "Bus", symbol: str, *, levels: int = 12, rate_hz: float = 4) -> "View":
    """The top of the book with prices, quantities and what changed.

    levels   rows a side, 1..50; the record of the bus may hold fewer
    rate_hz  updates a second, at most 20; so in all views
    """
    bus.book(symbol)  # an unknown symbol is told here and not in the picture
    rows = _between("levels", levels, 1, 50)
    return _view("ladder", symbol, ladder_look(bus, symbol, rows), rate_hz, 15 + 22 * rows)


def depth(
    bus: "Bus",
    symbol: str,
    *,
    width: float | None = None,
    full: bool = True,
    rate_hz: float = 4,
    height: int = 280,
) -> "View":
    """Cumulated quantity on both sides of the mid.

    width  distance from the mid to show, in price; None: found from the first LIVE book
    full   every level held, not only the top N of the record
    """
    bus.book(symbol)
    return _view("depth", symbol, depth_look(bus, symbol, _width("width", width), full), rate_hz, height)


def price(
    bus: "Bus",
    symbol: str,
    *,
    seconds: float = 60,
    step_s: float = 0.1,
    rate_hz: float = 4,
    height: int = 280,
) -> "View":
    """Mid, microprice and trades; no line where the book was not LIVE.

    seconds  history shown
    step_s   one point a step: its last value; trades of one side in one step are one dot
    """
    bus.book(symbol)
    return _view("price", symbol, price_look(bus, symbol, *_columns(seconds, step_s)), rate_hz, height)


def flow(
    bus: "Bus",
    symbol: str,
    *,
    seconds: float = 120,
    step_s: float = 1.0,
    rate_hz: float = 4,
    height: int = 280,
) -> "View":
    """Order-flow imbalance of the best prices and quantity taken, by step.

    seconds  history shown
    step_s   width of a bar
    """
    bus.book(symbol)
    return _view("flow", symbol, flow_look(bus, symbol, *_columns(seconds, step_s)), rate_hz, height)


def heatmap(
    bus: "Bus",
    symbol: str,
    *,
    seconds: float = 120,
    step_s: float = 0.5,
    rows: int = 96,
    cell: float | None = None,
    full: bool = True,
    rate_hz: float = 4,
    height: int = 340,
) -> "View":
    """The book through time: quantity by price and time.

    seconds  history shown
    step_s   width of a column, which shows the last look at the book in it; at least 1 / rate_hz
    rows     price cells shown
    cell     height of a cell, in price; None: found from the first LIVE book
    full     every level held, not only the top N of the record
    """
    bus.book(symbol)
    columns, step_ns = _columns(seconds, step_s)
    if rate_hz * step_s < 1:
        raise RingbookError(
            f"step_s was {step_s!r} at {rate_hz!r} looks a second, expected at least one look a step: "
            f"step_s={1 / rate_hz:g} or more"
        )
    model = HeatMap(columns, _between("rows", rows, 8, 400), step_ns, _width("cell", cell))
    return _view("heat", symbol, heat_look(bus, symbol, model, full), rate_hz, height)


def health(bus: "Bus", *, rate_hz: float = 2, height: int = 280) -> "View":
    """Latency and health of the writer and of every book."""
    return _view("panel", bus.name, panel_look(bus), rate_hz, height)


def dashboard(bus: "Bus", symbol: str, *, rate_hz: float = 4) -> Any:
    """All views of one symbol in a grid, as an ipywidgets box; `.stop()` ends them all."""
    views = [
        ladder(bus, symbol, rate_hz=rate_hz),
        depth(bus, symbol, rate_hz=rate_hz, height=320),
        price(bus, symbol, rate_hz=rate_hz),
        flow(bus, symbol, rate_hz=rate_hz),
        heatmap(bus, symbol, rate_hz=rate_hz, step_s=max(0.5, 1 / rate_hz)),
        health(bus, rate_hz=min(rate_hz, 2)),
    ]
    from .grid import Grid

    return Grid(views)
