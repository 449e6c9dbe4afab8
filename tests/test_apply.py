"""Diffs, gaps and snapshots through the pipeline's own states, against the plain sync model and a dict book."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringbook.engine import layout
from ringbook.engine.books import sides_of
from ringbook.engine.kernels.book_check import check_book
from ringbook.engine.kernels.sync import RULES
from ringbook.engine.pipeline import Pipeline
from ringbook.io.memory_bus import MemoryBus

from .model import sync as model

LEVELS = 128
LIVE = layout.LIVE
SKIPS = [0, 0, 0, 0, 1, 3, -3]  # how far a diff's first id is from the one expected
levels = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=4)


class Rig:
    """One symbol on a bus in memory, fed with decoded frames."""

    def __init__(self, rule_name: str, *, slots: int = 256, top_n: int = 5, **options: Any) -> None:
        self.bus = MemoryBus(slots, top_n, 2, LEVELS)
        options = {"pending_words": 4096} | options
        self.pipe = Pipeline(
            self.bus.words, self.bus.ctl, self.bus.geo, "binance", injected_clock=True, **options
        )
        self.symbol_id = self.bus.add_symbol(b"TESTUSDT", "test", 0, 0, 1, 1)
        self.pipe.space.instruments[self.symbol_id]["rule"] = RULES[rule_name]
        self.pipe.open_book(self.symbol_id)
        self.state = self.pipe.space.states[self.symbol_id]
        self.base = int(
            self.bus.geo[layout.GEO_BOOKS] + self.symbol_id * self.bus.geo[layout.GEO_BOOK_STRIDE]
        )
        self.now = 1_000_000

    def fill(self, event: model.Event, sides: tuple[list, list]) -> None:
        """Put a diff where the scanner would."""
        frame, rows = self.pipe.space.frame[0], self.pipe.space.rows
        frame["kind"], frame["symbol_id"], frame["flags"] = layout.KIND_BOOK, self.symbol_id, 0
        frame["first_id"], frame["last_id"], frame["prev_id"] = event.first, event.last, event.prev
        frame["event_ns"] = 0
        for side in (0, 1):
            frame["rows"][side] = len(sides[side])
            for row, level in enumerate(sides[side]):
                rows[side, row] = level

    def diff(self, event: model.Event, sides: tuple[list, list]) -> None:
        """Send a diff."""
        self.now += 1000
        self.fill(event, sides)
        self.pipe.apply_decoded(self.now, self.now)

    def snapshot(self, snapshot_id: int, sides: tuple[list, list], limit: int = 0) -> int:
        """Load a snapshot through its REST body."""
        text = [[[str(p), str(q)] for p, q in side] for side in sides]
        body = f'{{"lastUpdateId":{snapshot_id},"bids":{text[0]},"asks":{text[1]}}}'.replace("'", '"')
        buf = np.zeros(len(body) + 64, np.uint8)
        buf[: len(body)] = np.frombuffer(body.encode(), np.uint8)
        self.pipe.stamp(self.now, self.now)
        return self.pipe.snapshot(buf, len(body), self.symbol_id, limit)

    def book(self) -> tuple[dict[int, int], dict[int, int]]:
        """The full book as two dicts."""
        sides = sides_of(self.bus.words, self.base, LEVELS)
        return tuple(dict(rows.tolist()) for rows in sides)  # type: ignore[return-value]

    def records(self, since: int = 1) -> np.ndarray:
        """Records published from seq `since` on."""
        raw = self.bus.records(since, self.pipe.next_seq)
        return raw.view(layout.record_dtype(int(self.bus.geo[layout.GEO_TOP_N]))).reshape(-1)


def crossed(book: tuple[dict, dict]) -> bool:
    return all(book) and max(book[0]) >= min(book[1])


def apply(book: tuple[dict, dict], sides: tuple[list, list]) -> None:
    for held, changes in zip(book, sides, strict=True):
        for price, qty in changes:
            held.pop(price, None)
            if qty:
                held[price] = qty


class Pair:
    """A rig and the plain model side by side, with a venue whose ids jump, repeat and run back."""

    rule_name, make = "spot", model.Spot

    def __init__(self, publish_all: bool, seen: set[str] | None = None) -> None:
        self.seen = set() if seen is None else seen
        self.rig, self.plain = Rig(self.rule_name, publish_all=publish_all), self.make()
        self.books: tuple[dict, dict] = ({}, {})
        self.kept: dict[model.Event, tuple[list, list]] = {}
        self.next_id = 10
        self.rig.pipe.start_sync(self.rig.symbol_id)

    def event(self, skip: int, span: int, bids: list, asks: list) -> None:
        first = max(1, self.next_id + skip)
        event = model.Event(first, first + span, first - 1 if self.rule_name == "futures" else -1)
        # bids below, asks above a moving middle, so that a crossed book is rare but possible
        sides = ([(p, q) for p, q in bids], [(p + 36, q) for p, q in asks])
        if event in self.kept:
            return
        self.kept[event] = sides
        before = len(self.plain.applied)
        verdict = self.plain.event(event)
        self.seen.add(verdict)
        self.rig.diff(event, sides)
        self.next_id = event.last + 1
        for done in self.plain.applied[before:]:
            apply(self.books, self.kept[done])
        self.after_change(event)

    def snapshot(self, back: int, bids: list, asks: list) -> None:
        snapshot_id = max(1, self.next_id - back)
        sides = ([(p, q) for p, q in bids if q], [(p + 36, q) for p, q in asks if q])
        code = self.rig.snapshot(snapshot_id, sides)
        if self.plain.book is not None:
            assert code == 3  # unwanted
            return
        before = len(self.plain.applied)
        outcome = self.plain.snapshot(snapshot_id)
        self.seen.add(outcome)
        if outcome == "too old":
            assert code == 1
            return
        self.books = ({}, {})
        apply(self.books, sides)
        for done in self.plain.applied[before:]:
            apply(self.books, self.kept[done])
        if outcome == "gap":
            assert code == 2
        elif crossed(self.books):
            self.seen.add("crossed snapshot")
            assert code == 4
            self.plain.book, self.plain.kept = None, []
        else:
            assert code == 0

    def after_change(self, event: model.Event) -> None:
        if self.plain.book is not None and crossed(self.books):
            self.seen.add("crossed")
            self.plain.book, self.plain.kept = None, [event]

    def check(self) -> None:
        state, live = self.rig.state, self.plain.book is not None
        assert (state["health"] == LIVE) == live
        assert check_book(self.rig.bus.words, self.rig.base, LEVELS) == 0
        records = self.rig.records(max(1, self.rig.pipe.next_seq - 200))
        assert (np.diff(records["seq"]) == 1).all()
        if live:
            assert state["book_id"] == self.plain.book
            assert self.rig.book() == self.books
            shown = [r for r in records if r["kind"] == layout.KIND_BOOK and r["health"] == LIVE]
            for side, best in ((0, sorted(self.books[0], reverse=True)), (1, sorted(self.books[1]))):
                top = [(p, self.books[side][p]) for p in best[:5]]
                last = shown[-1]
                count = int(last["count"][side])
                pairs = zip(last["price"][side][:count], last["qty"][side][:count], strict=True)
                assert [(int(p), int(q)) for p, q in pairs] == top
        else:
            assert state["wants_snapshot"] == 1
            assert state["pending_count"] == len(self.plain.kept)


class FuturesPair(Pair):
    """The same under the rule of USD-M."""

    rule_name, make = "futures", model.Futures


class SyncMachine(RuleBasedStateMachine):
    """Hypothesis drives the pair."""

    pair_type = Pair

    @initialize(publish_all=st.booleans())
    def start(self, publish_all: bool) -> None:
        self.pair = self.pair_type(publish_all)

    @rule(skip=st.sampled_from(SKIPS), span=st.integers(0, 3), bids=levels, asks=levels)
    def event(self, skip: int, span: int, bids: list, asks: list) -> None:
        self.pair.event(skip, span, bids, asks)

    @rule(back=st.integers(-2, 8), bids=levels, asks=levels)
    def snapshot(self, back: int, bids: list, asks: list) -> None:
        self.pair.snapshot(back, bids, asks)

    @invariant()
    def same(self) -> None:
        if hasattr(self, "pair"):
            self.pair.check()


class FuturesMachine(SyncMachine):
    """The same under the rule of USD-M."""

    pair_type = FuturesPair


TestSpot = SyncMachine.TestCase
TestSpot.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestFutures = FuturesMachine.TestCase
TestFutures.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("pair_type", [Pair, FuturesPair])
def test_every_outcome_is_reached(pair_type: type[Pair]) -> None:
    """A fixed random walk: a generator that cannot produce an outcome would prove nothing about it."""
    rng, seen = random.Random(7), set[str]()

    def some_levels() -> list:
        return [(rng.randint(1, 40), rng.randint(0, 3)) for _ in range(rng.randint(0, 4))]

    for _ in range(40):
        pair = pair_type(publish_all=False, seen=seen)
        for _ in range(25):
            if rng.random() < 0.3:
                pair.snapshot(rng.randint(-2, 8), some_levels(), some_levels())
            else:
                pair.event(rng.choice(SKIPS), rng.randint(0, 3), some_levels(), some_levels())
        pair.check()
    assert seen == {"kept", "accept", "drop", "gap", "live", "too old", "crossed", "crossed snapshot"}


def test_a_gap_is_told_in_records_and_heals() -> None:
    rig = Rig("spot")
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([(5, 1)], [(9, 1)])) == 0
    rig.diff(model.Event(13, 13), ([(6, 1)], []))
    records = rig.records()
    assert [layout.HEALTH_NAMES[h] for h in records["health"]] == ["SYNCING"] * 2 + ["LIVE"] * 2 + ["GAP"] * 2
    status = records[4]
    assert (status["kind"], status["cause"], status["ids_missed"]) == (4, layout.CAUSE_SEQUENCE_GAP, 2)
    assert status["old_health"] == LIVE
    assert rig.snapshot(12, ([(5, 2)], [(9, 1)])) == 0  # the event that showed the gap was kept
    assert rig.book() == ({5: 2, 6: 1}, {9: 1})
    assert rig.records()[-2]["health"] == LIVE


def test_pending_is_bounded_and_keeps_the_newest() -> None:
    rig = Rig("spot", pending_words=64)
    rig.pipe.start_sync(0)
    for number in range(1, 40):
        rig.diff(model.Event(number, number), ([(5, number)], []))
        assert rig.state["pending_used"] <= 64
    assert rig.pipe.counters[layout.C["buffer_drops"]] > 0
    assert rig.snapshot(5, ([], [])) == 1  # too old for what is left
    assert rig.snapshot(38, ([], [])) == 0
    assert rig.book()[0] == {5: 39}


def test_a_diff_larger_than_the_buffer_is_counted_not_written() -> None:
    rig = Rig("spot", pending_words=16)
    rig.pipe.start_sync(0)
    rig.diff(model.Event(1, 1), ([(p, 1) for p in range(1, 30)], []))
    assert rig.state["pending_count"] == 0
    assert rig.pipe.counters[layout.C["buffer_drops"]] == 1


def test_horizon_is_the_snapshots_edge_only_where_the_venue_cut_it() -> None:
    rig = Rig("spot")
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([(5, 1), (4, 1)], [(9, 1)]), limit=2) == 0
    book = rig.records()[-1]
    assert list(book["horizon"]) == [4, layout.HORIZON_OPEN[1]]
    assert list(book["depth"]) == [2, 1]


def test_stale_recovers_with_the_next_diff() -> None:
    rig = Rig("spot")
    rig.pipe.start_sync(0)
    rig.snapshot(10, ([(5, 1)], [(9, 1)]))
    rig.pipe.tell_health(0, layout.STALE, layout.CAUSE_STALE)
    rig.diff(model.Event(11, 11), ([(4, 1)], []))
    assert [int(c) for c in rig.records()["cause"][-2:]] == [layout.CAUSE_RECOVERED] * 2
    assert rig.state["health"] == LIVE
