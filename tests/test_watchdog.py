"""The watchdog on streams with every habit: regular, bursty, quiet, stopped, mute."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine.backoff import NS_PER_S
from ringbook.engine.watchdog import (
    CEILING_NS,
    FINE,
    FIRST_FRAME_NS,
    FLOOR_NS,
    MUTE,
    QUIET,
    STUCK_FIRST_FRAMES,
    STUCK_FRAMES,
    LegWatch,
    StuckBooks,
    Watchdog,
)

START_NS = 1000 * NS_PER_S
Verdicts = list[tuple[float, int]]  # second since the start, verdict


def arrivals(gaps_s: list[float]) -> np.ndarray:
    return START_NS + (np.cumsum(gaps_s) * NS_PER_S).astype(np.int64)


def judge(at_ns: np.ndarray, seconds: float, poll_s: float = 1.0, dog: Watchdog | None = None) -> Verdicts:
    """Poll one stream whose frames arrive at `at_ns`; every change of verdict."""
    dog = dog or Watchdog(1)
    dog.watch([0], START_NS)
    found: Verdicts = []
    for poll in range(1, int(seconds / poll_s) + 1):
        now_ns = START_NS + int(poll * poll_s * NS_PER_S)
        count = int(np.searchsorted(at_ns, now_ns, "right"))
        last_ns = int(at_ns[count - 1]) if count else 0
        for change in dog.poll(now_ns, np.array([last_ns], np.int64), np.array([count], np.int64)):
            assert change.index == 0
            found.append(((now_ns - START_NS) / NS_PER_S, change.verdict))
    return found


@settings(max_examples=60)
@given(
    period_s=st.floats(0.01, 25),
    jitter=st.floats(0, 0.5),
    poll_s=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
    seed=st.integers(0, 99),
)
def test_a_regular_stream_raises_no_alarm_at_any_rate(
    period_s: float, jitter: float, poll_s: float, seed: int
) -> None:
    length_s = max(60.0, 20 * period_s)
    noise = np.random.default_rng(seed).uniform(1 - jitter, 1 + jitter / 5, int(length_s / period_s * 3) + 2)
    assert judge(arrivals((noise * period_s).tolist()), length_s, poll_s) == []


@settings(max_examples=40)
@given(period_s=st.floats(0.01, 20), poll_s=st.sampled_from([0.5, 1.0]))
def test_a_stream_that_stops_raises_exactly_one_alarm(period_s: float, poll_s: float) -> None:
    stop_s = 40 * period_s
    at_ns = arrivals([period_s] * 40)
    ((alarm_s, verdict),) = judge(at_ns, stop_s + 700, poll_s)
    assert verdict == QUIET
    assert stop_s + FLOOR_NS / NS_PER_S <= alarm_s <= stop_s + CEILING_NS / NS_PER_S + poll_s


def test_a_stopped_stream_that_goes_on_is_fine_again() -> None:
    found = judge(arrivals([0.1] * 600 + [100] + [0.1] * 600), 220)
    assert [verdict for _, verdict in found] == [QUIET, FINE]


def test_a_mute_stream_is_found_after_its_first_frame_is_overdue() -> None:
    ((alarm_s, verdict),) = judge(np.zeros(0, np.int64), 300)
    assert verdict == MUTE
    assert FIRST_FRAME_NS / NS_PER_S <= alarm_s <= FIRST_FRAME_NS / NS_PER_S + 1


@pytest.mark.parametrize("first_s", [40.5, 75.5, 150.5, 400.5])
def test_a_mute_stream_that_speaks_at_last_is_fine_at_once(first_s: float) -> None:
    found = judge(arrivals([first_s, *[0.2] * 100]), first_s + 10)
    assert [verdict for _, verdict in found] == [MUTE, FINE]


@settings(max_examples=12)
@given(
    gaps_s=st.lists(st.floats(60, 200), min_size=24, max_size=24),
    burst=st.sampled_from([1, 2, 10, 40]),
    spread_s=st.sampled_from([0.0, 0.05, 0.3]),
)
def test_a_quiet_symbol_causes_no_storm(gaps_s: list[float], burst: int, spread_s: float) -> None:
    """Trades of one order come as a burst: the frames of a burst are no proof of a lively stream."""
    gaps = [one for gap_s in gaps_s for one in (gap_s, *[spread_s] * (burst - 1))]
    found = judge(arrivals(gaps), sum(gaps), 2.0)
    alarms = [at_s for at_s, verdict in found if verdict != FINE]
    # Before its habit is known it may be suspected; later its own longest gaps are its limit.
    assert all(at_s <= sum(gaps_s[:17]) + 20 for at_s in alarms), alarms
    assert len(alarms) <= 17


def test_the_first_long_gap_of_a_quiet_symbol_teaches_it() -> None:
    found = judge(arrivals([10, *[150] * 20]), 3000)
    assert [verdict for _, verdict in found] == [QUIET, FINE]


def test_only_watched_streams_are_judged() -> None:
    dog, none = Watchdog(2), np.zeros(2, np.int64)
    dog.watch([1], START_NS)
    (change,) = dog.poll(START_NS + 2 * FIRST_FRAME_NS, none, none)
    assert (change.index, change.verdict) == (1, MUTE)
    dog.ignore([1])
    assert dog.poll(START_NS + 3 * FIRST_FRAME_NS, none, none) == []


def test_frames_from_before_the_reconnect_do_not_count() -> None:
    """The arrays still hold the last connection's arrivals when watching begins anew."""
    dog = Watchdog(1)
    before = np.array([START_NS - 1]), np.array([500])
    dog.watch([0], START_NS)
    assert dog.poll(START_NS + NS_PER_S, *before) == []
    (change,) = dog.poll(START_NS + FIRST_FRAME_NS + 1, *before)
    assert change.verdict == MUTE


