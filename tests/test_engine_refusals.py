"""The engine refused, fallen back and stopped; and what it records of a venue that behaves."""

import asyncio
import logging
import time
from typing import Any

import aiohttp
import pytest

from ringbook.engine import layout
from ringbook.engine.backoff import Backoff
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange
from ringbook.io.reader import join
from ringbook.io.sources import EarlyBytes

from .engine_rig import (  # noqa: F401 (a fixture)
    SYMBOLS,
    _nobody_complains,
    both_sources,
    running,
    tell,
)
from .model.frames import Frame, encode
from .raw_server import PATIENCE_S, PING, PONG, RawVenue, until


# -------------------------------------------------------------------------------- refusals
def test_a_venue_that_refuses_rest_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story(venue: RawVenue) -> None:
        venue.replies["exchangeInfo"] = [(503, {}, b"closed for lunch"), (200, {}, b"<html>")]
        venue.replies["depth"] = [
            (429, {"Retry-After": "1"}, b'{"code":-1003,"msg":"Too much request weight used"}'),
            (200, {}, b"{"), (500, {}, b""), (200, {}, b'{"lastUpdateId":1,"bids":[],"asks":[]}'),
        ]  # fmt: skip
        async with running(venue) as run:
            await run.live()
            assert venue.asked.count("exchangeInfo") == 3
            assert venue.asked.count("depth") >= 5
            assert run.count("snapshot_failures") == 3
            assert run.count("disconnects") == 0

    with caplog.at_level(logging.WARNING, "ringbook"):
        tell(story)
    for told in ("HTTP 503: closed for lunch", "HTTP 429", "not JSON", "snapshot malformed"):
        assert told in caplog.text


def test_a_refused_question_for_instruments_waits_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry-After of exchangeInfo is obeyed, and the weight it tells of is counted before the first snapshot."""
    waits: list[int] = []
    usual = Backoff.next_ns

    def next_ns(self: Backoff, at_least_ns: int = 0) -> int:
        waits.append(at_least_ns)
        return usual(self, at_least_ns)

    monkeypatch.setattr(Backoff, "next_ns", next_ns)

    async def story(venue: RawVenue) -> None:
        body = venue.answer("exchangeInfo")[2]
        venue.replies["exchangeInfo"] = [
            (418, {"Retry-After": "1"}, b'{"code":-1003,"msg":"IP banned"}'),
            (200, {"X-MBX-USED-WEIGHT-1M": "5600"}, body),
        ]
        async with running(venue) as run:
            await until(lambda: bool(run.health()))
            assert waits[0] == 1_000_000_000
            scheduler = run.engine.fetching.scheduler
            assert scheduler.budget.used(time.monotonic_ns()) >= 5600 - 0.15 * 6000
            assert scheduler.budget.used(time.monotonic_ns()) <= 0.8 * 6000

    tell(story)


@both_sources
def test_a_refused_handshake_is_tried_again(source: str) -> None:
    async def story(venue: RawVenue) -> None:
        venue.refusals = [(429, {"Retry-After": "1"}, b""), (403, {}, b"forbidden"), (200, {}, b"hello")]
        async with running(venue, source=source) as run:
            await run.live()
            assert venue.refusals == []
            assert run.count("connects") == 1
            assert run.count("disconnects") == 0  # none ever stood

    tell(story)


def test_a_missing_private_attribute_means_plain_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = EarlyBytes.__init__

    def without_tail(self: EarlyBytes, *rest: Any, **named: Any) -> None:
        original(self, *rest, **named)
        self.handler._tail, self.early = self.early, None

    monkeypatch.setattr(EarlyBytes, "__init__", without_tail)

    async def story(venue: RawVenue) -> None:
        venue.behind = encode(Frame(PING, b"early"))
        async with running(venue, source="direct") as run:
            socket = await run.live()
            assert run.engine.links[0].reading == "plain"
            assert socket.of(PONG) == [b"early"]

    tell(story)
    assert "reading with `plain`, not `direct`: aiohttp" in caplog.text


# -------------------------------------------------------------------------------- the stop
@both_sources
def test_a_stop_says_goodbye_and_why(source: str) -> None:
    async def story(venue: RawVenue) -> None:
        async with running(venue, source=source) as run:
            socket = await run.live()
        await asyncio.wait_for(socket.ended.wait(), PATIENCE_S)
        assert socket.close_code == 1000
        assert run.health() == ["DOWN", "DOWN"]
        with join(run.name) as bus:
            assert bus.health()["verdict"] == "closed"
            last = bus.records(1000, kind="STATUS")[-2:]
            assert set(last["symbol_id"].tolist()) == {0, 1}
            assert set(last["cause"].tolist()) == {layout.CAUSE_STOPPED}
            assert set(last["health"].tolist()) == {layout.DOWN}
        assert "closed at seq" in run.said[-1]

    tell(story)


@pytest.mark.parametrize("when", ["asking for instruments", "connecting", "asking for a snapshot"])
def test_a_stop_works_at_any_time(when: str) -> None:
    async def story(venue: RawVenue) -> None:
        name = {"asking for instruments": "exchangeInfo", "asking for a snapshot": "depth"}.get(when)
        if name:
            venue.replies[name] = [(503, {}, b"")] * 1000
        else:
            venue.refusals = [(503, {}, b"")] * 1000
        async with running(venue) as run:
            if name:
                await until(lambda: name in venue.asked)
            else:
                await until(lambda: len(venue.refusals) < 1000)
        assert "LIVE" not in run.health()

    tell(story)


# -------------------------------------------------------------------------------- records
@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_every_kind_is_recorded_and_carries_health(venue: str) -> None:
    """All streams of the built-in exchange at once; each record says how its book was."""
    streams = ("depth@100ms", "aggTrade", "bookTicker", *(("trade",) if venue == "spot" else ()))
    kinds = {layout.KIND_BOOK, layout.KIND_TRADE, layout.KIND_TICKER, layout.KIND_STATUS}

    async def story() -> None:
        options = ExchangeOptions(venue=venue, symbols=SYMBOLS, speed=5)
        async with Exchange(options) as exchange, aiohttp.ClientSession() as http:
            raw = RawVenue(*SYMBOLS)
            raw.port = exchange.port
            async with running(raw, venue_name=f"binance-{venue}", streams=streams, slots=1 << 15) as run:
                await until(lambda: run.health() == ["LIVE", "LIVE"])
                await until(lambda: min(run.count(name) for name in ("trades", "tickers")) > 3)
                await until(lambda: run.count("books") > 20)
                with join(run.name) as bus:
                    records = bus.records(30_000)
                    assert set(records["kind"].tolist()) == kinds
                    trades = records[records["kind"] == layout.KIND_TRADE]
                    flags = {int(f) & layout.FLAG_AGGREGATED for f in trades["flags"]}
                    assert layout.FLAG_AGGREGATED in flags
                    settled = records[records["seq"] > run.engine.pipeline.next_seq - 10]
                    assert set(settled["health"].tolist()) == {layout.LIVE}
                    book = bus.book("ETHUSDT", full=True, strict=True)
                query = {"symbol": "ETHUSDT", "update_id": str(book.last_update_id), "limit": "20"}
                async with http.get(exchange.rest_url + "/ringbook/truth", params=query) as reply:
                    truth = await reply.json()
                for side, key in enumerate(("bids", "asks")):
                    want = [(float(p), float(q)) for p, q in truth[key]]
                    assert [(float(p), float(q)) for p, q in book.exact(side)[:20]] == want

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
