"""Measures over arrays of records, as bus.records(n) gives them: jitted, one pass each.

    from ringbook import analysis
    records = bus.records(10_000)
    analysis.microprice(records, "BTCUSDT", bus.symbol_rows)

One convention for all:

records  record_dtype(top_n)[n], in the order they were published, of any kinds and symbols; never changed
symbol   name or symbol_id; None when the records hold one symbol only
table    bus.symbol_rows; with it prices and quantities are in the symbol's units, without it mantissas
kind     which records carry the quotes: "BOOK", "TICKER" or "DEPTH"
holes    what a seq missing from the records means: "lost", nothing is computed across it; "selected", it was left
         out on purpose; None, raise if there is any. Measures of one record alone do not ask
Returns  a structured array: a row per record, NaN where it has no value, or a row per trade, bar or bucket

A record whose symbol is not LIVE is never used. A *run* is a stretch of records over which nothing of the symbol was
lost: it ends with a STATUS, another health, missing ids, a snapshot's book, a record from the board, a receive time or
seq that goes back, and a hole where holes are lost. No value looks across the end of a run. A record has no quote when a
side is empty or its bid is not below its ask; a trade counts only with a side, a price and a quantity above 0.

The first use of a function compiles its kernels, or loads them from the cache. AnalysisError, a ValueError, says what an
argument was, what was expected and what to do.
"""

from .io.analysis.quotes import book_at, imbalance, microprice, order_flow_imbalance, rows_at, spread
from .io.analysis.series import bars, realised_volatility, volume_buckets
from .io.analysis.trades import sweeps, trade_spreads, trade_throughs
from .io.errors import AnalysisError

__all__ = [
    "AnalysisError", "bars", "book_at", "imbalance", "microprice", "order_flow_imbalance", "realised_volatility",
    "rows_at", "spread", "sweeps", "trade_spreads", "trade_throughs", "volume_buckets",
]  # fmt: skip
