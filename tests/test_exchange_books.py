"""The exchange's books over real sockets: a plain client fed by frames equals the truth at every frame."""

import asyncio
import json
from decimal import Decimal

import aiohttp
import pytest

from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange

from .exchange_client import PlainBook, get_json, next_json, ordered

PREFIX = {"spot": "/api/v3", "usdm": "/fapi/v1"}
LIMIT = {"spot": 5000, "usdm": 1000}


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


async def synced(http, exchange, socket, symbol, usdm):
    """Follow the venue's rule from the first event to a book in step with the stream."""
    held = [(await next_json(socket))["data"]]
    venue = exchange.venue.name
    while True:
        url = exchange.rest_url + PREFIX[venue] + "/depth"
        snapshot = await get_json(http, url, symbol=symbol, limit=LIMIT[venue])
        book, taken = PlainBook(snapshot, usdm), 0
        # On a busy machine many events lie between what was read and the snapshot: read on, do not ask again.
        while book.first or taken < len(held):
            if taken == len(held):
                held.append((await next_json(socket))["data"])
            if book.event(held[taken]) == "gap":
                break
            taken += 1
        else:
            return book


async def truth(http, exchange, symbol, update_id):
    body = await get_json(http, exchange.rest_url + "/ringbook/truth", symbol=symbol, update_id=update_id)
    return ordered(body)


@pytest.mark.parametrize(
    ("venue", "symbol"), [("spot", "BTCUSDT"), ("usdm", "BTCUSDT"), ("spot", "币安人生USDT")]
)
def test_plain_client_equals_truth_at_every_frame(venue, symbol):
    async def check():
        options = ExchangeOptions(venue=venue, symbols=(symbol, "ETHUSDT"), speed=10.0)
        stream = f"{symbol.lower()}@depth@100ms"
        path = "/public/stream" if venue == "usdm" else "/stream"
        async with (
            Exchange(options) as exchange,
            aiohttp.ClientSession() as http,
            http.ws_connect(exchange.ws_url + path, params={"streams": stream}) as socket,
        ):
            book = await synced(http, exchange, socket, symbol, venue == "usdm")
            for _ in range(40):
                assert book.event((await next_json(socket))["data"]) == "applied"
                bids, asks = await truth(http, exchange, symbol, book.last_id)
                assert len(bids) > 200
                top_bids, top_asks = book.top()
                # Beyond the snapshot's levels a client knows only what has changed since.
                assert set(top_bids) <= set(bids)
                assert set(top_asks) <= set(asks)
                assert top_bids[:300] == bids[:300]
                assert top_asks[:300] == asks[:300]
                assert bids[0][0] < asks[0][0]
                if venue == "spot":  # the snapshot held every level
                    assert [top_bids, top_asks] == [bids, asks]

    run(check())


def test_gap_fault_loses_exactly_one_frame():
    async def check():
        options = ExchangeOptions(symbols=("BTCUSDT",), speed=10.0)
        async with Exchange(options) as exchange, aiohttp.ClientSession() as http:
            url = exchange.ws_url + "/ws/btcusdt@depth@100ms"
            async with http.ws_connect(url) as socket:
                last = (await next_json(socket))["u"]
                fault = {"kind": "gap", "symbol": "BTCUSDT"}
                async with http.post(exchange.rest_url + "/ringbook/fault", json=fault) as reply:
                    assert reply.status == 200
                gaps = 0
                for _ in range(30):
                    data = await next_json(socket)
                    gaps += data["U"] != last + 1
                    last = data["u"]
                assert gaps == 1
                stats = await get_json(http, exchange.rest_url + "/ringbook/stats")
                assert stats["faults"] == {"gap": 1}

    run(check())


def test_burst_fault_makes_one_long_frame():
    async def check():
        options = ExchangeOptions(symbols=("BTCUSDT",))
        async with (
            Exchange(options) as exchange,
            aiohttp.ClientSession() as http,
            http.ws_connect(exchange.ws_url + "/ws/btcusdt@depth@0ms") as socket,
        ):
            await next_json(socket)
            fault = {"kind": "burst", "symbol": "BTCUSDT", "count": 3000}
            async with http.post(exchange.rest_url + "/ringbook/fault", json=fault) as reply:
                assert reply.status == 200
            for _ in range(20):
                data = await next_json(socket)
                if len(data["b"]) + len(data["a"]) > 1000:
                    return
            pytest.fail("no frame with more than 1,000 levels came")

    run(check())


@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_ticker_partial_depth_and_trades_agree_with_truth(venue):
    async def check():
        options = ExchangeOptions(venue=venue, symbols=("ETHUSDT",), speed=5.0)
        path = "/public/stream" if venue == "usdm" else "/stream"
        names = ["ethusdt@bookTicker", "ethusdt@depth20@100ms", "ethusdt@trade"]
        seen = dict.fromkeys(names, 0)
        async with Exchange(options) as exchange, aiohttp.ClientSession() as http:
            url = exchange.ws_url + path
            async with http.ws_connect(url, params={"streams": "/".join(names)}) as socket:
                while min(seen.values()) < 10:
                    message = await next_json(socket)
                    stream, data = message["stream"], message["data"]
                    seen[stream] += 1
                    if stream.endswith("@bookTicker"):
                        bids, asks = await truth(http, exchange, "ETHUSDT", data["u"])
                        assert bids[0] == (Decimal(data["b"]), Decimal(data["B"]))
                        assert asks[0] == (Decimal(data["a"]), Decimal(data["A"]))
                    elif "depth20" in stream and venue == "spot":
                        bids, asks = await truth(http, exchange, "ETHUSDT", data["lastUpdateId"])
                        assert ordered(data) == [bids[:20], asks[:20]]
                    elif "depth20" in stream:
                        bids, asks = await truth(http, exchange, "ETHUSDT", data["u"])
                        image = {"bids": data["b"][::-1], "asks": data["a"]}
                        assert ordered(image) == [bids[:20], asks[:20]]

    run(check())


def test_many_tops_in_one_request():
    async def check():
        options = ExchangeOptions(symbols=("BTCUSDT", "ETHUSDT"), speed=10.0)
        async with Exchange(options) as exchange, aiohttp.ClientSession() as http:
            await asyncio.sleep(0.5)
            stats = await get_json(http, exchange.rest_url + "/ringbook/stats")
            wanted = []
            for symbol, ids in stats["symbols"].items():
                span = ids["last_id"] - ids["first_id"]
                wanted += [[symbol, ids["first_id"] + n * span // 600, 20] for n in range(600)]
            wanted += [["BTCUSDT", 1, 20], ["NOPE", 1, 20]]
            url = exchange.rest_url + "/ringbook/truth/top"
            async with http.post(url, json=wanted) as reply:
                answers = json.loads(await reply.text())
            assert len(answers) == 1202
            assert answers[-2]["error"] == "forgotten"
            assert answers[-1]["error"] == "unknown symbol"
            for at in range(0, 1200, 97):
                symbol, update_id, _ = wanted[at]
                bids, asks = await truth(http, exchange, symbol, update_id)
                assert ordered(answers[at]) == [bids[:20], asks[:20]]

    run(check())
