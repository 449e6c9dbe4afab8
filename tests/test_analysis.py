"""Analysis of quotes and trades against its oracle, on records with every kind of break; and its refusals."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook import analysis
from ringbook.engine import layout
from ringbook.io.errors import SymbolNotFound

from .model import analysis as model
from .record_rows import record_arrays

KINDS = st.sampled_from((("BOOK", layout.KIND_BOOK), ("TICKER", layout.KIND_TICKER)))
LOST = st.booleans()
ARRAYS = record_arrays()


def holes(lost: bool) -> str:
    return "lost" if lost else "selected"


def same(found: np.ndarray, expected: dict[int, float | None]) -> None:
    """Values where the oracle has them, NaN everywhere else."""
    for at, value in enumerate(found.tolist()):
        wanted = expected.get(at)
        if wanted is None or math.isnan(wanted):
            assert math.isnan(value), f"row {at} was {value}, expected none"
        else:
            assert value == pytest.approx(wanted, rel=1e-12, abs=1e-12), f"row {at}"


def column(rows: dict, at: int) -> dict[int, float | None]:
    return {key: row[at] for key, row in rows.items()}


@given(ARRAYS, KINDS, st.integers(1, 3))
def test_quotes(records, kind, depth):
    expected = model.quotes(model.read(records), 0, kind[1], depth)
    micro = analysis.microprice(records, 0, kind=kind[0])
    spread = analysis.spread(records, 0, kind=kind[0])
    imbalance = analysis.imbalance(records, depth, 0, kind=kind[0])
    for found, at in (
        (micro["mid"], 0),
        (spread["quoted"], 1),
        (spread["relative"], 2),
        (micro["microprice"], 3),
    ):
        same(found, column(expected, at))
    same(imbalance["imbalance"], column(expected, 4))
    for answer in (micro, spread, imbalance):
        assert np.array_equal(answer["seq"], records["seq"])
        assert np.array_equal(answer["recv_ns"], records["recv_ns"])


@given(ARRAYS, KINDS, st.integers(1, 3), st.integers(1, 12), LOST)
def test_order_flow(records, kind, depth, window_ns, lost):
    expected = model.order_flow(model.read(records), 0, kind[1], depth, window_ns, lost)
    found = analysis.order_flow_imbalance(records, depth, window_ns, 0, kind=kind[0], holes=holes(lost))
    for name, at in (("event", 0), ("ofi", 1)):
        exact = {key: float(value) for key, value in column(expected, at).items() if value is not None}
        assert exact == {key: value for key, value in enumerate(found[name].tolist()) if value == value}


@given(ARRAYS, KINDS, st.integers(1, 12), LOST)
def test_trade_spreads(records, kind, horizon_ns, lost):
    expected = model.costs(model.read(records), 0, kind[1], horizon_ns, lost)
    found = analysis.trade_spreads(records, horizon_ns, 0, kind=kind[0], holes=holes(lost))
    for at, name in enumerate(("effective", "realised", "impact", "mid_before")):
        same(found[name], column(expected, at))


@given(ARRAYS, KINDS, LOST)
def test_trade_throughs(records, kind, lost):
    expected = model.throughs(model.read(records), 0, kind[1], lost)
    found = analysis.trade_throughs(records, 0, kind=kind[0], holes=holes(lost))
    assert found["seq"].tolist() == [records["seq"][row[0]] for row in expected]
    assert found["quote_seq"].tolist() == [records["seq"][row[1]] for row in expected]
    assert found["levels_passed"].tolist() == [row[2] for row in expected]
    for one, (trade, quote, _) in zip(found, expected, strict=True):
        best = records["price"][quote, 1 - int(records["side"][trade]), 0]
        assert (one["price"], one["best"]) == (records["trade_price"][trade], best)
        assert one["through"] == abs(one["price"] - one["best"]) > 0
        assert one["qty"] == records["trade_qty"][trade]


@given(ARRAYS, st.integers(1, 3), st.integers(0, 5), LOST)
def test_sweeps(records, least, gap_ns, lost):
    expected = model.sweeps(model.read(records), 0, least, gap_ns, lost)
    found = analysis.sweeps(records, least, gap_ns, 0, holes=holes(lost))
    assert len(found) == len(expected)
    for one, (first, last, trades, prices, qty) in zip(found, expected, strict=True):
        assert (one["first_seq"], one["last_seq"]) == (records["seq"][first], records["seq"][last])
        assert (one["trades"], one["prices"], one["qty"]) == (trades, prices, qty)
        assert (one["first_price"], one["last_price"]) == tuple(records["trade_price"][[first, last]])
        assert (one["start_ns"], one["end_ns"]) == tuple(records["recv_ns"][[first, last]])
        assert one["side"] == records["side"][first]


# ---------------------------------------------------------------- input
def test_importing_compiles_nothing():
    code = (
        "import ringbook, ringbook.analysis; from ringbook.engine import jit; assert 'runs.mark_runs' in jit.registry\n"
        "assert ringbook.analysis.bars\n"
        "print(sum(len(dispatcher.signatures) for dispatcher, _ in jit.registry.values()))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.strip() == "0"


def quoted(top_n: int = 20, size: int = 4) -> np.ndarray:
    """LIVE books of symbol 3: bid 100, ask 102."""
    out = np.zeros(size, layout.record_dtype(top_n))
    out["seq"], out["recv_ns"] = np.arange(1, size + 1), np.arange(1, size + 1)
    out["kind"], out["health"], out["symbol_id"], out["count"] = layout.KIND_BOOK, layout.LIVE, 3, 1
    out["price"][:, :, 0], out["qty"][:, :, 0] = (100, 102), (1, 3)
    return out


def symbol_rows() -> np.ndarray:
    rows = np.zeros(4, layout.symbol_dtype)
    rows["symbol"], rows["state"] = (b"A", b"B", b"C", b"BTCUSDT"), layout.SYMBOL_ACTIVE
    rows["venue"], rows["price_digits"], rows["qty_digits"] = b"here", 1, 2
    return rows


@pytest.mark.parametrize("top_n", [1, 2, 5, 20, 50])
def test_any_top_n_with_units(top_n):
    found = analysis.microprice(quoted(top_n), "BTCUSDT", symbol_rows())
    assert found["mid"].tolist() == [10.1] * 4
    assert found["microprice"].tolist() == [10.05] * 4
    assert analysis.microprice(quoted(top_n))["mid"].tolist() == [101.0] * 4


def test_arrays_of_any_shape_in_memory_are_understood():
    records = quoted(size=8)
    before = records.tobytes()
    twice = np.concatenate([records[:4], records[4:]])
    assert twice.dtype != records.dtype, (
        "numpy.concatenate keeps overlapping fields now; as_records may shrink"
    )
    records.flags.writeable = False
    whole = analysis.microprice(records)
    assert np.array_equal(analysis.microprice(twice), whole)
    assert np.array_equal(analysis.microprice(records[::2]), whole[::2])
    assert np.array_equal(analysis.microprice(records[records["seq"] > 2]), whole[2:])
    assert len(analysis.microprice(records[:0])) == 0
    assert records.tobytes() == before


def test_every_function_takes_no_records():
    nothing = quoted()[:0]
    answers = [
        analysis.spread(nothing), analysis.imbalance(nothing), analysis.order_flow_imbalance(nothing),
        analysis.trade_spreads(nothing), analysis.trade_throughs(nothing), analysis.sweeps(nothing),
        analysis.bars(nothing, "tick", 1), analysis.bars(nothing, "time", 1), analysis.volume_buckets(nothing, 1),
        analysis.volume_buckets(nothing, 1, method="bulk"), analysis.realised_volatility(nothing),
    ]  # fmt: skip
    assert all(len(answer) == 0 for answer in answers)
    assert analysis.rows_at(nothing, [[1, 2]]).tolist() == [[-2, -2]]


def two_symbols() -> np.ndarray:
    records = quoted()
    records["symbol_id"][1] = 1
    return records


def holed() -> np.ndarray:
    return quoted(size=6)[[0, 1, 4, 5]]


REFUSALS = [
    (lambda: analysis.microprice([1]), "records were <class 'list'>, expected an array as bus.records"),
    (lambda: analysis.microprice(np.zeros(3)), "records were float64 of shape (3,), expected"),
    (lambda: analysis.microprice(two_symbols()), "records hold 2 symbols (1, 3), expected one; pass symbol="),
    (lambda: analysis.microprice(two_symbols(), None, symbol_rows()), "(1 B, 3 BTCUSDT)"),
    (lambda: analysis.microprice(quoted(), "BTCUSDT"), "without a table; pass table=bus.symbol_rows"),
    (lambda: analysis.microprice(quoted(), -1), "symbol was -1, expected a symbol_id of 0 or more"),
    (lambda: analysis.spread(quoted(), kind="TRADE"), "kind was 'TRADE', expected one of BOOK, TICKER, DEPTH"),
    (lambda: analysis.imbalance(quoted(5), 6), "depth was 6, expected 1..5, the levels in these records"),
    (lambda: analysis.order_flow_imbalance(holed()), "seq has 1 holes, the first after 2; pass holes='selected'"),
    (lambda: analysis.order_flow_imbalance(holed(), holes="x"), "holes was 'x', expected 'lost' or 'selected'"),
    (lambda: analysis.order_flow_imbalance(quoted(), 1, 0), "window_ns was 0, expected a whole number in 1.."),
    (lambda: analysis.order_flow_imbalance(quoted(), 1, 1.5), "window_ns was 1.5, expected a whole number"),
    (lambda: analysis.order_flow_imbalance(quoted(), 1, math.nan), "window_ns was nan, expected a whole number"),
    (lambda: analysis.bars(quoted(), "day", 1), "unit was 'day', expected one of time, volume, tick"),
    (lambda: analysis.bars(quoted(), "volume", 0.001, None, symbol_rows()), "size was 0.001, expected a quantity"),
    (lambda: analysis.bars(quoted(), "volume", 0.5), "without table=bus.symbol_rows it is a mantissa"),
    (lambda: analysis.volume_buckets(quoted(), "much"), "bucket_qty was 'much', expected a quantity"),
    (lambda: analysis.volume_buckets(quoted(), 1, method="x"), "method was 'x', expected 'aggressor' or 'bulk'"),
    (lambda: analysis.realised_volatility(quoted(), 7, 2), "window_ns was 7, expected a multiple of sample_ns, 2"),
    (lambda: analysis.realised_volatility(quoted(), price="x"), "price was 'x', expected one of mid, microprice"),
    (lambda: analysis.rows_at(quoted(), [1.5]), "times_ns were float64, expected integers"),
    (lambda: analysis.book_at(quoted(), 0), "time_ns was 0, outside the records; they cover 1..4"),
    (lambda: analysis.book_at(quoted(), 2, kind="TICKER"), "had no TICKER record yet"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(REFUSALS)))
def test_refusals_say_what_would_do(number):
    call, words = REFUSALS[number]
    with pytest.raises(analysis.AnalysisError) as caught:
        call()
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(SymbolNotFound, match="BTCUSDT"):
        analysis.microprice(quoted(), "BTCUSD", symbol_rows())


def test_book_at_is_a_book_in_units():
    records = quoted()
    records["health"][3] = layout.GAP
    book = analysis.book_at(records, 3, "BTCUSDT", symbol_rows())
    assert (book.symbol, book.venue, book.health, book.as_of_seq, book.age_ns) == (
        "BTCUSDT",
        "here",
        "LIVE",
        3,
        0,
    )
    assert (book.mid, book.bids.tolist(), book.asks.tolist()) == (10.1, [[10.0, 0.01]], [[10.2, 0.03]])
    with pytest.raises(analysis.AnalysisError, match="the book was not LIVE"):
        analysis.book_at(records, 4)
