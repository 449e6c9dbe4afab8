"""Each fault as a plain client sees it, over real sockets; the truth stays right under all of them."""

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from ringbook.io.exchange.faults.dns import NEVER_FOUND, FaultyResolver
from ringbook.io.exchange.faults.kinds import CONNECTION, FRAME, KINDS
from ringbook.io.exchange.faults.plan import Plan, entry_from
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.exchange.tls import client_context

from .exchange_client import PlainBook, get_json
from .model.frames import Frame, parse

PATIENCE_S = 60.0
DEPTH = "/api/v3/depth?symbol=BTCUSDT&limit=5000"
ALL = "btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker"


@contextlib.asynccontextmanager
async def faulty(*facts: dict, **more: Any) -> AsyncIterator[tuple[Exchange, aiohttp.ClientSession]]:
    """An exchange with these faults, and a session to ask it."""
    plan = Plan(tuple(map(entry_from, facts)), seed=3)
    chosen = {"symbols": ("BTCUSDT", "ETHUSDT"), "speed": 5.0, "weight_per_minute": 1_000_000} | more
    async with Exchange(ExchangeOptions(faults=plan, **chosen)) as exchange, aiohttp.ClientSession() as http:
        yield exchange, http


def tell(story: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


class RawClient:
    """A websocket client of a few lines that keeps every byte it gets."""

    def __init__(self, exchange: Exchange, streams: str = ALL) -> None:
        self.port, self.streams, self.got, self.ended = exchange.port, streams, b"", ""
        self.ledger: list[dict] = []
        self.then = 0

    async def __aenter__(self) -> "RawClient":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        key = base64.b64encode(b"0123456789abcdef").decode()
        self.writer.write(
            f"GET /stream?streams={self.streams} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        self.head = await self.reader.readuntil(b"\r\n\r\n")
        self.task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        self.task.cancel()
        self.writer.close()

    async def _read(self) -> None:
        try:
            while data := await self.reader.read(1 << 16):
                self.got += data
            self.ended = "end"
        except ConnectionResetError:
            self.ended = "reset"

    def send(self, opcode: int, payload: bytes) -> None:
        """A client's frame, masked with zeros."""
        self.writer.write(bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload)

    @property
    def frames(self) -> list[Frame]:
        return parse(self.got, 1 << 24)[0]

    @property
    def verdict(self) -> str:
        return parse(self.got, 1 << 24)[1]

    def events(self) -> list[dict]:
        """Whole JSON events, in order; what cannot be read is left out."""
        found = []
        for frame in self.frames:
            if frame.opcode > 1:
                continue
            with contextlib.suppress(ValueError):
                found.append(json.loads(frame.payload)["data"])
        return found

    def diffs(self) -> list[dict]:
        return [event for event in self.events() if event.get("e") == "depthUpdate"]

    def close_code(self) -> int | None:
        """The code of the close frame; 0 for one without; None when none came."""
        codes = [int.from_bytes(frame.payload[:2], "big") for frame in self.frames if frame.opcode == 8]
        return codes[0] if codes else None


async def frame_fault(facts: dict, enough: Callable[[RawClient], bool]) -> RawClient:
    """A raw client struck by one fault after its first frames, at the moment it has seen enough."""
    async with faulty() as (exchange, _), RawClient(exchange) as client:
        await until(lambda: len(client.diffs()) > 3)
        exchange.faults.inject(facts)
        await until(lambda: facts["kind"] in exchange.faults.struck)
        client.ledger = exchange.faults.ledger.since(0)
        await until(lambda: enough(client))
        return client


DIFFS = {"streams": ["*@depth@100ms"]}


def trades(client: RawClient) -> int:
    return sum(event.get("e") == "trade" for event in client.events())


def trades_then(client: RawClient) -> int:
    """Trades seen when the fault had struck."""
    client.then = client.then or trades(client)
    return client.then


def holes(diffs: list[dict]) -> int:
    return sum(one["U"] != before["u"] + 1 for before, one in pairwise(diffs))


def test_lost_duplicated_reordered_mute():
    async def story():
        client = await frame_fault({"kind": "lost", **DIFFS}, lambda c: holes(c.diffs()) == 1)
        assert len({one["u"] for one in client.diffs()}) == len(client.diffs())
        client = await frame_fault({"kind": "duplicated", **DIFFS}, lambda c: holes(c.diffs()) == 1)
        assert len({one["u"] for one in client.diffs()}) == len(client.diffs()) - 1
        client = await frame_fault({"kind": "reordered", **DIFFS}, lambda c: holes(c.diffs()) >= 2)
        assert holes(sorted(client.diffs(), key=lambda one: one["u"])) == 0
        client = await frame_fault({"kind": "mute", **DIFFS}, lambda c: trades(c) > trades_then(c) + 20)
        assert client.diffs()[-1]["u"] < client.ledger[0]["first_id"]

    tell(story)


def test_truncated_corrupted_misframed():
    async def story():
        unreadable = lambda c: len(c.events()) < len(c.frames) and len(c.frames) > 20  # noqa: E731
        for facts in ({"kind": "truncated"}, {"kind": "corrupted", "bits": 200}):
            client = await frame_fault({**DIFFS, **facts}, unreadable)
            assert client.verdict == "more"  # the websocket itself is sound
            assert len(client.frames) - len(client.events()) == 1
        await frame_fault({**DIFFS, "kind": "misframed", "how": "length"}, lambda c: c.verdict == "bad")

    tell(story)


def test_delayed_merged_fragmented_segmented():
    async def story():
        for facts in (
            {"kind": "delayed"},
            {"kind": "merged", "frames": 9},
            {"kind": "segmented", "bytes": 20},
        ):
            client = await frame_fault({**DIFFS, **facts}, lambda c: len(c.diffs()) > 40)
            assert holes(client.diffs()) == 0
        client = await frame_fault(
            {**DIFFS, "kind": "fragmented"}, lambda c: any(f.opcode == 0 for f in c.frames)
        )
        pieces = [frame for frame in client.frames if frame.opcode == 0 or not frame.final]
        assert json.loads(b"".join(frame.payload for frame in pieces))["data"]["e"] == "depthUpdate"

    tell(story)


def test_gap_and_burst_and_storm():
    async def story():
        client = await frame_fault(
            {"kind": "gap", "symbol": "BTCUSDT", "count": 2}, lambda c: len(c.diffs()) > 40
        )
        assert holes(client.diffs()) in (1, 2)
        big = lambda c: any(len(one["b"]) + len(one["a"]) > 3000 for one in c.diffs())  # noqa: E731
        await frame_fault({"kind": "burst", "orders": 20_000}, big)
        await frame_fault({"kind": "storm", "factor": 300}, big)

    tell(story)


# ---------------------------------------------------------------- connections
def test_reset_and_closed_with_every_code():
    async def story():
        async with faulty() as (exchange, _):
            async with RawClient(exchange) as client:
                exchange.faults.inject({"kind": "reset"})
                await until(lambda: client.ended != "")
                assert client.ended == "reset"
            for code in range(1000, 1014):
                async with RawClient(exchange) as client:
                    await until(lambda client=client: len(client.frames) > 1)
                    exchange.faults.inject({"kind": "closed", "code": code})
                    await until(lambda client=client: client.ended != "" or client.close_code() is not None)
                    if code == 1006:
                        assert (client.ended, client.close_code()) == ("end", None)
                    else:
                        assert client.close_code() == (0 if code == 1005 else code)
            assert exchange.faults.struck == {"reset": 1, "closed": 14}

    tell(story)


def test_half_open_is_silent_until_it_is_reset():
    async def story():
        async with faulty() as (exchange, http), RawClient(exchange) as client:
            await until(lambda: len(client.frames) > 5)
            exchange.faults.inject({"kind": "half-open", "duration_s": 1.0})
            await until(lambda: exchange.faults.struck != {})
            await asyncio.sleep(0.1)
            before = len(client.got)
            client.send(9, b"are you there")
            ping = exchange.hub.frames.total()
            await until(lambda: exchange.hub.frames.total() > ping + 20)  # the exchange goes on
            assert (len(client.got), client.ended) in ((before, ""), (before, "reset"))
            await until(lambda: client.ended == "reset")
            assert len(client.got) == before
            assert await get_json(http, exchange.rest_url + "/api/v3/ping") == {}

    tell(story)


def opcodes(client: RawClient) -> set[int]:
    return {frame.opcode for frame in client.frames}


def test_pings_unanswered_and_unsent():
    async def story():
        async with (
            faulty({"kind": "pings-unanswered"}, ping_s=0.1) as (exchange, _),
            RawClient(exchange) as client,
        ):
            await until(lambda: exchange.faults.struck != {})
            client.send(9, b"one")
            await until(lambda: 9 in opcodes(client))  # the exchange's own pings still come
            assert 10 not in opcodes(client)
        async with (
            faulty({"kind": "pings-unsent"}, ping_s=0.3, pong_timeout_s=60) as (exchange, _),
            RawClient(exchange) as client,
        ):
            await until(lambda: exchange.faults.struck != {})
            client.send(9, b"two")
            count = len(client.frames)
            await until(lambda: 10 in opcodes(client) and len(client.frames) > count + 100)
            assert 9 not in opcodes(client)

    tell(story)


def test_server_shutdown_is_announced_and_a_cut_is_not():
    async def story():
        async with (
            faulty({"kind": "server-shutdown", "grace_s": 0.3}) as (exchange, _),
            RawClient(exchange) as client,
        ):
            await until(lambda: client.close_code() == 1001)
            assert [one for one in client.events() if one.get("e") == "serverShutdown"]
        async with faulty({"kind": "cut", "age_s": 0.4}) as (exchange, _):
            for _ in range(2):
                async with RawClient(exchange) as client:
                    await until(lambda client=client: client.close_code() == 1001)
                    assert client.events()
                    assert not [one for one in client.events() if one.get("e") == "serverShutdown"]

    tell(story)


def test_slow_frames_arrive_whole_and_in_order():
    async def story():
        slow = {"kind": "slow-frames", "bytes_per_s": 50_000, "duration_s": 0.5}
        stream = "btcusdt@depth@100ms"
        async with faulty(slow) as (exchange, _), RawClient(exchange, stream) as client:
            await until(lambda: exchange.faults.struck != {})
            client.send(9, b"in between")
            await until(lambda: len(client.diffs()) > 40)
            assert client.verdict == "more"
            assert holes(client.diffs()) == 0
            assert 10 in opcodes(client)

    tell(story)


def test_handshakes():
    async def story():
        refused = {"kind": "refused", "status": 429, "retry_after_s": 8}
        async with faulty(refused, {"kind": "slow-handshake", "at_s": 0.001}) as (exchange, http):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await http.ws_connect(exchange.ws_url + "/ws/btcusdt@trade")
            assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "8")
            async with RawClient(exchange) as client:
                assert client.head.startswith(b"HTTP/1.1 101 ")
                await until(lambda: len(client.diffs()) > 3)
                assert client.verdict == "more"
            assert set(exchange.faults.struck) == {"refused", "slow-handshake"}

    tell(story)


@pytest.mark.parametrize("how", ["abort", "certificate"])
def test_tls_failure(how, tmp_path):
    pytest.importorskip("trustme", reason="certificates come from the extra `exchange`")

    async def story():
        ca_file = tmp_path / "ca.pem"
        async with faulty({"kind": "tls-failure", "how": how}, tls=True, ca_file=ca_file) as (exchange, http):
            trust = client_context(ca_file)
            url = exchange.rest_url + "/api/v3/ping"
            wrong = (
                aiohttp.ClientConnectorCertificateError
                if how == "certificate"
                else aiohttp.ClientConnectorError
            )
            with pytest.raises(wrong):
                await http.get(url, ssl=trust)
            async with http.get(url, ssl=trust) as reply:
                assert reply.status == 200

    tell(story)


def test_dns_failure():
    async def story():
        async with faulty({"kind": "dns-failure"}) as (exchange, _):
            connector = aiohttp.TCPConnector(resolver=FaultyResolver(exchange.faults), family=socket.AF_INET)
            async with aiohttp.ClientSession(connector=connector) as http:
                url = f"http://localhost:{exchange.port}/api/v3/ping"
                with pytest.raises(aiohttp.ClientConnectorError, match="name resolution"):
                    await http.get(url)
                assert await get_json(http, url) == {}
                with pytest.raises(aiohttp.ClientConnectorError):
                    await http.get(f"http://{NEVER_FOUND}/")
            (row,) = exchange.faults.ledger.since(0)
            assert (row["kind"], row["stream"]) == ("dns-failure", "localhost")

    tell(story)


# ---------------------------------------------------------------- REST
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


def levels(rows: list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(qty)) for price, qty in rows]


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


