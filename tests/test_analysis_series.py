"""Bars, buckets, variances and the book at a time against their oracle."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook import analysis
from ringbook.engine import jit, layout
from ringbook.engine.analysis import volume
from ringbook.io.analysis import series

from .model import analysis as model
from .model import analysis_series as model_series
from .record_rows import record_arrays
from .test_analysis import holes

LOST = st.booleans()
ARRAYS = record_arrays(most=30)


@given(ARRAYS, st.sampled_from(("time", "volume", "tick")), st.integers(1, 20), LOST)
def test_bars(records, unit, size, lost):
    expected = model_series.bars(model.read(records), 0, unit, size, lost)
    found = analysis.bars(records, unit, size, 0, holes=holes(lost))
    assert len(found) == len(expected)
    for one, (first, last, _, *numbers) in zip(found, expected, strict=True):
        assert (one["first_seq"], one["last_seq"]) == (records["seq"][first], records["seq"][last])
        names = ("start_ns", "end_ns", "open", "high", "low", "close", "qty", "buy_qty", "trades")
        assert [one[name] for name in names] == numbers
        trades = [
            row for row in model.read(records[first : last + 1]) if model.is_trade(row) and row.symbol == 0
        ]
        assert one["vwap"] == pytest.approx(sum(t.price * t.qty for t in trades) / sum(t.qty for t in trades))


@given(ARRAYS, st.integers(1, 40), st.integers(1, 4), LOST)
def test_volume_buckets(records, bucket_qty, window, lost):
    trades = model_series.bars(model.read(records), 0, "tick", 1, lost)
    pieces = [(row[9], Fraction(row[10] > 0), row[2]) for row in trades]
    expected = model_series.buckets(pieces, bucket_qty, window)
    found = analysis.volume_buckets(records, bucket_qty, window, symbol=0, holes=holes(lost))
    assert len(found) == len(expected)
    for one, (first, last, _, bought, vpin) in zip(found, expected, strict=True):
        assert one["first_seq"] == records["seq"][trades[first][0]]
        assert one["last_seq"] == records["seq"][trades[last][0]]
        assert (one["start_ns"], one["end_ns"]) == (trades[first][3], trades[last][4])
        assert (one["qty"], one["buy_qty"], one["sell_qty"]) == (bucket_qty, bought, bucket_qty - bought)
        assert np.isnan(one["vpin"]) if vpin is None else one["vpin"] == pytest.approx(float(vpin))


@given(ARRAYS, st.integers(1, 40), st.integers(1, 8), LOST)
def test_bulk_buckets(records, bucket_qty, bar_ns, lost):
    bars = model_series.bars(model.read(records), 0, "time", bar_ns, lost)
    shares = model_series.bulk_shares([row[8] for row in bars], [row[2] for row in bars])
    kept = [(row, share) for row, share in zip(bars, shares, strict=True) if share is not None]
    expected = model_series.buckets([(row[9], share, row[2]) for row, share in kept], bucket_qty, 2)
    found = analysis.volume_buckets(records, bucket_qty, 2, "bulk", bar_ns, symbol=0, holes=holes(lost))
    assert len(found) == len(expected)
    for one, (first, last, _, bought, vpin) in zip(found, expected, strict=True):
        assert (one["start_ns"], one["end_ns"]) == (kept[first][0][3], kept[last][0][4])
        assert one["buy_qty"] == pytest.approx(float(bought), abs=1e-9)
        assert np.isnan(one["vpin"]) if vpin is None else one["vpin"] == pytest.approx(float(vpin), abs=1e-9)


RUNS = st.lists(st.integers(0, 1), max_size=12).map(lambda steps: np.cumsum(steps).astype(np.int64) + 1)


@given(RUNS, st.lists(st.integers(90, 110), min_size=12, max_size=12))
def test_bulk_shares(runs, closes):
    """Longer rows of bars than records make."""
    jit.warm(rooms=("volume",))
    prices = np.array(closes[: len(runs)], np.float64)
    shares = np.zeros(len(runs))
    volume.bulk_shares(prices, runs, volume.change_deviation(prices, runs), shares)
    expected = model_series.bulk_shares(closes[: len(runs)], runs.tolist())
    for found, wanted in zip(shares.tolist(), expected, strict=True):
        assert np.isnan(found) if wanted is None else found == pytest.approx(wanted, abs=1e-12)


@given(ARRAYS, st.integers(1, 5), st.integers(1, 4), st.sampled_from(("mid", "trade")), LOST)
def test_realised_volatility(records, sample_ns, samples, price, lost):
    rows = model.read(records)
    if price == "trade":
        prices = {at: float(one.price) for at, one in enumerate(rows) if model.is_trade(one)}
    else:
        prices = {at: row[0] for at, row in model.quotes(rows, 0, layout.KIND_BOOK, 1).items()}
    expected = model_series.variances(rows, 0, prices, samples * sample_ns, sample_ns, lost)
    found = analysis.realised_volatility(records, samples * sample_ns, sample_ns, price, 0, holes=holes(lost))
    assert len(found) == len(expected)
    for one, (start, last, changes, variance) in zip(found, expected, strict=True):
        assert (one["start_ns"], one["end_ns"], one["changes"]) == (
            start,
            start + samples * sample_ns,
            changes,
        )
        assert one["seq"] == records["seq"][last]
        assert one["variance"] == pytest.approx(variance, rel=1e-9, abs=1e-18)
        assert one["volatility"] == pytest.approx(variance**0.5, rel=1e-9, abs=1e-9)


@given(ARRAYS, st.lists(st.integers(-3, 120), max_size=8), st.sampled_from((1, 3)), LOST)
def test_rows_at(records, times_ns, kind, lost):
    rows = model.read(records)
    found = analysis.rows_at(records, times_ns, 0, kind=layout.KIND_NAMES[kind], holes=holes(lost))
    assert found.tolist() == [model_series.row_at(rows, 0, kind, time_ns, lost) for time_ns in times_ns]


def test_too_many_rows_are_refused(monkeypatch):
    records = np.zeros(2, layout.record_dtype(1))
    records["seq"], records["recv_ns"], records["kind"], records["health"] = (
        (1, 2),
        1,
        layout.KIND_TRADE,
        layout.LIVE,
    )
    records["trade_price"], records["trade_qty"] = 7, 2_000
    monkeypatch.setattr(series, "ROWS_MOST", 4_000)
    assert len(analysis.volume_buckets(records, 1)) == 4_000, "grown from 1024 rows"
    records["trade_qty"][0] += 1
    with pytest.raises(analysis.AnalysisError, match="bucket_qty makes more than 4000 rows of these records"):
        analysis.volume_buckets(records, 1)
