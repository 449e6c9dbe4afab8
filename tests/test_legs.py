"""Two connections of one stream: loss, copies and lag on each; merged it is one stream, or an honest gap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringbook.engine import layout
from ringbook.engine.workspace import PHASE_BUFFERING, PHASE_HOLDING, PHASE_SYNCED

from .model import legs as model
from .model.sync import Event
from .test_apply import Rig, apply

HOLD = 1_000_000
RULES = [("spot", model.Merged), ("futures", model.MergedFutures)]
PHASES = {"held": PHASE_HOLDING, "kept": PHASE_BUFFERING}


def counter(rig: Rig, name: str) -> int:
    return int(rig.pipe.counters[layout.C[name]])


def chain(spans: list[int], start: int = 11) -> list[Event]:
    """Diffs that follow each other."""
    events, first = [], start
    for span in spans:
        events.append(Event(first, first + span, first - 1))
        first += span + 1
    return events


def sides_of(event: Event) -> tuple[list, list]:
    """Levels that differ from diff to diff, sometimes deletions, never crossed."""
    return [(event.last % 7, event.last % 3)], [(50 + event.last % 5, event.first % 4)]


def synced(rule: str, hold: int = HOLD) -> Rig:
    rig = Rig(rule, publish_all=True)
    rig.pipe.share(hold)
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([], [])) == 0
    return rig


def send(rig: Rig, event: Event, slot: int = 0, later: int = 1000) -> None:
    rig.now += later - 1000
    rig.pipe.read_leg(slot)
    rig.diff(event, sides_of(event))


def truth(events: list[Event]) -> tuple[dict, dict]:
    books: tuple[dict, dict] = ({}, {})
    for event in events:
        apply(books, sides_of(event))
    return books


@st.composite
def two_legs(draw: st.DrawFn) -> tuple[list[Event], list[tuple[int, int, int]]]:
    """A chain, and (leg, index, ns since the one before) as its diffs come: each leg in its own order."""
    events = chain(draw(st.lists(st.integers(0, 3), min_size=1, max_size=25)))
    fate = st.sampled_from([0, 1, 1, 1, 1, 2])  # lost, once, twice
    queues = [[at for at in range(len(events)) for _ in range(draw(fate))] for _ in range(2)]
    arrivals = []
    while queues[0] or queues[1]:
        leg = draw(st.integers(0, 1)) if queues[0] and queues[1] else int(not queues[0])
        arrivals.append((leg, queues[leg].pop(0), draw(st.sampled_from([1000, 2000, HOLD // 4, HOLD]))))
    return events, arrivals


@pytest.mark.parametrize(("rule", "make"), RULES)
@settings(max_examples=150, deadline=None)
@given(story=two_legs(), snapshot_back=st.integers(0, 6))
def test_the_kernels_merge_as_the_plain_model_does(rule, make, story, snapshot_back) -> None:
    events, arrivals = story
    rig, plain = synced(rule), make(hold=HOLD)
    plain.snapshot(10)
    for leg, index, later in arrivals:
        before = len(plain.applied)
        send(rig, events[index], leg, later)
        verdict = plain.take(events[index], rig.now)
        state = rig.state
        assert state["phase"] == (
            PHASE_BUFFERING if plain.book is None else PHASE_HOLDING if plain.held else PHASE_SYNCED
        ), verdict
        assert state["pending_count"] == len(plain.kept if plain.book is None else plain.held)
        if plain.book is not None:
            assert state["book_id"] == plain.book
            assert len(plain.applied) >= before
        else:
            snapshot_id = max(10, events[index].last - snapshot_back)
            done = [event for event in events if event.last <= snapshot_id]
            code = rig.snapshot(done[-1].last if done else 10, tuple(list(s.items()) for s in truth(done)))
            outcome = plain.snapshot(done[-1].last if done else 10)
            assert {0: "live", 1: "too old", 2: "gap"}[code] == outcome
    if plain.book is not None:
        assert rig.book() == truth([event for event in events if event.last <= plain.book])


@pytest.mark.parametrize(("rule", "make"), RULES)
@settings(max_examples=100, deadline=None)
@given(story=two_legs())
def test_what_one_leg_lost_the_other_fills(rule, make, story) -> None:
    """However much each leg loses: while every diff comes on one of them in time there is no gap at all."""
    events, arrivals = story
    came = {index for _, index, _ in arrivals}
    rig = synced(rule, hold=1 << 62)
    for leg, index, later in arrivals:
        send(rig, events[index], leg, later)
    whole = next((at for at in range(len(events)) if at not in came), len(events))
    assert counter(rig, "gaps") == 0
    assert rig.book() == truth(events[:whole])
    assert rig.state["book_id"] == (events[whole - 1].last if whole else 10)
    assert (rig.state["phase"] == PHASE_SYNCED) == (whole >= max(came, default=0))
    records = rig.records()
    shown = records["last_update_id"][
        (records["kind"] == layout.KIND_BOOK) & (records["first_update_id"] > 0)
    ]
    assert (np.diff(shown.astype(np.int64)) > 0).all()  # no diff is published twice, none out of order
    assert counter(rig, "a_wins") + counter(rig, "b_wins") == len(came)


def test_a_diff_lost_on_both_legs_is_a_gap_of_that_symbol_after_the_wait() -> None:
    rig = synced("spot")
    first, lost, *rest = chain([0, 1, 0, 0])
    send(rig, first)
    send(rig, rest[0])
    assert rig.state["health"] == layout.LIVE
    assert rig.state["phase"] == PHASE_HOLDING
    rig.pipe.stamp(rig.now + HOLD - 1, rig.now + HOLD - 1)
    rig.pipe.end_holds()
    assert counter(rig, "gaps") == 0
    rig.pipe.stamp(rig.now + HOLD, rig.now + HOLD)
    rig.pipe.end_holds()
    assert (counter(rig, "gaps"), counter(rig, "holds_expired")) == (1, 1)
    status = rig.records()[-2]
    assert (status["kind"], status["cause"]) == (layout.KIND_STATUS, layout.CAUSE_SEQUENCE_GAP)
    assert status["ids_missed"] == lost.last - lost.first + 1
    send(rig, rest[1])
    assert rig.snapshot(lost.last, ([(1, 1)], [])) == 0  # what waited is applied behind the snapshot
    assert rig.state["book_id"] == rest[1].last


def test_more_waiting_diffs_than_allowed_are_a_gap() -> None:
    rig = synced("spot", hold=1 << 62)
    events = chain([0] * (model.HELD_MAX + 2))
    for event in events[1 : model.HELD_MAX + 1]:
        send(rig, event)
    assert counter(rig, "gaps") == 0
    send(rig, events[-1])
    assert counter(rig, "gaps") == 1


def test_without_a_second_connection_a_gap_is_declared_at_once() -> None:
    rig = synced("spot", hold=0)
    send(rig, chain([0, 0])[1])
    assert (counter(rig, "gaps"), counter(rig, "held")) == (1, 0)


def test_a_hole_filled_late_keeps_the_stamps_of_each_diff() -> None:
    rig = synced("spot")
    one, two, three = chain([0, 0, 0])
    send(rig, one)
    send(rig, three)
    stamp = rig.now
    send(rig, two, slot=1)
    books = [r for r in rig.records() if r["kind"] == layout.KIND_BOOK]
    assert [int(r["last_update_id"]) for r in books[-3:]] == [one.last, two.last, three.last]
    assert books[-1]["recv_ns"] == stamp < books[-2]["recv_ns"] == rig.now
    assert counter(rig, "filled") == 1


def test_a_crossed_book_while_filling_loses_nothing_that_waited() -> None:
    rig = synced("spot")
    one, two, three, four = chain([0, 0, 0, 0])
    rig.pipe.read_leg(0)
    rig.diff(one, ([(5, 1)], [(9, 1)]))
    rig.diff(three, ([(20, 1)], []))
    rig.diff(four, ([(1, 1)], []))
    rig.diff(two, ([], []))
    assert (counter(rig, "crossed"), rig.state["pending_count"]) == (1, 2)
    assert rig.snapshot(two.last, ([], [])) == 0
    assert rig.book() == ({20: 1, 1: 1}, {})


def test_each_leg_knows_how_far_it_came_and_how_late() -> None:
    rig = synced("spot")
    one, two = chain([0, 0])
    send(rig, one, slot=0)
    send(rig, one, slot=3, later=5000)
    send(rig, two, slot=3)
    send(rig, two, slot=2, later=9000)
    assert rig.pipe.space.legs[0]["last_id"].tolist() == [11, -1, 12, 12]
    assert (counter(rig, "a_wins"), counter(rig, "b_wins")) == (1, 1)
    start = int(rig.bus.geo[layout.GEO_HISTOGRAMS])
    for name, late_ns in (("b_after_a", 5000), ("a_after_b", 9000)):
        at = start + layout.HISTOGRAM_NAMES.index(name) * layout.HIST_WORDS
        count, _, most, least = rig.bus.words[at : at + 4].tolist()
        assert (count, most, least) == (1, late_ns, late_ns)


def image(rig: Rig, kind: int, number: int) -> None:
    rig.fill(Event(number, number), ([(5, 1)], [(9, 1)]))
    rig.pipe.space.frame[0]["kind"] = kind
    rig.pipe.apply_decoded(rig.now, rig.now)


def test_tickers_and_images_are_published_once_and_never_step_back() -> None:
    rig = synced("spot")
    for number in (7, 7, 9, 8, 9, 10):
        image(rig, layout.KIND_TICKER, number)
        image(rig, layout.KIND_DEPTH, number)
    for kind in (layout.KIND_TICKER, layout.KIND_DEPTH):
        records = rig.records()
        assert records["last_update_id"][records["kind"] == kind].tolist() == [7, 9, 10]
    assert counter(rig, "repeats") == 6


def trade(rig: Rig, number: int, aggregated: bool) -> None:
    frame = rig.pipe.space.frame[0]
    frame["kind"], frame["symbol_id"], frame["flags"] = layout.KIND_TRADE, 0, int(aggregated)
    frame["trade_id"] = frame["first_id"] = frame["last_id"] = number
    rig.pipe.apply_decoded(rig.now, rig.now)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.sampled_from([1, 1, 1, 2, 63, 64, 65, 700, 1023, 1024, 1025, -1, -2, -5, -900, -1200, 0]),
        max_size=60,
    ),
    start=st.sampled_from([1, 1000, 1 << 40]),
)
def test_trades_are_published_once_whatever_leg_brings_them(steps: list[int], start: int) -> None:
    ids = [max(1, start)]
    for step in steps:
        ids.append(max(1, ids[-1] + step))
    rig = synced("spot")
    for number in ids:
        trade(rig, number, False)
    trade(rig, ids[0], True)  # aggregated trades count apart
    records = rig.records()
    singles = records[(records["kind"] == layout.KIND_TRADE) & (records["flags"] == 0)]
    assert singles["trade_id"].tolist() == model.published_trades(ids, 1024)
    assert (records["flags"][records["kind"] == layout.KIND_TRADE] == 1).sum() == 1


def test_a_new_start_forgets_what_legs_brought() -> None:
    rig = synced("spot")
    trade(rig, 5000, False)
    rig.pipe.start_sync(0)
    trade(rig, 3, False)
    assert counter(rig, "trades") == 2
