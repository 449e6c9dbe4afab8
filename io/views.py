"""What the Python door hands out: a book as arrays, exact underneath."""

import difflib
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from ..engine import layout, units
from ..engine.layout import ASK, BID, SIDES
from .attach import Attachment
from .errors import BookBusy, SymbolNotFound
from .owner import Verdict, shown_health

ATTEMPTS = 64  # copies of a full book tried before the writer is asked for one
REQUEST_S = 0.25  # how long the writer may take to serve it
LADDER_LEVELS = 10  # a side, as a notebook shows a book


class Within(NamedTuple):
    """What rests near the middle; each a pair of bids, asks."""

    qty: tuple[float, float]
    value: tuple[float, float]  # price x quantity
    levels: tuple[int, int]
    is_complete: tuple[bool, bool]  # False: this copy may end before the limit, so there may be more


@dataclass(frozen=True)
class Book:
    """The book of one symbol at one moment; a copy, not a view.

    Prices and quantities are held exactly, as integers of price_digits and qty_digits decimals; `bids` and
    `asks` are the same numbers as floats.
    """

    symbol: str
    venue: str
    health: str  # as shown: LIVE only if stored so, and the writer is alive and beating
    stored_health: str
    price_digits: int
    qty_digits: int
    levels: tuple[np.ndarray, np.ndarray]  # bids, asks: int64[n, 2], price and quantity, best first
    depth: tuple[int, int]  # levels the full book holds
    horizon: tuple[float, float]  # worst price up to which each side is known; 0 and inf: completely
    last_update_id: int
    as_of_seq: int  # the newest record this book includes; 0 before the first
    recv_ns: int
    age_ns: int  # since the read of the last update; negative only if a clock was set
    is_full: bool

    def side(self, side: int) -> np.ndarray:
        """Float prices and quantities of BID or ASK, float64[n, 2], best first."""
        return self.levels[side] / np.array([10.0**self.price_digits, 10.0**self.qty_digits])

    @property
    def bids(self) -> np.ndarray:
        """Bids, best first: float64[n, 2] of price, quantity."""
        return self.side(BID)

    @property
    def asks(self) -> np.ndarray:
        """Asks, best first: float64[n, 2] of price, quantity."""
        return self.side(ASK)

    def exact(self, side: int) -> list[tuple[Decimal, Decimal]]:
        """Prices and quantities of BID or ASK as decimals, best first."""
        scales = Decimal(1).scaleb(-self.price_digits), Decimal(1).scaleb(-self.qty_digits)
        return [(int(price) * scales[0], int(qty) * scales[1]) for price, qty in self.levels[side]]

    @property
    def spread(self) -> float | None:
        """Best ask less best bid; None while a side is empty."""
        if not all(len(rows) for rows in self.levels):
            return None
        return int(self.levels[ASK][0, 0] - self.levels[BID][0, 0]) / 10**self.price_digits

    @property
    def mid(self) -> float | None:
        """Half way between the best prices; None while a side is empty."""
        if not all(len(rows) for rows in self.levels):
            return None
        return (int(self.levels[ASK][0, 0]) + int(self.levels[BID][0, 0])) / 2 / 10**self.price_digits

    @property
    def microprice(self) -> float | None:
        """Best prices, each weighted with the quantity of the other side; None while a side is empty."""
        best = self._best()
        if best is None:
            return None
        (bid, bid_qty), (ask, ask_qty) = best
        return (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty) / 10**self.price_digits

    @property
    def imbalance(self) -> float | None:
        """(bid - ask) / (bid + ask) of the best quantities, -1 to 1; None while a side is empty."""
        best = self._best()
        if best is None:
            return None
        (_, bid_qty), (_, ask_qty) = best
        return (bid_qty - ask_qty) / (bid_qty + ask_qty)

    def _best(self) -> list[list[int]] | None:
        """Best price and quantity of bids and asks; None while a side is empty or they make no sense."""
        if not all(len(rows) for rows in self.levels):
            return None
        best = [rows[0].tolist() for rows in self.levels]
        return best if all(price > 0 and qty > 0 for price, qty in best) else None

    def depth_within(self, bps: float) -> Within | None:
        """What rests at most `bps` hundredths of a percent from mid; None while a side is empty.

        Of the levels in this copy: ask for the book with full=True to see far.
        """
        best = self._best()
        if best is None:
            return None
        twice_mid = best[BID][0] + best[ASK][0]
        found = [self._within(side, twice_mid, bps) for side in range(SIDES)]
        return Within(*zip(*found, strict=True))

    def _within(self, side: int, twice_mid: int, bps: float) -> tuple[float, float, int, bool]:
        away_bps = np.abs(2.0 * self.levels[side][:, 0] - twice_mid) / twice_mid * 1e4
        count, held = int(np.count_nonzero(away_bps <= bps)), len(away_bps)
        horizon = self.horizon[side] * 10**self.price_digits
        is_open = horizon in (0.0, float("inf"))  # known to its end
        is_known = is_open or abs(2 * horizon - twice_mid) / twice_mid * 1e4 >= bps
        near = self.side(side)[:count]
        is_complete = is_known and (count < held or held == self.depth[side])
        return float(near[:, 1].sum()), float((near[:, 0] * near[:, 1]).sum()), count, is_complete

    def top(self, levels: int) -> "Book":
        """The same book with at most so many levels a side."""
        return replace(self, levels=(self.levels[BID][:levels], self.levels[ASK][:levels]), is_full=False)

    def html(self, levels: int = LADDER_LEVELS) -> str:
        """The ladder as HTML, with so many levels a side."""
        from .ladder import ladder_html

        return ladder_html(self, levels)

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        best = " | ".join(
            f"{units.to_text(rows[0, 0], self.price_digits)} x {units.to_text(rows[0, 1], self.qty_digits)}"
            if len(rows)
            else "-"
            for rows in self.levels
        )
        sizes = "/".join(str(len(rows)) for rows in self.levels)
        age = f"{self.age_ns / 1e6:.1f} ms old" if self.recv_ns else "nothing received yet"
        return f"<Book {self.venue} {self.symbol} {self.health} {best}, levels {sizes}, {age}>"