# ---------------------------------------------------------------- market and clock
async def follow(
    http: aiohttp.ClientSession, exchange: Exchange, client: RawClient, frames: int
) -> PlainBook:
    """A book in step with the stream after `frames` more frames."""
    await until(lambda: len(client.diffs()) > 1)
    book = PlainBook(await get_json(http, exchange.rest_url + DEPTH), usdm=False)
    start = len(client.diffs())
    await until(lambda: len(client.diffs()) > start + frames)
    outcomes = [book.event(event) for event in client.diffs()]
    assert outcomes.count("applied") >= frames - 5
    assert "gap" not in outcomes
    return book


async def book_is_true(http: aiohttp.ClientSession, exchange: Exchange, book: PlainBook) -> None:
    url = exchange.rest_url + "/ringbook/truth"
    truth = await get_json(http, url, symbol="BTCUSDT", update_id=book.last_id)
    assert [levels(truth["bids"]), levels(truth["asks"])] == book.top()


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
            await until(lambda: wrong_ms in {one.get("E") for one in client.events()})
            assert wrong_ms in {one.get("T") for one in client.events()} | {wrong_ms}
            await until(lambda: client.diffs()[-1]["E"] == right_ms)
            assert await get_json(http, exchange.rest_url + "/api/v3/time") == {"serverTime": right_ms}

    tell(story)


# ---------------------------------------------------------------- all of them
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
