"""An engine that follows a RawVenue inside one test."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from ringbook.engine import layout
from ringbook.io.config import load
from ringbook.io.host import event_loop
from ringbook.io.reader import join
from ringbook.io.run import Engine

from .raw_server import PATIENCE_S, RawVenue, Socket, until

SYMBOLS = ("BTCUSDT", "ETHUSDT")
NUMBERS = itertools.count()
both_sources = pytest.mark.parametrize("source", ["direct", "plain"])


@pytest.fixture(autouse=True)
def _nobody_complains(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio reports what a callback or a forgotten task raised; there must be nothing of that."""
    yield
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


class Run:
    """One engine that follows a RawVenue."""

    def __init__(self, venue: RawVenue, venue_name: str = "binance-spot", **more: Any) -> None:
        self.venue, self.name = venue, f"t-raw-{next(NUMBERS)}"
        facts = {"venue": venue_name, "symbols": SYMBOLS, "bus": self.name, "slots": 1024, **venue.urls}
        self.said: list[str] = []
        self.engine = Engine(load(None, facts | more), self.said.append)

    def count(self, name: str) -> int:
        return int(self.engine.pipeline.counters[layout.C[name]])

    def health(self) -> list[str]:
        if not hasattr(self.engine, "feed"):
            return []
        states = self.engine.pipeline.space.states
        return [layout.HEALTH_NAMES[int(states[i]["health"])] for i in self.engine.feed.ids.values()]

    async def live(self) -> Socket:
        """Wait until all books are LIVE; the socket that feeds them."""

        def tick() -> None:
            if self.venue.sockets:
                self.venue.tick(self.venue.sockets[-1])

        await until(lambda: self.health() == ["LIVE"] * len(SYMBOLS), tick)
        return self.venue.sockets[-1]

    def causes(self) -> list[str]:
        with join(self.name) as bus:
            return [layout.CAUSE_NAMES[cause] for cause in bus.records(1000, kind="STATUS")["cause"]]


@contextlib.asynccontextmanager
async def running(venue: RawVenue, **more: Any) -> AsyncIterator[Run]:
    run = Run(venue, **more)
    task = asyncio.create_task(run.engine.run(lambda **facts: None))
    try:
        yield run
    finally:
        run.engine.stopping.set()
        async with asyncio.timeout(PATIENCE_S):
            await task


Story = Callable[[RawVenue], Awaitable[None]]


def tell(story: Story) -> None:
    """Run a story against a fresh venue."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE_S), RawVenue(*SYMBOLS) as venue:
            await story(venue)

    with asyncio.Runner(loop_factory=lambda: event_loop(spin=False)[0]) as runner:  # as run_engine does
        runner.run(whole())
