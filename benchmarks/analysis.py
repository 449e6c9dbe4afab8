"""Nanoseconds a record of each analysis, over made-up records of one symbol; the answers are checked in the run.

python -m benchmarks.analysis
"""

import sys
from collections.abc import Callable

import numpy as np

from ringbook import analysis
from ringbook.engine import layout

from .machine import describe, interleaved, table

COUNT, ROUNDS = 50_000, 9


def made_records() -> np.ndarray:
    """Books and trades in turn around a random walk, 1 ms apart, all LIVE."""
    dice = np.random.default_rng(1)
    out = np.zeros(COUNT, layout.record_dtype())
    out["seq"], out["recv_ns"] = np.arange(1, COUNT + 1), np.arange(1, COUNT + 1) * 1_000_000
    out["kind"] = np.where(np.arange(COUNT) % 2, layout.KIND_TRADE, layout.KIND_BOOK)
    out["health"], out["side"] = layout.LIVE, dice.integers(0, 2, COUNT)
    middle = 1_000_000 + dice.integers(-2, 3, COUNT).cumsum()
    books, ranks = out["kind"] == layout.KIND_BOOK, np.arange(1, layout.TOP_N_DEFAULT + 1)
    out["count"][books] = layout.TOP_N_DEFAULT
    for side, step in ((layout.BID, -1), (layout.ASK, 1)):
        out["price"][books, side] = middle[books, None] + step * ranks
    out["qty"][books] = dice.integers(1, 10**6, (books.sum(), layout.SIDES, len(ranks)))
    out["trade_price"][~books], out["trade_qty"][~books] = (
        middle[~books],
        dice.integers(1, 1000, (~books).sum()),
    )
    return out


def check(records: np.ndarray) -> None:
    """Some answers against numpy."""
    books, trades = (records[records["kind"] == kind] for kind in (layout.KIND_BOOK, layout.KIND_TRADE))
    spread = analysis.spread(records)["quoted"]
    best = books["price"][:, layout.ASK, 0] - books["price"][:, layout.BID, 0]
    assert np.array_equal(spread[~np.isnan(spread)], best)
    qty = books["qty"][:, :, :5].sum(axis=2)
    found = analysis.imbalance(records, 5)["imbalance"]
    assert np.allclose(found[~np.isnan(found)], (qty[:, 0] - qty[:, 1]) / qty.sum(axis=1))
    bars = analysis.bars(records, "tick", 100)
    assert np.array_equal(bars["qty"], trades["trade_qty"].reshape(-1, 100).sum(axis=1))
    buckets = analysis.volume_buckets(records, 10_000)
    assert len(buckets) == trades["trade_qty"].sum() // 10_000
    steps = np.diff(np.log((books["price"][:, 0, 0] + books["price"][:, 1, 0]) / 2))
    variance = analysis.realised_volatility(records, 10e9, 1)["variance"][
        0
    ]  # of (10 s, 20 s]; a book every 2 ms
    assert np.isclose(variance, (steps[4_999:9_999] ** 2).sum(), rtol=1e-9)


def main() -> int:
    """Print the table."""
    records = made_records()
    times = np.arange(1, COUNT + 1) * 1_000_000
    calls: dict[str, Callable[[], object]] = {
        "microprice": lambda: analysis.microprice(records),
        "spread": lambda: analysis.spread(records),
        "imbalance, depth 5": lambda: analysis.imbalance(records, 5),
        "order_flow_imbalance, depth 1": lambda: analysis.order_flow_imbalance(records),
        "order_flow_imbalance, depth 20": lambda: analysis.order_flow_imbalance(records, 20),
        "trade_spreads": lambda: analysis.trade_spreads(records),
        "trade_throughs": lambda: analysis.trade_throughs(records),
        "sweeps": lambda: analysis.sweeps(records),
        "volume_buckets": lambda: analysis.volume_buckets(records, 10_000),
        "realised_volatility": lambda: analysis.realised_volatility(records, 1e9, 1e6),
        "bars of time": lambda: analysis.bars(records, "time", 1e9),
        "bars of volume": lambda: analysis.bars(records, "volume", 10_000),
        "rows_at, one time a record": lambda: analysis.rows_at(records, times),
    }
    check(records)
    took = interleaved(calls, ROUNDS)
    rows = [[name, f"{float(np.median(seconds)) / COUNT * 1e9:.1f}"] for name, seconds in took.items()]
    sys.stdout.write(
        f"{describe()}\n\n{COUNT:,} records, half of them books of 20 levels, medians of {ROUNDS}.\n\n"
    )
    sys.stdout.write(table(("analysis", "ns a record"), rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
