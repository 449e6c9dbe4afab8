"""The full book against a dict after every step: valid and invalid messages, tiny pools, extreme prices."""

import random
from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ringbook.engine import layout
from ringbook.engine.kernels import book_check
from ringbook.engine.layout import ASK, BID, SIDES

from .book_bench import COMPILED, BookPair, burst, fill, plain, warm

EXTREME = (0, 1, 2**31, 2**62, 2**63 - 2, 2**63 - 1, -1, -(2**62), -(2**63 - 1))
RARE_PATHS = {
    "open", "split", "merge", "free", "evict own side", "evict other side", "squeeze", "beyond limit",
}  # fmt: skip
PLAIN = plain()

sides = st.sampled_from((BID, ASK))
prices = st.one_of(st.integers(1, 300), st.integers(1, 300), st.sampled_from(EXTREME))
quantities = st.one_of(st.just(0), st.integers(1, 9), st.sampled_from((1, 2**63 - 1, -1, -(2**63))))
messages = st.lists(st.tuples(prices, quantities), max_size=30)
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    warm()


class BookMachine(RuleBasedStateMachine):
    kernels = COMPILED
    reached: set[str] = set()  # noqa: RUF012 - over all runs on purpose

    @initialize(blocks=st.sampled_from((4, 4, 5, 16, 40)))
    def start(self, blocks: int) -> None:
        self.pair = BookPair(blocks, self.kernels)

    @rule(side=sides, price=prices, qty=quantities)
    def delta(self, side: int, price: int, qty: int) -> None:
        self.pair.set_level(side, price, qty)

    @rule(side=sides, rows=messages)
    def message(self, side: int, rows: list[tuple[int, int]]) -> None:
        self.pair.apply(side, rows)

    @rule(side=sides, seed=seeds, share=st.sampled_from((0.0, 0.1, 0.9)), spread=st.sampled_from((300, 5000)))
    def many(self, side: int, seed: int, share: float, spread: int) -> None:
        for price, qty in burst(seed, share, spread, 150):
            self.pair.set_level(side, price, qty)

    @rule(side=sides, seed=seeds, share=st.sampled_from((0.1, 0.5, 0.9)), spread=st.sampled_from((100, 900)))
    def long_message(self, side: int, seed: int, share: float, spread: int) -> None:
        self.pair.apply(side, list(burst(seed, share, spread, 120)))

    @rule(side=sides, seed=seeds, keep=st.sampled_from((0.0, 0.1, 0.5)))
    def thin_out(self, side: int, seed: int, keep: float) -> None:
        rng = random.Random(seed)
        for price in self.pair.model.prices(side):
            if rng.random() >= keep:
                self.pair.set_level(side, price, 0)

    @rule(seed=seeds, length=st.integers(0, 200))
    def snapshot(self, seed: int, length: int) -> None:
        self.pair.reset()
        for side in range(SIDES):
            rows = sorted(burst(seed + side, 0.0, 2000, length), reverse=side == BID)
            self.pair.apply(side, rows, "load_rows")

    @rule(side=sides, price=prices)
    def horizon(self, side: int, price: int) -> None:
        self.pair.kernels.set_horizon(self.pair.words, self.pair.base, side, price)
        limit = self.pair.model.limit[side]
        inner = price if limit is None else (min if side == ASK else max)(price, limit)
        self.pair.model.horizon[side] = inner

    @invariant()
    def same(self) -> None:
        if hasattr(self, "pair"):
            self.pair.check()
            type(self).reached |= self.pair.reached


QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def test_equals_the_model_after_every_step() -> None:
    BookMachine.reached = set()
    run_state_machine_as_test(
        BookMachine, settings=settings(max_examples=60, stateful_step_count=25, **QUICK)
    )
    assert BookMachine.reached == RARE_PATHS


def test_plain_python_form_equals_the_model_too() -> None:
    class PlainMachine(BookMachine):
        kernels = PLAIN

    run_state_machine_as_test(PlainMachine, settings=settings(max_examples=4, stateful_step_count=6, **QUICK))


@given(st.lists(st.tuples(sides, st.integers(1, 60), st.sampled_from((0, 0, 1, 2))), max_size=120))
@settings(max_examples=15, deadline=None)
def test_compiled_and_plain_leave_the_same_words(steps: list[tuple[int, int, int]]) -> None:
    first, second = BookPair(4), BookPair(4, PLAIN)
    for pair in (first, second):
        for side, price, qty in steps:
            pair.set_level(side, price, qty)
    assert (first.words == second.words).all()


@pytest.mark.parametrize("blocks", [0, 1, 63, 64, 65, 128, 129, 192, 300, 320, 513, 1024])
def test_directory_search_agrees_with_bisect(blocks: int) -> None:
    """Also where the directory is full, so that what lies behind it is not padding."""
    room = layout.directory_room(blocks)
    words = np.full(room + 1024, -5, np.int64)  # block ids and lengths come next: small numbers
    words[:room] = layout.KEY_NONE
    words[:blocks] = maxima = np.arange(blocks) * 10
    for key in range(-5, 10 * blocks + 15, 5):
        assert COMPILED.find_block(words, 0, blocks, key) == bisect_left(maxima, key)
    for key in (-1, 10 * blocks - 10, 10 * blocks):
        assert PLAIN.find_block(words, 0, blocks, key) == bisect_left(maxima, key)


def test_the_greatest_price_is_a_price() -> None:
    """Its key is that of an empty place."""
    pair = BookPair(4)
    for qty in (2, 1, 1, 0):
        pair.apply(ASK, [(layout.KEY_NONE, qty)])
        pair.check()


