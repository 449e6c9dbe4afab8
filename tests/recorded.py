"""Recordings made up for tests: seeded symbols that print wire lines, and what plain Python makes of them."""

import gzip
import json
import random
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from .model.venue_book import VenueBook

START_NS = 1_700_000_000_000_000_000
STEP_NS = 7_000_000


class Market:
    """One made-up symbol: a book around `mid`, printed as diffs, tickers, trades and REST replies.

    Prices have two decimals and quantities five; ids count up by a few for each diff.
    """

    def __init__(self, symbol: str, seed: int, mid: int = 1_000_000, futures: bool = False) -> None:
        self.symbol, self.futures, self.mid = symbol, futures, mid
        self.random = random.Random(seed)
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.last = 1000 * seed
        for _ in range(200):
            self._change()

    def _change(self) -> tuple[int, int, int]:
        side, away = self.random.randrange(2), 1 + int(self.random.expovariate(0.02))
        price = self.mid + (away if side else -away)
        if self.random.random() < 0.4:
            quantity = 0
            self.sides[side].pop(price, None)  # now and then a level that is not held
        else:
            quantity = self.random.randrange(1, 10**9)
            self.sides[side][price] = quantity
        return side, price, quantity

    def _level(self, price: int, quantity: int) -> list[str]:
        return [f"{Decimal(price).scaleb(-2):.2f}", f"{Decimal(quantity).scaleb(-5):.8f}"]

    def diff(self) -> bytes:
        """The next diff, enveloped."""
        before, first = self.last, self.last + 1
        self.last += self.random.randrange(1, 9)
        changed = {(side, price): qty for side, price, qty in (self._change() for _ in range(12))}
        rows = [[self._level(p, q) for (s, p), q in changed.items() if s == side] for side in range(2)]
        event = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": self.symbol, "U": first, "u": self.last}
        if self.futures:
            event = {**event, "T": 1_700_000_000_000, "pu": before}
        return self._wrapped("depth@100ms", {**event, "b": rows[0], "a": rows[1]})

    def ticker(self) -> bytes:
        """A bookTicker at the last diff's id."""
        best = self._level(max(self.sides[0]), self.sides[0][max(self.sides[0])])
        best += self._level(min(self.sides[1]), self.sides[1][min(self.sides[1])])
        event = {"u": self.last, "s": self.symbol, **dict(zip("bBaA", best, strict=True))}
        return self._wrapped("bookTicker", {"e": "bookTicker", **event} if self.futures else event)

    def trade(self) -> bytes:
        """A trade; its numbers mean nothing to the book."""
        event = {
            "e": "trade",
            "E": 1,
            "s": self.symbol,
            "t": 5,
            "p": "1.00",
            "q": "2.00000",
            "T": 1,
            "m": True,
        }
        return self._wrapped("trade", event | ({"X": "MARKET"} if self.futures else {"M": True}))

    def reply(self, named: bool = False, **instead: int) -> bytes:
        """The whole book as REST prints it now."""
        bids = sorted(self.sides[0].items(), reverse=True)
        asks = sorted(self.sides[1].items())
        body = {"lastUpdateId": self.last, "bids": [self._level(*x) for x in bids]}
        body |= {"asks": [self._level(*x) for x in asks], **instead}
        return _json(body | ({"symbol": self.symbol} if named else {}))

    def _wrapped(self, stream: str, event: dict) -> bytes:
        return _json({"stream": f"{self.symbol.lower()}@{stream}", "data": event})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def write(path: Path, bodies: Iterable[bytes], start: int = 0) -> Path:
    """Write a recording, packed if its name ends in .gz; `start` lines lie in files before it."""
    text = b"".join(
        b"%d %s\n" % (START_NS + number * STEP_NS, body) for number, body in enumerate(bodies, start)
    )
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def session(market: Market, diffs: int = 120, named: bool = False) -> list[bytes]:
    """Diffs with a REST reply after the fifth, and tickers and trades among them."""
    lines: list[bytes] = []
    for number in range(diffs):
        lines.append(market.diff())
        if number == 4:
            lines.append(market.reply(named))
        lines += [market.ticker()] * (number % 3 == 0) + [market.trade()] * (number % 5 == 0)
    return lines


def decimal_text(number: Decimal) -> str:
    """Plain decimal text without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def expected(book: VenueBook) -> dict:
    """A LIVE book as `ringbook replay --books` writes it."""
    bids, asks = ([[decimal_text(p), decimal_text(q)] for p, q in rows] for rows in book.levels())
    return {"health": "LIVE", "last_update_id": book.last, "bids": bids, "asks": asks}
