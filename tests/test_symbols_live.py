"""Symbols that come and go while the engine runs, silent streams, stuck books: the others notice nothing."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ringbook.engine import layout
from ringbook.engine.backoff import NS_PER_S
from ringbook.io.config import ConfigError, load
from ringbook.io.errors import BusFull, RingbookError
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.reader import join
from ringbook.io.reload import Reloads
from ringbook.io.run import Engine

from .engine_rig import running, tell
from .raw_server import RawVenue, depth, diff, until
from .test_live_engine import counter, engine_on

THREE = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def live(engine: Engine, *symbols: str) -> bool:
    states = engine.pipeline.space.states
    return set(engine.feed.ids) == {name.encode() for name in symbols} and all(
        states[symbol_id]["health"] == layout.LIVE for symbol_id in engine.feed.ids.values()
    )


def tell_exchange(story: Callable, symbols: tuple[str, ...] = THREE) -> None:
    async def whole() -> None:
        async with Exchange(ExchangeOptions(symbols=symbols, speed=4)) as exchange:
            await story(exchange)

    asyncio.run(whole())


def ids_of(name: str, symbol_id: int) -> np.ndarray:
    """(first, last) of a symbol's book records that diffs made."""
    with join(name) as bus:
        records = bus.records(10_000, kind="BOOK")
    made = records[(records["symbol_id"] == symbol_id) & (records["first_update_id"] > 0)]
    return np.stack([made["first_update_id"], made["last_update_id"]], 1).astype(np.int64)


def whole(ids: np.ndarray) -> bool:
    """Each diff begins where the one before ended; the snapshot's record stands apart."""
    return bool((ids[1:, 0] == ids[:-1, 1] + 1).all())


def test_symbols_come_and_go_and_the_others_have_no_gap() -> None:
    async def story(exchange: Exchange) -> None:
        more = {"symbols": ("BTCUSDT",), "symbol_capacity": 4, "publish_all": True, "slots": 16_384}
        async with engine_on(exchange, "t-come", **more) as engine:
            await until(lambda: hasattr(engine, "feed") and live(engine, "BTCUSDT"))
            state = engine.pipeline.space.states[0]
            await engine.subscribe(["SOLUSDT", "ETHUSDT", "BTCUSDT"])
            await until(lambda: live(engine, *THREE))
            await engine.subscribe(THREE)  # followed already: nothing happens
            assert len(engine.links) == 1
            gone = engine.feed.ids[b"ETHUSDT"]
            engine.unsubscribe(["ETHUSDT", "DOGEUSDT"])
            await until(
                lambda: (
                    exchange.hub.listeners.keys()
                    == {
                        f"{s}@{k}"
                        for s in ("btcusdt", "solusdt")
                        for k in ("depth@100ms", "trade", "bookTicker")
                    }
                )
            )
            with join("t-come") as bus:
                assert bus.symbols == ["BTCUSDT", "SOLUSDT"]
                last = bus.records(10_000, kind="STATUS", symbol=None)
            last = last[last["symbol_id"] == gone][-1]
            assert (last["health"], last["cause"]) == (layout.DOWN, layout.CAUSE_UNSUBSCRIBED)
            await engine.subscribe(["ETHUSDT"])
            await until(lambda: live(engine, *THREE))
            assert engine.feed.ids[b"ETHUSDT"] != gone  # rows are never used again
            with pytest.raises(BusFull, match="larger symbol_capacity"):
                await engine.subscribe(["DOGEUSDT"])
            assert engine.pipeline.counters[layout.C["rows_refused"]] == 1
            assert live(engine, *THREE)
            assert (state["resyncs"], state["gaps"]) == (0, 0)
            assert counter(engine, "disconnects") == 0
            before = len(ids_of("t-come", 0))
            await until(lambda: len(ids_of("t-come", 0)) > before + 5)
            assert whole(ids_of("t-come", 0)[1:])

    tell_exchange(story, (*THREE, "DOGEUSDT"))


def test_what_cannot_be_subscribed_is_refused_and_nothing_is_added() -> None:
    async def story(exchange: Exchange) -> None:
        async with engine_on(exchange, "t-refuse", symbols=("BTCUSDT",)) as engine:
            await until(lambda: hasattr(engine, "feed") and live(engine, "BTCUSDT"))
            with pytest.raises(ConfigError, match=r"no symbol 'ETHUSD'.*did you mean"):
                await engine.subscribe(["ETHUSDT", "ETHUSD"])
            assert live(engine, "BTCUSDT")

    tell_exchange(story)


