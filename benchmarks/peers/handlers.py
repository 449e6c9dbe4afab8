"""Whole handlers: message text to an updated book whose best 20 levels a side were read.

The websocket's framing is already off the text that they get; ours takes it off itself.
"""

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from types import SimpleNamespace
from typing import Any

from .books import apply
from .job import TOP, Contestant, Job, mantissas


def by_cryptofeed() -> Contestant:
    """cryptofeed's own Binance handler, from `message_handler` to the user's callback."""
    from cryptofeed.defines import L2_BOOK
    from cryptofeed.exchanges import Binance
    from cryptofeed.symbols import Symbols

    Symbols.set("BINANCE", {"BTC-USDT": "BTCUSDT"}, {"instrument_type": {"BTC-USDT": "spot"}})

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        kept: list = []
        loop = asyncio.new_event_loop()

        async def read(book: Any, receipt: float) -> None:
            kept[:] = islice(book.book.bids.items(), TOP), islice(book.book.asks.items(), TOP)
            kept[:] = map(list, kept)

        async def begin() -> Any:
            feed = Binance(symbols=["BTC-USDT"], channels=[L2_BOOK], callbacks={L2_BOOK: read})
            book = feed._parse_snapshot("BTC-USDT", job.snapshot)
            feed._l2_book["BTC-USDT"], feed.last_update_id["BTC-USDT"] = book, book.sequence_number
            return feed

        async def whole() -> None:
            for text in job.messages:
                await feed.message_handler(text, None, time.time())

        feed = loop.run_until_complete(begin())

        def answer() -> list:
            loop.run_until_complete(feed.http_conn.close())
            loop.close()
            assert feed.last_update_id["BTC-USDT"] == json.loads(job.messages[-1])["data"]["u"]
            return [mantissas(side, job.digits) for side in kept]

        return lambda: loop.run_until_complete(whole()), answer

    return make


def by_nautilus() -> Contestant:
    """nautilus_trader's Binance adapter into its book; only the best level is read, for its list has no limit."""
    from msgspec.json import Decoder
    from nautilus_trader.adapters.binance.common.schemas.market import (
        BinanceDataMsgWrapper,
        BinanceOrderBookMsg,
    )
    from nautilus_trader.adapters.binance.data import BinanceCommonDataClient as Client
    from nautilus_trader.common.component import LiveClock
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.enums import BookType
    from nautilus_trader.model.identifiers import InstrumentId

    name = InstrumentId.from_str("BTCUSDT.BINANCE")

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        book = OrderBook(name, BookType.L2_MBP)

        def take(deltas: Any) -> None:
            book.apply_deltas(deltas)
            book.best_bid_price(), book.best_bid_size(), book.best_ask_price(), book.best_ask_size()

        # What the client's constructor makes, without its connections.
        client = SimpleNamespace(
            _decoder_data_msg_wrapper=Decoder(BinanceDataMsgWrapper), _clock=LiveClock(), _book_buffer={},
            _decoder_order_book_msg=Decoder(BinanceOrderBookMsg), _handle_data=take,
            _get_cached_instrument_id=lambda symbol: name,
        )  # fmt: skip
        client._ws_handlers = {"@depth@": lambda raw: Client._handle_book_diff_update(client, raw)}
        body = json.loads(job.snapshot)
        data = {"e": "", "E": 1, "s": "BTCUSDT", "U": 1, "u": 1, "b": body["bids"], "a": body["asks"]}
        Client._handle_book_diff_update(client, json.dumps({"stream": "", "data": data}).encode())
        # It cannot take a message without levels.
        texts = [text for text in job.messages if b'"b":[],"a":[]' not in text]

        def run() -> None:
            for text in texts:
                Client._handle_ws_message(client, text)

        def answer() -> list:
            sides = [
                [(level.price, level.size()) for level in side[:TOP]] for side in (book.bids(), book.asks())
            ]
            return [mantissas(side, job.digits) for side in sides]

        return run, answer

    return make


def by_hand(book_package: str) -> Contestant:
    """What one writes oneself: orjson, then order-book with Decimals or SortedDict with floats."""
    from orjson import loads

    kind = Decimal if book_package == "order-book" else float

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        sign, body = (1 if kind is Decimal else -1), json.loads(job.snapshot)
        start = [{s * kind(p): kind(q) for p, q in body[k]} for s, k in ((sign, "bids"), (1, "asks"))]
        if kind is Decimal:
            from order_book import OrderBook

            book = OrderBook()
            book.bids, book.asks = start
            sides = book.bids, book.asks
        else:
            from sortedcontainers import SortedDict

            sides = SortedDict(start[0]), SortedDict(start[1])

        def top() -> list:
            return [list(islice(side.items(), TOP)) for side in sides]

        def run() -> None:
            for text in job.messages:
                data = loads(text)["data"]
                bids = [(sign * kind(p), kind(q)) for p, q in data["b"]]
                apply(sides, [(bids, [(kind(p), kind(q)) for p, q in data["a"]])], top)

        return run, lambda: [mantissas([(abs(p), q) for p, q in side], job.digits) for side in top()]

    return make


CONTESTANTS: dict[str, tuple[str, Callable[[], Contestant]]] = {
    "cryptofeed, its Binance handler": ("cryptofeed", by_cryptofeed),
    "nautilus_trader, its Binance adapter and book": ("nautilus_trader", by_nautilus),
    "orjson + Decimal + order-book": ("order-book", lambda: by_hand("order-book")),
    "orjson + float + sortedcontainers": ("sortedcontainers", lambda: by_hand("sortedcontainers")),
}