def test_a_habit_outlives_a_reconnect() -> None:
    dog = Watchdog(1)
    judge(arrivals([0.1] * 300), 29, 1.0, dog)
    limit = dog.limit_ns().copy()
    dog.ignore([0])
    dog.watch([0], START_NS)
    assert (dog.limit_ns() == limit).all() and limit[0] == FLOOR_NS


def test_streams_do_not_disturb_each_other() -> None:
    """Many streams at once give what each gives alone."""
    habits: list[Callable[[], np.ndarray]] = [
        lambda: arrivals([0.1] * 3000), lambda: arrivals([0.1] * 1000), lambda: np.zeros(0, np.int64),
        lambda: arrivals([7.0] * 60), lambda: arrivals([90.0] * 4),
    ]  # fmt: skip
    streams = [habit() for habit in habits]
    dog, found = Watchdog(len(streams)), [[] for _ in streams]
    dog.watch(list(range(len(streams))), START_NS)
    for second in range(1, 301):
        now_ns = START_NS + second * NS_PER_S
        counts = np.array([np.searchsorted(at_ns, now_ns, "right") for at_ns in streams])
        last = np.array([a[n - 1] if n else 0 for a, n in zip(streams, counts, strict=True)])
        for change in dog.poll(now_ns, last, counts):
            found[change.index].append((float(second), change.verdict))
    assert found == [judge(at_ns, 300) for at_ns in streams]


# ---------------------------------------------------------------- books that stand still
def stuck(polls: list[tuple[bool, int, int]], is_first: bool = False, poll_s: float = 0.01) -> list[int]:
    """Polls at which one book is called stuck; each poll is (synced, id of the book, frames so far)."""
    watch = StuckBooks(1)
    return [
        number
        for number, (synced, book_id, count) in enumerate(polls)
        if watch.poll(
            START_NS + int(number * poll_s * NS_PER_S),
            *map(np.array, ([synced], [is_first], [book_id], [count])),
        )
    ]


def test_a_book_is_stuck_when_enough_diffs_in_a_row_move_nothing() -> None:
    assert stuck([(True, 7, 0), (True, 7, STUCK_FRAMES - 1), (True, 7, STUCK_FRAMES)]) == [2]
    # Said once for each run of so many frames.
    assert stuck([(True, 7, number) for number in range(3 * STUCK_FRAMES)]) == [
        STUCK_FRAMES,
        2 * STUCK_FRAMES,
    ]


def test_a_book_right_behind_its_snapshot_is_given_longer() -> None:
    """It may be ahead of a stream that lags; but not for ever, or a snapshot from before a restart would stand."""
    polls = [(True, 7, number) for number in range(STUCK_FIRST_FRAMES + 1)]
    assert stuck(polls, is_first=True) == [STUCK_FIRST_FRAMES]


def test_a_slow_symbol_is_judged_by_time() -> None:
    polls = [(True, 7, number // 10) for number in range(40)]  # a diff in ten seconds
    assert stuck(polls, poll_s=1.0) == [30]
    assert stuck([(True, 7, number // 10) for number in range(70)], is_first=True, poll_s=1.0) == [60]
    assert not stuck([(True, 7, number // 25) for number in range(60)], poll_s=1.0)  # two diffs prove nothing


def test_a_book_that_moves_or_is_not_synced_is_never_stuck() -> None:
    assert not stuck([(True, number, 100 * number) for number in range(10)])  # most frames are duplicates
    assert not stuck([(False, 7, 100 * number) for number in range(10)])
    assert not stuck([(True, 7, 0), (False, 7, 100), (True, 7, 101)])
    assert not stuck([(True, 7, 0)] * 10)  # a silent stream is the other watch's affair


def test_a_leg_that_is_silent_where_the_other_speaks_is_found() -> None:
    legs = LegWatch(4, 30 * NS_PER_S)
    looks = [
        [[5, 5], [5, 5], [-1, 7], [-1, -1]],
        [[9, 8], [5, 6], [-1, 7], [-1, -1]],  # stream 1: A stands, B goes on; stream 2: both stand
        [[9, 9], [5, 6], [-1, 8], [-1, -1]],  # stream 0: A stands because B only caught up
        [[9, 9], [6, 6], [8, 8], [1, -1]],
        [[9, 9], [6, 6], [8, 8], [2, -1]],
    ]
    found = []
    for turn, ids in enumerate(looks):
        now_ns = START_NS + turn * 30 * NS_PER_S
        found.append(legs.poll(now_ns, np.array(ids)))
        assert legs.poll(now_ns + 29 * NS_PER_S, np.array(ids)) is None
    assert found == [None, [(1, 0)], [(2, 0)], [(3, 1)], [(3, 1)]]
