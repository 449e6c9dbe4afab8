"""Measures of the quotes: microprice, imbalance, spread, order flow, and the book at a time."""

from typing import Any

import numpy as np

from ...engine import layout
from ...engine.analysis import flow, rebuild
from ...engine.analysis import quotes as kernels
from ..errors import AnalysisError
from ..views import Book
from .inputs import Chosen, choose, level_count, quote_kind, whole

Symbol = int | str | None
Table = np.ndarray | None


def microprice(
    records: np.ndarray, symbol: Symbol = None, table: Table = None, kind: str = "BOOK"
) -> np.ndarray:
    """Mid price weighted with the quantities at the touch.

    Formula  (bid ask_qty + ask bid_qty) / (bid_qty + ask_qty)
    Source   Stoikov, 2018, "The micro-price: a high-frequency estimator of future prices". This is the simple
             weighted mid that the paper begins with, not its estimator adjusted by a fitted model.
    Returns  [n] of seq, recv_ns, mid, microprice; prices
    """
    chosen, values = _quoted(records, symbol, table, kind)
    out = chosen.per_record(("mid", "microprice"))
    out["mid"] = chosen.price(values[:, kernels.MID])
    out["microprice"] = chosen.price(values[:, kernels.MICRO])
    return out


def spread(records: np.ndarray, symbol: Symbol = None, table: Table = None, kind: str = "BOOK") -> np.ndarray:
    """Quoted spread, and the same relative to the mid.

    Formula  quoted = ask - bid; relative = (ask - bid) / mid, with mid = (ask + bid) / 2
    Source   Huang and Stoll, 1996, "Dealer versus auction markets"
    Returns  [n] of seq, recv_ns, quoted (price), relative (fraction: 0.0001 is one basis point)
    """
    chosen, values = _quoted(records, symbol, table, kind)
    out = chosen.per_record(("quoted", "relative"))
    out["quoted"], out["relative"] = chosen.price(values[:, kernels.QUOTED]), values[:, kernels.RELATIVE]
    return out


def _quoted(records: np.ndarray, symbol: Symbol, table: Table, kind: str) -> tuple[Chosen, np.ndarray]:
    code = quote_kind(kind)
    chosen = choose(records, symbol, table, None, ("quotes",), looks_back=False)
    values = chosen.empty(kernels.QUOTE_COLUMNS)
    kernels.quote_rows(chosen.words, chosen.runs, code, chosen.top_n, values)
    return chosen, values


def imbalance(
    records: np.ndarray, depth: int = 5, symbol: Symbol = None, table: Table = None, kind: str = "BOOK"
) -> np.ndarray:
    """How much more rests on the bids than on the asks, over the best levels.

    Formula  (B - A) / (B + A), B and A the quantities of the best `depth` levels; all of a side that has fewer
    Source   Gould and Bonart, 2016, "Queue imbalance as a one-tick-ahead price predictor in a limit order book",
             there for depth 1
    Returns  [n] of seq, recv_ns, imbalance (-1..1)
    """
    code = quote_kind(kind)
    chosen = choose(records, symbol, table, None, ("quotes",), looks_back=False)
    values = np.empty(len(chosen.records))
    kernels.imbalance_rows(chosen.words, chosen.runs, code, chosen.top_n, level_count(depth, chosen), values)
    out = chosen.per_record(("imbalance",))
    out["imbalance"] = values
    return out


def order_flow_imbalance(
    records: np.ndarray,
    depth: int = 1,
    window_ns: float = 10_000_000_000,
    symbol: Symbol = None,
    table: Table = None,
    kind: str = "BOOK",
    holes: str | None = None,
) -> np.ndarray:
    """What was added to the bids and taken from the asks, less the reverse, from record to record.

    Formula  e = [P >= P'] q - [P <= P'] q' on the bids, less [P <= P'] q - [P >= P'] q' on the asks, where P, q
             are a level now and P', q' the same rank one record before; summed over the best `depth` ranks
             (a rank that a side does not have counts as a quantity of 0 behind all others)
    Source   Cont, Kukanov and Stoikov, 2014, "The price impact of order book events"; more ranks than one: Xu,
             Gould and Howison, 2018, "Multi-level order-flow imbalance in a limit order book"
    Returns  [n] of seq, recv_ns, event (e of this record), ofi (sum over (recv_ns - window_ns, recv_ns]); quantities.
             ofi is NaN until the run has lasted a whole window
    """
    code, window = quote_kind(kind), whole(window_ns, "window_ns")
    chosen = choose(records, symbol, table, holes, ("flow",))
    ranks, values = level_count(depth, chosen), chosen.empty(2)
    events = np.zeros(len(chosen.records), np.int64)
    flow.order_flow(chosen.words, chosen.runs, code, chosen.top_n, ranks, window, events, values)
    out = chosen.per_record(("event", "ofi"))
    out["event"], out["ofi"] = chosen.qty(values[:, flow.EVENT]), chosen.qty(values[:, flow.WINDOW])
    return out


