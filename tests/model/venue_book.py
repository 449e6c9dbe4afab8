"""The independent oracle: a Binance book by orjson, Decimal and dict, from recorded lines alone."""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

Levels = dict[Decimal, Decimal]


def lines(paths: Iterable[Path]) -> Iterator[tuple[int, Any]]:
    """(recv_ns, message) of recordings in the text format."""
    for path in paths:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for text in file:
                stamp, _, body = text.partition(b" ")
                yield int(stamp), orjson.loads(body)


@dataclass
class VenueBook:
    """One symbol, by the venue's rule; raises AssertionError on a gap, which these recordings do not have."""

    futures: bool
    last: int = -1
    sides: tuple[Levels, Levels] = field(default_factory=lambda: ({}, {}))
    waiting: list[dict] = field(default_factory=list)
    applied: int = 0
    dropped: int = 0
    tops: dict[int, tuple] = field(default_factory=dict)  # best levels after each diff, by its id

    def diff(self, event: dict) -> None:
        if self.last < 0:
            self.waiting.append(event)
            return
        if self.applied == 0:
            old = event["u"] < self.last if self.futures else event["u"] <= self.last
            if old:
                self.dropped += 1
                return
            fits = event["U"] <= self.last <= event["u"] if self.futures else event["U"] <= self.last + 1
            assert fits or event.get("pu") == self.last
        else:
            assert (event["pu"] == self.last) if self.futures else (event["U"] == self.last + 1)
        for side, changes in zip(self.sides, (event["b"], event["a"]), strict=True):
            for price, qty in ((Decimal(p), Decimal(q)) for p, q in changes):
                if qty == 0:
                    side.pop(price, None)
                else:
                    side[price] = qty
        self.last = event["u"]
        self.applied += 1
        self.tops[self.last] = self.best()

    def snapshot(self, body: dict) -> None:
        if self.last >= 0:
            return
        self.last = body["lastUpdateId"]
        for side, rows in zip(self.sides, (body["bids"], body["asks"]), strict=True):
            side.update((Decimal(p), Decimal(q)) for p, q in rows)
        waiting, self.waiting = self.waiting, []
        for event in waiting:
            self.diff(event)

    def best(self) -> tuple:
        bids, asks = self.sides
        bid, ask = max(bids), min(asks)
        return bid, bids[bid], ask, asks[ask]

    def levels(self) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        bids, asks = self.sides
        return sorted(bids.items(), reverse=True), sorted(asks.items())


def follow(paths: Iterable[Path], futures: bool) -> tuple[VenueBook, int]:
    """The final book of a one-symbol recording, and how many bookTickers agreed with it at their id."""
    book, tickers = VenueBook(futures), {}
    for _, message in lines(paths):
        data = message.get("data", message)
        if "lastUpdateId" in message and "stream" not in message:
            book.snapshot(message)
        elif data.get("e") == "depthUpdate":
            book.diff(data)
        elif "B" in data and "A" in data:
            tickers[data["u"]] = tuple(Decimal(data[key]) for key in "bBaA")
    agreed = 0
    for update_id, top in book.tops.items():
        if update_id in tickers:
            assert tickers[update_id] == top, f"bookTicker {update_id} disagrees"
            agreed += 1
    return book, agreed