def test_a_venue_that_does_not_say_what_a_symbol_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringbook.io.run.RETRY_FIRST_NS", 2)

    async def story(venue: RawVenue) -> None:
        async with running(venue, symbols=("BTCUSDT",)) as run:
            await until(
                lambda: run.health() == ["LIVE"], lambda: [venue.tick(s) for s in venue.sockets] and None
            )
            venue.replies["exchangeInfo"] = [(503, {}, b"")] * 3
            with pytest.raises(RingbookError, match="did not say what ETHUSDT are"):
                await run.engine.subscribe(["ETHUSDT"])
            assert run.health() == ["LIVE"]

    tell(story)


def test_a_reload_makes_the_symbols_those_of_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "engine.toml"

    def write(symbols: list[str], more: str = "") -> None:
        path.write_text(f'venue = "binance-spot"\nsymbols = {json.dumps(symbols)}\n{more}')

    async def story(exchange: Exchange) -> None:
        more = {"symbols": ("BTCUSDT", "ETHUSDT"), "symbol_capacity": 6}
        async with engine_on(exchange, "t-hup", **more) as engine:
            await until(lambda: hasattr(engine, "feed") and live(engine, "BTCUSDT", "ETHUSDT"))
            same = {"bus": "t-hup", "rest_url": exchange.rest_url, "ws_url": exchange.ws_url, "slots": 1024}
            reloads = Reloads(engine, lambda: load(path, same))
            write(["BTCUSDT", "SOLUSDT"], "top_n = 7\nsymbol_capacity = 6")
            reloads.ask()
            await until(lambda: live(engine, "BTCUSDT", "SOLUSDT"))
            assert "top_n changed, which takes a restart" in caplog.text
            path.write_text("symbols = 5")
            reloads.ask()
            await until(lambda: "reload refused" in caplog.text)
            write(["BTCUSDT", "NOSUCHUSDT"])
            reloads.ask()
            await until(lambda: "no symbol 'NOSUCHUSDT'" in caplog.text)
            assert live(engine, "BTCUSDT", "SOLUSDT")
            assert engine.pipeline.space.states[0]["resyncs"] == 0

    tell_exchange(story)


def test_a_silent_stream_is_asked_for_again_and_the_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ringbook.io.watch.ASK_FIRST_NS", NS_PER_S // 10)

    async def story(venue: RawVenue) -> None:
        async with running(venue, stale_floor_s=0.1, stale_ceiling_s=0.2, first_frame_s=0.2) as run:

            def only_bitcoin() -> None:
                for socket in venue.sockets:
                    venue.last_id += 1
                    socket.text(diff("BTCUSDT", venue.last_id))

            await until(lambda: run.health() and run.count("resubscribes") >= 2, only_bitcoin)
            (socket,) = venue.sockets
            asked = [json.loads(text) for text in socket.of(1)]
            again = [(one["method"], one["params"]) for one in asked if one["id"] > 1]
            assert again[:2] == [
                ("UNSUBSCRIBE", ["ethusdt@depth@100ms"]),
                ("SUBSCRIBE", ["ethusdt@depth@100ms"]),
            ]
            assert all(params == ["ethusdt@depth@100ms"] for _, params in again)
            assert run.health() == ["LIVE", "STALE"]
            assert run.count("disconnects") == run.count("resyncs") == 0

    tell(story)


def test_a_book_no_scale_can_hold_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringbook.io.watch.STUCK_FIRST_NS", NS_PER_S // 5)

    async def story(venue: RawVenue) -> None:
        status, facts, body = depth("BTCUSDT", 10)
        huge = re.sub(rb'"99.00", "1"', b'"99.00", "99999999999999999999.123456789"', body)
        assert huge != body
        venue.replies["depth"] = [(status, facts, huge)] * 4
        async with running(venue) as run:
            await run.live()
            assert run.count("snapshot_failures") >= 2
            assert "UNREPRESENTABLE" in [cause.split()[0].upper() for cause in run.causes()]

    tell(story)
