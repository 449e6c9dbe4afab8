"""Live views in a notebook: `from ringbook import live`, then `live.ladder(bus, "BTCUSDT")`."""

from .io.live.door import dashboard, depth, flow, health, heatmap, ladder, price

__all__ = ["dashboard", "depth", "flow", "health", "heatmap", "ladder", "price"]
