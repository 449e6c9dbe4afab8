"""Records resampled: bars, volume buckets with VPIN, realised volatility."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine import layout
from ...engine.analysis import bars as bar_kernels
from ...engine.analysis import quotes, volatility
from ...engine.analysis import volume as volume_kernels
from ...engine.analysis.fields import ROWS_FULL
from ..errors import AnalysisError
from .inputs import Chosen, choose, quote_kind, whole
from .quotes import Symbol, Table
from .trades import SPANS

ROWS_MOST = 1 << 22  # of an answer whose length follows from sizes in the data
UNITS = {"time": bar_kernels.BY_TIME, "volume": bar_kernels.BY_VOLUME, "tick": bar_kernels.BY_TICK}
FLOATS = ("open", "high", "low", "close", "qty", "buy_qty", "vwap")
BARS = np.dtype([*SPANS, ("trades", "<i8"), *[(name, "<f8") for name in FLOATS]])


def bars(
    records: np.ndarray,
    unit: str,
    size: Any,
    symbol: Symbol = None,
    table: Table = None,
    holes: str | None = None,
) -> np.ndarray:
    """Trades gathered into bars of time, of volume or of a number of trades; whole bars only.

    unit     "time": [k size, (k + 1) size) ns since 1970; "volume": until the quantity is at least size, the trade
             that completes it not cut; "tick": size trades
    Formula  first, highest, lowest and last price; qty = sum q; vwap = sum p q / sum q
    Source   López de Prado, 2018, "Advances in Financial Machine Learning", chapter 2
    Returns  a row per bar: first_seq, last_seq, start_ns, end_ns (of the grid for "time", else recv_ns of its trades),
             trades, open, high, low, close, qty, buy_qty (buyer took), vwap. A bar of time without trades has no row,
             nor has one that a break cuts, the first or the last if the records do not cover them
    """
    if unit not in UNITS:
        raise AnalysisError(f"unit was {unit!r}, expected one of {', '.join(UNITS)}")
    chosen = choose(records, symbol, table, holes, ("bars",))
    exact = chosen.qty_mantissa(size, "size") if unit == "volume" else whole(size, "size")
    ints, notional = _bars(chosen, UNITS[unit], exact)
    out = np.empty(len(ints), BARS)
    out["first_seq"] = chosen.records["seq"][ints[:, bar_kernels.FIRST_ROW]]
    out["last_seq"] = chosen.records["seq"][ints[:, bar_kernels.LAST_ROW]]
    for name, column in (("start_ns", "START_NS"), ("end_ns", "END_NS"), ("trades", "TRADES")):
        out[name] = ints[:, getattr(bar_kernels, column)]
    for name in ("open", "high", "low", "close"):
        out[name] = chosen.price(ints[:, getattr(bar_kernels, name.upper())])
    qty = ints[:, bar_kernels.QTY]
    out["qty"], out["buy_qty"] = chosen.qty(qty), chosen.qty(ints[:, bar_kernels.BUY_QTY])
    out["vwap"] = chosen.price(notional / qty)
    return out


def _bars(chosen: Chosen, unit: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Integer columns and notionals of the bars, mantissas."""
    ints = np.zeros((len(chosen.records), bar_kernels.BAR_INTS), np.int64)
    floats = np.zeros((len(chosen.records), 1))
    count = bar_kernels.fill_bars(chosen.words, chosen.runs, unit, size, ints, floats)
    return ints[:count], floats[:count, 0]


def _grown(fill: Callable[[int], int], rows: int, name: str) -> int:
    """Call fill(rows) with more and more rows until they suffice; returns how many were filled."""
    while True:
        count = fill(rows)
        if count != ROWS_FULL:
            return count
        if rows >= ROWS_MOST:
            raise AnalysisError(f"{name} makes more than {ROWS_MOST} rows of these records; choose it larger")
        rows = min(4 * rows, ROWS_MOST)


BUCKETS = np.dtype([*SPANS, *[(name, "<f8") for name in ("qty", "buy_qty", "sell_qty", "vpin")]])