def row_of(table: np.ndarray, symbol: str) -> int:
    """Id of a symbol's active row; a rescaled symbol has retired ones too."""
    wanted = symbol.encode()
    ids = np.flatnonzero((table["symbol"] == wanted) & (table["state"] == layout.SYMBOL_ACTIVE))
    if len(ids):
        return int(ids[-1])
    names = [name.decode(errors="replace") for name in table["symbol"]]
    near = difflib.get_close_matches(symbol.upper(), names, 3) or sorted(set(names))[:8]
    raise SymbolNotFound(
        f"symbol was {symbol!r}, expected one of the {len(set(names))} on this bus, such as {', '.join(near)}"
        if names
        else f"symbol was {symbol!r}, but the bus has no symbols yet; its writer may still be starting"
    )


def top_book(link: Attachment, table: np.ndarray, symbol_id: int, verdict: Verdict) -> Book:
    """The top N levels, from the board; empty and INIT before the first."""
    from ..engine.kernels.board import board_read

    record = np.zeros(1, layout.record_dtype(link.top_n))
    code = board_read(link.words, link.geo, symbol_id, record.view(np.int64))
    if code == layout.READ_BUSY:
        raise BookBusy("the board cell changed 64 times while it was copied; ask again")
    if code == layout.READ_EMPTY:
        record[:] = np.zeros((), record.dtype)
    found = record[0]
    count = np.minimum(found["count"], link.top_n)
    levels = [np.stack([found["price"][s, : count[s]], found["qty"][s, : count[s]]], 1) for s in range(SIDES)]
    return _book(
        table[symbol_id], verdict, levels, int(found["health"]), found["depth"], found["horizon"],
        int(found["last_update_id"]), int(found["seq"]), int(found["recv_ns"]), is_full=False,
    )  # fmt: skip


