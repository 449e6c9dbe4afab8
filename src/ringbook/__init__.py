"""ringbook: live order books, from websocket bytes to shared memory, in Python and Numba.

    import ringbook
    with ringbook.join("binance-spot") as bus:
        print(bus.book("BTCUSDT"))

Importing this package compiles nothing and starts nothing; numba is imported only when a kernel is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import analysis
    from .engine.layout import record_dtype
    from .io.background import Demo, demo
    from .io.bus import ls, rm
    from .io.errors import RingbookError
    from .io.merge import Merged, merge
    from .io.reader import Book, Bus, join
    from .io.records import Records
    from .io.running import Running

__all__ = [
    "Book",
    "Bus",
    "Demo",
    "Merged",
    "Records",
    "RingbookError",
    "Running",
    "__version__",
    "analysis",
    "demo",
    "join",
    "ls",
    "merge",
    "record_dtype",
    "rm",
]

_HOMES = {
    "join": "io.reader",
    "Bus": "io.reader",
    "Book": "io.reader",
    "merge": "io.merge",
    "Merged": "io.merge",
    "Demo": "io.background",
    "demo": "io.background",
    "ls": "io.bus",
    "rm": "io.bus",
    "Records": "io.records",
    "RingbookError": "io.errors",
    "Running": "io.running",
    "record_dtype": "engine.layout",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its room when it is first used."""
    import importlib

    if name in ("analysis", "live"):
        return importlib.import_module(f".{name}", __name__)
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'ringbook' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value
