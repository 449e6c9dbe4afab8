"""A faulty exchange and a websocket client that keeps every byte, for tests of faults."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp

from ringbook.io.exchange.faults.plan import Plan, entry_from
from ringbook.io.exchange.options import ExchangeOptions
from ringbook.io.exchange.server import Exchange

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
        self.then = self._parsed = self._seen = 0
        self.verdict = "more"  # of the bytes behind the whole frames
        self._frames: list[Frame] = []
        self._events: list[dict] = []

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
        """Whole frames so far; each is parsed once."""
        found, self.verdict, rest = parse(self.got[self._parsed :], 1 << 24)
        self._parsed = len(self.got) - len(rest)
        self._frames += found
        return self._frames

    def events(self) -> list[dict]:
        """Whole JSON events, in order; what cannot be read is left out."""
        for frame in self.frames[self._seen :]:
            self._seen += 1
            if frame.opcode > 1:
                continue
            with contextlib.suppress(ValueError):
                self._events.append(json.loads(frame.payload)["data"])
        return self._events

    def diffs(self) -> list[dict]:
        return [event for event in self.events() if event.get("e") == "depthUpdate"]

    def close_code(self) -> int | None:
        """The code of the close frame; 0 for one without; None when none came."""
        codes = [int.from_bytes(frame.payload[:2], "big") for frame in self.frames if frame.opcode == 8]
        return codes[0] if codes else None


def holes(diffs: list[dict]) -> int:
    return sum(one["U"] != before["u"] + 1 for before, one in pairwise(diffs))


def levels(rows: list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(qty)) for price, qty in rows]


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
