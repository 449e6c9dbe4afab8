"""Five hundred symbols start, and start over after a total loss, within the weight the exchange allows a minute.

Exact minutes by a virtual clock against the exchange's own budget, which bans as the venue does; then sockets, with
a minute of three seconds on both sides.
"""

import asyncio
import heapq
import json
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.backoff import NS_PER_S
from ringbook.engine.snapshots import SHARE, Fetch, SnapshotScheduler
from ringbook.io.config import load
from ringbook.io.exchange.budget import WeightBudget
from ringbook.io.run import Engine
from ringbook.io.venues.base import get_venue

from .engine_rig import _nobody_complains  # noqa: F401 (a fixture)

SYMBOLS = 500
PATIENCE_S = 300.0
WEIGHT_A_MINUTE, MINUTE_S = 1_500, 3.0
INFO_WEIGHT = 20
EVENTS = ("loss", "restart")
ASKED = [("binance-spot", 100), ("binance-spot", 1000), ("binance-spot", 5000), ("binance-usdm", 1000)]


class Venue:
    """The exchange's budget, asked by schedulers under a clock that only moves when nothing else is to do."""

    def __init__(self, weight: int, per_minute: int, seed: int, phase_s: float) -> None:
        self.weight, self.per_minute, self.rng = weight, per_minute, random.Random(seed)
        self.budget = WeightBudget(per_minute)
        self.now_ns = int(phase_s * NS_PER_S)
        self.air: list[
            tuple[int, int, Fetch, int]
        ] = []  # answers under way: when, number, for what, weight used
        self.statuses: set[int] = set()
        self.live: set[int] = set()
        self.begin()

    def begin(self) -> None:
        """A new engine process: it knows nothing until its first answer, exchangeInfo's."""
        self.machine = SnapshotScheduler(self.weight, self.per_minute, self.rng)
        self.air.clear()
        verdict = self.budget.spend(INFO_WEIGHT, self.now_ns / NS_PER_S)
        self.statuses.add(verdict.status)
        self.machine.weight_used(self.now_ns, verdict.used)
        self.start_over()

    def start_over(self) -> None:
        """All connections are lost and stand again: every book is wanted anew, old answers are still under way."""
        self.live.clear()
        for symbol_id in range(SYMBOLS):
            self.machine.cancel(symbol_id)
            self.machine.want(symbol_id, self.now_ns)

    def send(self) -> None:
        """What the scheduler wants to send now reaches the exchange at once; its answer takes a while."""
        for fetch in self.machine.tick(self.now_ns):
            verdict = self.budget.spend(self.weight, self.now_ns / NS_PER_S)
            self.statuses.add(verdict.status)
            back_ns = self.now_ns + self.rng.randrange(NS_PER_S // 50, NS_PER_S)
            heapq.heappush(self.air, (back_ns, fetch.number, fetch, verdict.used))

    def step(self) -> None:
        """To the next answer or the next time something may be sent."""
        due_ns = self.machine.due_ns(self.now_ns)
        if due_ns is not None and len(self.machine.flying) >= 8:
            due_ns = None  # no room: only an answer changes anything
        times = [time_ns for time_ns in (due_ns, self.air[0][0] if self.air else None) if time_ns is not None]
        self.now_ns = max(self.now_ns, min(times))
        while self.air and self.air[0][0] <= self.now_ns:
            _, _, fetch, used = heapq.heappop(self.air)
            self.machine.weight_used(self.now_ns, used)
            if fetch.symbol_id in self.machine.wants:
                self.live.add(fetch.symbol_id)
            self.machine.loaded(fetch)
            self.live -= self.machine.wants.keys()  # that answer was for an older want
        self.send()


@settings(max_examples=25)
@given(
    which=st.sampled_from(ASKED),
    seed=st.integers(0, 1 << 30),
    phase_s=st.floats(0, 60, exclude_max=True),
    events=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(1, SYMBOLS)), min_size=1, max_size=4),
)  # fmt: skip
def test_exact_minutes_never_cost_too_much(
    which: tuple[str, int], seed: int, phase_s: float, events: list[tuple[str, int]]
) -> None:
    """At whatever second the first minute begins, however many are LIVE when all is lost or the engine is killed."""
    known = get_venue(which[0])
    weight, per_minute = known.depth_weight(which[1]), known.limits.weight_per_min
    venue = Venue(weight, per_minute, seed, phase_s)
    for event, live in [*events, ("", SYMBOLS)]:
        begun_ns = venue.now_ns
        venue.send()
        while len(venue.live) < live:
            venue.step()
        windows = -(-weight * SYMBOLS // int(SHARE * per_minute)) + 2
        assert venue.now_ns - begun_ns <= windows * 61 * NS_PER_S
        if event:
            (venue.start_over if event == "loss" else venue.begin)()
    assert venue.statuses == {200}
    assert venue.budget.most <= per_minute


@asynccontextmanager
async def crowd() -> AsyncIterator[dict[str, str]]:
    """An exchange of five hundred symbols beside this process; its addresses."""
    words = (str(SYMBOLS), str(WEIGHT_A_MINUTE), str(MINUTE_S))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.crowd", *words, stdout=PIPE)
    try:
        assert process.stdout is not None
        yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


def all_live(engine: Engine) -> bool:
    if not hasattr(engine, "feed"):
        return False
    return bool(np.all(engine.pipeline.space.states["health"][:SYMBOLS] == layout.LIVE))


async def until_live(engine: Engine, session: aiohttp.ClientSession, rest_url: str) -> list[dict[str, Any]]:
    """Wait until every book is LIVE; what the exchange said of the weight on the way."""
    said = []
    async with asyncio.timeout(PATIENCE_S):
        while not all_live(engine):
            async with session.get(f"{rest_url}/ringbook/stats") as reply:
                said.append((await reply.json())["weight"])
            await asyncio.sleep(0.25)
    return said


@pytest.mark.alone
def test_five_hundred_symbols_start_and_start_over() -> None:
    async def story() -> None:
        async with crowd() as urls, aiohttp.ClientSession() as session:
            symbols = [f"M{number:04d}USDT" for number in range(SYMBOLS)]
            facts = {
                "venue": "binance-spot", "symbols": symbols, "bus": "t-crowd", "slots": 1024, "book_levels": 128,
                "symbol_capacity": SYMBOLS, "streams": ["depth@100ms"], "snapshot_limit": 100,
                "stale_floor_s": 60.0, "pending_words": 4096, **urls,
            }  # fmt: skip
            engine = Engine(load(None, facts), lambda text: None)
            ours = engine.fetching.scheduler
            ours = SnapshotScheduler(ours.weight, WEIGHT_A_MINUTE, engine.rng, int(MINUTE_S * NS_PER_S))
            engine.fetching.scheduler = ours
            task = asyncio.create_task(engine.run(lambda **ready: None))
            try:
                said = await until_live(engine, session, urls["rest_url"])
                async with session.post(
                    f"{urls['rest_url']}/ringbook/fault", json={"kind": "reset"}
                ) as reply:
                    assert reply.status == 200
                async with asyncio.timeout(PATIENCE_S):
                    while all_live(engine):
                        await asyncio.sleep(0.01)
                said += await until_live(engine, session, urls["rest_url"])
                asked = int(engine.pipeline.counters[layout.C["snapshots"]])
            finally:
                engine.stopping.set()
                await task
        assert asked >= 2 * SYMBOLS  # five minutes' worth of weight
        assert all(one["refused"] == 0 and one["most"] <= one["limit"] == WEIGHT_A_MINUTE for one in said)

    asyncio.run(story())