def volume_buckets(
    records: np.ndarray,
    bucket_qty: Any,
    window: int = 50,
    method: str = "aggressor",
    bar_ns: float = 60_000_000_000,
    symbol: Symbol = None,
    table: Table = None,
    holes: str | None = None,
) -> np.ndarray:
    """Volume cut into buckets of exactly one size, and the VPIN over the newest `window` of them.

    method   "aggressor": each trade counts as the venue says who took; "bulk": bars of bar_ns are divided by their
             change of price, as in the paper, for comparison with it
    Formula  VPIN = sum |buy - sell| / (window bucket_qty); bulk: buy = qty Z((P - P') / s), with Z the normal
             distribution, P - P' the change from bar to bar, s its standard deviation over all bars given
    Source   Easley, López de Prado and O'Hara, 2012, "Flow toxicity and liquidity in a high-frequency world"
    Returns  a row per whole bucket: first_seq, last_seq, start_ns, end_ns (of the first and last trade or bar with a
             part in it), qty, buy_qty, sell_qty, vpin (0..1; NaN before `window` buckets in the run)
    """
    if method not in ("aggressor", "bulk"):
        raise AnalysisError(f"method was {method!r}, expected 'aggressor' or 'bulk'")
    wanted, bar_size = whole(window, "window", ROWS_MOST), whole(bar_ns, "bar_ns")
    chosen = choose(records, symbol, table, holes, ("bars", "volume"))
    exact = chosen.qty_mantissa(bucket_qty, "bucket_qty")
    if method == "bulk":
        ints, shares = _bulk(chosen, bar_size)
    else:
        ints, _ = _bars(chosen, bar_kernels.BY_TICK, 1)
        shares = (ints[:, bar_kernels.BUY_QTY] > 0).astype(np.float64)
    sizes, runs = (np.ascontiguousarray(ints[:, at]) for at in (bar_kernels.QTY, bar_kernels.BAR_RUN))
    made: list[np.ndarray] = []

    def fill(rows: int) -> int:
        made[:] = [
            np.empty((rows, volume_kernels.BUCKET_INTS), np.int64),
            np.empty((rows, volume_kernels.BUCKET_FLOATS)),
        ]
        return volume_kernels.fill_buckets(sizes, shares, runs, exact, wanted, *made)

    count = _grown(fill, 1024, "bucket_qty")
    first, last = (made[0][:count, at] for at in (volume_kernels.FIRST_PIECE, volume_kernels.LAST_PIECE))
    bought = made[1][:count, volume_kernels.BUY_QTY]
    seqs = chosen.records["seq"]
    out = np.empty(count, BUCKETS)
    out["first_seq"] = seqs[ints[first, bar_kernels.FIRST_ROW]]
    out["last_seq"] = seqs[ints[last, bar_kernels.LAST_ROW]]
    out["start_ns"], out["end_ns"] = ints[first, bar_kernels.START_NS], ints[last, bar_kernels.END_NS]
    out["qty"], out["buy_qty"] = chosen.qty(exact), chosen.qty(bought)
    out["sell_qty"], out["vpin"] = chosen.qty(exact - bought), made[1][:count, volume_kernels.VPIN]
    return out


def _bulk(chosen: Chosen, bar_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """Bars of time and the share of each that counts as bought; without those that have no change of price."""
    ints, _ = _bars(chosen, bar_kernels.BY_TIME, bar_ns)
    closes = ints[:, bar_kernels.CLOSE].astype(np.float64)
    runs = np.ascontiguousarray(ints[:, bar_kernels.BAR_RUN])
    shares = np.empty(len(ints))
    volume_kernels.bulk_shares(closes, runs, volume_kernels.change_deviation(closes, runs), shares)
    known = ~np.isnan(shares)
    return ints[known], shares[known]


VARIANCES = np.dtype(
    [(name, "<i8") for name in ("seq", "start_ns", "end_ns", "changes")]
    + [(name, "<f8") for name in ("variance", "volatility")]
)
PRICES = {"mid": quotes.MID, "microprice": quotes.MICRO}


def realised_volatility(
    records: np.ndarray,
    window_ns: float = 300_000_000_000,
    sample_ns: float = 1_000_000_000,
    price: str = "mid",
    symbol: Symbol = None,
    table: Table = None,
    kind: str = "BOOK",
    holes: str | None = None,
) -> np.ndarray:
    """Realised variance and volatility of each window of time, from a price sampled on a grid.

    window_ns  windows are (k window_ns, (k + 1) window_ns] since 1970; a whole number of samples
    sample_ns  the price at a grid point is the newest one received up to it; 1 takes every change
    price      "mid" or "microprice" of records of `kind`, or "trade"
    Formula    variance = sum of squared r, with r = ln(p / p') from grid point to grid point; volatility = its root,
               per window, not annualised
    Source     Andersen, Bollerslev, Diebold and Labys, 2003, "Modeling and forecasting realized volatility"
    Returns    a row per window that lies wholly inside a run: seq (of its last price), start_ns, end_ns, changes
               (returns that are not 0), variance, volatility
    """
    window, sample = whole(window_ns, "window_ns"), whole(sample_ns, "sample_ns")
    if window % sample:
        raise AnalysisError(f"window_ns was {window}, expected a multiple of sample_ns, {sample}")
    chosen = choose(records, symbol, table, holes, ("quotes", "volatility"))
    prices = _prices(chosen, price, kind)
    made: list[np.ndarray] = []

    def fill(rows: int) -> int:
        made[:] = [np.empty((rows, volatility.VARIANCE_INTS), np.int64), np.empty((rows, 1))]
        return volatility.variance_rows(chosen.words, chosen.runs, prices, sample, window // sample, *made)

    count = _grown(fill, 1024, "window_ns")
    ints, variances = made[0][:count], made[1][:count, volatility.VARIANCE]
    out = np.empty(count, VARIANCES)
    out["seq"] = chosen.records["seq"][ints[:, volatility.LAST_ROW]]
    out["start_ns"], out["end_ns"] = ints[:, volatility.START_NS], ints[:, volatility.START_NS] + window
    out["changes"], out["variance"] = ints[:, volatility.CHANGES], variances
    out["volatility"] = np.sqrt(variances)
    return out


def _prices(chosen: Chosen, price: str, kind: str) -> np.ndarray:
    """The price of each record, mantissa; NaN where it has none."""
    if price == "trade":
        records = chosen.records
        is_trade = (records["kind"] == layout.KIND_TRADE) & (records["side"] < layout.SIDES)
        is_trade &= (records["trade_qty"] > 0) & (records["trade_price"] > 0)
        return np.where(is_trade, records["trade_price"], np.nan)
    if price not in PRICES:
        raise AnalysisError(f"price was {price!r}, expected one of {', '.join((*PRICES, 'trade'))}")
    values = chosen.empty(quotes.QUOTE_COLUMNS)
    quotes.quote_rows(chosen.words, chosen.runs, quote_kind(kind), chosen.top_n, values)
    return np.ascontiguousarray(values[:, PRICES[price]])
