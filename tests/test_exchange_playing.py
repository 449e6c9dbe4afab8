"""Playing a recording: a generated one for everybody, the real ones where they are found."""

import asyncio
import gzip
import json
import os
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange

from .exchange_client import PlainBook, get_json, next_json, ordered

RECORDINGS = Path(
    os.environ.get("RINGBOOK_RECORDINGS", Path(__file__).resolve().parents[2] / "shared" / "data")
)
REAL = {
    "spot": (["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"], "BTCUSDT"),
    "usdm": (["binance-usdm/ethusdt_20240808.gz"], "ETHUSDT"),
}
FINAL = {
    "spot": (50093696318, 1971, 2962, "61602.01", "61602.02"),
    "usdm": (5123135545737, 3181, 3013, "2681.38", "2681.39"),
}
REST = {"spot": "/api/v3/depth", "usdm": "/fapi/v1/depth"}


def real(venue):
    names, _ = REAL[venue]
    paths = tuple(RECORDINGS / name for name in names)
    if not all(path.exists() for path in paths):
        pytest.skip(f"recordings not found in {RECORDINGS}; point RINGBOOK_RECORDINGS at them")
    return paths


async def follow(exchange, venue, symbol, streams, limit):
    """Subscribe, sync on the held snapshot, follow to the end; the book and the frames seen per stream."""
    path = "/public/stream" if venue == "usdm" else "/stream"
    counts = dict.fromkeys(streams, 0)
    async with aiohttp.ClientSession() as http, http.ws_connect(exchange.ws_url + path) as socket:
        await socket.send_json({"method": "SUBSCRIBE", "params": streams, "id": 1})
        assert await next_json(socket) == {"result": None, "id": 1}
        asked = asyncio.create_task(
            get_json(http, exchange.rest_url + REST[venue], symbol=symbol, limit=limit)
        )
        held, book = [], None
        while not exchange.source.finished or exchange.hub.backlog_bytes():
            message = await next_json(socket)
            counts[message["stream"]] += 1
            if "@depth" in message["stream"]:
                held.append(message["data"])
            if book is None and asked.done():
                book = PlainBook(asked.result(), venue == "usdm")
            if book is not None:
                assert all(book.event(event) != "gap" for event in held)
                held.clear()
        assert book is not None
        while sum(counts.values()) < sum(exchange.source.contents.streams[name] for name in streams):
            message = await next_json(socket)
            counts[message["stream"]] += 1
            if "@depth" in message["stream"]:
                assert book.event(message["data"]) != "gap"
        final = await get_json(http, exchange.rest_url + REST[venue], symbol=symbol, limit=1000)
        stats = await get_json(http, exchange.rest_url + "/ringbook/stats")
    return book, counts, final, stats


@pytest.mark.parametrize("venue", ["spot", "usdm"])
def test_real_recording_is_played_whole_and_ends_in_the_known_book(venue):
    paths, symbol = real(venue), REAL[venue][1]

    async def check():
        async with Exchange(ExchangeOptions(venue=venue, recording=paths, speed=0)) as exchange:
            streams = list(exchange.source.contents.streams)
            book, counts, final, stats = await follow(exchange, venue, symbol, streams, 1000)
            assert counts == dict(exchange.source.contents.streams)
            assert stats["finished"]
            assert stats["frames"] == counts
            bids, asks = book.top()
            last_id, bid_count, ask_count, best_bid, best_ask = FINAL[venue]
            assert (book.last_id, len(bids), len(asks)) == (last_id, bid_count, ask_count)
            assert (bids[0][0], asks[0][0]) == (Decimal(best_bid), Decimal(best_ask))
            assert final["lastUpdateId"] == last_id
            assert ordered(final) == [bids[:1000], asks[:1000]]

    asyncio.run(asyncio.wait_for(check(), 60))


