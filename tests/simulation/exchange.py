"""The built-in exchange without its socket and with a slow market: everything else of it is what users start."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from ringbook.io.exchange.faults.damage import flipped
from ringbook.io.exchange.faults.injector import Faults
from ringbook.io.exchange.faults.ledger import Strike
from ringbook.io.exchange.instruments import catalogue
from ringbook.io.exchange.market import Market
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.exchange.simulation import Simulation
from ringbook.io.exchange.streams import Hub

from .clock import VirtualClock
from .truth import Truth

ORDERS_PER_STEP = 5.0
BEAT_S = 0.2  # between two looks at the fault plan


class WatchedFaults(Faults):
    """Tells when flipped bits leave a diff that reads well and says something else."""

    on_blur: Callable[[str], None]

    def frame(self, stream: str, symbol: str, payload: bytes, connection: int = 0) -> list[Strike]:
        strikes = super().frame(stream, symbol, payload, connection)
        for strike in strikes:
            if strike.kind.name == "corrupted" and "@depth" in stream:
                damaged = flipped(payload, int(strike.values["bits"]), strike.random())
                if reads_otherwise(payload, damaged):
                    self.on_blur(symbol)
        return strikes


def reads_otherwise(payload: bytes, damaged: bytes) -> bool:
    """Whether the damaged payload is still JSON, and other JSON."""
    try:
        return bool(orjson.loads(damaged) != orjson.loads(payload))
    except orjson.JSONDecodeError:
        return False


class SlowMarket(Simulation):
    """A market that steps seldom, so that minutes are cheap; each step is told to the truth first.

    step_s  seconds between two steps
    """

    step_s: float
    truth: Truth

    async def run(self) -> None:
        """Live for ever."""
        steps_done = 0
        while True:
            await asyncio.sleep(self.step_s)
            steps_done += 1
            self.truth.now_ns, steps = self.clock_ns(), {}
            for symbol, one in self.market.symbols.items():
                orders = self.faults.conditions.take_burst(symbol, ORDERS_PER_STEP)
                steps[symbol] = one.burst(int(one.rng.poisson(ORDERS_PER_STEP)) + orders)
                self.truth.note(symbol, steps[symbol].changes)
            self.feeds.publish(steps, self.clock_ns(), int(steps_done * self.step_s * 1e9))

    def suffer(self, strike: Any) -> None:
        super().suffer(strike)
        if strike.kind.name == "tick-size":
            self.truth.measure(strike.symbol, self.instruments[strike.symbol])
        elif strike.kind.name == "ids-back":
            self.truth.shift(strike.symbol, self.faults.conditions.id_shift[strike.symbol])


class QuietExchange(Exchange):
    """The exchange in memory.

    levels   a side that its books hold
    step_s   seconds between two steps of its market
    on_blur  told the symbol of a diff that was damaged and still reads well
    """

    on_blur: Callable[[str], None]

    def __init__(self, options: ExchangeOptions, clock: VirtualClock, levels: int, step_s: float) -> None:
        self.levels, self.step_s, self.truth = levels, step_s, Truth()
        super().__init__(options, clock.wall_ns, clock.now_s)
        self.injection.beat_s = BEAT_S

    def open_source(self) -> SlowMarket:
        """The slow market over books of a few dozen levels."""
        known, venue = catalogue(self.venue.name), self.venue
        instruments = [replace(known[name], levels=self.levels) for name in self.options.symbols]
        faults = WatchedFaults(list(self.options.symbols), self.options.faults, self.clock_s)
        faults.on_blur = lambda symbol: self.on_blur(symbol)
        hub = Hub(venue, list(self.options.symbols), faults.conditions)
        market = Market(instruments, self.options.seed, venue.shared_ids)
        source = SlowMarket(market, hub, faults, venue.name == "usdm", 1.0, self.clock_ns)
        source.step_s, source.truth = self.step_s, self.truth
        for symbol, one in market.symbols.items():
            self.truth.open(symbol, one.instrument, one.matching.history.last_id, one.book)
        return source

    async def listen(self, runner: web.AppRunner) -> None:
        """No socket: connections come through `serve`."""
        assert runner.server is not None
        self.serve = runner.server
        self.port = 443
