"""The machine: cores, and the event loop that suits them."""

import asyncio
import importlib
import os
import selectors
from typing import Any

from .errors import CoreRefused


class SpinSelector(selectors.DefaultSelector):
    """A selector that never sleeps: ready sockets are seen at once, at the price of a whole core."""

    def select(self, timeout: float | None = None) -> list[Any]:
        """Ask the kernel without waiting, whatever the loop would allow."""
        return super().select(0)


def pin(core: int) -> None:
    """Keep this process on one core. Raises CoreRefused naming those it may use."""
    allowed = sorted(os.sched_getaffinity(0))
    if core not in allowed:
        raise CoreRefused(f"core was {core}, expected one of {allowed}")
    os.sched_setaffinity(0, {core})


def event_loop(spin: bool) -> tuple[asyncio.AbstractEventLoop, bool]:
    """A new event loop, and whether aiofastnet's transports (extra `fast`) serve it."""
    loop = asyncio.SelectorEventLoop(SpinSelector() if spin else None)
    try:
        importlib.import_module("aiofastnet").patch_loop(loop)
    except ImportError:
        return loop, False
    return loop, True
