"""All that an engine meets outside itself: time, chance, the way to the venue, the bus, the process's memory.

A simulation hands its engine other surroundings and runs everything else as it is.
"""

import random

import aiohttp

from .assembly import open_bus
from .bus import WriterBus
from .clock import MACHINE, Clock
from .collector import Collector
from .config import EngineConfig
from .sources import EarlyBytes
from .venues.base import Venue


class Outside:
    """The machine, the network and the file system as they are.

    clock      where the time comes from
    rng        jitter of all delays
    collector  when Python's cyclic collector has its turn
    """

    def __init__(self, clock: Clock = MACHINE, rng: random.Random | None = None) -> None:
        self.clock, self.rng = clock, rng or random.Random()
        self.collector = Collector()

    def session(self) -> aiohttp.ClientSession:
        """The way to the venue."""
        return aiohttp.ClientSession(ws_response_class=EarlyBytes)

    def bus(self, config: EngineConfig, venue: Venue) -> WriterBus:
        """The bus to publish on."""
        return open_bus(config, venue)

    def settle(self) -> None:
        """What lives now lives for months: not to be walked again; collections wait for quiet ticks."""
        self.collector.begin()
