"""The engine against the built-in exchange over real sockets: sync, gap, loss, refusal, TLS, stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ringbook.engine import layout
from ringbook.io.config import ConfigError, load
from ringbook.io.errors import BusInUse
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.reader import join
from ringbook.io.run import Engine

SYMBOLS = ("BTCUSDT", "ETHUSDT")
PATIENCE_S = 30.0


@contextlib.asynccontextmanager
async def engine_on(exchange: Exchange, name: str, **more: object) -> AsyncIterator[Engine]:
    """An engine that follows the exchange, stopped at the end."""
    venue = "binance-usdm" if exchange.venue.name == "usdm" else "binance-spot"
    overrides = {"venue": venue, "symbols": SYMBOLS, "bus": name, "rest_url": exchange.rest_url}
    overrides |= {"ws_url": exchange.ws_url, "slots": 1024, **more}
    engine = Engine(load(None, overrides), lambda text: None)
    task = asyncio.create_task(engine.run(lambda **facts: None))
    try:
        yield engine
    finally:
        engine.stopping.set()
        async with asyncio.timeout(PATIENCE_S):
            await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, for a bounded time."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


def health(engine: Engine) -> list[str]:
    if not hasattr(engine, "feed"):
        return []
    states = engine.pipeline.space.states
    return [layout.HEALTH_NAMES[int(states[i]["health"])] for i in engine.feed.ids.values()]


def all_live(engine: Engine) -> bool:
    return health(engine) == ["LIVE"] * len(SYMBOLS)


def counter(engine: Engine, name: str) -> int:
    return int(engine.pipeline.counters[layout.C[name]])


@pytest.mark.parametrize("source", ["direct", "plain"])
@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_books_get_live_and_a_gap_heals_alone(venue: str, source: str) -> None:
    async def story() -> None:
        options = ExchangeOptions(venue=venue, symbols=SYMBOLS, speed=5)
        async with (
            Exchange(options) as exchange,
            engine_on(exchange, f"t-{venue}-{source}", source=source) as engine,
        ):
            await until(lambda: all_live(engine))
            assert {link.reading for link in engine.links} == {source}
            other = engine.pipeline.space.states[engine.feed.ids[b"ETHUSDT"]]
            exchange.faults.inject({"kind": "gap", "symbol": "BTCUSDT"})
            await until(lambda: counter(engine, "gaps") == 1)
            assert other["health"] == layout.LIVE
            assert other["gaps"] == 0
            await until(lambda: all_live(engine) and counter(engine, "resyncs") == 1)
            await until(lambda: counter(engine, "trades") > 0 and counter(engine, "tickers") > 0)
            with join(engine.bus.name) as bus:
                assert bus.health()["verdict"] == "running"
                for symbol in SYMBOLS:
                    book = bus.book(symbol, full=True, strict=True)
                    truth = exchange.source.history(symbol).book_at(book.last_update_id)
                    pairs = (exchange.source.pairs(symbol, truth.top(side, 50)) for side in (0, 1))
                    for side, want in enumerate(pairs):
                        got = [(float(p), float(q)) for p, q in book.exact(side)[:50]]
                        assert got == [(float(p), float(q)) for p, q in want]
                statuses = bus.records(1000, kind="STATUS")
            assert layout.CAUSE_SEQUENCE_GAP in statuses["cause"]
        assert set(health(engine)) == {"DOWN"}
        with join(engine.bus.name) as bus:
            assert bus.health()["verdict"] == "closed"
            assert bus.book("BTCUSDT").health == "DOWN"

    asyncio.run(story())


def test_a_lost_connection_is_down_then_live_again() -> None:
    async def story() -> None:
        options = ExchangeOptions(symbols=SYMBOLS, speed=5)
        async with Exchange(options) as exchange, engine_on(exchange, "t-loss") as engine:
            await until(lambda: all_live(engine))
            for session in list(exchange.sessions):
                session.part(1001, b"moving house")
            await until(lambda: counter(engine, "disconnects") == 1)
            await until(lambda: all_live(engine))
            assert counter(engine, "connects") == 2
            with join("t-loss") as bus:
                causes = set(bus.records(1000, kind="STATUS")["cause"].tolist())
            assert {layout.CAUSE_CONNECTION_LOST, layout.CAUSE_SNAPSHOT} <= causes

    asyncio.run(story())


def test_pings_are_answered_and_silence_is_noticed() -> None:
    async def story() -> None:
        options = ExchangeOptions(
            symbols=SYMBOLS, speed=5, ping_s=0.2, pong_timeout_s=20.0, messages_per_second=0
        )
        async with Exchange(options) as exchange, engine_on(exchange, "t-ping", silence_s=20.0) as engine:
            await until(lambda: all_live(engine))
            await until(lambda: counter(engine, "control_frames") >= 8)
            assert counter(engine, "disconnects") == 0  # every ping got its pong
            link = engine.links[0]
            connection = link.connection
            connection.silence_ns = connection.pong_timeout_ns = 200_000_000
            connection.seen = lambda now_ns: None  # type: ignore[method-assign]  # as if nothing came any more
            await until(lambda: connection.reconnects >= 1)
            assert counter(engine, "disconnects") >= 1

    asyncio.run(story())


@pytest.mark.parametrize("source", ["direct", "plain"])
def test_tls(source: str, tmp_path: Path) -> None:
    pytest.importorskip("trustme", reason="certificates come from the extra `exchange`")

    async def story() -> None:
        ca_file = tmp_path / "ca.pem"
        options = ExchangeOptions(symbols=SYMBOLS, speed=5, tls=True, ca_file=ca_file)
        async with Exchange(options) as exchange:
            assert exchange.ws_url.startswith("wss://")
            async with engine_on(exchange, f"t-tls-{source}", source=source, ca_file=str(ca_file)) as engine:
                await until(lambda: all_live(engine))
                assert engine.links[0].reading == source

    asyncio.run(story())


def test_partial_depth_stands_alone_on_the_board() -> None:
    async def story() -> None:
        options = ExchangeOptions(symbols=SYMBOLS, speed=5)
        streams = ("depth20@100ms", "aggTrade")
        async with Exchange(options) as exchange, engine_on(exchange, "t-image", streams=streams) as engine:
            await until(lambda: hasattr(engine, "pipeline") and counter(engine, "depths") > 4)
            with join("t-image") as bus:
                book = bus.book("BTCUSDT")
                assert book.health == "LIVE"
                assert len(book.bids) == len(book.asks) == 20
                assert set(bus.records(100)["kind"].tolist()) <= {layout.KIND_DEPTH, layout.KIND_TRADE}

    asyncio.run(story())


def test_an_unknown_symbol_is_refused_with_its_neighbours() -> None:
    async def story() -> None:
        async with Exchange(ExchangeOptions(symbols=SYMBOLS)) as exchange:
            facts = {"venue": "binance-spot", "symbols": ("BTCUSD",), "rest_url": exchange.rest_url}
            engine = Engine(load(None, facts), lambda text: None)
            with pytest.raises(ConfigError, match=r"no symbol 'BTCUSD'.*BTCUSDT"):
                await engine.run(lambda **facts: None)

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


def test_a_second_engine_is_told_who_owns_the_bus() -> None:
    async def story() -> None:
        options = ExchangeOptions(symbols=SYMBOLS, speed=5)
        async with Exchange(options) as exchange, engine_on(exchange, "t-owned") as engine:
            await until(lambda: all_live(engine))
            second = Engine(engine.config, lambda text: None)
            with pytest.raises(BusInUse, match="owned by"):
                await second.run(lambda **facts: None)
            assert all_live(engine)

    asyncio.run(story())
