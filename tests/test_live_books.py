"""What live views show of a book and of the writer: exact texts, sums and ranks, and what is unknown."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.percentiles import upper_bounds
from ringbook.io.live.depth import DepthModel, auto_width, nice_above
from ringbook.io.live.heat import UNKNOWN, HeatMap
from ringbook.io.live.ladder import LadderModel, decimal_text, qty_decimals
from ringbook.io.live.panel import PanelModel, symbols_of, window_percentiles

from .live_models import HEALTHS, book
from .model import live as model

STEP = 10


# ---------------------------------------------------------------- heat map
LEVELS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 99)), min_size=1, max_size=20, unique_by=lambda one: one[0]
)


@given(LEVELS, LEVELS, st.integers(1, 7))
def test_heat_columns_equal_the_oracle(far_bids, far_asks, cell):
    bids = sorted(((10_000 - price, qty) for price, qty in far_bids), reverse=True)
    asks = sorted((10_000 + price, qty) for price, qty in far_asks)
    heat = HeatMap(3, 16, STEP, cell / 100)
    heat.update(book(bids, asks), 1_000)
    expected = model.cells([*bids, *asks], cell, int(heat.base[-1]), 80)
    assert np.rint(heat.cells[-1].astype(float) * 1_000).astype(int).tolist() == expected
    shown = heat.shown()[-1].astype(float) * 1_000
    assert np.rint(shown).astype(int).tolist() == model.cells([*bids, *asks], cell, heat.bottom, 16)


def test_heat_knows_what_it_does_not_know():
    heat = HeatMap(4, 9, STEP, 0.01)
    good = book([[9_999, 5], [9_998, 4]], [[10_000, 5], [10_001, 7]])
    heat.update(good, 1_000)
    assert heat.frame()["shades"].reshape(4, 9)[-1].tolist().count(UNKNOWN) == 0
    assert (heat.frame()["shades"].reshape(4, 9)[:-1] == UNKNOWN).all()
    heat.update(book([[9_999, 5]], [[10_000, 5]], "GAP"), 1_010)
    assert (heat.frame()["shades"].reshape(4, 9)[-1] == UNKNOWN).all()
    top = book([[9_999, 5], [9_998, 4]], [[10_000, 5], [10_001, 7]], depth=(99, 99), is_full=False)
    heat.update(top, 1_020)  # beyond the last level shown nothing is known
    known = heat.frame()["shades"].reshape(4, 9)[-1] != UNKNOWN
    prices = heat.bottom + np.arange(9)
    assert prices[known].tolist() == [9_999, 10_000]


def test_heat_follows_the_price_and_keeps_the_past_in_its_place():
    heat = HeatMap(3, 9, STEP, 0.01)
    heat.update(book([[100, 8]], [[101, 2]]), 1_000)
    heat.update(book([[104, 8]], [[105, 2]]), 1_010)  # beyond the middle third: the picture moves
    assert heat.bottom == 100
    shown = heat.shown()
    assert shown[-2][0] == pytest.approx(0.008) and shown[-1][4] == pytest.approx(0.008)
    heat.update(book([[900_000, 8]], [[900_001, 2]]), 1_020)
    assert np.isnan(heat.shown()[:-1]).all()


def test_a_rescaled_book_begins_a_new_heat_map():
    heat = HeatMap(3, 8, STEP)
    heat.update(book([[100, 8]], [[101, 2]]), 1_000)
    heat.update(book([[1_000, 8]], [[1_010, 2]], price_digits=3), 1_010)
    assert np.isnan(heat.cells[:-1]).all() and heat.frame()["price_digits"] == 3


# ---------------------------------------------------------------- depth
@given(LEVELS, LEVELS, st.integers(1, 70))
def test_depth_is_exact_at_its_points(far_bids, far_asks, width):
    bids = sorted(((10_000 - price, qty) for price, qty in far_bids), reverse=True)
    asks = sorted((10_000 + price, qty) for price, qty in far_asks)
    mid = Fraction(bids[0][0] + asks[0][0], 2)
    for points in (1_000, 3):
        frame = DepthModel(width / 100, points).update(book(bids, asks))
        for name, levels in (("bids", bids), ("asks", asks)):
            expected = model.curve(levels, mid, width)
            prices = np.rint(frame[f"{name}_price"] * 100).astype(int).tolist()
            sums = np.rint(frame[f"{name}_sum"] * 1_000).astype(int).tolist()
            edge = {
                price for price in expected if abs(abs(price - mid) - width) == 0
            }  # may fall to either side
            assert set(zip(prices, sums, strict=True)) <= {
                *expected.items(),
                *((p, expected[p]) for p in edge),
            }
            assert len(prices) <= points + 1
            if points == 1_000:
                assert set(expected) - edge <= set(prices)
            else:
                assert frame[f"{name}_merged"] + len(prices) in (len(expected), len(expected) - len(edge))


def test_depth_of_books_that_lack_something():
    for one in (book([], [], "INIT"), book([[1, 1]], [], "GAP"), book([], [[5, 1]])):
        frame = DepthModel().update(one)
        assert frame["mid"] is None and len(frame["bids_price"]) == len(frame["asks_price"]) == 0
        assert auto_width(one) is None
    assert auto_width(book([[100, 1], [60, 1]], [[102, 1]])) == 0.5
    assert auto_width(book([[100, 99], [1, 1]], [[102, 1]])) == pytest.approx(
        0.01
    )  # one far order is not the picture
    assert [nice_above(value) for value in (0.011, 1.0, 3, 70)] == pytest.approx([0.02, 1, 5, 100])


# ---------------------------------------------------------------- ladder
@given(st.integers(-(10**20), 10**20), st.integers(0, 18))
def test_decimal_text_is_exact(mantissa, digits):
    assert Fraction(decimal_text(mantissa, digits)) == Fraction(mantissa, 10**digits)


def test_quantities_have_the_decimals_worth_reading():
    assert [qty_decimals(*one) for one in ((1, 8), (123_456, 3), (10**12, 2), (0, 0), (99_999, 5))] == [
        4,
        2,
        0,
        0,
        4,
    ]
    assert decimal_text(123_456, 3, 1) == "123.4"
    assert decimal_text(7, 3, 0) == "0"


def test_the_ladder_says_what_changed():
    ladder = LadderModel(2)
    first = ladder.update(book([[100, 5], [99, 5], [98, 5]], [[101, 5]]))
    assert [row[3] for row in first["bids"]] == [0, 0]  # nothing to compare with
    second = ladder.update(book([[100, 7], [98, 5]], [[101, 4]]))
    assert second["bids"] == [["1.00", "0.007", 1.0, 1], ["0.98", "0.005", 5 / 7, 0]]
    assert second["asks"] == [["1.01", "0.004", 4 / 7, -1]]
    assert second["spread"] == "0.01" and second["imbalance"] == pytest.approx(3 / 11)
    assert second["micro"] == pytest.approx((1.00 * 4 + 1.01 * 7) / 11)
    ladder.update(book([[100, 7]], [[101, 4]], "GAP"))
    assert ladder.update(book([[100, 9]], [[101, 4]]))["bids"][0][3] == 0  # not compared across a gap


@pytest.mark.parametrize("health", HEALTHS)
def test_a_ladder_of_books_that_lack_something(health):
    for one in (book([], [], health), book([[1, 0]], [[2, 0]], health), book([], [[1, 1]], health)):
        frame = LadderModel(3).update(one)
        assert len(frame["bids"]) == len(one.levels[0])
    assert frame["spread"] is None and frame["micro"] is None


# ---------------------------------------------------------------- panel
def panel_input(frames: int, spread: dict[int, int], generation: int = 1, **symbols: str) -> tuple:
    """Health, counters and histograms with `spread` = {bucket: count}."""
    counters = dict.fromkeys(layout.COUNTER_NAMES, 0) | {"frames": frames}
    words = np.zeros(layout.HIST_WORDS, np.int64)
    for bucket, count in spread.items():
        words[layout.HIST_EXTRA + bucket] = count
    health = {
        "verdict": "running", "pid": 1, "generation": generation, "heartbeat_age_ns": 5,
        "symbols": symbols or {"A": "LIVE"},
    }  # fmt: skip
    return health, counters, {"venue_to_recv": words.copy(), "recv_to_publish": words.copy()}


def test_the_panel_shows_the_last_seconds_not_the_whole_past():
    panel = PanelModel()
    panel.update(*panel_input(1_000, {5: 1_000}), 0)
    for second in range(1, 31):
        frame = panel.update(*panel_input(1_000 + 50 * second, {5: 1_000, 20: 10 * second}), second * 10**9)
    assert frame["rates"]["frames"] == 50 and frame["seconds"] == 10
    assert frame["stages"]["recv_to_publish"] == [20, 20, 20]
    assert frame["trend_p50"].tolist() == pytest.approx([0.02] * 30)
    assert len(panel.looks) <= 12
    frame = panel.update(*panel_input(3, {1: 3}, generation=2), 40 * 10**9)
    assert frame["rates"]["frames"] is None  # a new writer: nothing to compare with yet


@given(st.lists(st.integers(0, 70), min_size=1, max_size=200))
def test_percentiles_are_ranks(values):
    bounds, counts = upper_bounds(), np.zeros(layout.HIST_BUCKETS, np.int64)
    buckets = [int(np.searchsorted(bounds, value)) for value in values]
    np.add.at(counts, buckets, 1)
    order = sorted(int(bounds[bucket]) for bucket in buckets)
    expected = [order[max(1, int(np.ceil(len(order) * share / 100))) - 1] for share in (50.0, 99.0, 99.9)]
    assert window_percentiles(counts, bounds) == expected
    assert window_percentiles(np.zeros_like(counts), bounds) is None


def test_the_panel_shows_trouble_first_and_is_bounded():
    shown = symbols_of({f"S{n:03d}": "LIVE" for n in range(100)} | {"ZZZ": "GAP"})
    assert shown["symbols"][0] == ["ZZZ", "GAP"] and len(shown["symbols"]) == 48
    assert shown["symbols_left_out"] == 53 and shown["states"] == {"LIVE": 100, "GAP": 1}
