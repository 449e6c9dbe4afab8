"""A client ringbook did not write keeps a right book against the exchange, through a lost frame.

python-binance is a widely used client with a depth cache of its own: its own connection, its own REST calls,
its own resynchronisation. Here it is only told other addresses.
"""

import asyncio
import warnings
from decimal import Decimal

import aiohttp
import pytest

from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange

from .exchange_client import get_json, ordered

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other people's packages warn of on import is not ours to fail on
    binance = pytest.importorskip(
        "binance", reason="python-binance is the independent client; see the test extra"
    )

FRAMES = 40
TOP = 20


def pointed_at(exchange):
    """python-binance's client and socket manager with the exchange's addresses."""

    class Client(binance.AsyncClient):
        API_URL = exchange.rest_url + "/api"

    class Sockets(binance.BinanceSocketManager):
        STREAM_URL = exchange.ws_url + "/"

    return Client, Sockets


async def right_frames(http, exchange, symbol, manager, cache, count):
    """Follow `count` frames and compare the top of the client's book with the truth after each."""
    for _ in range(count):
        wanted = {"symbol": symbol, "update_id": manager._last_update_id, "limit": TOP}
        bids, asks = ordered(await get_json(http, exchange.rest_url + "/ringbook/truth", **wanted))
        assert [tuple(level) for level in cache.get_bids()[:TOP]] == bids
        assert [tuple(level) for level in cache.get_asks()[:TOP]] == asks
        cache = await manager.recv()


async def caught_up(http, exchange, symbol, manager, snapshots):
    """Receive until the client has fetched more than `snapshots` snapshots and passed the last of them."""
    cache, newest = await manager.recv(), None
    while newest is None or manager._last_update_id < newest:
        if newest is None:
            stats = await get_json(http, exchange.rest_url + "/ringbook/stats")
            if stats["snapshots"] > snapshots:
                newest = stats["symbols"][symbol]["last_id"]
        cache = await manager.recv()
    return cache


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("symbol", ["BTCUSDT", "SOLUSDT"])
def test_python_binance_keeps_a_right_book_through_a_gap(symbol):
    async def check():
        options = ExchangeOptions(symbols=(symbol,), speed=4.0)
        async with Exchange(options) as exchange, aiohttp.ClientSession() as http:
            client_type, sockets_type = pointed_at(exchange)
            client = await client_type.create()
            try:
                manager = binance.DepthCacheManager(
                    client, symbol, bm=sockets_type(client), limit=5000, conv_type=Decimal, ws_interval=100
                )
                async with manager:
                    cache = await caught_up(http, exchange, symbol, manager, 0)
                    await right_frames(http, exchange, symbol, manager, cache, FRAMES)

                    before = (await get_json(http, exchange.rest_url + "/ringbook/stats"))["snapshots"]
                    fault = {"kind": "gap", "symbol": symbol}
                    async with http.post(exchange.rest_url + "/ringbook/fault", json=fault) as reply:
                        assert reply.status == 200
                    cache = await caught_up(http, exchange, symbol, manager, before)
                    stats = await get_json(http, exchange.rest_url + "/ringbook/stats")
                    assert stats["faults"] == {"gap": 1}
                    assert stats["snapshots"] > before, "the client did not notice the gap"
                    await right_frames(http, exchange, symbol, manager, cache, FRAMES)
            finally:
                await client.close_connection()

    asyncio.run(asyncio.wait_for(check(), 40))
