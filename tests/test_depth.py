"""Full books followed by a reader of its own: joined at any moment, equal to the last level, nothing missed."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringbook.engine import layout
from ringbook.engine.kernels import depth as kernels
from ringbook.engine.layout import FLAG_MORE, KIND_DELTA
from ringbook.engine.pipeline import Pipeline
from ringbook.io import bus
from ringbook.io.depth import Depth
from ringbook.io.errors import RingbookError, SymbolNotFound
from ringbook.io.reader import join

from .depth_bus import MemoryLink, held
from .model.sync import Event
from .test_apply import SKIPS, FuturesPair, Pair, Rig

SLOTS = 16
levels = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 3)), max_size=7)


def with_deltas(pair_type: type[Pair]) -> Pair:
    """A pair on a small ring, so that a reader that rests is lapped; two rows a side in a record."""
    pair = pair_type(publish_all=False)
    pair.rig = Rig(pair.rule_name, slots=SLOTS, top_n=2, deltas=True)
    pair.check = lambda: None  # type: ignore[method-assign]
    pair.rig.pipe.start_sync(pair.rig.symbol_id)
    return pair


class DepthMachine(RuleBasedStateMachine):
    """Hypothesis drives venue, writer and one reader that joins, rests and follows."""

    pair_type: type[Pair] = Pair

    @initialize()
    def start(self) -> None:
        self.pair = with_deltas(self.pair_type)
        self.depth: Depth | None = None

    @rule(skip=st.sampled_from(SKIPS), span=st.integers(0, 3), bids=levels, asks=levels)
    def event(self, skip: int, span: int, bids: list, asks: list) -> None:
        self.pair.event(skip, span, bids, asks)

    @rule(back=st.integers(-2, 8), bids=levels, asks=levels)
    def snapshot(self, back: int, bids: list, asks: list) -> None:
        self.pair.snapshot(back, bids, asks)

    @rule()
    def join_anew(self) -> None:
        self.depth = Depth(MemoryLink(self.pair.rig.bus, 2), ["TESTUSDT"])  # type: ignore[arg-type]
        self.compare()

    @rule()
    def follow(self) -> None:
        if self.depth is not None:
            self.depth.advance()
            self.compare()

    def compare(self) -> None:
        assert self.depth is not None
        state = self.pair.rig.state
        book = self.depth.book("TESTUSDT")
        assert book.health == layout.HEALTH_NAMES[state["health"]]
        if book.health == "LIVE":
            assert held(self.depth) == self.pair.books
            assert book.last_update_id == self.pair.plain.book

    @invariant()
    def accounts(self) -> None:
        if getattr(self, "depth", None) is not None:
            cursor = self.depth._place.cursor  # type: ignore[union-attr]
            assert cursor[kernels.CUR_OPEN] == 0


class FuturesDepthMachine(DepthMachine):
    """The same under the rule of USD-M."""

    pair_type = FuturesPair


TestSpotDepth = DepthMachine.TestCase
TestSpotDepth.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestFuturesDepth = FuturesDepthMachine.TestCase
TestFuturesDepth.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


def walk(follow_always: bool) -> Depth:
    """A fixed random walk with gaps and snapshots, followed closely or lapped now and then."""
    rng, pair = random.Random(3), with_deltas(Pair)

    def some() -> list:
        return [(rng.randint(1, 40), rng.randint(0, 3)) for _ in range(rng.randint(0, 7))]

    depth = Depth(MemoryLink(pair.rig.bus, 2), None)  # type: ignore[arg-type]
    compared = 0
    for _ in range(2000):
        if rng.random() < 0.1:
            pair.snapshot(rng.randint(-2, 3), some(), some())
        else:
            pair.event(rng.choice([0] * 30 + SKIPS), rng.randint(0, 3), some(), some())
        if follow_always or rng.random() < 0.1:
            depth.advance()
            if pair.plain.book is not None:
                compared += 1
                assert held(depth) == pair.books
    assert compared > 50
    return depth


def test_a_close_follower_copies_only_after_snapshots() -> None:
    depth = walk(follow_always=True)
    assert depth.lost == depth.laps == 0
    assert 10 < depth.copies < 300
    assert depth._place.cursor[kernels.CUR_APPLIED] > 1000


def test_a_lapped_follower_counts_and_copies_again() -> None:
    depth = walk(follow_always=False)
    assert depth.laps > 20
    assert depth.lost > 200
    assert depth.copies >= depth.laps


def test_rows_of_a_long_diff_take_several_slots() -> None:
    rig = Rig("spot", top_n=2, deltas=True)
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([(5, 1)], [(99, 1)])) == 0
    before = rig.pipe.next_seq
    bids, asks = [(4, 2), (3, 3), (5, 0), (2, 1), (1, 9)], [(99, 7)]
    rig.diff(Event(11, 12, -1), (bids, asks))
    records = rig.records(before)
    parts = records[records["kind"] == KIND_DELTA]
    assert [bool(flags & FLAG_MORE) for flags in parts["flags"]] == [True, True, False]
    assert parts["count"].tolist() == [[2, 1], [2, 0], [1, 0]]
    got = [pair for part in parts for pair in zip(part["price"][0], part["qty"][0], strict=True)]
    assert [(int(p), int(q)) for p, q in got if p] == bids
    assert (parts["last_update_id"] == 12).all() and (parts["depth"] == [4, 1]).all()
    assert records["kind"][-1] == layout.KIND_BOOK
    as_of = rig.bus.words[rig.base + layout.B_AS_OF]
    assert as_of == records["seq"][-1]


def test_a_diff_without_rows_still_tells_its_ids() -> None:
    rig = Rig("spot", top_n=2, deltas=True)
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([(5, 1)], [(99, 1)])) == 0
    depth = Depth(MemoryLink(rig.bus, 2), None)  # type: ignore[arg-type]
    rig.diff(Event(11, 15, -1), ([], []))
    assert depth.advance() == 1
    assert depth.book("TESTUSDT").last_update_id == 15


def test_a_writer_that_stopped_inside_a_diff_does_not_hold_the_reader() -> None:
    rig = Rig("spot", top_n=2, deltas=True)
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([(5, 1)], [(99, 1)])) == 0
    depth = Depth(MemoryLink(rig.bus, 2), None)  # type: ignore[arg-type]
    before = rig.pipe.next_seq
    rig.diff(Event(11, 11, -1), ([(4, 2), (3, 3), (2, 2)], []))
    geo = rig.bus.geo
    width, mask = int(geo[layout.GEO_SLOT_WORDS]), int(geo[layout.GEO_SLOT_MASK])
    for seq in range(before + 1, rig.pipe.next_seq):  # all but the first part: as if never committed
        rig.bus.words[geo[layout.GEO_RING] + (seq & mask) * width] = seq - 1
    assert depth.advance() == 1
    assert held(depth) == ({5: 1, 4: 2, 3: 3, 2: 2}, {99: 1})  # from the book area, which has the whole diff


def test_hostile_records_harm_nothing() -> None:
    rng = np.random.default_rng(11)
    rig = Rig("spot", slots=64, top_n=2, deltas=True)
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([(5, 1)], [(99, 1)])) == 0
    depth = Depth(MemoryLink(rig.bus, 2), None)  # type: ignore[arg-type]
    geo = rig.bus.geo
    width, ring = int(geo[layout.GEO_SLOT_WORDS]), int(geo[layout.GEO_RING])
    seq = depth.next_seq
    for _ in range(3000):
        at = ring + (seq & 63) * width
        words = rng.integers(-(1 << 63), (1 << 63) - 1, width)
        words[layout.R_TAGS] = int(rng.choice([KIND_DELTA, 1, 4, 2])) | int(rng.integers(0, 8)) << 8
        words[layout.R_TAGS] |= (
            int(rng.integers(0, 256)) << 24 | int(rng.choice([0, 0, 0, 1, 7, 1 << 20])) << 32
        )
        if rng.random() < 0.5:
            words[layout.R_PAYLOAD :] = rng.choice(
                [0, 1, -1, (1 << 63) - 1, -(1 << 63)], width - layout.R_PAYLOAD
            )
        words[0] = seq
        rig.bus.words[at : at + width] = words
        depth.advance()
        seq += 1
    assert depth.copies > 100  # a price no book can hold is answered by another copy
    rig.pipe.work[16] = seq
    depth._needs[:] = kernels.NEEDS_COPY
    depth.advance()
    assert held(depth) == ({5: 1}, {99: 1})


def test_what_cannot_be_followed_is_said() -> None:
    rig = Rig("spot")
    with pytest.raises(RingbookError, match=r"carries no DELTA records.*--deltas"):
        Depth(MemoryLink(rig.bus, 5), None)  # type: ignore[arg-type]
    rig = Rig("spot", deltas=True)
    with pytest.raises(SymbolNotFound, match="NOSUCH"):
        Depth(MemoryLink(rig.bus, 5), ["NOSUCH"])  # type: ignore[arg-type]
    depth = Depth(MemoryLink(rig.bus, 5), ["TESTUSDT"])  # type: ignore[arg-type]
    with pytest.raises(RingbookError, match="expected one followed here"):
        depth.book("NOSUCH")


def test_a_rescaled_symbol_is_followed_into_its_new_row() -> None:
    rig = Rig("spot", top_n=2, deltas=True)
    rig.pipe.start_sync(0)
    assert rig.snapshot(10, ([(5, 1)], [(99, 1)])) == 0
    depth = Depth(MemoryLink(rig.bus, 2), None)  # type: ignore[arg-type]
    assert rig.bus.add_symbol(b"TESTUSDT", "test", 1, 0, 1, 1) == 1
    rig.bus.retire_symbol(0, 1)
    rig.symbol_id = 1
    rig.pipe.open_book(1)
    rig.pipe.start_sync(1)
    assert rig.snapshot(20, ([(57, 1)], [(990, 1)])) == 0
    depth.advance()
    assert held(depth) == ({57: 1}, {990: 1})
    assert depth.book("TESTUSDT").bids.tolist() == [[5.7, 1.0]]


def test_the_writers_successor_is_followed(bus_directory: Path) -> None:
    def writer(best: int) -> bus.WriterBus:
        owner = bus.create("next", venue="t", symbol_capacity=2, slot_count=64, directory=bus_directory)
        pipe = Pipeline(owner.words, owner.ctl, owner.geo, "binance", next_seq=owner.next_seq, deltas=True)
        symbol_id = owner.add_symbol(b"TESTUSDT", "t", 0, 0, 1, 1)
        pipe.open_book(symbol_id)
        pipe.stamp(time.time_ns(), time.monotonic_ns())
        pipe.start_sync(symbol_id)
        body = f'{{"lastUpdateId":7,"bids":[["{best}","1"]],"asks":[]}}'.encode()
        assert pipe.snapshot(np.frombuffer(body.ljust(256), np.uint8).copy(), len(body), symbol_id, 0) == 0
        return owner

    first = writer(5)
    with join("next", bus_directory) as reader:
        depth = reader.depth()
        assert held(depth) == ({5: 1}, {})
        first.close()
        second = writer(6)
        while not depth.look_around():
            depth.advance()
        depth.advance()
        assert held(depth) == ({6: 1}, {})
        second.delete()