def generated(path, pack=gzip.open):
    """A small spot recording of two symbols whose snapshots name no symbol; the diffs before them count."""
    lines, clock = [], 1_700_000_000_000_000_000

    def line(body):
        nonlocal clock
        clock += 1_000_000
        lines.append(f"{clock} {json.dumps(body, separators=(',', ':'))}")

    def diff(symbol, first, last, bids, asks):
        event = {
            "e": "depthUpdate",
            "E": clock // 10**6,
            "s": symbol,
            "U": first,
            "u": last,
            "b": bids,
            "a": asks,
        }
        line({"stream": f"{symbol.lower()}@depth@100ms", "data": event})

    diff("AAAUSDT", 9, 10, [["1.50000000", "1.00000000"]], [])
    diff("BBBUSDT", 99, 100, [["250.00000000", "3.00000000"]], [])
    diff("AAAUSDT", 11, 12, [["1.49000000", "2.00000000"]], [])
    line({"lastUpdateId": 10, "bids": [["1.50000000", "1.00000000"]], "asks": [["1.60000000", "4.00000000"]]})
    line(
        {
            "lastUpdateId": 99,
            "bids": [["250.00000000", "1.00000000"]],
            "asks": [["251.00000000", "4.00000000"]],
        }
    )
    for number in range(200):
        diff("AAAUSDT", 13 + number, 13 + number, [], [["1.60000000", f"{number + 1}.00000000"]])
        diff("BBBUSDT", 101 + number, 101 + number, [["250.00000000", "0.00000000"]], [])
    with pack(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("pack", [gzip.open, open])
def test_generated_recording_holds_snapshots_and_knows_their_owners(tmp_path, pack):
    path = generated(tmp_path / "two.rec", pack)

    async def check():
        async with Exchange(ExchangeOptions(recording=(path,), speed=0)) as exchange:
            assert exchange.source.contents.snapshot_owners == ["AAAUSDT", "BBBUSDT"]
            streams = list(exchange.source.contents.streams)
            other = asyncio.create_task(fetch_other(exchange))
            book, counts, final, stats = await follow(exchange, "spot", "AAAUSDT", streams[:1], 100)
            assert counts == {"aaausdt@depth@100ms": 202}
            assert await other == 99
            assert book.last_id == 212
            assert ordered(final) == book.top()
            assert stats["symbols"]["BBBUSDT"]["last_id"] == 300

    async def fetch_other(exchange):
        async with aiohttp.ClientSession() as http:
            return (await get_json(http, exchange.rest_url + REST["spot"], symbol="BBBUSDT"))["lastUpdateId"]

    asyncio.run(asyncio.wait_for(check(), 30))


def test_recording_truth_is_known_at_frame_ends_only(tmp_path):
    path = tmp_path / "one.rec"
    generated(path)

    async def check():
        async with Exchange(ExchangeOptions(recording=(path,), speed=0)) as exchange:
            book = exchange.source.books["AAAUSDT"]
            book.load({"lastUpdateId": 5, "bids": [["1.00000000", "1.00000000"]], "asks": []})
            book.follow({"U": 6, "u": 9, "b": [["1.10000000", "1.00000000"]], "a": []})
            async with aiohttp.ClientSession() as http:
                for update_id, status in ((4, 404), (5, 200), (7, 409), (9, 200), (10, 404)):
                    url = f"{exchange.rest_url}/ringbook/truth?symbol=AAAUSDT&update_id={update_id}"
                    async with http.get(url) as reply:
                        assert reply.status == status

    asyncio.run(asyncio.wait_for(check(), 30))


def test_recording_without_a_snapshot_never_gives_a_book():
    path = real("spot")[1]

    async def check():
        async with (
            Exchange(ExchangeOptions(recording=(path,), speed=0)) as exchange,
            aiohttp.ClientSession() as http,
            http.get(exchange.rest_url + "/api/v3/depth?symbol=BTCUSDT") as reply,
        ):
            assert reply.status == 503
            assert (await reply.json())["code"] == -1001

    asyncio.run(asyncio.wait_for(check(), 30))


@pytest.mark.parametrize(("name", "venue"), [("BINANCE", "spot"), ("BINANCE_FUTURES", "usdm")])
def test_session_transcripts_are_played_with_a_snapshot_per_symbol(name, venue):
    pytest.importorskip("zstandard", reason="install ringbook[sessions]")
    path = RECORDINGS / "sessions" / f"{name}.jsonl.zst"
    if not path.exists():
        pytest.skip(f"{path} not found; point RINGBOOK_RECORDINGS at the recordings")

    async def check():
        async with Exchange(ExchangeOptions(venue=venue, recording=(path,), speed=0)) as exchange:
            symbols = exchange.source.contents.symbols
            streams = [f"{symbol.lower()}@depth@100ms" for symbol in symbols]
            ws_path = "/public/stream" if venue == "usdm" else "/stream"
            async with aiohttp.ClientSession() as http, http.ws_connect(exchange.ws_url + ws_path) as socket:
                await socket.send_json({"method": "SUBSCRIBE", "params": streams, "id": 1})
                events, asked = {symbol: [] for symbol in symbols}, {}
                for symbol in symbols:
                    url = exchange.rest_url + REST[venue]
                    asked[symbol] = asyncio.create_task(get_json(http, url, symbol=symbol, limit=1000))
                assert "result" in await next_json(socket)
                for _ in range(sum(exchange.source.contents.streams[name] for name in streams)):
                    data = (await next_json(socket))["data"]
                    events[data["s"]].append(data)
                for symbol in symbols:
                    book = PlainBook(await asked[symbol], venue == "usdm")
                    assert all(book.event(event) != "gap" for event in events[symbol])
                    last = exchange.source.history(symbol)
                    assert last.last_id == book.last_id
                    truth = [exchange.source.pairs(symbol, last.now.top(side)) for side in (0, 1)]
                    assert ordered(dict(zip(("bids", "asks"), truth, strict=True))) == book.top()

    asyncio.run(asyncio.wait_for(check(), 30))
