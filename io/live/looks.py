"""What each view does at a tick: read the bus, feed the model, give a frame with the book's health."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...engine import layout
from .depth import DepthModel
from .drain import Drain
from .flow import FlowTrack
from .heat import HeatMap
from .ladder import LadderModel
from .panel import PanelModel
from .price import PriceTrack

if TYPE_CHECKING:
    from ..reader import Book, Bus

Look = Callable[[], dict[str, Any]]


def reason(bus: "Bus", book: "Book") -> str:
    """Why a book is not LIVE, in words; empty when it is."""
    if book.health == "LIVE":
        return ""
    verdict = bus.link.verdict().value
    if verdict != "running":
        age_s = bus.link.heartbeat_age_ns() / 1e9
        return f"the writer is {verdict}, its last heartbeat {age_s:.0f} s ago"
    found = bus.records(1, book.symbol, "STATUS")
    cause = int(found["cause"][0]) if len(found) else 0
    if 0 < cause < len(layout.CAUSE_NAMES):
        return layout.CAUSE_NAMES[cause]
    return "no snapshot yet" if book.health in ("INIT", "SYNCING") else "its cause is no longer in the ring"


def status(bus: "Bus", book: "Book") -> dict[str, Any]:
    """What every view of a symbol says of it."""
    return {"health": book.health, "why": reason(bus, book), "age_ms": book.age_ns / 1e6}


def ladder_look(bus: "Bus", symbol: str, levels: int) -> Look:
    """Look of the ladder."""
    model = LadderModel(levels)

    def look() -> dict[str, Any]:
        book = bus.book(symbol)
        return {**status(bus, book), **model.update(book)}

    return look


def depth_look(bus: "Bus", symbol: str, width: float | None, full: bool) -> Look:
    """Look of the depth chart."""
    model = DepthModel(width)

    def look() -> dict[str, Any]:
        book = bus.book(symbol, full=full)
        return {**status(bus, book), **model.update(book)}

    return look


def price_look(bus: "Bus", symbol: str, columns: int, step_ns: int) -> Look:
    """Look of the price lines."""
    model, drain = PriceTrack(columns, step_ns), Drain(bus, symbol)

    def look() -> dict[str, Any]:
        news, book = drain.news(), bus.book(symbol)
        model.update(news, time.time_ns(), book.health == "LIVE")
        return {
            **status(bus, book), **model.frame(), "lost": drain.lost, "price_digits": book.price_digits,
        }  # fmt: skip

    return look


def flow_look(bus: "Bus", symbol: str, columns: int, step_ns: int) -> Look:
    """Look of the order flow."""
    model, drain = FlowTrack(columns, step_ns), Drain(bus, symbol)

    def look() -> dict[str, Any]:
        news, book = drain.news(), bus.book(symbol)
        model.update(news, time.time_ns(), book.health == "LIVE")
        return {**status(bus, book), **model.frame(), "lost": drain.lost}

    return look


def heat_look(bus: "Bus", symbol: str, model: HeatMap, full: bool) -> Look:
    """Look of the heat map."""

    def look() -> dict[str, Any]:
        book = bus.book(symbol, full=full)
        model.update(book, time.time_ns())
        return {**status(bus, book), **model.frame()}

    return look


def panel_look(bus: "Bus") -> Look:
    """Look of the latency and health panel."""
    model = PanelModel()

    def look() -> dict[str, Any]:
        health = bus.health()
        states = set(health["symbols"].values())
        worst = next(
            (name for name in reversed(layout.HEALTH_NAMES) if name != "LIVE" and name in states), "LIVE"
        )
        frame = model.update(health, bus.counters(), bus.histograms(), time.monotonic_ns())
        return {"health": worst if states else "INIT", "why": "", **frame}

    return look