@pytest.mark.parametrize("n", [20, layout.BLOCK_LEVELS, 50])
def test_nothing_behind_the_pool_is_touched(n: int) -> None:
    """A book at the very end of its array: a delete in the pool's last block, and the top where it is shown."""
    words, rows = np.zeros(layout.book_words(4), np.int64), np.zeros((2, 8), layout.level_dtype)
    PLAIN.book_reset(words, 0, 4)
    last = np.arange(4 * layout.BLOCK_LEVELS, 0, -1) * 10
    for price in last:  # each better than all before: the newest block, the last of the pool, is the first
        PLAIN.set_level(words, 0, ASK, int(price), 5)
    out = np.zeros(2 * n, np.int64)
    for step, price in enumerate(range(20, 10 * n, 20)):
        rows[ASK, 0] = (price, 0)
        assert PLAIN.apply_rows(words, 0, ASK, rows, 1) == step + 1
        assert PLAIN.write_top(words, 0, ASK, out, 0, n, n) == n


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_full_pool_drops_the_worst_and_says_so(side: int) -> None:
    pair, sign = BookPair(4), 2 * side - 1
    fill(pair, side, 4 * layout.BLOCK_LEVELS)
    worst = pair.model.prices(side)[-1]
    assert pair.word(layout.B_EVICTED) == 0
    assert pair.word(layout.B_HORIZON + side) == layout.HORIZON_OPEN[side]
    pair.set_level(side, worst + sign, 5)  # worse than everything: dropped
    assert pair.word(layout.B_HORIZON + side) == worst
    assert len(pair.model.levels[side]) == 4 * layout.BLOCK_LEVELS
    pair.set_level(side, worst - sign, 5)  # inside the worst block: its last level goes
    assert pair.word(layout.B_HORIZON + side) == worst - sign
    pair.set_level(side, 100_000 - sign, 5)  # best: the worst block goes, the first one is split
    assert len(pair.model.levels[side]) == 3 * layout.BLOCK_LEVELS + 1
    pair.set_level(1 - side, 100_000 - 2 * sign, 5)  # the other side takes the block left by a merge
    pair.check()
    assert pair.word(layout.B_EVICTED) == 2 + 2 * layout.BLOCK_LEVELS
    assert pair.reached >= {"squeeze", "evict own side", "evict other side"}


def test_orphans_are_counted_and_change_nothing() -> None:
    pair = BookPair(8)
    fill(pair, ASK, 100)
    before = pair.words.copy()
    for price in (99_999, 100_005, 200_000):
        pair.set_level(ASK, price, 0)
    pair.set_level(BID, 5, 0)
    pair.set_level(ASK, 100_000, 1)  # the quantity it has
    assert pair.word(layout.B_ORPHANS) == 4 == pair.model.orphans
    before[pair.base + layout.B_ORPHANS] = 4
    assert (pair.words == before).all()


def test_a_book_never_reset_takes_nothing() -> None:
    words = np.zeros(layout.book_words(4), np.int64)
    COMPILED.set_level(words, 0, ASK, 5, 5)
    COMPILED.set_level(words, 0, BID, 5, 0)
    assert COMPILED.best_price(words, 0, ASK) == layout.NO_PRICE
    assert COMPILED.write_top(words, 0, ASK, np.zeros(10, np.int64), 0, 5, 5) == 0


def test_row_counts_are_cut_to_the_array() -> None:
    pair = BookPair(4)
    rows = np.zeros((SIDES, 3), layout.level_dtype)
    rows[ASK] = [(3, 1), (2, 1), (1, 1)]
    assert COMPILED.apply_rows(pair.words, pair.base, ASK, rows, 1_000_000) == 0
    assert COMPILED.apply_rows(pair.words, pair.base, ASK, rows, -5) == layout.RANK_UNCHANGED
    assert COMPILED.dump_side(pair.words, pair.base, 4, ASK, rows[:, :2].copy()) == 2
    assert pair.top(ASK, 3) == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize(
    ("at", "value", "violation"),
    [
        (layout.B_BLOCKS, 5, book_check.BOOK_WRONG_POOL),
        (layout.B_FREE, -1, book_check.BOOK_WRONG_POOL),
        (layout.B_FREE, 10**12, book_check.BOOK_WRONG_POOL),
        ("id", 9, book_check.BOOK_BLOCK_SHARED),
        ("id", -(2**63), book_check.BOOK_BLOCK_SHARED),
        ("length", 65, book_check.BOOK_WRONG_LENGTH),
        ("length", 0, book_check.BOOK_WRONG_LENGTH),
        ("key", 2**40, book_check.BOOK_UNSORTED),
        ("qty", 0, book_check.BOOK_BAD_QTY),
        ("max", 1, book_check.BOOK_WRONG_MAX),
        ("padding", 1, book_check.BOOK_WRONG_PADDING),
        ("levels", 1, book_check.BOOK_WRONG_COUNT),
        ("limit", 1, book_check.BOOK_BEYOND_LIMIT),
    ],
)
def test_check_names_each_violation(at: int | str, value: int, violation: int) -> None:
    pair, room = BookPair(8), layout.directory_room(8)
    fill(pair, ASK, 20)
    head = layout.B_SIDE + layout.B_SIDE_WORDS
    directory = layout.BOOK_HEADER_WORDS + 3 * room
    pool = layout.BOOK_HEADER_WORDS + 7 * room
    places = {
        "id": directory + room, "length": directory + 2 * room, "max": directory, "key": pool + 3,
        "qty": pool + layout.BLOCK_LEVELS + 3, "padding": pool + 25, "levels": head + layout.S_LEVELS,
        "limit": head + layout.S_LIMIT,
    }  # fmt: skip
    pair.words[pair.base + (at if isinstance(at, int) else places[at])] = value
    assert COMPILED.check_book(pair.words, pair.base, 8) == violation
    assert PLAIN.check_book(pair.words, pair.base, 8) == violation
