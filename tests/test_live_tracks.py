"""What live views show of time: exact sums, bounded memory, nothing drawn where the book was not LIVE."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbook.io.live.columns import Clock, Columns, shifted
from ringbook.io.live.flow import FlowTrack
from ringbook.io.live.price import PriceTrack

from .live_models import news
from .model import live as model

STEP = 10
ROWS = st.lists(
    st.tuples(
        st.integers(0, 25), st.booleans(), st.integers(90, 99), st.integers(100, 110), st.integers(0, 50),
        st.integers(0, 50),
    ),
    max_size=40,
)  # fmt: skip
CUTS = st.lists(st.integers(0, 40), max_size=5)


def in_looks(rows: list, cuts: list) -> list[list]:
    """Rows with times from their distances, cut into looks."""
    time_ns, table = 1_000, []
    for row in rows:
        time_ns += row[0]
        table.append((time_ns, *row[1:]))
    edges = [0, *sorted(min(cut, len(table)) for cut in cuts), len(table)]
    return [table[low:high] for low, high in pairwise(edges)]


# ---------------------------------------------------------------- columns
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.integers(1, 12))
def test_columns_are_bounded_and_never_go_back(times, count):
    axis, newest = Columns(count, STEP), -1
    for time_ns in times:
        came = axis.advance(time_ns)
        assert 0 <= came <= count
        newest = max(newest, time_ns // STEP)
        assert axis.newest == newest
        assert axis.of(np.array([newest * STEP]))[0] == count - 1
        assert axis.of(np.array([(newest - 1) * STEP]))[0] == count - 2
        assert axis.of(np.array([(newest + 9) * STEP]))[0] == count - 1


def test_shifting_fills_the_end():
    values = np.arange(5)
    shifted(values, 2, -1)
    assert values.tolist() == [2, 3, 4, -1, -1]
    shifted(values, 0, -9)
    shifted(values, 5, 7)
    assert values.tolist() == [7] * 5


def test_recorded_data_keeps_its_own_time():
    live, old = Clock(), Clock()
    wall_ns = 10**18
    assert live.now_ns(np.array([wall_ns - 5]), wall_ns) == wall_ns
    assert live.now_ns(np.array([], np.int64), wall_ns + 9) == wall_ns + 9
    assert old.now_ns(np.array([10**15]), wall_ns) == 10**15
    assert old.now_ns(np.array([], np.int64), wall_ns + 10**9) == 10**15


# ---------------------------------------------------------------- price
@given(ROWS, CUTS, st.integers(2, 12))
def test_price_lines_equal_the_oracle_however_the_looks_fall(rows, cuts, count):
    track, looks = PriceTrack(count, STEP), in_looks(rows, cuts)
    for look in looks:
        now_ns = look[-1][0] if look else 0
        track.update(news(look), max(now_ns, 1_000), is_live=True)
    everything = [row[:4] for look in looks for row in look]
    newest = track.axis.newest
    expected = model.lines(everything, range(newest - count + 1, newest + 1), STEP)
    found = [None if np.isnan(value) else Fraction(value) for value in track.frame()["mid"]]
    assert found == expected


def test_the_microprice_leans_to_the_heavier_side():
    track = PriceTrack(4, STEP)
    track.update(news([(1_005, 1, 100, 102, 30, 10)]), 1_005, is_live=True)
    assert track.frame()["mid"][-1] == 101
    assert track.frame()["micro"][-1] == (100 * 10 + 102 * 30) / 40


def test_no_line_through_a_time_that_was_not_live():
    track = PriceTrack(8, STEP)
    track.update(news([(1_000, 1, 100, 102, 1, 1)]), 1_000, is_live=True)
    track.update(news(), 1_030, is_live=False)  # the writer's heartbeat is old; no record says so
    assert np.isnan(track.frame()["mid"][-3:]).all()
    assert track.frame()["mid"][-4] == 101  # what was known stays
    track.update(news([(1_045, 1, 104, 106, 1, 1)]), 1_045, is_live=True)
    assert track.frame()["mid"][-1] == 105
    assert np.isnan(track.frame()["mid"][-4:-1]).all()


def test_lost_records_break_the_line():
    track = PriceTrack(8, STEP)
    track.update(news([(1_000, 1, 100, 102, 1, 1)]), 1_000, is_live=True)
    track.update(news([(1_035, 1, 100, 102, 1, 1)], lost=3), 1_045, is_live=True)
    found = track.frame()["mid"]
    assert np.isnan(found[-5:-1]).all() and found[-1] == 101


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 99), st.integers(1, 99), st.booleans()), max_size=30
    )
)
def test_trades_of_a_step_are_added_up(rows):
    track, times = PriceTrack(5, STEP), np.cumsum([row[0] for row in rows]).tolist()
    table = [(1_000 + time, *row[1:]) for time, row in zip(times, rows, strict=True)]
    track.update(news(trades=table), max([1_000, *(row[0] for row in table)]), is_live=True)
    frame, first = track.frame(), track.axis.newest - 4
    for column in range(5):
        for side, name in ((True, "buy"), (False, "sell")):
            taken = [row for row in table if row[0] // STEP == first + column and row[3] == side]
            qty = sum(row[2] for row in taken)
            assert frame[f"{name}_qty"][column] == qty
            if qty:
                mean = Fraction(sum(row[1] * row[2] for row in taken), qty)
                assert frame[f"{name}_price"][column] == pytest.approx(float(mean))
            else:
                assert np.isnan(frame[f"{name}_price"][column])


# ---------------------------------------------------------------- flow
@given(ROWS, CUTS)
def test_flow_equals_the_oracle_and_counts_each_record_once(rows, cuts):
    track, looks = FlowTrack(200, STEP), in_looks(rows, cuts)
    for look in looks:
        track.update(news(look), look[-1][0] if look else 1_000, is_live=True)
    table = [row for look in looks for row in look]
    steps = model.imbalance([row[1:] for row in table])
    expected = np.zeros(200, np.int64)
    for row, step in zip(table[1:], steps, strict=False):
        expected[199 - (track.axis.newest - row[0] // STEP)] += step
    assert track.sums.tolist() == expected.tolist()
    dead = {199 - (track.axis.newest - row[0] // STEP) for row in table if not row[1]}
    assert track.is_broken[sorted(dead)].all()


def test_flow_marks_what_it_did_not_see():
    track = FlowTrack(6, STEP)
    track.update(news([(1_025, 1, 100, 102, 1, 1)]), 1_035, is_live=True)
    assert track.is_broken.tolist() == [True] * 5 + [False]  # the first column is seen from its middle on
    track.update(news([(1_045, 1, 100, 102, 9, 1)], lost=2), 1_045, is_live=True)
    assert track.is_broken[-2:].all()
    assert track.sums.sum() == 0  # no step across the loss
    track.update(news([(1_055, 1, 100, 102, 12, 1)]), 1_055, is_live=True)
    assert track.sums[-1] == 3 and not track.is_broken[-1]
    track.update(news(), 1_065, is_live=False)
    assert track.is_broken[-1]


def test_flow_begins_anew_when_the_scale_changes():
    track = FlowTrack(4, STEP)
    track.update(news([(1_000, 1, 10, 12, 5, 5), (1_001, 1, 10, 12, 8, 5)]), 1_001, is_live=True)
    assert track.sums[-1] == 3
    track.update(news([(1_011, 1, 100, 120, 5, 5)], digits=(1, 0)), 1_011, is_live=True)
    assert track.sums.tolist() == [0] * 4 and track.is_broken.all()
