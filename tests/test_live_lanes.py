"""Roll-over and redundancy against the built-in exchange, over real sockets: no resync, no gap, no wrong book."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

import numpy as np
import orjson
import pytest

from ringbook.engine import layout
from ringbook.engine.connection import State
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.exchange.session import Session
from ringbook.io.exchange.truth import UnknownBook
from ringbook.io.reader import join
from ringbook.io.run import Engine

from .test_live_engine import PATIENCE_S, SYMBOLS, all_live, counter, engine_on, until

SHUTDOWN = orjson.dumps({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}})


class Witness:
    """Compares every book record with the truth as they come, and remembers ids."""

    def __init__(self, engine: Engine, exchange: Exchange) -> None:
        self.engine, self.exchange = engine, exchange
        self.seq, self.checked = 1, 0
        self.trades: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
        self.books: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}

    def look(self) -> None:
        """Take what is new on the ring."""
        with join(self.engine.bus.name) as bus:
            names = bus.symbols
            rows = bus.symbol_rows
            self.steps = {
                name: (int(r["price_tick"]), int(r["qty_step"])) for name, r in zip(names, rows, strict=True)
            }
            fresh = [r for r in bus.records(4000) if r["seq"] >= self.seq]
        assert not fresh or fresh[0]["seq"] == self.seq
        self.seq += len(fresh)
        for symbol_id, symbol in enumerate(names):
            self.take(symbol, [r for r in fresh if r["symbol_id"] == symbol_id])

    def take(self, symbol: str, records: list[np.void]) -> None:
        """Records of one symbol."""
        self.trades[symbol] += [int(r["trade_id"]) for r in records if r["kind"] == layout.KIND_TRADE]
        books = [r for r in records if r["kind"] == layout.KIND_BOOK and r["health"] == layout.LIVE]
        ids = [int(r["last_update_id"]) for r in books]
        self.books[symbol] += [at for at, r in zip(ids, books, strict=True) if r["first_update_id"]]
        truths = self.exchange.source.history(symbol).tops_at([(at, 20) for at in ids])
        tick, step = self.steps[symbol]
        for record, truth in zip(books, truths, strict=True):
            assert not isinstance(truth, UnknownBook)
            for side in (0, 1):
                count = int(record["count"][side])
                prices, qtys = (record[name][side][:count].tolist() for name in ("price", "qty"))
                wanted = [(price * tick, lots * step) for price, lots in truth[side][:count]]
                assert list(zip(prices, qtys, strict=True)) == wanted
            self.checked += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, for a bounded time, comparing all the while."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.look()
                await asyncio.sleep(0.05)

    async def more(self, books: int = 15) -> None:
        """Wait for so many more compared books."""
        enough = self.checked + books
        await self.until(lambda: self.checked >= enough)

    def verdict(self) -> None:
        """Nothing twice, nothing missing, all as the venue had it."""
        assert self.checked > 20
        for symbol in SYMBOLS:
            assert (np.diff(self.books[symbol]) > 0).all()
        assert self.all_trades()

    def all_trades(self) -> bool:
        """Every trade since the first one, each once."""
        seen = [sorted(ids) for ids in self.trades.values()]
        return all(ids == list(range(ids[0], ids[0] + len(ids))) for ids in seen)


@contextlib.asynccontextmanager
async def witnessed(engine: Engine, exchange: Exchange) -> AsyncIterator[Witness]:
    """Compare records from the moment all books are LIVE and everything is subscribed."""
    await until(lambda: all_live(engine) and settled(engine))
    witness = Witness(engine, exchange)
    witness.seq = engine.pipeline.next_seq
    yield witness
    witness.look()
    witness.verdict()


def settled(engine: Engine) -> bool:
    """Every stream is acknowledged on every connection."""
    return all(
        link.connection.state is State.RUNNING and link.connection.subscriptions.settled
        for link in engine.links
    )


def untouched(engine: Engine) -> None:
    """The books never stopped being whole."""
    assert all_live(engine)
    for name in ("gaps", "resyncs", "disconnects", "crossed", "buffer_drops", "stale_streams"):
        assert counter(engine, name) == 0, name
    assert counter(engine, "snapshots") == len(SYMBOLS)


def live(story: Callable, venue: str = "spot", **options: object) -> None:
    async def whole() -> None:
        chosen = ExchangeOptions(venue=venue, symbols=SYMBOLS, speed=2, **options)
        async with Exchange(chosen) as exchange:
            await story(exchange)

    asyncio.run(whole())


@pytest.mark.parametrize(("venue", "source"), [("spot", "direct"), ("spot", "plain"), ("usdm", "direct")])
def test_an_announced_shutdown_costs_nothing(venue: str, source: str) -> None:
    async def story(exchange: Exchange) -> None:
        name = f"t-shut-{venue}-{source}"
        async with (
            engine_on(exchange, name, source=source, slots=16_384) as engine,
            witnessed(engine, exchange) as witness,
        ):
            before, links = set(exchange.sessions), len(engine.links)
            for session in before:
                session.push(SHUTDOWN)
            await witness.until(lambda: counter(engine, "rollovers") == links)
            await witness.until(lambda: len(exchange.sessions) == links)
            assert not before & exchange.sessions
            await witness.more()
            untouched(engine)
            assert counter(engine, "connects") == 2 * links
            assert counter(engine, "duplicates") > 0  # both did feed
            await witness.until(lambda: not engine.pipeline.is_shared)

    live(story, venue)


def test_short_lives_roll_over_again_and_again() -> None:
    async def story(exchange: Exchange) -> None:
        async with (
            engine_on(exchange, "t-life", life_s=1.5, slots=16_384) as engine,
            witnessed(engine, exchange) as witness,
        ):
            await witness.until(lambda: counter(engine, "rollovers") >= 3)
            untouched(engine)

    live(story)


def test_while_successors_fail_the_old_connection_feeds_on() -> None:
    async def story(exchange: Exchange) -> None:
        async with (
            engine_on(exchange, "t-fail", slots=16_384) as engine,
            witnessed(engine, exchange) as witness,
        ):
            (old,) = engine.links
            engine.venue.ws_paths["public"] = "/nowhere"
            try:
                old.connection.shutdown_announced(0)
                await witness.until(
                    lambda: len(engine.links) == 2 and engine.links[1].connection.reconnects >= 2
                )
            finally:
                engine.venue.ws_paths["public"] = "/stream"
            await witness.more()
            engine.links[1].url = old.url
            await witness.until(lambda: counter(engine, "rollovers") == 1)
            await witness.more()
            untouched(engine)

    live(story)


class Lossy:
    """Loses frames of one session at random, never one that another session lost too, and sends them late."""

    share = 0.2

    def __init__(self, session: Session, rng: random.Random, lost: set[bytes], late_s: float) -> None:
        self.push, self.rng, self.lost, self.late_s = session.push, rng, lost, late_s
        self.count = 0
        session.push = self.pass_on  # type: ignore[method-assign]

    def pass_on(self, message: bytes, *stream: object) -> None:
        is_data = message.startswith(b'{"stream"')
        if is_data and self.rng.random() < self.share and message not in self.lost:
            self.lost.add(message)
            self.count += 1
        else:
            asyncio.get_running_loop().call_later(self.late_s, self.push, message, *stream)


@pytest.mark.parametrize(("venue", "source"), [("spot", "direct"), ("spot", "plain"), ("usdm", "direct")])
def test_what_each_leg_loses_the_other_fills(venue: str, source: str) -> None:
    async def story(exchange: Exchange) -> None:
        more = {"source": source, "redundancy": 2, "hold_ms": 10_000, "slots": 16_384}
        async with (
            engine_on(exchange, f"t-ab-{venue}-{source}", **more) as engine,
            witnessed(engine, exchange) as witness,
        ):
            rng, lost = random.Random(5), set[bytes]()
            legs = [Lossy(session, rng, lost, 0.15 * at) for at, session in enumerate(exchange.sessions)]
            await witness.until(lambda: min(leg.count for leg in legs) >= 5 and witness.checked > 60)
            await witness.until(lambda: counter(engine, "filled") >= 1)
            for leg in legs:
                leg.share = 0.0
            await witness.more()
            await witness.until(
                lambda: not engine.pipeline.holds() and witness.all_trades()
            )  # the late leg too
            untouched(engine)
            assert counter(engine, "holds_expired") == 0
            assert min(counter(engine, "a_wins"), counter(engine, "b_wins")) > 0
            with join(engine.bus.name) as bus:
                assert {"a_after_b", "b_after_a"} <= set(bus.histograms())

    live(story, venue)


def test_a_frame_lost_on_both_legs_is_a_gap_of_its_symbol_alone() -> None:
    async def story(exchange: Exchange) -> None:
        async with engine_on(exchange, "t-both", redundancy=2, hold_ms=200) as engine:
            await until(lambda: all_live(engine) and settled(engine))
            other = engine.pipeline.space.states[engine.feed.ids[b"ETHUSDT"]]
            exchange.faults.inject({"kind": "gap", "symbol": "BTCUSDT"})
            await until(lambda: counter(engine, "gaps") == 1)
            await until(lambda: all_live(engine))
            assert (counter(engine, "resyncs"), counter(engine, "holds_expired")) == (1, 1)
            assert (other["gaps"], other["resyncs"]) == (0, 0)

    live(story)


def test_a_lost_leg_is_made_good_by_the_other_and_comes_back() -> None:
    async def story(exchange: Exchange) -> None:
        more = {"redundancy": 2, "hold_ms": 10_000, "slots": 16_384}
        async with engine_on(exchange, "t-leg", **more) as engine, witnessed(engine, exchange) as witness:
            for count in (1, 2):
                next(iter(exchange.sessions)).part(1001, b"moving house")
                await witness.until(lambda now=count: counter(engine, "disconnects") == now)
                await witness.until(lambda: settled(engine) and len(exchange.sessions) == 2)
                await witness.more()
            assert all_live(engine)
            assert (counter(engine, "gaps"), counter(engine, "resyncs")) == (0, 0)
            assert counter(engine, "snapshots") == len(SYMBOLS)

    live(story)
