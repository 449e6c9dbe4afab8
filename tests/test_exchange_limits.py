"""Bounds of the exchange: slow clients, long URLs, taken ports, request weight over time."""

import asyncio
import socket

import aiohttp
import pytest

from ringbook.io.exchange.budget import STRIKES, MessageLimit, WeightBudget
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.exchange.session import Session, SessionRules
from ringbook.io.exchange.streams import Hub, parse_stream
from ringbook.io.exchange.venues import SPOT, USDM

from .exchange_client import get_json, next_json


class StuckSocket:
    """A server socket whose client has stopped reading."""

    closed = False

    def __init__(self):
        self.close_code = None

    async def send_frame(self, message, opcode):
        await asyncio.Event().wait()

    async def receive(self):
        await asyncio.Event().wait()

    async def close(self, code, message):
        self.close_code = code, message


def test_a_client_that_does_not_read_is_cut_off():
    async def check():
        stuck, hub = StuckSocket(), Hub(SPOT, ["BTCUSDT"])
        rules = SessionRules(0, ping_s=60.0, pong_timeout_s=60.0, backlog_bytes_max=1000)
        session = Session(stuck, hub, SPOT, rules, "/ws")
        running = asyncio.create_task(session.run(["btcusdt@trade"]))
        await asyncio.sleep(0)
        while not running.done():
            hub.publish("btcusdt@trade", lambda unit_ns: b"x" * 100)
            await asyncio.sleep(0)
        await running
        assert stuck.close_code == (1008, b"slow consumer")
        assert not hub.listeners
        assert session.backlog_bytes < 1300

    asyncio.run(asyncio.wait_for(check(), 10))


def test_as_fast_as_possible_waits_for_its_clients():
    async def check():
        options = ExchangeOptions(symbols=("PEPEUSDT",), speed=0)
        async with Exchange(options) as exchange, aiohttp.ClientSession() as http:
            start = exchange.source.history("PEPEUSDT").last_id
            await asyncio.sleep(0.05)
            assert exchange.source.history("PEPEUSDT").last_id == start  # nobody listens
            async with http.ws_connect(exchange.ws_url + "/ws/pepeusdt@depth@0ms") as ws:
                last = None
                for _ in range(300):
                    data = await next_json(ws)
                    assert last is None or data["U"] == last + 1
                    last = data["u"]

    asyncio.run(asyncio.wait_for(check(), 20))


def test_a_long_url_of_streams():
    async def check():
        async with Exchange(ExchangeOptions(speed=5.0)) as exchange, aiohttp.ClientSession() as http:
            names = [f"nosuchsymbol{n}usdt@trade" for n in range(1023)] + ["btcusdt@depth@100ms"]
            async with http.ws_connect(exchange.ws_url + "/stream?streams=" + "/".join(names)) as ws:
                assert (await next_json(ws))["stream"] == "btcusdt@depth@100ms"
            names.append("ethusdt@trade")
            async with http.get(exchange.rest_url + "/stream?streams=" + "/".join(names)) as reply:
                assert reply.status == 400
                assert "at most 1024" in (await reply.json())["msg"]

    asyncio.run(asyncio.wait_for(check(), 20))


def test_a_taken_port_is_told():
    async def check(port):
        with pytest.raises(OSError, match="choose another host or port"):
            async with Exchange(ExchangeOptions(port=port)):
                pass

    with socket.create_server(("127.0.0.1", 0)) as taken:
        asyncio.run(check(taken.getsockname()[1]))


def test_weight_comes_back_every_minute_and_a_ban_ends():
    budget = WeightBudget(100, ban_s=120.0)
    assert budget.spend(100, 10.0) == (200, 100, 0)
    assert budget.spend(1, 10.5) == (429, 100, 50)
    assert budget.spend(60, 60.0) == (200, 60, 0)
    for _ in range(STRIKES):
        assert budget.spend(60, 61.0).status == 429
    assert budget.spend(60, 61.0) == (418, 60, 120)
    assert budget.spend(1, 121.0).status == 418
    assert budget.spend(1, 181.0).status == 200


def test_messages_in_any_one_second():
    limit = MessageLimit(2)
    assert [limit.exceeded(at) for at in (0.0, 0.5, 1.0, 1.4)] == [False, False, False, True]
    assert not any(MessageLimit(0).exceeded(0.0) for _ in range(100))


@pytest.mark.parametrize(
    ("name", "kind", "levels", "interval_ms"),
    [
        ("btcusdt@depth", "depth", 0, 1000),
        ("btcusdt@depth@100ms", "depth", 0, 100),
        ("btcusdt@depth@0ms", "depth", 0, 0),
        ("btcusdt@depth20", "partial", 20, 1000),
        ("btcusdt@depth5@100ms", "partial", 5, 100),
        ("btcusdt@aggTrade", "aggTrade", 0, 0),
    ],
)
def test_stream_names(name, kind, levels, interval_ms):
    assert parse_stream(name, {"btcusdt": "BTCUSDT"}, SPOT) == (name, "BTCUSDT", kind, levels, interval_ms)


@pytest.mark.parametrize(
    "name", ["", "@trade", "BTCUSDT@trade", "btcusdt@depth7", "btcusdt@depth@fast", "ethusdt@trade"]
)
def test_names_that_are_acknowledged_and_silent(name):
    assert parse_stream(name, {"btcusdt": "BTCUSDT"}, USDM) is None


def test_stats_count_frames_per_stream():
    async def check():
        async with Exchange(ExchangeOptions(speed=10.0)) as exchange, aiohttp.ClientSession() as http:
            async with http.ws_connect(exchange.ws_url + "/ws/btcusdt@depth@100ms") as ws:
                for _ in range(5):
                    await next_json(ws)
                stats = await get_json(http, exchange.rest_url + "/ringbook/stats")
            assert stats["frames"]["btcusdt@depth@100ms"] >= 5
            assert stats["connections"] == 1
            assert stats["venue"] == "spot"
            assert not stats["finished"]

    asyncio.run(asyncio.wait_for(check(), 20))
