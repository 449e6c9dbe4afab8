"""Faults of the market and the clock over real sockets; the truth stays right under all of them."""

from decimal import Decimal

import aiohttp

from ringbook.io.exchange.faults.kinds import CONNECTION, FRAME, KINDS
from ringbook.io.exchange.server import Exchange

from .exchange_client import get_json
from .fault_client import ALL, DEPTH, RawClient, book_is_true, faulty, follow, holes, tell, until


def test_ids_jump_back_and_the_truth_goes_with_the_printed_ids():
    async def story():
        async with faulty() as (exchange, http):
            async with RawClient(exchange) as client:
                await until(lambda: len(client.diffs()) > 3)
                before = client.diffs()[-1]["u"]
                exchange.faults.inject({"kind": "ids-back", "symbol": "BTCUSDT", "updates": 100_000_000})
                await until(lambda: client.close_code() == 1001)
            async with RawClient(exchange) as client:
                book = await follow(http, exchange, client, 10)
                assert book.last_id < before
                await book_is_true(http, exchange, book)
            stats = await get_json(http, exchange.rest_url + "/ringbook/stats")
            assert (
                stats["symbols"]["BTCUSDT"]["last_id"]
                < before
                < stats["symbols"]["ETHUSDT"]["last_id"] + 10**12
            )
            async with http.get(
                exchange.rest_url + f"/ringbook/truth?symbol=BTCUSDT&update_id={before}"
            ) as reply:
                assert (reply.status, (await reply.json())["error"]) == (404, "ahead")

    tell(story)


def finest(diffs: list[dict]) -> int:
    """Decimals of the finest price."""
    prices = (price for one in diffs for price, _ in one["b"] + one["a"])
    return max((len(price.rstrip("0").partition(".")[2]) for price in prices), default=0)


def test_the_tick_gets_finer_without_a_hole_in_the_stream():
    async def story():
        async with faulty() as (exchange, http), RawClient(exchange) as client:
            book = await follow(http, exchange, client, 5)
            assert finest(client.diffs()) == 2
            exchange.faults.inject({"kind": "tick-size", "symbol": "BTCUSDT"})
            await until(lambda: finest(client.diffs()) == 3)
            info = await get_json(http, exchange.rest_url + "/api/v3/exchangeInfo", symbol="BTCUSDT")
            assert Decimal(info["symbols"][0]["filters"][0]["tickSize"]) == Decimal("0.001")
            count = len(client.diffs())
            await until(lambda: len(client.diffs()) > count + 10)
            assert "gap" not in [book.event(event) for event in client.diffs()]
            await book_is_true(http, exchange, book)

    tell(story)


async def listed(http: aiohttp.ClientSession, exchange: Exchange) -> dict[str, str]:
    info = await get_json(http, exchange.rest_url + "/api/v3/exchangeInfo")
    return {row["symbol"]: row["status"] for row in info["symbols"]}


def test_delisted_and_listed():
    async def story():
        hidden = {"kind": "listed", "symbols": ["ETHUSDT"], "at_s": 3600}
        async with faulty(hidden) as (exchange, http), RawClient(exchange, "ethusdt@trade/" + ALL) as client:
            assert await listed(http, exchange) == {"BTCUSDT": "TRADING"}
            exchange.faults.inject({"kind": "delisted", "symbol": "BTCUSDT", "status": "BREAK"})
            await until(lambda: exchange.faults.struck == {"delisted": 1})
            assert await listed(http, exchange) == {"BTCUSDT": "BREAK"}
            assert "ETHUSDT" not in {one["s"] for one in client.events()}
            exchange.faults.inject({"kind": "delisted", "symbol": "BTCUSDT", "duration_s": 0.5})
            exchange.faults.inject({"kind": "listed", "symbol": "ETHUSDT"})
            await until(lambda: exchange.faults.struck == {"delisted": 2, "listed": 1})
            assert await listed(http, exchange) == {"ETHUSDT": "TRADING"}
            async with http.get(exchange.rest_url + DEPTH) as reply:
                assert (reply.status, (await reply.json())["code"]) == (400, -1121)
            count = len(client.diffs())
            await until(lambda: "ETHUSDT" in {one["s"] for one in client.events()})
            await until(lambda: len(client.diffs()) > count)  # back after its time, with a hole
            assert holes(client.diffs()) >= 1
            assert set(await listed(http, exchange)) == {"BTCUSDT", "ETHUSDT"}

    tell(story)


def test_clock_skew():
    async def story():
        fixed_ns = 1_700_000_000 * 10**9
        async with faulty() as (exchange, http), RawClient(exchange) as client:
            exchange.source.clock_ns = exchange.rest.clock_ns = lambda: fixed_ns
            exchange.faults.inject({"kind": "clock-skew", "skew_s": -7.5, "duration_s": 0.5})
            wrong_ms, right_ms = 1_699_999_992_500, 1_700_000_000_000
            await until(lambda: wrong_ms in {one["E"] for one in client.diffs()})
            await until(lambda: wrong_ms in {one.get("T") for one in client.events()})
            await until(lambda: client.diffs()[-1]["E"] == right_ms)
            assert await get_json(http, exchange.rest_url + "/api/v3/time") == {"serverTime": right_ms}

    tell(story)


def test_control_over_http():
    async def story():
        async with faulty() as (exchange, http), RawClient(exchange) as client:
            base = exchange.rest_url + "/ringbook"
            async with http.post(
                base + "/fault", json={"kind": "lost", "symbol": "BTCUSDT", "count": 2}
            ) as reply:
                assert await reply.json() == {"injected": KINDS["lost"].sees}
            await until(lambda: exchange.faults.struck == {"lost": 2})
            facts = await get_json(http, base + "/faults")
            assert (facts["seed"], facts["struck"], facts["forgotten"]) == (3, {"lost": 2}, 0)
            assert [row["symbol"] for row in facts["ledger"]] == ["BTCUSDT", "BTCUSDT"]
            assert [row["number"] for row in (await get_json(http, base + "/faults", since=1))["ledger"]] == [
                2
            ]
            lost = {row["last_id"] for row in facts["ledger"] if "depth" in row["stream"]}
            assert not lost & {one["u"] for one in client.diffs()}
            async with http.get(base + "/faults?since=x") as reply:
                assert reply.status == 400

    tell(story)


def test_the_truth_stays_right_under_every_fault():
    """A client that starts afresh after all faults have struck gets a true book, and so is every id since."""

    async def story():
        chance = {"streams": ["btcusdt*"], "until_s": 3.0}
        frames = [
            {"kind": kind.name, "probability": 0.05, **chance}
            for kind in KINDS.values()
            if kind.level == FRAME
        ]
        others = [
            {"kind": kind.name, "probability": 0.3, "until_s": 3.0}
            for kind in KINDS.values()
            if kind.level == CONNECTION
        ]
        market = [{"kind": "gap", "probability": 0.1, "until_s": 3.0}, {"kind": "storm", "at_s": 1, "factor": 20},
                  {"kind": "burst", "at_s": 2}, {"kind": "ids-back", "at_s": 1.5},
                  {"kind": "clock-skew", "at_s": 1}]  # fmt: skip
        async with faulty(*frames, *others, *market) as (exchange, http):
            while exchange.faults.now_s < 3.0:
                async with RawClient(exchange) as client:
                    await until(lambda client=client: client.ended != "" or exchange.faults.now_s > 3.0)
            assert len(exchange.faults.struck) > 12
            async with RawClient(exchange) as client:
                await book_is_true(http, exchange, await follow(http, exchange, client, 10))

    tell(story)
