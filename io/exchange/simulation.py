"""The simulated market as a source of the exchange: paced steps, snapshots, truth."""

import asyncio
from collections.abc import Callable

from .faults.injector import Faults
from .faults.ledger import Strike
from .feeds import Feeds
from .instruments import Instrument
from .ladder import ASK, BID
from .market import Market
from .streams import Hub
from .truth import History

BEAT_S = 0.1  # one beat of activity: the usual frame of `@depth@100ms`
STEPS_PER_BEAT = 5
LAG_S = 0.5  # a loop that is later than this does not catch up
HIGH_BYTES = 4 << 20  # as-fast-as-possible waits while a client is this far behind


class Simulation:
    """Drives a market: `speed` times real time, or as fast as the clients take it for speed 0."""

    finished = False

    def __init__(
        self, market: Market, hub: Hub, faults: Faults, usdm: bool, speed: float, clock_ns: Callable[[], int]
    ) -> None:
        self.market, self.hub, self.faults, self.speed, self.clock_ns = market, hub, faults, speed, clock_ns
        self.feeds = Feeds(market, hub, faults, usdm)
        self.instruments: dict[str, Instrument] = {s: one.instrument for s, one in market.symbols.items()}
        self._steps_done = 0
        faults.on_market = self.suffer

    async def run(self) -> None:
        """Live for ever."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            if not self.speed:
                await self._room()
            self.step()
            if not self.speed:
                continue
            due_s += BEAT_S / STEPS_PER_BEAT / self.speed
            late_s = loop.time() - due_s
            if late_s > LAG_S:
                due_s = loop.time()
            await asyncio.sleep(max(0.0, -late_s))

    async def _room(self) -> None:
        """Let the clients read; wait while nobody listens or the slowest is far behind."""
        await asyncio.sleep(0)
        while not self.hub.listeners or self.hub.backlog_bytes() > HIGH_BYTES:
            await asyncio.sleep(0.001)

    def step(self) -> None:
        """One step of market time, and its frames."""
        steps = self.market.step(1 / STEPS_PER_BEAT, self._steps_done % STEPS_PER_BEAT == 0)
        for symbol in steps:
            one = self.market.symbols[symbol]
            orders = self.faults.conditions.take_burst(symbol, one.beat_rate / STEPS_PER_BEAT)
            if orders:
                steps[symbol] = one.burst(orders).after(steps[symbol])
        self._steps_done += 1
        market_ns = int(self._steps_done * BEAT_S / STEPS_PER_BEAT * 1e9)
        self.feeds.publish(steps, self.clock_ns(), market_ns)

    def suffer(self, strike: Strike) -> None:
        """Carry out what a fault demands of the market itself: a finer price grid."""
        if strike.kind.name == "tick-size":
            self.feeds.refine(strike.symbol, int(strike.values["digits"]))
            self.instruments[strike.symbol] = self.market.symbols[strike.symbol].instrument

    async def snapshot(self, symbol: str, limit: int, behind: int = 0) -> bytes:
        """The body of a REST depth reply: the book right now, or `behind` update ids ago."""
        history = self.market.symbols[symbol].history
        book, update_id = history.before(behind)
        tops = book.top(BID, limit), book.top(ASK, limit)
        return self.feeds.printers[symbol].snapshot(update_id, tops, self.clock_ns())

    def history(self, symbol: str) -> History:
        return self.market.symbols[symbol].history

    def pairs(self, symbol: str, levels: list[tuple[int, int]]) -> list[list[str]]:
        return self.feeds.printers[symbol].pairs(levels)
