"""Measures of single trades: their cost against the quotes, trade-throughs, sweeps."""

import numpy as np

from ...engine import layout
from ...engine.analysis import costs
from ...engine.analysis import sweeps as sweep_kernels
from ...engine.analysis.fields import DURATION_MOST_NS
from .inputs import choose, quote_kind, whole
from .quotes import Symbol, Table

SPANS = [("first_seq", "<i8"), ("last_seq", "<i8"), ("start_ns", "<i8"), ("end_ns", "<i8")]


def trade_spreads(
    records: np.ndarray,
    horizon_ns: float = 5_000_000_000,
    symbol: Symbol = None,
    table: Table = None,
    kind: str = "BOOK",
    holes: str | None = None,
) -> np.ndarray:
    """What each trade cost its taker against the mid before it, and against the mid a while later.

    Formula  effective = 2 D (P - M); realised = 2 D (P - M'); impact = 2 D (M' - M), so that effective = realised +
             impact. D is 1 when a buyer took and -1 when a seller did, P the price, M the mid of the newest quote
             before the trade, M' that of the newest quote received up to horizon_ns after it
    Source   Huang and Stoll, 1996, "Dealer versus auction markets". D is the aggressor the venue sends; no
             classification as in Lee and Ready, 1991, "Inferring trade direction from intraday data", is needed
    Returns  [n] of seq, recv_ns, effective, realised, impact, mid_before; prices. realised and impact are NaN
             unless the run goes on beyond the horizon
    """
    code, horizon = quote_kind(kind), whole(horizon_ns, "horizon_ns")
    chosen = choose(records, symbol, table, holes, ("costs",))
    values = chosen.empty(costs.COST_COLUMNS)
    costs.cost_rows(chosen.words, chosen.runs, code, chosen.top_n, horizon, values)
    out = chosen.per_record(("effective", "realised", "impact", "mid_before"))
    columns = (costs.EFFECTIVE, costs.REALISED, costs.IMPACT, costs.MID_BEFORE)
    for name, column in zip(("effective", "realised", "impact", "mid_before"), columns, strict=True):
        out[name] = chosen.price(values[:, column])
    return out


THROUGHS = np.dtype(
    [("seq", "<i8"), ("recv_ns", "<i8"), ("quote_seq", "<i8"), ("side", "u1"), ("levels_passed", "<i8")]
    + [(name, "<f8") for name in ("price", "best", "through", "qty")]
)


def trade_throughs(
    records: np.ndarray,
    symbol: Symbol = None,
    table: Table = None,
    kind: str = "BOOK",
    holes: str | None = None,
) -> np.ndarray:
    """Trades at a worse price than the best one quoted on their other side in the newest record before them.

    Formula  a buyer took at P > ask, or a seller at P < bid; through = P - ask or bid - P; levels_passed counts the
             quoted levels with a better price than P
    Source   trade-through as in 17 CFR 242.600, Regulation NMS, 2005, there between venues. Within one venue it says
             that the trade walked through the book, or that its records came before those of the book
    Returns  a row per such trade: seq, recv_ns, quote_seq, side, levels_passed, price, best, through, qty
    """
    code = quote_kind(kind)
    chosen = choose(records, symbol, table, holes, ("costs",))
    rows = np.empty((len(chosen.records), costs.THROUGH_COLUMNS), np.int64)
    rows = rows[: costs.find_throughs(chosen.words, chosen.runs, code, chosen.top_n, rows)]
    trades, quotes = chosen.records[rows[:, costs.TRADE_ROW]], chosen.records[rows[:, costs.QUOTE_ROW]]
    out = np.empty(len(rows), THROUGHS)
    for name in ("seq", "recv_ns", "side"):
        out[name] = trades[name]
    out["quote_seq"], out["levels_passed"] = quotes["seq"], rows[:, costs.LEVELS_PASSED]
    best = quotes["price"][np.arange(len(rows)), layout.ASK - trades["side"], 0]
    out["price"], out["best"] = chosen.price(trades["trade_price"]), chosen.price(best)
    out["through"] = chosen.price(np.abs(trades["trade_price"] - best))
    out["qty"] = chosen.qty(trades["trade_qty"])
    return out


SWEEPS = np.dtype(
    [*SPANS, ("side", "u1"), ("trades", "<i8"), ("prices", "<i8")]
    + [(name, "<f8") for name in ("first_price", "last_price", "qty")]
)


def sweeps(
    records: np.ndarray,
    min_prices: int = 2,
    gap_ns: float = 0,
    symbol: Symbol = None,
    table: Table = None,
    holes: str | None = None,
) -> np.ndarray:
    """Trades of one aggressor in quick succession that walk through several prices.

    min_prices  distinct prices at least
    gap_ns      longest time between two trades of a sweep, by txn_ns, or recv_ns where the venue sends no time; 0:
                matched in the same instant
    Formula     a longest row of trades with one aggressor, each at most gap_ns after the one before and at no
                better price for the taker than that
    Source      the idea of a sweep: Chakravarty, Jain, Upson and Wood, 2012, "Clean sweep: informed trading through
                intermarket sweep orders", there between venues and by a flag of the order; the rule above is ours
    Returns     a row per sweep: first_seq, last_seq, start_ns, end_ns (recv_ns), side (0 a buyer took), trades,
                prices, first_price, last_price, qty
    """
    least, gap = whole(min_prices, "min_prices"), whole(gap_ns, "gap_ns", DURATION_MOST_NS, 0)
    chosen = choose(records, symbol, table, holes, ("sweeps",))
    rows = np.zeros((len(chosen.records), sweep_kernels.SWEEP_COLUMNS), np.int64)
    rows = rows[: sweep_kernels.find_sweeps(chosen.words, chosen.runs, gap, least, rows)]
    first, last = (chosen.records[rows[:, at]] for at in (sweep_kernels.FIRST_ROW, sweep_kernels.LAST_ROW))
    out = np.empty(len(rows), SWEEPS)
    out["first_seq"], out["last_seq"] = first["seq"], last["seq"]
    out["start_ns"], out["end_ns"], out["side"] = first["recv_ns"], last["recv_ns"], first["side"]
    out["trades"], out["prices"] = rows[:, sweep_kernels.TRADES], rows[:, sweep_kernels.PRICES]
    out["first_price"], out["last_price"] = (
        chosen.price(first["trade_price"]),
        chosen.price(last["trade_price"]),
    )
    out["qty"] = chosen.qty(rows[:, sweep_kernels.QTY])
    return out