def full_book(link: Attachment, table: np.ndarray, symbol_id: int, verdict: Verdict) -> Book:
    """Every level held, copied under its seqlock; the writer is asked for a copy if it is too fast."""
    from ..engine import jit
    from ..engine.books import packed_sides

    jit.warm(rooms=("book_area",))
    levels = int(link.geo[layout.GEO_BOOK_LEVELS])
    packed = np.zeros(layout.book_words(levels), np.int64)
    copy_book(link, symbol_id, levels, packed)
    return book_of_words(packed, packed_sides(packed, levels), table[symbol_id], verdict)


def book_of_words(words: np.ndarray, sides: list[np.ndarray], row: np.void, verdict: Verdict) -> Book:
    """Every level of a private full book.

    words  int64[:], begins with the book's header
    sides  its levels, from engine.books
    row    symbol_dtype scalar
    """
    levels = [rows.view(np.int64).reshape(-1, 2) for rows in sides]
    return _book(
        row, verdict, levels, int(words[layout.B_HEALTH]), list(map(len, levels)),
        words[layout.B_HORIZON : layout.B_HORIZON + SIDES], int(words[layout.B_LAST_ID]),
        int(words[layout.B_AS_OF]), int(words[layout.B_RECV]), is_full=True,
    )  # fmt: skip


def copy_book(link: Attachment, symbol_id: int, levels: int, out: np.ndarray) -> None:
    """Copy a full book, packed, by retrying and then by asking; raises BookBusy when neither helped."""
    from ..engine.kernels.book_area import copy_book_retry, read_scratch, scratch_version
    from ..engine.kernels.lifecycle import put_word

    words, geo = link.words, link.geo
    base = int(geo[layout.GEO_BOOKS] + symbol_id * geo[layout.GEO_BOOK_STRIDE])
    if copy_book_retry(words, base, levels, out, ATTEMPTS) == layout.READ_OK:
        return
    after, deadline = scratch_version(words, geo), time.monotonic() + REQUEST_S
    while time.monotonic() < deadline:
        if link.ctl is not None:
            put_word(link.ctl, layout.CTL_BOOK_REQUEST, symbol_id + 1)
        time.sleep(0.0005)
        if read_scratch(words, geo, symbol_id, after, out) == layout.READ_OK:
            return
        if copy_book_retry(words, base, levels, out, ATTEMPTS) == layout.READ_OK:
            return
    raise BookBusy(
        f"the full book changed during {ATTEMPTS} copies and the writer served no copy within {REQUEST_S} s; "
        f"writer: {link.verdict().value}; ask again, or take the top {link.top_n} without full=True"
    )


def _book(
    row: np.void,
    verdict: Verdict,
    levels: list[np.ndarray],
    stored: int,
    depth: Any,
    horizon: Any,
    last_update_id: int,
    as_of_seq: int,
    recv_ns: int,
    *,
    is_full: bool,
) -> Book:
    stored = min(stored, layout.DOWN)
    price_digits = min(max(int(row["price_digits"]), 0), 18)
    open_end = layout.HORIZON_OPEN[ASK]
    worst = [float("inf") if end == open_end else int(end) / 10**price_digits for end in horizon]
    return Book(
        symbol=row["symbol"].decode(errors="replace"),
        venue=row["venue"].decode(errors="replace"),
        health=layout.HEALTH_NAMES[shown_health(stored, verdict)],
        stored_health=layout.HEALTH_NAMES[stored],
        price_digits=price_digits,
        qty_digits=min(max(int(row["qty_digits"]), 0), 18),
        levels=(levels[BID], levels[ASK]),
        depth=(int(depth[BID]), int(depth[ASK])),
        horizon=(worst[BID], worst[ASK]),
        last_update_id=last_update_id,
        as_of_seq=as_of_seq,
        recv_ns=recv_ns,
        age_ns=time.time_ns() - recv_ns if recv_ns else 0,
        is_full=is_full,
    )
