"""Order books of the package index: decoded deltas applied in order, each book in its best form.

Prices are integers already where the package allows it, so that nothing but the book is timed.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any

from .job import TOP, Contestant, Job, mantissas

Rows = list[tuple[list, list]]  # (bids, asks) of each message


def decoded(job: Job, kind: type) -> tuple[list, Rows]:
    """The snapshot's sides and the rows of each message, as integers or Decimals."""

    def side(levels: list) -> list:
        if kind is Decimal:
            return [(Decimal(p), Decimal(q)) for p, q in levels]
        return [tuple(level) for level in mantissas(levels, job.digits)]

    snapshot = json.loads(job.snapshot)
    rows = [
        (side(data["b"]), side(data["a"])) for data in (json.loads(text)["data"] for text in job.messages)
    ]
    return [side(snapshot["bids"]), side(snapshot["asks"])], rows


def apply(sides: tuple[Any, Any], rows: Rows, read: Callable[[], Any] | None) -> None:
    """Every message into two mappings from price to quantity."""
    for message in rows:
        for side, levels in zip(sides, message, strict=True):
            for price, qty in levels:
                if qty:
                    side[price] = qty
                elif price in side:
                    del side[price]
        if read:
            read()


def by_order_book(kind: type) -> Contestant:
    """order-book's C extension; cryptofeed gives it Decimals."""
    from order_book import OrderBook

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        snapshot, rows = decoded(job, kind)
        book = OrderBook()
        book.bids, book.asks = (dict(side) for side in snapshot)

        def top() -> list:
            return [list(islice(book.bids.items(), TOP)), list(islice(book.asks.items(), TOP))]

        def answer() -> list:
            digits = job.digits if kind is Decimal else (0, 0)
            return [mantissas(side, digits) for side in top()]

        return lambda: apply((book.bids, book.asks), rows, top if job.read_top else None), answer

    return make


def by_sortedcontainers() -> Contestant:
    """One SortedDict a side; bids under negative prices, as its users do."""
    from sortedcontainers import SortedDict

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        snapshot, rows = decoded(job, int)
        bids, asks = SortedDict({-p: q for p, q in snapshot[0]}), SortedDict(dict(snapshot[1]))
        rows = [([(-p, q) for p, q in b], a) for b, a in rows]

        def top() -> list:
            return [list(islice(bids.items(), TOP)), list(islice(asks.items(), TOP))]

        def answer() -> list:
            return [[[abs(p), q] for p, q in side] for side in top()]

        return lambda: apply((bids, asks), rows, top if job.read_top else None), answer

    return make


def by_nautilus() -> Contestant:
    """nautilus_trader's book in Rust, one call of apply_deltas a message, the deltas made beforehand."""
    from nautilus_trader.core import nautilus_pyo3 as nt

    name = nt.InstrumentId.from_str("BTCUSDT.BINANCE")
    sides = (nt.OrderSide.BUY, nt.OrderSide.SELL)

    def deltas(job: Job, levels: list, sequence: int) -> Any:
        made = []
        for side, rows in zip(sides, levels, strict=True):
            for price, qty in rows:
                order = nt.BookOrder(
                    side, nt.Price.from_str(f"{Decimal(price):.{job.digits[0]}f}"),
                    nt.Quantity.from_str(f"{Decimal(qty):.{job.digits[1]}f}"), 0,
                )  # fmt: skip
                action = nt.BookAction.UPDATE if Decimal(qty) else nt.BookAction.DELETE
                made.append(nt.OrderBookDelta(name, action, order, 0, sequence, sequence, sequence))
        return nt.OrderBookDeltas(name, made)

    def make(job: Job) -> tuple[Callable[[], Any], Callable[[], Any]]:
        book, body = nt.OrderBook(name, nt.BookType.L2_MBP), json.loads(job.snapshot)
        book.apply_deltas(deltas(job, [body["bids"], body["asks"]], 1))
        texts = [json.loads(text)["data"] for text in job.messages]
        batches = [deltas(job, [d["b"], d["a"]], n) for n, d in enumerate(texts, 2) if d["b"] or d["a"]]

        def run() -> None:
            for batch in batches:
                book.apply_deltas(batch)
                if job.read_top:
                    book.bids(TOP), book.asks(TOP)

        def answer() -> list:
            pairs = (book.bids_to_dict(TOP).items(), book.asks_to_dict(TOP).items())
            return [mantissas(side, job.digits) for side in pairs]

        return run, answer

    return make


CONTESTANTS: dict[str, tuple[str, Callable[[], Contestant]]] = {
    "order-book, int": ("order-book", lambda: by_order_book(int)),
    "order-book, Decimal": ("order-book", lambda: by_order_book(Decimal)),
    "sortedcontainers, int": ("sortedcontainers", by_sortedcontainers),
    "nautilus_trader": ("nautilus_trader", by_nautilus),
}
