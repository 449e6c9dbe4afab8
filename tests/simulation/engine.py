"""The real engine with other surroundings: virtual time, seeded chance, a bus in memory, the way through memory."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from ringbook.io.config import EngineConfig
from ringbook.io.memory_bus import MemoryBus
from ringbook.io.outside import Outside
from ringbook.io.sources import EarlyBytes
from ringbook.io.venues.base import Venue

from .clock import VirtualClock


class QuietBus(MemoryBus):
    """A bus in memory with the rest of what an engine asks of a writer's bus."""

    name, path, storage, generation = "simulated", Path("memory"), "memory", 1
    beats = 0

    def beat(self, now_ns: int) -> None:
        """The engine's loop runs."""
        self.beats += 1

    def expect_room(self, rows: int) -> None:
        """There is always room: the table is made for it."""

    def close(self) -> None:
        """Nothing to give back."""


class Surroundings(Outside):
    """What the engine meets in a simulation.

    way  makes the connector of its HTTP client
    """

    def __init__(
        self, clock: VirtualClock, rng: random.Random, way: Callable[[], aiohttp.BaseConnector]
    ) -> None:
        super().__init__(clock, rng)
        self.way = way

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=self.way(), ws_response_class=EarlyBytes)

    def bus(self, config: EngineConfig, venue: Venue) -> Any:
        return QuietBus(config.slots, config.top_n, config.symbol_capacity, config.book_levels)

    def settle(self) -> None: ...
