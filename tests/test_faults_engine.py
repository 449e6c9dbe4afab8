"""The engine on a faulty exchange: a LIVE book equals the truth at its update id, and all are LIVE in the end."""

import asyncio
from typing import Any

import pytest

from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.exchange.truth import UnknownBook
from ringbook.io.reader import join
from ringbook.io.run import Engine

from .test_live_engine import SYMBOLS, all_live, engine_on

PATIENCE_S = 60.0
GAP = {"kind": "gap", "symbol": "BTCUSDT"}  # makes the engine ask for a snapshot
DEPTH = {"streams": ["*@depth*"]}
CHAOS = {"lost": 0.02, "duplicated": 0.02, "reordered": 0.02, "truncated": 0.02, "merged": 0.02, "reset": 0.3,
         "fragmented": 0.02, "gap": 0.05, "stale": 0.5, "failing": 0.3, "short": 0.3, "closed": 0.1}  # fmt: skip
STORIES: dict[str, list[dict[str, Any]]] = {
    "lost": [{"kind": "lost", **DEPTH, "count": 3}],
    "duplicated": [{"kind": "duplicated", "count": 20, "copies": 3}],
    "reordered": [{"kind": "reordered", **DEPTH, "count": 3, "every_s": 0.3, "places": 4}],
    "delayed": [{"kind": "delayed", "count": 2, "delay_s": 0.5}],
    "truncated": [{"kind": "truncated", **DEPTH, "count": 2}],
    "reserved": [{"kind": "misframed", "how": "reserved"}],
    "continuation": [{"kind": "misframed", "how": "continuation"}],
    "merged": [{"kind": "merged", "count": 5, "frames": 20}],
    "fragmented": [{"kind": "fragmented", "count": 50, "pieces": 5}],
    "segmented": [{"kind": "segmented", "count": 3, "bytes": 7, "gap_s": 0.0}],
    "mute": [{"kind": "mute", **DEPTH, "duration_s": 1.0, "symbol": "BTCUSDT"}],
    "reset": [{"kind": "reset"}],
    "half-open": [{"kind": "half-open"}],
    "closed": [{"kind": "closed", "code": 1012}],
    "no close frame": [{"kind": "closed", "code": 1006}],
    "server-shutdown": [{"kind": "server-shutdown", "grace_s": 1.0}],
    "slow-frames": [{"kind": "slow-frames", "bytes_per_s": 100_000, "duration_s": 0.5}],
    "refused": [{"kind": "refused", "count": 2}, {"kind": "reset"}],
    "slow-handshake": [{"kind": "slow-handshake", "gap_s": 0.005}, {"kind": "reset"}],
    "stale": [{"kind": "stale", "updates": 2_000, "count": 2}, GAP],
    "late": [{"kind": "late", "delay_s": 1.0}, GAP],
    "failing": [{"kind": "failing", "count": 2}, GAP],
    "slow": [{"kind": "slow", "bytes_per_s": 300_000}, GAP],
    "short": [{"kind": "short", "count": 1}, GAP],
    "cut short": [{"kind": "short", "count": 1, "honest": False}, GAP],
    "rate-limited": [{"kind": "rate-limited", "retry_after_s": 1}, GAP],
    "banned": [{"kind": "banned", "retry_after_s": 1}, GAP],
    "hung": [{"kind": "hung", "duration_s": 2.0}, GAP],
    "burst": [{"kind": "burst", "orders": 5_000}],
    "storm": [{"kind": "storm", "factor": 50, "duration_s": 0.5}],
    "ids-back": [{"kind": "ids-back"}],
    "tick-size": [{"kind": "tick-size"}],
    # Flipped bits may leave a number that reads well: in a book nobody could tell, in a trade nobody compares.
    "corrupted": [{"kind": "corrupted", "streams": ["*@trade"], "count": 3}],
    "pings-unanswered": [{"kind": "pings-unanswered"}],
    "BREAK": [{"kind": "delisted", "symbol": "BTCUSDT", "duration_s": 0.5, "status": "BREAK"}],
    "chaos": [{"kind": kind, "probability": chance, "until_s": 5.0} for kind, chance in CHAOS.items()],
    "ids-back in silence": [{"kind": "ids-back", "restart": False, "updates": 1_000_000_000}],
    "delisted": [{"kind": "delisted", "symbol": "BTCUSDT", "duration_s": 0.5}],
    "clock-skew": [{"kind": "clock-skew", "skew_s": -30.0, "duration_s": 0.5}],
}


class Judge:
    """Compares every LIVE book it can with the truth."""

    def __init__(self, exchange: Exchange, engine: Engine) -> None:
        self.exchange, self.engine = exchange, engine
        self.goal: dict[str, int] = {}  # the market's ids when the faults were over
        self.reached: set[str] = set()  # symbols that were LIVE and true beyond them

    def look(self) -> None:
        with join(self.engine.bus.name) as bus:
            for symbol in SYMBOLS:
                book = bus.book(symbol, full=True)
                if book.health == "LIVE":
                    self._compare(symbol, book)

    def _compare(self, symbol: str, book: Any) -> None:
        source = self.exchange.source
        true_id = self.exchange.faults.conditions.true_id(symbol, book.last_update_id)
        try:
            truth = source.history(symbol).book_at(true_id)
        except UnknownBook as unknown:
            if unknown.reason != "ahead":  # an id printed before they jumped back
                raise
            return
        for side in (0, 1):
            want = [(float(p), float(q)) for p, q in source.pairs(symbol, truth.top(side, 100))]
            got = [(float(p), float(q)) for p, q in book.exact(side)[:100]]
            assert got == want, f"{symbol} at {book.last_update_id}"
        if self.goal and true_id > self.goal[symbol]:
            self.reached.add(symbol)

    async def until(self, condition: Any) -> None:
        """Wait, and look all the while."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.look()
                await asyncio.sleep(0.1)


def live_again_after(venue: str, source: str, name: str) -> None:
    async def story() -> None:
        options = ExchangeOptions(venue=venue, symbols=SYMBOLS, speed=2, weight_per_minute=1_000_000)
        async with (
            Exchange(options) as exchange,
            engine_on(exchange, f"t-fault-{name}".replace(" ", "-"), source=source, silence_s=1.0) as engine,
        ):
            async with asyncio.timeout(PATIENCE_S):
                while not all_live(engine):
                    await asyncio.sleep(0.02)
            judge = Judge(exchange, engine)
            for fault in STORIES[name]:
                exchange.faults.inject(dict(fault))
            wanted = {fault["kind"] for fault in STORIES[name] if "until_s" not in fault}
            await judge.until(lambda: wanted <= set(exchange.faults.struck))
            await judge.until(lambda: exchange.faults.quiet)
            judge.goal = {symbol: exchange.source.history(symbol).last_id for symbol in SYMBOLS}
            await judge.until(lambda: all_live(engine) and judge.reached == set(SYMBOLS))

    asyncio.run(story())


@pytest.mark.parametrize("name", STORIES)
def test_live_again_after(name: str) -> None:
    live_again_after("spot", "direct", name)


@pytest.mark.parametrize("name", ["truncated", "continuation", "fragmented", "half-open", "chaos"])
def test_live_again_with_the_plain_source_after(name: str) -> None:
    live_again_after("spot", "plain", name)


@pytest.mark.parametrize("name", ["lost", "ids-back", "tick-size", "mute", "chaos"])
def test_live_again_on_usdm_after(name: str) -> None:
    live_again_after("usdm", "direct", name)
