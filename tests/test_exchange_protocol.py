"""What the exchange says and refuses: subscriptions, errors, limits, pings, paths, REST, TLS."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import WSMsgType

from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.exchange.tls import client_context

from .exchange_client import get_json, next_json

FAST = {"speed": 10.0, "messages_per_second": 0}


def session(check, **options):
    """Run `check(exchange, http)` against a fresh exchange, within 20 seconds."""

    async def go():
        async with Exchange(ExchangeOptions(**options)) as exchange, aiohttp.ClientSession() as http:
            await check(exchange, http)

    asyncio.run(asyncio.wait_for(go(), 20))


async def talk(socket, request):
    """Send a request; its reply, past any data in between."""
    await socket.send_str(request if isinstance(request, str) else json.dumps(request))
    while True:
        message = await next_json(socket)
        if "stream" not in message and "e" not in message and "s" not in message:
            return message


def test_subscription_methods_answer_as_the_venue_does():
    async def check(exchange, http):
        async with http.ws_connect(exchange.ws_url + "/ws") as socket:
            names = ["btcusdt@depth@100ms", "btcusdt@trade", "nosuch@trade"]
            assert await talk(socket, {"method": "SUBSCRIBE", "params": names, "id": 1}) == {
                "result": None,
                "id": 1,
            }
            listed = await talk(socket, {"method": "LIST_SUBSCRIPTIONS", "id": "two"})
            assert listed == {"result": names, "id": "two"}
            assert "e" in await next_json(socket)  # bare payloads on /ws
            assert await talk(socket, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 3}) == {
                "result": None, "id": 3,
            }  # fmt: skip
            got = await talk(socket, {"method": "GET_PROPERTY", "params": ["combined"], "id": None})
            assert got == {"result": True, "id": None}
            while "stream" not in await next_json(socket):
                pass
            assert (await talk(socket, {"method": "UNSUBSCRIBE", "params": names, "id": 5}))["result"] is None
            assert (await talk(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 6}))["result"] == []

    session(check, **FAST)


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"method":"JUMP","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"x","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["a@trade"],"id":1.5}', 2),
        ('{"method":"SET_PROPERTY","params":["colour",1],"id":1}', 0),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
        (json.dumps({"method": "SUBSCRIBE", "params": [f"s{n}@trade" for n in range(1025)], "id": 1}), 2),
    ],
)
def test_bad_requests_get_a_code_and_the_connection_stays(request_text, code):
    async def check(exchange, http):
        async with http.ws_connect(exchange.ws_url + "/stream") as socket:
            assert (await talk(socket, request_text))["code"] == code
            assert (await talk(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 9}))["result"] == []

    session(check, **FAST)


@pytest.mark.parametrize(("venue", "limit"), [("spot", 5), ("usdm", 10)])
def test_too_many_messages_end_the_connection(venue, limit):
    async def check(exchange, http):
        async with http.ws_connect(exchange.ws_url + "/ws") as socket:
            for number in range(limit + 1):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            replies = 0
            while (message := await socket.receive(timeout=5)).type == WSMsgType.TEXT:
                replies += 1
            assert replies <= limit
            assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1008, "Too many requests")

    session(check, venue=venue)


def test_server_pings_and_drops_who_does_not_answer():
    async def check(exchange, http):
        async with http.ws_connect(exchange.ws_url + "/ws", autoping=False) as socket:
            message = await socket.receive(timeout=5)
            assert message.type == WSMsgType.PING
            assert message.data.isdigit()
            await socket.pong(message.data)
            message = await socket.receive(timeout=5)
            assert message.type == WSMsgType.PING
            while (message := await socket.receive(timeout=5)).type == WSMsgType.PING:
                pass
            assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1008, "no pong in time")

    session(check, ping_s=0.3, pong_timeout_s=1.5)


def test_client_ping_is_answered_with_its_payload():
    async def check(exchange, http):
        async with http.ws_connect(exchange.ws_url + "/ws", autoping=False) as socket:
            await socket.ping(b"are you there")
            message = await socket.receive(timeout=5)
            assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")

    session(check)


def test_usdm_streams_are_split_over_paths():
    async def first(exchange, http, path, names):
        async with http.ws_connect(exchange.ws_url + path) as socket:
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            assert await next_json(socket) == {"result": None, "id": 1}  # on the wrong path too
            return {(await next_json(socket))["stream"].partition("@")[2] for _ in range(20)}

    async def check(exchange, http):
        names = ["btcusdt@aggTrade", "btcusdt@bookTicker"]
        assert await first(exchange, http, "/public/stream", names) == {"bookTicker"}
        assert await first(exchange, http, "/market/stream", names) == {"aggTrade"}
        assert await first(exchange, http, "/stream", names) == {"bookTicker"}

    session(check, venue="usdm", **FAST)


def test_time_unit_of_the_url():
    async def check(exchange, http):
        for query, digits in (("", 13), ("?timeUnit=MICROSECOND", 16), ("?timeUnit=microsecond", 16)):
            async with http.ws_connect(exchange.ws_url + "/ws/btcusdt@depth@100ms" + query) as socket:
                assert len(str((await next_json(socket))["E"])) == digits
        async with http.get(exchange.rest_url + "/ws?timeUnit=DAY") as reply:
            assert reply.status == 400

    session(check, **FAST)


def test_utf8_symbol_in_url_and_request():
    async def check(exchange, http):
        name = "币安人生usdt@depth@100ms"
        async with http.ws_connect(exchange.ws_url + "/stream", params={"streams": name}) as socket:
            message = await next_json(socket)
            assert (message["stream"], message["data"]["s"]) == (name, "币安人生USDT")
        async with http.ws_connect(exchange.ws_url + "/stream") as socket:
            await talk(socket, {"method": "SUBSCRIBE", "params": [name], "id": 1})  # \u escapes
            assert (await next_json(socket))["stream"] == name
        info = await get_json(http, exchange.rest_url + "/api/v3/exchangeInfo", symbol="币安人生USDT")
        assert [one["symbol"] for one in info["symbols"]] == ["币安人生USDT"]

    session(check, symbols=("币安人生USDT",), **FAST)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v3/depth?symbol=NOPE", 400, -1121),
        ("/api/v3/depth", 400, -1102),
        ("/api/v3/depth?symbol=BTCUSDT&limit=x", 400, -1100),
        ("/api/v3/depth?symbol=BTCUSDT&limit=0", 400, -1130),
        ("/api/v3/exchangeInfo?symbol=NOPE", 400, -1121),
        ("/api/v3/exchangeInfo?symbols=NOPE", 400, -1100),
    ],
)
def test_rest_errors(path, status, code):
    async def check(exchange, http):
        async with http.get(exchange.rest_url + path) as reply:
            assert reply.status == status
            assert (await reply.json())["code"] == code

    session(check)


def test_rest_replies_and_weights():
    async def check(exchange, http):
        url = exchange.rest_url + "/api/v3"
        used = 0
        for limit, levels, weight in (
            (None, 100, 5),
            (7, 7, 5),
            (500, 500, 25),
            (1000, 1000, 50),
            (9999, None, 250),
        ):
            params = {"symbol": "BTCUSDT"} | ({"limit": limit} if limit else {})
            async with http.get(url + "/depth", params=params) as reply:
                body, used = await reply.json(), used + weight
                assert reply.headers["X-MBX-USED-WEIGHT-1M"] == str(used)
                assert len(body["bids"]) > 2000 if levels is None else len(body["bids"]) == levels
                assert len(body["bids"][0][0].partition(".")[2]) == 8
        assert await get_json(http, url + "/ping") == {}
        assert len(str((await get_json(http, url + "/time"))["serverTime"])) == 13
        info = await get_json(http, url + "/exchangeInfo", symbols='["BTCUSDT"]')
        (btc,) = info["symbols"]
        filters = {one["filterType"]: one for one in btc["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
        assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
        assert (btc["baseAssetPrecision"], btc["quoteAssetPrecision"]) == (8, 8)
        assert info["rateLimits"][0]["limit"] == 6000

    session(check)


def test_weight_over_budget_is_refused_then_banned():
    async def check(exchange, http):
        url = exchange.rest_url + "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
        statuses, waits = [], []
        for _ in range(14):
            async with http.get(url) as reply:
                statuses.append(reply.status)
                waits.append(int(reply.headers.get("Retry-After", 0)))
        assert statuses[:2] == [200, 200]
        assert statuses[2:12] == [429] * 10
        assert statuses[12:] == [418, 418]
        assert all(1 <= wait <= 60 for wait in waits[2:12])
        assert waits[12] == 120

    session(check, venue="usdm", weight_per_minute=41)


def test_truth_and_faults_refuse_nonsense_clearly():
    async def check(exchange, http):
        base = exchange.rest_url + "/ringbook"
        for query, status in (
            ("symbol=NOPE&update_id=1", 404),
            ("symbol=BTCUSDT&update_id=x", 400),
            ("symbol=BTCUSDT&update_id=1", 404),
            (f"symbol=BTCUSDT&update_id={10**15}", 404),
        ):
            async with http.get(f"{base}/truth?{query}") as reply:
                assert reply.status == status
                assert (await reply.json())["msg"]
        for body in ("{", "[]", '{"kind":"x"}', '{"kind":"gap","symbol":"NOPE"}',
                     '{"kind":"gap","symbol":"BTCUSDT","count":0}'):  # fmt: skip
            async with http.post(base + "/fault", data=body) as reply:
                assert reply.status == 400
                assert "expected" in (await reply.json())["msg"] or body == "{"
        async with http.post(base + "/truth/top", data="7") as reply:
            assert reply.status == 400

    session(check)


def test_stop_tells_clients_that_the_exchange_goes():
    async def go():
        async with aiohttp.ClientSession() as http:
            async with Exchange(ExchangeOptions()) as exchange:
                socket = await http.ws_connect(exchange.ws_url + "/ws")
                await talk(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
                closing = asyncio.create_task(socket.receive(timeout=5))
            message = await closing
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)

    asyncio.run(asyncio.wait_for(go(), 20))


def test_tls_with_a_certificate_made_at_start(tmp_path):
    pytest.importorskip("trustme", reason="trustme makes the certificate; install ringbook[exchange]")

    async def go():
        options = ExchangeOptions(tls=True, ca_file=tmp_path / "ca.pem", **FAST)
        async with Exchange(options) as exchange:
            assert exchange.rest_url.startswith("https://")
            connector = aiohttp.TCPConnector(ssl=client_context(exchange.ca_file))
            async with aiohttp.ClientSession(connector=connector) as http:
                assert await get_json(http, exchange.rest_url + "/api/v3/ping") == {}
                async with http.ws_connect(exchange.ws_url + "/ws/btcusdt@depth@100ms") as socket:
                    assert (await next_json(socket))["e"] == "depthUpdate"
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(go(), 20))


@pytest.mark.parametrize(
    "options",
    [{"venue": "nyse"}, {"symbols": ("NOPE",)}, {"speed": -1.0}, {"symbols": ("A",), "recording": ("b",)}],
)
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=r"was|give one"):
        Exchange(ExchangeOptions(**options))
