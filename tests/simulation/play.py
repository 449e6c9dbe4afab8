"""Plays one story: the exchange, the engine and the checks on one virtual loop."""

import asyncio
import hashlib
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ringbook.io.config import load
from ringbook.io.errors import RingbookError
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.run import Engine

from .checks import Broken, Checks
from .clock import VirtualClock, VirtualLoop
from .engine import Surroundings
from .exchange import QuietExchange
from .schedule import Story
from .wire import Way

RECOVERY_S = 180.0  # after the last fault every book is LIVE within this
SETTLED_S = 2.0  # and stays so
LOOK_S = 0.1


@dataclass
class Outcome:
    """What came of a seed; `failure` is empty when all held."""

    seed: int
    calm: bool
    failure: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    live_ns: int = 0
    all_ns: int = 0
    virtual_s: float = 0.0
    settle_s: float = 0.0  # from the last fault until every book was LIVE
    recoveries_s: list[float] = field(default_factory=list)
    weight_share: float = 0.0  # most weight used in a minute, of what the venue allows
    digest: str = ""
    lines: list[str] = field(default_factory=list)


class Teller(logging.Handler):
    """Log lines become lines of the story."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(f"    {record.getMessage()}")


class Play:
    """One story being played."""

    def __init__(self, story: Story, trace: Callable[[str], None] | None = None) -> None:
        self.story, self.trace = story, trace
        self.outcome = Outcome(story.seed, story.calm)
        self.clock = VirtualClock()
        self.loop = VirtualLoop(self.clock)
        self._hash, self._struck = hashlib.sha256(), 0

    def tell(self, text: str) -> None:
        """One line of the story."""
        line = f"{self.clock.since_s:10.4f} {text}"
        self._hash.update(line.encode())
        if self.trace is not None:
            self.trace(line)

    def run(self) -> Outcome:
        """Play it to its end, or to the first thing that does not hold."""
        self.loop.set_exception_handler(self._complain)
        work = self.loop.create_task(self._whole())
        try:
            self.loop.run_until_complete(work)
        except Exception as error:
            self._fail(error)
        finally:
            self.loop.on_turn = lambda: None
            self._sweep()
            self.loop.close()
        self.outcome.digest = self._hash.hexdigest()[:16]
        return self.outcome

    def _fail(self, error: BaseException) -> None:
        text = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}"
        self.outcome.failure = self.outcome.failure or f"at {self.clock.since_s:.3f} s: {text}"
        self.tell(f"BROKEN {text}")

    def _complain(self, loop: Any, context: dict[str, Any]) -> None:
        """asyncio reports what a callback raised, or a task nobody waited for."""
        self._fail(context.get("exception") or Broken(context["message"]))

    def _sweep(self) -> None:
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    # -- the play
    async def _whole(self) -> None:
        story = self.story
        options = ExchangeOptions(
            venue=story.venue, symbols=story.symbols, faults=story.plan, **story.exchange
        )
        exchange = QuietExchange(options, self.clock, story.levels, story.step_s)
        async with exchange:
            rng = random.Random(f"engine {story.seed}")
            way = random.Random(f"wire {story.seed}")
            engine = Engine(
                load(None, self._settings()), self.tell,
                outside=Surroundings(
                    self.clock, rng, lambda: Way(self.loop, way, exchange.faults, exchange.serve, lambda: None)
                ),
            )  # fmt: skip
            self.checks = Checks(engine, exchange.truth, self.tell)
            exchange.on_blur = self.checks.blur
            self.loop.on_turn = lambda: self._turn(exchange)
            running = asyncio.create_task(engine.run(lambda **facts: None))
            acting = asyncio.create_task(self._act(engine, exchange))
            await asyncio.wait({running, acting}, return_when=asyncio.FIRST_COMPLETED)
            if acting.done():
                acting.result()
            elif running.done():
                running.result()
                raise Broken("the engine ended by itself")
            self._note(exchange)
            self.loop.on_turn = lambda: None
            engine.stopping.set()
            await running

    def _settings(self) -> dict[str, Any]:
        story = self.story
        first = tuple(symbol for symbol in story.symbols if symbol not in story.late)
        return story.settings | {
            "venue": f"binance-{story.venue}", "symbols": first,
            "rest_url": "http://exchange", "ws_url": "ws://exchange",
        }  # fmt: skip

    def _turn(self, exchange: QuietExchange) -> None:
        ledger = exchange.faults.ledger
        if ledger.total > self._struck:
            for row in ledger.since(self._struck):
                self.tell(
                    f"{row['kind']} {row['symbol'] or row['stream'] or row['connection']} {row['values']}"
                )
            self._struck = ledger.total
        self.checks.look()
        for budget in exchange.rest.budgets.values():
            self.outcome.weight_share = max(self.outcome.weight_share, budget.used / budget.per_minute)
            if budget.strikes:
                raise Broken(f"more weight than the venue allows: {budget.used} of {budget.per_minute}")

    async def _act(self, engine: Engine, exchange: QuietExchange) -> None:
        """The users, then the end: every book LIVE within a bound after the last fault."""
        story = self.story
        if story.late:
            await self._join(engine, story.late)
        if story.churn:
            await asyncio.sleep(8.0)
            if self.checks.is_open:
                engine.unsubscribe(story.churn)
            await asyncio.sleep(1.0)
            await self._join(engine, story.churn)
        await asyncio.sleep(max(0.0, story.end_s - self.clock.since_s))
        self.tell("the faults are over")
        over_s, live_s = self.clock.since_s, 0.0
        while live_s < SETTLED_S:
            await asyncio.sleep(LOOK_S)
            is_well = self.checks.is_open and self.checks.all_well()
            live_s = live_s + LOOK_S if is_well else 0.0
            if self.clock.since_s - over_s > RECOVERY_S:
                raise Broken(f"not all books were LIVE and new {RECOVERY_S:.0f} s after the last fault")
        self.outcome.settle_s = self.clock.since_s - over_s - live_s

    async def _join(self, engine: Engine, symbols: tuple[str, ...]) -> None:
        """Subscribe as a user would: again and again until the venue knows them."""
        while True:
            await asyncio.sleep(1.0)
            if not self.checks.is_open:
                continue
            try:
                await engine.subscribe(symbols)
                return
            except RingbookError as error:
                self.tell(f"not subscribed: {error}")

    def _note(self, exchange: QuietExchange) -> None:
        outcome, checks = self.outcome, self.checks
        checks.tell_time()
        outcome.counts, outcome.struck = checks.counts, Counter(exchange.faults.struck)
        outcome.counts["turns"] = self.loop.turns
        outcome.counts["diffs"] = sum(n for name, n in exchange.hub.frames.items() if "@depth" in name)
        names = ("resyncs", "gaps", "rollovers", "snapshots", "reads", "held", "filled", "stale_streams")
        for name in names:
            outcome.counts[name] = int(checks.counter(name))
        outcome.live_ns, outcome.all_ns = sum(checks.live_ns.values()), sum(checks.all_ns.values())
        outcome.recoveries_s, outcome.virtual_s = checks.recoveries_s, self.clock.since_s


def play(story: Story, trace: Callable[[str], None] | None = None) -> Outcome:
    """Play a story; what the engine and aiohttp log becomes part of a trace, and is silent without one."""
    one = Play(story, trace)
    loggers = [logging.getLogger(name) for name in ("ringbook", "aiohttp")]
    teller, levels = Teller(one.tell), [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO if trace else logging.CRITICAL + 1)
        logger.addHandler(teller)
    try:
        return one.run()
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(teller)
            logger.setLevel(level)
