"""REST faults as a plain client sees them, over real sockets."""

import asyncio
import json

import aiohttp
import pytest

from ringbook.io.exchange.server import Exchange

from .exchange_client import get_json
from .fault_client import DEPTH, faulty, levels, tell, until


def test_replies_refused():
    async def story():
        facts = [{"kind": "rate-limited", "retry_after_s": 3}, {"kind": "failing", "status": 502},
                 {"kind": "banned", "retry_after_s": 1}]  # fmt: skip
        for one, status, after in zip(facts, (429, 502, 418), ("3", None, "1"), strict=True):
            async with faulty(one) as (exchange, http):
                async with http.get(exchange.rest_url + DEPTH) as reply:
                    assert (reply.status, reply.headers.get("Retry-After")) == (status, after)
                async with http.get(exchange.rest_url + "/api/v3/ping") as reply:
                    assert reply.status == (418 if status == 418 else 200)
                while status == 418:  # until the ban is over
                    async with http.get(exchange.rest_url + "/api/v3/ping") as reply:
                        status = reply.status
                    await asyncio.sleep(0.05)
                assert "lastUpdateId" in await get_json(http, exchange.rest_url + DEPTH)

    tell(story)


def test_replies_late_slow_short_hung_stale():
    async def story():
        async with faulty({"kind": "stale", "updates": 300}) as (exchange, http):
            await until(lambda: last_id(exchange) > exchange.source.history("BTCUSDT").first_id + 400)
            before = last_id(exchange)
            old = await get_json(http, exchange.rest_url + DEPTH)
            assert before - 300 <= old["lastUpdateId"] <= last_id(exchange) - 300
            await equals_truth(http, exchange, old)
            new = await get_json(http, exchange.rest_url + DEPTH)
            assert new["lastUpdateId"] > old["lastUpdateId"] + 300
        async with faulty({"kind": "late", "delay_s": 0.6}, {"kind": "slow", "at_s": 0.1}) as (
            exchange,
            http,
        ):
            late = await get_json(http, exchange.rest_url + DEPTH)
            assert last_id(exchange) > late["lastUpdateId"]
            await equals_truth(http, exchange, late)
            slow = await get_json(http, exchange.rest_url + DEPTH)
            await equals_truth(http, exchange, slow)
            assert set(exchange.faults.struck) == {"late", "slow"}
        async with faulty({"kind": "hung"}) as (exchange, http):
            async with http.get(exchange.rest_url + "/api/v3/ping") as reply:
                assert reply.status == 200
            with pytest.raises(TimeoutError):
                await http.get(exchange.rest_url + DEPTH, timeout=aiohttp.ClientTimeout(0.5))
        async with faulty({"kind": "short"}) as (exchange, http):
            async with http.get(exchange.rest_url + DEPTH) as reply:
                text = await reply.text()
            assert reply.status == 200
            with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
                json.loads(text)
        async with faulty({"kind": "short", "honest": False}) as (exchange, http):
            with pytest.raises(aiohttp.ClientPayloadError):
                async with http.get(exchange.rest_url + DEPTH) as reply:
                    await reply.text()

    tell(story)


def last_id(exchange: Exchange) -> int:
    return exchange.source.history("BTCUSDT").last_id


async def equals_truth(
    http: aiohttp.ClientSession, exchange: Exchange, snapshot: dict, symbol: str = "BTCUSDT"
) -> None:
    """A snapshot is the true book at its update id."""
    url = exchange.rest_url + "/ringbook/truth"
    book = await get_json(
        http, url, symbol=symbol, update_id=snapshot["lastUpdateId"], limit=len(snapshot["bids"])
    )
    assert levels(book["bids"]) == levels(snapshot["bids"])
    assert levels(book["asks"])[: len(snapshot["asks"])] == levels(snapshot["asks"])[: len(book["asks"])]