def rows_at(
    records: np.ndarray,
    times_ns: Any,
    symbol: Symbol = None,
    table: Table = None,
    kind: str = "BOOK",
    holes: str | None = None,
) -> np.ndarray:
    """Which record describes the book at each time: the newest of its kind received by then, its run unbroken.

    times_ns  integers of any order and shape, on the clock of recv_ns
    Source    an as-of join; each record carries the whole top N, so that nothing has to be replayed
    Returns   int64 of the same shape: index into `records`; -1 where the book was not known to be right; -2
              outside the time the records cover
    """
    code = quote_kind(kind)
    chosen = choose(records, symbol, table, holes, ("rebuild",))
    times = np.asarray(times_ns)
    if times.dtype.kind not in "iu" and times.size:
        raise AnalysisError(
            f"times_ns were {times.dtype}, expected integers: a float cannot hold nanoseconds of today"
        )
    flat = times.astype(np.int64).reshape(-1)
    order = np.argsort(flat, kind="stable")
    found = np.empty(len(flat), np.int64)
    rebuild.rows_at(chosen.words, chosen.runs, code, flat[order], found)
    out = np.empty(len(flat), np.int64)
    out[order] = found
    return out.reshape(times.shape)


def book_at(
    records: np.ndarray,
    time_ns: int,
    symbol: Symbol = None,
    table: Table = None,
    kind: str = "BOOK",
    holes: str | None = None,
) -> Book:
    """The top N of the book as it stood at a time, from the record that rows_at finds.

    Returns  Book with `age_ns` counted to that time; without a table its symbol is empty and its numbers mantissas
    Raises   AnalysisError where the book was not known to be right, or the records do not reach there
    """
    at = int(rows_at(records, time_ns, symbol, table, kind, holes))
    chosen = choose(records, symbol, table, holes, ())
    if at == rebuild.NOT_REACHED:
        times = chosen.records["recv_ns"]
        covered = f"they cover {times.min()}..{times.max()}" if len(times) else "there are none"
        raise AnalysisError(f"time_ns was {time_ns}, outside the records; {covered}")
    if at == rebuild.NOT_KNOWN:
        raise AnalysisError(
            f"at time_ns {time_ns} the book was not LIVE, lay behind a break, or had no {kind} record yet; "
            "ask for a later time"
        )
    return _book_of(chosen, chosen.records[at], time_ns)


def _book_of(chosen: Chosen, found: np.void, time_ns: int) -> Book:
    count = np.minimum(found["count"], chosen.top_n)
    sides = [
        np.stack([found["price"][s, : count[s]], found["qty"][s, : count[s]]], 1) for s in range(layout.SIDES)
    ]
    open_end = layout.HORIZON_OPEN[layout.ASK]
    worst = [float("inf") if end == open_end else float(chosen.price(int(end))) for end in found["horizon"]]
    row = chosen.row
    return Book(
        symbol="" if row is None else row["symbol"].decode(errors="replace"),
        venue="" if row is None else row["venue"].decode(errors="replace"),
        health=layout.HEALTH_NAMES[layout.LIVE],
        stored_health=layout.HEALTH_NAMES[layout.LIVE],
        price_digits=chosen.price_digits,
        qty_digits=chosen.qty_digits,
        levels=(sides[layout.BID], sides[layout.ASK]),
        depth=(int(found["depth"][layout.BID]), int(found["depth"][layout.ASK])),
        horizon=(worst[layout.BID], worst[layout.ASK]),
        last_update_id=int(found["last_update_id"]),
        as_of_seq=int(found["seq"]),
        recv_ns=int(found["recv_ns"]),
        age_ns=int(time_ns) - int(found["recv_ns"]),
        is_full=False,
    )
