"""Records as columns: which there are for a kind, what is missing in them, and prices as asked for; numpy only."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from ..engine import layout
from ..engine.layout import KIND_BOOK, KIND_DELTA, KIND_DEPTH, KIND_STATUS, KIND_TICKER, KIND_TRADE, SIDES
from .errors import RingbookError

if TYPE_CHECKING:
    from .records import Records

PRICES, LAYOUTS = ("int", "float", "decimal"), ("wide", "list")
SIDE_PREFIX = ("bid", "ask")
AGGRESSORS = ("buy", "sell")
TIMES = ("event", "txn", "recv", "publish")
LEVELLED = (KIND_BOOK, KIND_TICKER, KIND_DEPTH, KIND_DELTA)
OF_FULL_BOOK = (KIND_BOOK, KIND_DELTA)  # say how deep and how far it is known
PLAIN, TIME, PRICE, QTY = range(4)  # what a column's numbers are


@dataclass(frozen=True)
class Column:
    """One column before it becomes one of a table library.

    values    [n], or [n, levels] for a column of lists; codes if there are `words`; Decimals if `digits` is set
    missing   bool, as values; None when the column never has a hole
    is_absent bool[n], of a column of lists: rows that have no list at all
    """

    name: str
    values: np.ndarray
    missing: np.ndarray | None = None
    what: int = PLAIN
    words: tuple[str, ...] | None = None
    is_absent: np.ndarray | None = None
    digits: int | None = None


@dataclass(frozen=True)
class Choice:
    """How a table is wanted; see Records.to_arrow."""

    prices: str = "int"
    layout: str = "wide"
    levels: int | None = None

    def __post_init__(self) -> None:
        if self.prices not in PRICES:
            raise RingbookError(f"prices was {self.prices!r}, expected one of {', '.join(PRICES)}")
        if self.layout not in LAYOUTS:
            raise RingbookError(f"layout was {self.layout!r}, expected one of {', '.join(LAYOUTS)}")
        if self.levels is not None and self.levels < 1:
            raise RingbookError(f"levels was {self.levels}, expected 1 or more, or None for all")


def columns(records: "Records", choice: Choice) -> list[Column]:
    """All columns of a table, in order. The same records, kind and choice always give the same columns."""
    found = [*_header(records), *_of_kinds(records, choice)]
    if choice.prices == "int":
        found += [c for c in _digits(records) if any(f.what in (PRICE, QTY) for f in found)]
        return found
    scales = dict(zip((PRICE, QTY), _digits(records), strict=True))
    return [_scaled(c, scales[c.what], records, choice.prices) if c.what in scales else c for c in found]


def _of_kinds(records: "Records", choice: Choice) -> Iterator[Column]:
    kind, only = records["kind"], records.kind
    if only in (None, KIND_TRADE):
        yield from _trade(records, None if only else kind != KIND_TRADE)
    if only is None or only in LEVELLED:
        yield from _levels(records, choice)
    if only is None or only in OF_FULL_BOOK:
        yield from _book(records, ~np.isin(kind, OF_FULL_BOOK) if only is None else None)
    if only in (None, KIND_BOOK, KIND_STATUS):
        yield _words("cause", records["cause"], layout.CAUSE_NAMES, ~np.isin(kind, (KIND_BOOK, KIND_STATUS)))
    if only in (None, KIND_STATUS):
        holes = kind != KIND_STATUS
        yield _words("old_health", records["old_health"], layout.HEALTH_NAMES, holes)
        for name in ("ids_missed", "blind_ns"):
            yield Column(name, records[name], None if only else holes)


def _words(name: str, codes: np.ndarray, words: tuple[str, ...], holes: np.ndarray | bool = False) -> Column:
    """Codes as words; what no word is known for is missing."""
    unknown = (codes < 0) | (codes >= len(words)) | holes
    return Column(name, np.where(unknown, 0, codes).astype(np.int32), unknown, words=words)


def _header(records: "Records") -> Iterator[Column]:
    rows, ids = records.symbol_rows, records["symbol_id"].astype(np.int64)
    names = [name.decode(errors="replace") for name in rows["symbol"]]
    symbols = tuple(dict.fromkeys(names))  # a rescaled symbol has several rows
    of_row = np.array([symbols.index(name) for name in names] or [0], np.int64)
    codes = np.where(ids < len(rows), of_row[np.minimum(ids, len(of_row) - 1)], -1)
    kinds = tuple(layout.KIND_NAMES.values())
    yield Column("seq", records["seq"])
    yield _words("kind", records["kind"].astype(np.int64) - 1, kinds)
    yield _words("symbol", codes, symbols)
    yield Column("symbol_id", records["symbol_id"])
    yield _words("health", records["health"].astype(np.int64), layout.HEALTH_NAMES)
    for name in TIMES:
        values = records[f"{name}_ns"]
        yield Column(f"{name}_time", values, values == 0, TIME)
    for name in ("recv_mono_ns", "flags", "first_update_id", "last_update_id"):
        yield Column(name, records[name])


def _digits(records: "Records") -> tuple[Column, Column]:
    """Decimals of price and quantity of each record."""
    rows, ids = records.symbol_rows, records["symbol_id"].astype(np.int64)
    unknown, at = ids >= len(rows), np.minimum(ids, max(0, len(rows) - 1))
    made = []
    for name in ("price_digits", "qty_digits"):
        held = np.clip(rows[name], 0, 18) if len(rows) else np.zeros(1, np.int32)
        made.append(Column(name, held[at].astype(np.int8), unknown))
    return made[0], made[1]


def _trade(records: "Records", holes: np.ndarray | None) -> Iterator[Column]:
    side = records["side"].astype(np.int64)
    yield _words("side", side, AGGRESSORS, False if holes is None else holes)
    yield Column("price", records["trade_price"], holes, PRICE)
    yield Column("qty", records["trade_qty"], holes, QTY)
    for name, field in (("trade_id", "id"), ("first_trade_id", "first_id"), ("last_trade_id", "last_id")):
        yield Column(name, records[f"trade_{field}"], holes)
    yield Column("aggregated", (records["flags"] & layout.FLAG_AGGREGATED) != 0, holes)


def _levels(records: "Records", choice: Choice) -> Iterator[Column]:
    held = 1 if records.kind == KIND_TICKER else records["price"].shape[2]
    most = min(held, choice.levels or held)
    is_absent = ~np.isin(records["kind"], LEVELLED)
    count = np.where(is_absent[:, None], 0, records["count"])
    sides = []
    for side, prefix in enumerate(SIDE_PREFIX):
        missing = np.arange(most)[None, :] >= count[:, side, None]
        for field, what in (("price", PRICE), ("qty", QTY)):
            values = records[field][:, side, :most]
            sides.append(Column(f"{prefix}_{field}", values, missing, what, is_absent=is_absent))
    if choice.layout == "list":
        yield from sides
        return
    for level in range(most):
        for c in sides:
            assert c.missing is not None
            name, values, missing = f"{c.name}_{level}", c.values[:, level], c.missing[:, level]
            yield Column(name, values, missing, c.what)


def _book(records: "Records", holes: np.ndarray | None) -> Iterator[Column]:
    for side in range(SIDES):
        yield Column(f"{SIDE_PREFIX[side]}_depth", records["depth"][:, side], holes)
    for side in range(SIDES):
        values = records["horizon"][:, side]
        is_open = values == layout.HORIZON_OPEN[side]
        missing = is_open if holes is None else is_open | holes
        yield Column(f"{SIDE_PREFIX[side]}_horizon", values, missing, PRICE)


def _scaled(column: Column, scale: Column, records: "Records", prices: str) -> Column:
    """Mantissas as floats or Decimals; missing where the symbol is not known."""
    shape = (-1, *(1,) * (column.values.ndim - 1))
    digits, unknown = scale.values.reshape(shape), scale.missing.reshape(shape)  # type: ignore[union-attr]
    missing = np.broadcast_to(
        unknown if column.missing is None else column.missing | unknown, column.values.shape
    )
    if prices == "float":
        return replace(column, values=column.values / 10.0**digits, missing=missing)
    every = np.broadcast_to(digits, column.values.shape)
    exact = np.empty(column.values.shape, object)
    for at in np.ndindex(exact.shape):
        exact[at] = None if missing[at] else Decimal(int(column.values[at])).scaleb(-int(every[at]))
    name = "price_digits" if column.what == PRICE else "qty_digits"
    most = int(np.clip(records.symbol_rows[name], 0, 18).max(initial=0))
    return replace(column, values=exact, missing=missing, digits=most)
