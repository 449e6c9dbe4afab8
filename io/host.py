"""The machine: cores, and the event loop that suits them."""

import asyncio
import importlib
import os

from .errors import CoreRefused
from .openssl import libssl
from .serving import ServingSelector


def pin(core: int) -> None:
    """Keep this process on one core. Raises CoreRefused naming those it may use."""
    allowed = sorted(os.sched_getaffinity(0))
    if core not in allowed:
        raise CoreRefused(f"core was {core}, expected one of {allowed}")
    os.sched_setaffinity(0, {core})


def event_loop(spin: bool, fused_reads: bool = True) -> tuple[asyncio.AbstractEventLoop, bool]:
    """A new event loop, and whether aiofastnet's transports (extra `fast`) serve it.

    spin         never sleep
    fused_reads  jitted code reads the sockets; aiofastnet then serves only where it cannot decrypt
    """
    loop = asyncio.SelectorEventLoop(ServingSelector(spin, fused_reads))
    if fused_reads and libssl() is not None:
        return loop, False
    try:
        importlib.import_module("aiofastnet").patch_loop(loop)
    except ImportError:
        return loop, False
    return loop, True
