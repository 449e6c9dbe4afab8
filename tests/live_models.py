"""Books, news and a stand-in bus for the tests of live views."""

import numpy as np

from ringbook.engine import layout
from ringbook.io.live.drain import News, Tops, Trades
from ringbook.io.views import Book


def book(bids: list, asks: list, health: str = "LIVE", **changed) -> Book:
    """A book of (price, quantity) mantissas, two and three decimals."""
    levels = tuple(np.array(rows, np.int64).reshape(-1, 2) for rows in (bids, asks))
    facts = {
        "symbol": "BTCUSDT", "venue": "test", "health": health, "stored_health": health, "price_digits": 2,
        "qty_digits": 3, "levels": levels, "depth": (len(bids), len(asks)), "horizon": (0.0, float("inf")),
        "last_update_id": 42, "as_of_seq": 1, "recv_ns": 1, "age_ns": 1, "is_full": True,
    }  # fmt: skip
    return Book(**{**facts, **changed})


def news(rows: list = (), trades: list = (), digits: tuple = (0, 0), lost: int = 0) -> News:
    """News from rows (time, live, bid, ask, bid quantity, ask quantity) and (time, price, quantity, is buy)."""
    table = np.array([[*row] for row in rows], np.int64).reshape(-1, 6)
    taken = np.array([[*row] for row in trades], np.int64).reshape(-1, 4)
    tops = Tops(table[:, 0], table[:, 1].astype(bool), table[:, 2:4], table[:, 4:6])
    return News(digits, tops, Trades(taken[:, 0], taken[:, 1], taken[:, 2], taken[:, 3].astype(bool)), lost)


class Quiet:
    """As much of a bus as a view of books needs."""

    name = "quiet"

    def __init__(self, *books: Book) -> None:
        self.books = list(books)
        self.looks = 0

    def book(self, symbol: str, full: bool = False) -> Book:
        """The next book; the last one for ever."""
        self.looks += 1
        return self.books.pop(0) if len(self.books) > 1 else self.books[0]


HEALTHS = layout.HEALTH_NAMES
